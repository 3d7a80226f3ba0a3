"""Resuming a run: it ends as if it had never stopped, or is refused."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from dlcli.config.schema import DatasetPart
from dlcli.data.splits import split_validation
from dlcli.errors import CheckpointError, ConfigError
from dlcli.runs import checkpoint, directory, listing, metrics_log, resume
from dlcli.runs.directory import METRICS
from dlcli.runs.run import Run
from dlcli.training.fewer_inputs import HalfSize, VaryingPixels, fewer_inputs
from dlcli.training.loop import fit
from dlcli.training.threads import Threads
from tests.runs.small_runs import CONFIG, start, train


@pytest.fixture
def dark_sides(dataset):
    """The images with columns of pixels that are always 0."""
    parts = {}
    for name in ("train", "test"):
        examples = getattr(dataset, name)
        images = examples.images.reshape(-1, 28, 28).copy()
        images[:, :, [*range(4), *range(24, 28)]] = 0
        parts[name] = replace(examples, images=images.reshape(-1, 784))
    return replace(dataset, **parts)


# Without dropout of pixels, those that are always 0 are left out.
FEWER_INPUTS: list[dict[str, Any]] = [
    {"input_dropout": 0.0, "optimizer": "adam"},
    {"input_dropout": 0.0, "weight_averaging": 0.9, "batch_norm": True},
    {"input_dropout": 0.0, "weight_averaging": 0.9, "half_size_epochs": 2},
]


@pytest.mark.parametrize("settings", FEWER_INPUTS, ids=str)
def test_the_small_runs_without_dropout_of_pixels_have_fewer_inputs(dark_sides, settings):
    config = msgspec.structs.replace(CONFIG, **settings)
    learn, _ = split_validation(dark_sides.train, 10, config.seed)
    half_size = config.half_size_epochs
    kinds = [type(fewer_inputs(config, learn.images, (784, 6, 10), epoch)) for epoch in range(4)]
    assert kinds == [HalfSize] * half_size + [VaryingPixels] * (4 - half_size)


def test_a_started_run_can_be_resumed_before_its_first_epoch(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    resumed = resume.read(run.path)
    assert resumed.config == CONFIG
    assert resumed.state.epoch == 0
    assert math.isinf(resumed.state.best_loss)
    assert (resumed.state.network.parameters == state.network.parameters).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "weight_decay": 0.01},
        {"optimizer": "adam", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.01},
        {"batch_norm": True, "label_smoothing": 0.1, "schedule": "one_cycle"},
        {"mixup": 0.4, "class_weights": "balanced"},
        {"weight_averaging": 0.9, "max_norm": 1.0},
        {"weight_averaging": 0.9, "batch_norm": True, "optimizer": "adamw"},
        *FEWER_INPUTS,
    ],
    ids=str,
)
@pytest.mark.parametrize("stopped_after", [0, 1, 2, 3])
def test_stopped_after_any_epoch_and_resumed_ends_bit_identically(
    tmp_path, dark_sides, settings, stopped_after
):
    config = msgspec.structs.replace(CONFIG, **settings)
    whole, state = start(tmp_path / "whole", dark_sides, config)
    train(whole, state)

    broken, state = start(tmp_path / "broken", dark_sides, config)
    if stopped_after:
        train(broken, state, stopped_after)
    resumed = resume.read(broken.path)
    again = Run(broken.path, resumed.config, dark_sides, Threads([1]))
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


def test_lines_of_the_log_that_are_newer_than_the_checkpoint_are_dropped(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    records = train(run, state, 2)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({**json.loads(_last_line(run)), "epoch": 3}) + "\n")
        file.write('{"epoch": 4, "train_')  # the line being written when the process died
    run.resume(resume.read(run.path).state)
    assert metrics_log.read(run.path) == records


def _last_line(run: Run) -> str:
    return (run.path / "metrics.jsonl").read_text().splitlines()[-1]


def test_a_resumed_run_is_unfinished_again(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    run.finish(state)
    run.resume(state)
    assert [row["status"] for row in listing.list_runs(tmp_path)] == ["unfinished"]


def test_only_a_run_can_be_resumed(tmp_path):
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


def test_an_optimizer_state_of_another_shape_is_refused(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    saved = checkpoint.load(run.path / "last.npz")
    single = {name: np.ones(1) for name in saved.optimizer_state}
    checkpoint.save(saved.path, state.network, saved.loss, saved.metadata, single)
    with pytest.raises(CheckpointError, match="optimiser state is not that of its config"):
        resume.read(run.path)


def test_a_best_checkpoint_that_a_crash_prevented_is_written(tmp_path, dataset):
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


def test_more_epochs_are_remembered_even_if_the_run_stops_at_once(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    longer = msgspec.structs.replace(CONFIG, epochs=9)
    Run(run.path, longer, dataset, Threads([1])).resume(resume.read(run.path).state)
    assert resume.read(run.path).config == longer


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 9, "epochs": 9}, r"min_gradient_norm may be changed, not seed \(0 -> 9\)"),
        (
            {"dataset": (DatasetPart(name="sample", weight=2.0),)},
            r"min_gradient_norm may be changed, not dataset",
        ),
        ({"epochs": 1}, "the run has done 2 epochs, more than 1"),
    ],
)
def test_only_the_end_of_training_may_change_and_not_to_fewer_epochs_than_are_done(change, message):
    with pytest.raises(ConfigError, match=f"--resume: .*{message}"):
        resume.check_changes(CONFIG, changed(change), 2, Path("run"), CONFIG)
    allowed = {"epochs": 2, "early_stopping": 3, "min_gradient_norm": 1e-9}
    resume.check_changes(CONFIG, changed(allowed), 2, Path("run"), CONFIG)


def changed(settings):
    return msgspec.structs.replace(CONFIG, **settings)


def edit(run, old: str, new: str) -> None:
    """Change a run's ``config.yaml`` by hand."""
    path = run.path / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("finish", [True, False])
