"""The benchmarks measure what they claim to measure."""

import json
import math
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import accuracy, contenders, framework_script, report, speed
from benchmarks.cases import CASES, Case
from benchmarks.commands import CommandResult, alternate
from benchmarks.epochs import VARIANTS, CaseResult, Times, _on_cores, takes_part
from benchmarks.load import LoadResult
from benchmarks.sweep import Search, render
from benchmarks.verdicts import at_least, at_most, same_work
from dlcli.config import files as config_files
from dlcli.config.schema import Config, to_builtins
from dlcli.config.validation import from_builtins
from dlcli.data import datasets
from dlcli.nn.kernels import NUMPY
from dlcli.training.builders import make_learning_rates

FRAMEWORKS = {"torch", "torch_compiled", "jax", "sklearn"}
VARIED = {"dlcli": 0.2, "products": 0.1, "dlcli_augmented": 0.3, "dlcli_averaged": 0.2}
SMALL = Case((16,), "adam", rounds=2, targets=(("dlcli", "torch", 0.5),))


@pytest.fixture(scope="module")
def train():
    return datasets.load("sample").train


def test_dlcli_is_measured_by_its_own_training_from_the_weights_the_others_get(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)  # as the contender does, for its process
    contender = contenders.Dlcli(SMALL, train)
    for (weight, bias), other in zip(
        contender.layers(), contenders._initial_layers(SMALL), strict=True
    ):
        np.testing.assert_array_equal(weight, other[0])
        np.testing.assert_array_equal(bias, other[1])
    first, second = contender.epoch(), contender.epoch()
    assert second < first < math.log(10)
    assert contender.state.epoch == 2
    assert contender.state.optimizer.kernels is NUMPY
    assert contenders.accuracy(contender.layers(), train) > 0.85


