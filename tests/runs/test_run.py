"""The run directory: never reused, whole at every moment, and enough to go on from."""

import json
import math
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.data.splits import split_validation
from dlcli.errors import CheckpointError, ConfigError
from dlcli.runs import checkpoint, directory, listing, metrics_log, resume
from dlcli.runs.run import Run
from dlcli.training.epoch_metrics import EpochRecord
from dlcli.training.loop import fit
from dlcli.training.state import initial_state

CONFIG = Config(
    hidden_layers=(6,),
    batch_size=16,
    epochs=4,
    dropout=0.3,
    input_dropout=0.1,
    learning_rate=0.05,
    validation_size=10,
    schedule="cosine",
)


@pytest.fixture
def dataset(tiny):
    return datasets.load(str(tiny))


def train(run: Run, state, epochs: int | None = None) -> list[EpochRecord]:
    """Train a run on, for some epochs or to its end, storing each."""
    learn, validate = split_validation(run.dataset.train, 10, run.config.seed)
    records = []
    for record in fit(run.config, learn, validate, state):
        run.record(state, record)
        records.append(record)
        if len(records) == epochs:
            break
    return records


def start(folder, dataset, config=CONFIG):
    folder.mkdir()
    run, state = Run(folder, config, dataset, threads=1), initial_state(config)
    run.start(state)
    return run, state


def test_a_started_run_can_be_resumed_before_its_first_epoch(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    resumed = resume.read(run.path)
    assert resumed.config == CONFIG
    assert resumed.state.epoch == 0
    assert math.isinf(resumed.state.best_loss)
    assert (resumed.state.network.parameters == state.network.parameters).all()


def test_a_run_that_was_begun_is_not_begun_again(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 1)
    before = (run.path / "last.npz").read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        run.start(state)
    assert (run.path / "last.npz").read_bytes() == before


def test_metrics_hold_a_line_an_epoch(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    records = train(run, state)
    assert metrics_log.read(run.path) == records
    lines = (run.path / "metrics.jsonl").read_text().splitlines()
    assert list(json.loads(lines[0])) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "learning_rate",
        "gradient_norm",
        "seconds",
        "samples_per_second",
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "weight_decay": 0.01},
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.01},
        {"batch_norm": True, "label_smoothing": 0.1, "schedule": "one_cycle"},
        {"weight_averaging": 0.9, "max_norm": 1.0},
        {"weight_averaging": 0.9, "batch_norm": True, "optimizer": "adamw"},
    ],
    ids=str,
)
@pytest.mark.parametrize("stopped_after", [0, 1, 2, 3])
def test_stopped_after_any_epoch_and_resumed_ends_bit_identically(
    tmp_path, dataset, settings, stopped_after
):
    config = msgspec.structs.replace(CONFIG, **settings)
    whole, state = start(tmp_path / "whole", dataset, config)
    train(whole, state)

    broken, state = start(tmp_path / "broken", dataset, config)
    if stopped_after:
        train(broken, state, stopped_after)
    resumed = resume.read(broken.path)
    again = Run(broken.path, resumed.config, dataset, threads=1)
    again.resume(resumed.state)
    train(again, resumed.state)

    for name in ("best.npz", "last.npz"):
        assert (whole.path / name).read_bytes() == (broken.path / name).read_bytes()
    strip = {"seconds", "samples_per_second"}
    first, second = (
        [
            {key: value for key, value in json.loads(line).items() if key not in strip}
            for line in (run.path / "metrics.jsonl").read_text().splitlines()
        ]
        for run in (whole, broken)
    )
    assert first == second


def test_metrics_newer_than_the_checkpoint_are_dropped_on_resume(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    records = train(run, state, 2)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({**json.loads(_last_line(run)), "epoch": 3}) + "\n")
        file.write('{"epoch": 4, "train_')  # the line being written when the process died
    run.resume(resume.read(run.path).state)
    assert metrics_log.read(run.path) == records


def _last_line(run: Run) -> str:
    return (run.path / "metrics.jsonl").read_text().splitlines()[-1]


@pytest.mark.parametrize("line", ["not json", "[]", '{"epoch": 2}', '{"epoch": "<b>"}'])
def test_a_damaged_metrics_line_is_named(tmp_path, dataset, line):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 1)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl:2: damaged line"):
        metrics_log.read(run.path)


def test_metrics_that_are_no_text_are_refused(tmp_path, dataset):
    run, _ = start(tmp_path / "run", dataset)
    (run.path / "metrics.jsonl").write_bytes(b"\xff\xff\n")
    with pytest.raises(CheckpointError, match="not a text file"):
        metrics_log.read(run.path)


def test_the_best_epoch_is_kept(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == state.best_epoch
    assert checkpoint.load(run.path / "last.npz").metadata.epoch == 4


def test_what_is_kept_is_the_running_mean_folded_and_with_its_temperature(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, weight_averaging=0.9, batch_norm=True, epochs=1)
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state)
    best, last = (checkpoint.load(run.path / name) for name in ("best.npz", "last.npz"))
    assert state.average is not None
    expected = state.average.fuse_batch_norm().parameters
    assert best.network.parameters.tobytes() == expected.tobytes()
    assert best.average is None
    assert best.metadata.temperature == state.temperature != 1
    assert last.network.parameters.tobytes() == state.network.parameters.tobytes()
    assert last.network.statistics.tobytes() == state.network.statistics.tobytes()
    assert last.average is not None
    assert last.average.parameters.tobytes() == state.average.parameters.tobytes()
    assert (last.average.parameters != last.network.parameters).any()