def test_an_edit_of_the_end_of_training_is_taken_and_told(tmp_path, dataset, finish):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, None if finish else 2)
    if finish:
        run.finish(state)
    edit(run, "epochs: 4", "epochs: 9")
    edit(run, "early_stopping: null", "early_stopping: 5")
    with resume.opened(run.path, [], []) as found:
        assert isinstance(found, resume.Resumption)
        assert (found.config.epochs, found.config.early_stopping) == (9, 5)
        (told, _) = found.warnings(threads=1)  # the other one is of the schedule
    changes = "epochs (4 -> 9), early_stopping (None -> 5)"
    assert told == f"{run.path / 'config.yaml'} was edited: {changes}"
    with resume.opened(run.path, [], ["epochs=7"]) as found:
        assert isinstance(found, resume.Resumption)
        assert (found.config.epochs, found.config.early_stopping) == (7, 5)


@pytest.mark.parametrize("finish", [True, False])
def test_any_other_edit_is_refused_and_stays(tmp_path, dataset, finish):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, None if finish else 2)
    if finish:
        run.finish(state)
    edit(run, "learning_rate: 0.05", "learning_rate: 0.01")
    message = (
        r"was edited: only .* may be changed, not learning_rate \(0.05 -> 0.01\); undo that, or"
    )
    with pytest.raises(ConfigError, match=message), resume.opened(run.path, [], []):
        pass
    edit(run, "learning_rate: 0.01", "learning_rate: fast")
    with (
        pytest.raises(ConfigError, match=r"config\.yaml:\d+: learning_rate: expected"),
        resume.opened(run.path, [], []),
    ):
        pass