def test_variants_train_with_what_they_are_named_for(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    plain = contenders.Dlcli(SMALL, train)
    loss = plain.epoch()
    for variant in VARIANTS:
        contender = contenders.CONTENDERS[variant](SMALL, train)
        assert contender.epoch() != loss or contender.state.average is not None
        assert contenders.accuracy(contender.layers(), train) > 0.5
    assert contenders.DlcliNormalised(SMALL, train).state.network.batch_norm
    assert contenders.DlcliAugmented.settings["augmentation"]["elastic_alpha"] > 0


@pytest.mark.parametrize(
    ("case", "names"),
    [
        (SMALL, {"dlcli", "dlcli_compiled", "products", *FRAMEWORKS}),
        (
            replace(SMALL, variants=(("dlcli_averaged", None),)),
            {"dlcli", "products", "dlcli_averaged"},
        ),
    ],
)
def test_contenders_of_a_case(case, names):
    assert {name for name in contenders.CONTENDERS if takes_part(name, case)} == names


def test_a_variants_target_is_its_time_over_that_without():
    case = replace(SMALL, variants=(("dlcli_augmented", 1.25), ("dlcli_averaged", None)))
    times = {name: Times(0.1, [seconds], accuracy=0.9) for name, seconds in VARIED.items()}
    (verdict,) = CaseResult(case, times).verdicts
    assert not verdict.is_met
    assert verdict.text == (
        "1.5 of the time of dlcli (dlcli with augmentation); target: at most 1.25"
    )


def test_the_limit_is_every_matrix_product_of_an_epoch(train, monkeypatch):
    shapes, matmul = [], np.matmul

    def multiply(a, b, out):
        shapes.append((*a.shape, b.shape[1]))
        matmul(a, b, out=out)

    monkeypatch.setattr("benchmarks.contenders.np.matmul", multiply)
    contenders.MatrixProducts(SMALL, train).epoch()
    per_image = 784 * 16 + 16 * 10
    multiplications = sum(math.prod(shape) for shape in shapes)
    # Forward, slopes, and errors carried back to all layers but the first.
    assert multiplications == len(train) * (2 * per_image + 16 * 10)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_lasts_longer_than_it_is_timed(case):
    assert case.config().epochs > case.rounds + 1


def test_the_frameworks_follow_the_schedule_of_the_fast_config():
    config = config_files.load(["fast"])
    rates = make_learning_rates(config, 469)
    settings = {key: getattr(config, key) for key in config.__struct_fields__}
    for step in range(469 * config.epochs):
        rate = framework_script.rate_at(step, 469, settings)
        assert rate == pytest.approx(rates.at(step), abs=1e-12)


def test_a_run_is_evaluated_and_its_logs_are_kept_without_weights(trained_model, tmp_path):
    accuracy.keep(trained_model, tmp_path)
    kept = tmp_path / "trained"
    names = {"config.yaml", "metrics.jsonl", "summary.json", "test.json"}
    assert {path.name for path in kept.iterdir()} == names
    assert (kept / "metrics.jsonl").read_bytes() == (trained_model / "metrics.jsonl").read_bytes()
    assert json.loads((kept / "test.json").read_text())["images"] == 2000


def test_the_table_has_mean_and_deviation_over_seeds_from_the_least_accurate(tmp_path):
    for name, rights, seconds in (
        ("good", [0.99, 0.992, 0.994], [190, 130, 125]),
        ("bad", [0.9, 0.9, 0.9], [1, 2, 3]),
    ):
        for seed, (right, took) in enumerate(zip(rights, seconds, strict=True)):
            folder = tmp_path / f"{name}-{seed}"
            folder.mkdir()
            config = to_builtins(Config(hidden_layers=(5,) if name == "good" else ()))
            (folder / "summary.json").write_text(json.dumps({"config": config, "seconds": took}))
            scores = {"accuracy": right, "expected_calibration_error": 0.01 * seed}
            (folder / "test.json").write_text(json.dumps(scores))
    (tmp_path / "README.md").touch()
    assert accuracy.table(tmp_path).splitlines()[2:] == [
        "| `bad` | 784-10 | 90.00 % ± 0.00 | 90.00, 90.00, 90.00 | 1.00 % | 1.0 s |",
        "| `good` | 784-5-10, relu | 99.20 % ± 0.20 | 99.00, 99.20, 99.40 | 1.00 % | 2 min |",
    ]


def test_every_config_states_the_result_in_its_logs():
    names = {path.name.rpartition("-")[0] for path in accuracy.LOGS.iterdir() if path.is_dir()}
    assert {"quickstart", "fast", "mnist"} <= names
    for name in names:
        text = config_files.shipped_configs()[name].read_text(encoding="utf-8")
        assert f"# {accuracy.claim(name)}" in text
        for seed in accuracy.seeds(name):
            kept = accuracy.LOGS / f"{name}-{seed}"
            config = config_files.load([name], [f"seed={seed}"])
            assert config_files.load([str(kept / "config.yaml")]) == config
            summary = json.loads((kept / "summary.json").read_text())
            assert from_builtins(summary["config"], "summary.json") == config
            records = (kept / "metrics.jsonl").read_text().splitlines()
            assert len(records) == summary["epochs"]


def test_commands_take_turns_after_a_round_that_does_not_count(tmp_path):
    log = tmp_path / "log"
    commands = {
        name: lambda number, name=name: ["sh", "-c", f"echo {name}{number} >> {log}"]
        for name in ("a", "b")
    }
    seconds = alternate(commands, rounds=2)
    assert log.read_text().split() == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert [len(times) for times in seconds.values()] == [2, 2]


def test_targets_are_met_on_their_own_side():
    assert at_most(0.5, 0.5, "x").is_met
    assert not at_most(0.5, 0.51, "x").is_met
    assert at_least(0.98, 0.98, "x").is_met
    assert not at_least(0.98, 0.9799, "x").is_met


def test_a_contender_that_learns_less_fails_the_comparison():
    assert same_work({"dlcli": 0.98, "other": 0.976, "third": 0.984}).is_met
    verdict = same_work({"dlcli": 0.98, "other": 0.976, "third": 0.96})
    assert not verdict.is_met
    assert verdict.text.endswith("not third 96.00%")


def test_the_report_has_ratios_of_rounds_and_missed_targets(monkeypatch):
    monkeypatch.setattr(report, "_PACKAGES", ("numpy",))
    times = {
        "dlcli": Times(0.3, [0.2, 0.4], accuracy=0.98, versions="NumPy"),
        "products": Times(0.2, [0.1, 0.2]),
        "torch": Times(0.9, [0.4, 0.4], 0.12, accuracy=0.981, versions="PyTorch"),
    }
    loaded = LoadResult({"dlcli": [0.8, 1.6]}, {"dlcli": [1.6, 3.2]}, {"dlcli": [4.0, 8.0]})
    command = CommandResult("help", {"dlcli --help": [0.06], "import": [0.05]})
    text = report.write([CaseResult(SMALL, times), loaded, command], "make bench")
    assert "Of 4 targets 2 are met." in text
    assert "| PyTorch | 0.90 | 0.400 | 0.400 to 0.400 | 0.75 | 0.120 | 98.10% |" in text
    assert "The matrix products alone take 50% of the time of dlcli." in text
    assert "- MISSED: 0.75 of the time of PyTorch (dlcli); target: at most 0.5" in text
    assert "| dlcli | 0.240 | 2.00 | 5.00 |" in text
    assert "- met: 2 times as long as alone (dlcli), two at once; target: at most 2.6" in text
    assert "| `import` | 0.050 | 0.050 to 0.050 | 1.20 |  |" in text


def test_the_page_on_searches_shows_the_effect_of_pruning_and_a_second_job():
    searches = [
        Search(0, "hyperband", 100.0, 60, 480, 0.97, 0.96),
        Search(0, "none", 250.0, 60, 1200, 0.971, 0.961),
    ]
    page = render((0.963, 0.9625), searches, {1: [30, 30], 2: [50, 50]})
    assert "| hyperband | 0 | 100 | 60 | 480 | 97.00 % | 96.00 % |" in page
    assert "| 2 | 50, 50 |" in page
    verdicts = re.findall(r"^\| (.*); target: .* \| (yes|no) \|$", page, flags=re.MULTILINE)
    assert [met for _, met in verdicts] == ["yes", "yes", "yes", "yes", "no"]
    assert [text.split()[0] for text, _ in verdicts] == ["60", "97", "60", "97", "1.667"]


def test_the_page_on_speed_has_every_case_of_the_results_whoever_wins():
    text = speed.RESULTS.read_text(encoding="utf-8")
    titles = re.findall(r"^### (\d.*)$", text, flags=re.MULTILINE)
    compared = [title for title in titles if "PyTorch" in dict(speed.sections(text))[title]]
    lines = speed.table().splitlines()
    assert len(compared) >= 6
    assert all(any(line.startswith(f"| {title} |") for line in lines) for title in compared)
    processor = re.search(r"processor \| ([^(]*)\(", text)
    assert processor is not None
    assert processor[1] in lines[0]


def test_processes_of_the_benchmark_use_the_cores_they_are_given():
    before = os.sched_getaffinity(0)
    with _on_cores(1):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
