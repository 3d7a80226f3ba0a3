"""Which model is meant by a name, and how it is made ready for use."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dlcli.errors import CheckpointError, ConfigError
from dlcli.runs import checkpoint, lookup, summary
from dlcli.runs.lookup import DefaultModel
from tests.runs.checkpoints import METADATA, normalised_network, save

SUMMARY = {
    "run": "r",
    "epochs": 1,
    "stopped_by": "epochs",
    "best_epoch": 1,
    "validation_accuracy": None,
    "validation_loss": None,
    "train_accuracy": None,
    "train_loss": None,
    "seconds": 1,
    "parameters": 1,
    "config": {},
    "dataset": {},
    "threads": 1,
    "versions": {},
}


def test_batch_norm_is_fused_in_a_model_for_use(tmp_path):
    network = normalised_network()
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {})
    model = lookup.load_named(str(tmp_path / "a.npz"))
    assert not model.network.batch_norm
    images = np.random.default_rng(0).integers(0, 256, (5, 784), dtype=np.uint8)
    np.testing.assert_array_equal(model.infer(images)[0], network.infer(images)[0])


def test_the_running_mean_is_used_if_there_is_one(tmp_path):
    network, average = normalised_network(), normalised_network()
    average.parameters *= 2
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {}, average)
    model = lookup.load_named(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(model.network.parameters, average.fuse_batch_norm().parameters)


def test_a_model_is_a_run_directory_or_a_file(tmp_path):
    (tmp_path / "run").mkdir()
    save(tmp_path / "run" / "best.npz")
    for name in ("run", "run/best.npz"):
        assert lookup.load_named(str(tmp_path / name)).path == tmp_path / "run" / "best.npz"


def finished(name: str, time: str | None = None, written: float = 0) -> None:
    """Make a run that was finished at ``time``, with a summary written at ``written``."""
    folder = Path("runs", name)
    folder.mkdir(parents=True)
    save(folder / "best.npz")
    path = folder / "summary.json"
    path.write_text(json.dumps(SUMMARY | {"finished": time}))
    os.utime(path, (written, written))


def test_without_a_name_the_environment_comes_first_and_then_the_latest_run(workdir, monkeypatch):
    finished("a")
    finished("b", written=9)
    Path("runs/latest").symlink_to("a")
    assert lookup.default_model("") == DefaultModel("runs/latest")
    assert lookup.load_named("runs/latest").path == Path("runs/a/best.npz")
    monkeypatch.setenv("DLCLI_MODEL", "set.npz")
    assert lookup.default_model("") == DefaultModel("set.npz")
    monkeypatch.setenv("DLCLI_MODEL", "")
    assert lookup.default_model("") == DefaultModel("runs/latest")


@pytest.mark.parametrize(
    ("latest", "fault"),
    [
        (None, "is missing"),
        ("gone", "links to no run"),
        (".", "links to no run"),
        ("latest", "links to no run"),
        ("file", "is a file, not a link"),
    ],
)
def test_where_latest_is_no_link_to_a_run_the_newest_finished_run_is_meant(workdir, latest, fault):
    finished("a", written=3)
    finished("b", written=1)
    finished("unfinished", written=9)
    Path("runs/unfinished/summary.json").unlink()
    if latest == "file":
        Path("runs/latest").write_text("no/run")
    elif latest:
        Path("runs/latest").symlink_to(latest)
    note = f"the newest finished run; runs/latest {fault}"
    assert lookup.default_model("") == DefaultModel("runs/a", note)


def test_a_copy_of_the_latest_run_does_not_hide_the_newest_run(workdir):
    """``cp -rL`` makes a folder of the link, and gives files the time of the copy."""
    finished("latest", "2026-11-28T12:00:00+00:00", written=1)
    finished("z-new", "2026-11-28T12:00:00+00:00", written=2)
    finished("old", "2026-11-28T11:59:59.5+00:00", written=3)
    note = "the newest finished run; runs/latest is a folder, not a link"
    assert lookup.default_model("") == DefaultModel("runs/z-new", note)
    shutil.rmtree("runs/z-new")
    assert lookup.default_model("") == DefaultModel("runs/latest", note)
    Path("runs/old/summary.json").write_text("damaged")
    Path("runs/latest/summary.json").unlink()
    note = "runs/latest is a folder, not a link, and no run is finished"
    assert lookup.default_model("") == DefaultModel("runs/latest", note)


def test_a_finished_run_tells_when_it_was_finished(trained_model):
    found = summary.read(trained_model)
    assert found is not None
    told = datetime.fromisoformat(str(found.finished))
    written = datetime.fromtimestamp((trained_model / "summary.json").stat().st_mtime, UTC)
    assert abs(told - written) < timedelta(minutes=1)


@pytest.mark.parametrize("runs", ["", "no-run", "file"])
def test_without_any_runs_the_pretrained_model_is_used_only_where_that_is_allowed(workdir, runs):
    if runs == "file":
        Path("runs").write_text("")
    elif runs:
        Path("runs", runs).mkdir(parents=True)
    note = "no model is named, and there are no runs"
    assert lookup.default_model("", or_pretrained=True) == DefaultModel("pretrained", note)
    with pytest.raises(ConfigError, match="no finished run in runs; name one, as in: dlcli x y"):
        lookup.default_model("dlcli x y")


@pytest.mark.parametrize("left", ["runs/latest", "runs/r/config.yaml", "runs/study/0/config.yaml"])
def test_the_pretrained_model_never_replaces_runs_that_cannot_be_used(workdir, left):
    """The latest run was deleted, diverged in its first epoch, or was one of a search."""
    Path(left).parent.mkdir(parents=True)
    if left == "runs/latest":
        Path(left).symlink_to("gone")
    else:
        Path(left).touch()
    with pytest.raises(ConfigError, match="no model is named, and there is no finished run"):
        lookup.default_model("", or_pretrained=True)


def test_pretrained_is_the_model_of_the_package_and_no_file_of_this_name(workdir):
    save(Path("pretrained"))
    model = lookup.load_named("pretrained")
    assert (str(model.path), model.metadata.dataset.name) == ("pretrained", "mnist")
    file = lookup.load_named("./pretrained")
    assert file.metadata == METADATA
    assert lookup.load_named(str(file.path)).metadata == METADATA  # as scripts do
    Path("pretrained").unlink()
    Path("pretrained").mkdir()
    save(Path("pretrained/best.npz"))
    assert lookup.load_named("./pretrained").path == Path("pretrained/best.npz")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "nope: no such run directory or checkpoint"),
        ("small", "small: no such run directory or checkpoint; did you mean runs/small?"),
        ("my run", "my run: no such run directory or checkpoint; did you mean 'runs/my run'?"),
        ("run", "run/best.npz: no such checkpoint"),
        ("x" * 300, "cannot be read: File name too long"),
        ("text/below.npz", "text/below.npz: cannot be read: Not a directory"),
        ("text", "text: not a whole .npz checkpoint"),
    ],
)
def test_a_missing_model_is_reported(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("text").write_text("text")
    for run in ("small", "my run"):
        Path("runs", run).mkdir(parents=True)
        Path("runs", run, "config.yaml").touch()
    with pytest.raises(CheckpointError) as raised:
        lookup.load_named(name)
    assert message in str(raised.value)


def test_an_empty_name_is_refused():
    with pytest.raises(CheckpointError, match="the model's name is empty"):
        lookup.load_named("")