def test_a_run_whose_config_is_gone_is_resumed_with_that_of_its_checkpoint(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    (run.path / "config.yaml").unlink()
    with resume.opened(run.path, [], []) as found:
        assert found.config == CONFIG
        assert found.warnings(threads=1) == []


def test_a_crash_while_resuming_with_more_epochs_is_no_edit_back(tmp_path, dataset, monkeypatch):
    """Killed between the files: the config must not be the older one of the two."""
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    longer = msgspec.structs.replace(CONFIG, epochs=9)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_save_checkpoints", killed)
    with pytest.raises(KeyboardInterrupt):
        Run(run.path, longer, dataset, Threads([1])).resume(resume.read(run.path).state)
    with resume.opened(run.path, [], []) as found:
        assert found.config == longer


def test_a_run_that_stopped_early_says_that_more_epochs_alone_change_nothing(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, early_stopping=1, schedule="constant")
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state, 2)
    stopped = replace(resume.read(run.path), state=replace(state, best_epoch=1))
    for change, warned in (
        ({"epochs": 80}, ["the run stays stopped by early_stopping; to train longer, add --set "]),
        ({"epochs": 80, "early_stopping": 5}, []),
        ({}, []),
    ):
        resumed = resume.Resumption(stopped, msgspec.structs.replace(config, **change))
        found = resumed.warnings(threads=1)
        assert [text[: len(part)] for text, part in zip(found, warned, strict=True)] == warned


@pytest.mark.parametrize(
    ("change", "threads", "warned"),
    [
        ({}, 1, []),
        ({"epochs": 9}, 1, ["schedule cosine ends"]),
        ({}, 2, ["started with 1 threads"]),
    ],
)
def test_there_is_a_warning_if_the_run_will_end_otherwise(
    tmp_path, dataset, change, threads, warned
):
    run, _ = start(tmp_path / "run", dataset)
    resumption = resume.Resumption(resume.read(run.path), msgspec.structs.replace(CONFIG, **change))
    warnings = resumption.warnings(threads)
    assert len(warnings) == len(warned)
    assert all(part in text for part, text in zip(warned, warnings, strict=True))


def test_other_data_is_refused(tmp_path, dataset):
    run, _ = start(tmp_path / "run", dataset)
    other = replace(dataset, checksum="0123456789abcdef")
    resumption = resume.Resumption(resume.read(run.path), CONFIG)
    sums = rf"checksum 0123456789ab\.\.\., then {dataset.checksum[:12]}\.\.\."
    with pytest.raises(ConfigError, match=rf"was trained on other data .* \({sums}\)"):
        resumption.load_dataset(lambda _, preparation, usual=None: other)
    assert (
        resumption.load_dataset(lambda _, preparation, usual=None: dataset).checksum
        == dataset.checksum
    )


def test_a_finished_run_is_not_locked_and_a_changed_one_is(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    summary = run.finish(state)
    with directory.locked(run.path):
        with resume.opened(run.path, [], []) as found:
            assert found == summary
        with (
            pytest.raises(ConfigError, match="another process is training in it"),
            resume.opened(run.path, [], ["epochs=9"]),
        ):
            pass
    with resume.opened(run.path, [], ["epochs=9"]) as found:
        assert isinstance(found, resume.Resumption)
        assert found.config.epochs == 9


def test_a_summary_with_an_invalid_config_is_named(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    run.finish(state)
    path = run.path / "summary.json"
    path.write_text(
        path.read_text().replace('"epochs": 4,\n    "validation', '"warp": 4,\n    "validation')
    )
    with (
        pytest.raises(CheckpointError, match=r"summary\.json: warp: unknown key"),
        resume.opened(run.path, [], []),
    ):
        pass


def test_a_log_that_was_lost_is_told(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 2)
    (run.path / METRICS).unlink()
    with resume.opened(run.path, (), ()) as opened:
        assert isinstance(opened, resume.Resumption)
        assert opened.warnings(1) == [f"{run.path / METRICS} has only 0 of 2 epochs"]
