"""Runs are listed with their status and the scores of the kept epoch."""

import errno
import shutil
from pathlib import Path

import msgspec
import pytest

from dlcli.runs import checkpoint, listing, metrics_log
from tests.runs.small_runs import CONFIG, start, train


def test_runs_are_listed_with_their_status_the_last_trained_last(tmp_path, dataset):
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
def test_the_listed_epoch_is_the_one_that_is_kept(tmp_path, dataset, keep):
    config = msgspec.structs.replace(CONFIG, keep=keep, learning_rate=0.3, epochs=8)
    run, state = start(tmp_path / "run", dataset, config)
    records = train(run, state)
    (row,) = listing.list_runs(tmp_path)
    assert row["best_epoch"] == state.best_epoch == run.finish(state).best_epoch
    assert row["validation_loss"] == records[state.best_epoch - 1].validation_loss
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == state.best_epoch


def test_a_run_with_a_damaged_config_is_listed_as_damaged(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    (run.path / "config.yaml").write_text("warp: 9\n")
    (row,) = listing.list_runs(tmp_path)
    assert (row["status"], row["best_epoch"]) == ("damaged", None)


def test_a_run_whose_dataset_has_moved_is_not_damaged(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, dataset="gone")
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state)
    run.finish(state)
    (row,) = listing.list_runs(tmp_path)
    assert (row["status"], row["epochs"]) == ("finished", 4)


def test_a_run_that_cannot_be_read_is_not_called_damaged(tmp_path, dataset, monkeypatch):
    start(tmp_path / "run", dataset)

    def refused(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(metrics_log, "read", refused)
        (row,) = listing.list_runs(tmp_path)
    assert row["status"] == "unreadable"
    (tmp_path / "run" / "metrics.jsonl").mkdir()
    (row,) = listing.list_runs(tmp_path)
    assert row["status"] == "damaged"


def test_a_run_that_is_deleted_meanwhile_has_no_row(tmp_path, dataset):
    for name in ("a", "b", "c"):
        start(tmp_path / name, dataset)
    rows = listing.list_runs(tmp_path)
    assert next(rows)["run"] == str(tmp_path / "a")
    shutil.rmtree(tmp_path / "b")
    assert [row["run"] for row in rows] == [str(tmp_path / "c")]


def test_a_run_that_is_deleted_while_it_is_read_has_no_row(tmp_path, dataset, monkeypatch):
    start(tmp_path / "a", dataset)
    read = metrics_log.read

    def read_and_delete(run):
        records = read(run)
        shutil.rmtree(run)
        return records

    monkeypatch.setattr(metrics_log, "read", read_and_delete)
    assert list(listing.list_runs(tmp_path)) == []


def test_what_cannot_be_looked_into_does_not_hide_the_others(tmp_path, dataset, monkeypatch):
    for name in ("a", "locked", "bare"):
        train(*start(tmp_path / name, dataset))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "bare" / "config.yaml").unlink()
    look = Path.stat

    def refuse(path, **options):
        if path.parent.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    found = {Path(row["run"]).name: row["status"] for row in listing.list_runs(tmp_path)}
    assert found == {"a": "unfinished", "locked": "unreadable", "bare": "damaged"}


def test_a_damaged_run_does_not_hide_the_others(tmp_path, dataset):
    run, state = start(tmp_path / "a", dataset)
    train(run, state)
    broken, _ = start(tmp_path / "b", dataset)
    (broken.path / "metrics.jsonl").write_text("not json\n")
    assert [(Path(r["run"]).name, r["status"]) for r in listing.list_runs(tmp_path)] == [
        ("a", "unfinished"),
        ("b", "damaged"),
    ]
