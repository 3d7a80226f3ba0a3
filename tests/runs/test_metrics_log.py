"""The metrics log: a line for each epoch, each of them checked."""

import json
import os

import pytest

from dlcli.errors import CheckpointError
from dlcli.runs import metrics_log
from tests.runs.small_runs import start, train


def test_the_log_holds_a_line_for_each_epoch(tmp_path, dataset):
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
        "layers",
        "threads",
    ]
    assert list(json.loads(lines[0])["layers"][0]) == [
        "gradient_norm",
        "update_ratio",
        "dead",
        "saturated",
    ]
    assert len(json.loads(lines[0])["layers"]) == 2


def test_logs_of_older_versions_have_no_layers(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 1)
    log = run.path / "metrics.jsonl"
    old = json.loads(log.read_text())
    del old["layers"]
    log.write_text(f"{json.dumps(old)}\n")
    (record,) = metrics_log.read(run.path)
    assert record.layers == ()


def test_each_line_is_flushed_to_the_disk(tmp_path, dataset, monkeypatch):
    """Else a crash could leave checkpoints of epochs that the log does not have."""
    run, state = start(tmp_path / "run", dataset)
    log = run.path / "metrics.jsonl"
    lines_flushed = []
    fsync = os.fsync

    def watched(descriptor):
        if log.exists() and os.path.samestat(log.stat(), os.fstat(descriptor)):
            lines_flushed.append(log.read_text().count("\n"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    train(run, state, 2)
    assert lines_flushed == [1, 2]


@pytest.mark.parametrize("line", ["not json", "[]", '{"epoch": 2}', '{"epoch": "<b>"}'])
def test_a_damaged_line_is_named(tmp_path, dataset, line):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 1)
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl:2: damaged line"):
        metrics_log.read(run.path)


def test_a_log_that_is_not_text_is_refused(tmp_path, dataset):
    run, _ = start(tmp_path / "run", dataset)
    (run.path / "metrics.jsonl").write_bytes(b"\xff\xff\n")
    with pytest.raises(CheckpointError, match="not a text file"):
        metrics_log.read(run.path)