def test_without_validation_images_the_last_epoch_is_kept(tmp_path, dataset):
    config = Config(hidden_layers=(4,), epochs=2, validation_size=0)
    run, state = start(tmp_path / "run", dataset, config)
    nothing = split_validation(dataset.train, 0, 0)[1]
    for record in fit(config, dataset.train, nothing, state):
        run.record(state, record)
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == 2
    summary = run.finish(state)
    assert summary.best_epoch == 2
    assert summary.validation_accuracy is None
    (row,) = listing.list_runs(tmp_path)
    assert row["best_epoch"] == 2


def test_the_summary_says_what_was_done(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    records = train(run, state)
    summary = run.finish(state)
    assert summary.to_builtins() == json.loads((run.path / "summary.json").read_text())
    kept = records[state.best_epoch - 1]
    assert summary.validation_accuracy == kept.validation_accuracy
    assert summary.stopped_by == "epochs"
    assert summary.parameters == 784 * 6 + 6 + 6 * 10 + 10
    assert summary.dataset["checksum"] == dataset.checksum


def test_runs_are_listed_with_their_status_in_the_order_they_were_trained(tmp_path, dataset):
    start(tmp_path / "z-begun", dataset)
    run, state = start(tmp_path / "b-done", dataset)
    train(run, state)
    run.finish(state)
    (tmp_path / "no-run").mkdir()
    rows = list(listing.list_runs(tmp_path))
    assert [(row["run"], row["status"], row["epochs"]) for row in rows] == [
        (str(tmp_path / "z-begun"), "unfinished", 0),
        (str(tmp_path / "b-done"), "finished", 4),
    ]
    assert rows[1]["best_epoch"] == state.best_epoch


@pytest.mark.parametrize("keep", ["best_accuracy", "best_loss", "last"])
def test_the_epoch_listed_is_the_one_that_is_kept(tmp_path, dataset, keep):
    config = msgspec.structs.replace(CONFIG, keep=keep, learning_rate=0.3, epochs=8)
    run, state = start(tmp_path / "run", dataset, config)
    records = train(run, state)
    (row,) = listing.list_runs(tmp_path)
    assert row["best_epoch"] == state.best_epoch == run.finish(state).best_epoch
    assert row["validation_loss"] == records[state.best_epoch - 1].validation_loss
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == state.best_epoch


def test_a_run_whose_config_is_damaged_is_listed_as_such(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    (run.path / "config.yaml").write_text("warp: 9\n")
    (row,) = listing.list_runs(tmp_path)
    assert (row["status"], row["best_epoch"]) == ("damaged", None)


def test_a_run_that_goes_on_is_unfinished_again(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    run.finish(state)
    run.resume(state)
    assert [row["status"] for row in listing.list_runs(tmp_path)] == ["unfinished"]


def test_resuming_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such run directory"):
        directory.find(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"last\.npz: no such checkpoint"):
        resume.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": None}, "holds no training state"),
        ({"threads": None}, "metadata: threads: missing"),
        ({"config": {"epochs": -1}}, "epochs: expected"),
        ({"config": {"hidden_layers": [7]}}, "its network is not that of its config"),
        ({"config": {"hidden_layers": [6], "optimizer": "adam"}}, "optimiser state is not that"),
        ({"config": {"hidden_layers": [6], "batch_norm": True}}, "its network is not that"),
        ({"config": {"hidden_layers": [6], "weight_averaging": 0.9}}, "its network is not that"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(tmp_path, dataset, change, message):
    run, state = start(tmp_path / "run", dataset)
    metadata = checkpoint.load(run.path / "last.npz").metadata
    checkpoint.save(
        run.path / "last.npz",
        state.network,
        "cross_entropy",
        replace(metadata, **change),
        state.optimizer.state,
    )
    with pytest.raises(CheckpointError, match=message):
        resume.read(run.path)


def test_a_best_checkpoint_that_a_crash_left_behind_is_made_up_for(tmp_path, dataset):
    """Killed between last.npz and best.npz of an epoch that is the best."""
    run, state = start(tmp_path / "run", dataset)
    records = []
    learn, validate = split_validation(dataset.train, 10, CONFIG.seed)
    for record in fit(CONFIG, learn, validate, state):
        run.record(state, record)
        records.append(record)
        if state.is_best and len(records) > 1:
            break
    expected = (run.path / "best.npz").read_bytes()
    (run.path / "best.npz").unlink()
    last = (run.path / "last.npz").read_bytes()
    run.resume(resume.read(run.path).state)
    assert (run.path / "best.npz").read_bytes() == expected
    assert (run.path / "last.npz").read_bytes() == last


def test_extended_epochs_are_kept_by_the_checkpoint_even_if_stopped_at_once(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    longer = msgspec.structs.replace(CONFIG, epochs=9)
    Run(run.path, longer, dataset, threads=1).resume(resume.read(run.path).state)
    assert resume.read(run.path).config == longer


def test_a_damaged_run_does_not_hide_the_others(tmp_path, dataset):
    run, state = start(tmp_path / "a", dataset)
    train(run, state)
    broken, _ = start(tmp_path / "b", dataset)
    (broken.path / "metrics.jsonl").write_text("not json\n")
    assert [(Path(r["run"]).name, r["status"]) for r in listing.list_runs(tmp_path)] == [
        ("a", "unfinished"),
        ("b", "damaged"),
    ]
