"""``dlcli train``: what it prints, writes and refuses."""

import errno
import fcntl
import json
import os
import stat
from pathlib import Path

import pytest


def test_the_run_directory_is_the_only_line_on_stdout(train):
    result = train()
    assert result.code == 0
    (line,) = result.stdout.splitlines()
    run = Path(line)
    assert run.parent == Path("runs")
    assert run.name.endswith("-default")
    assert {path.name for path in run.iterdir()} == {
        ".lock",
        "best.npz",
        "config.yaml",
        "film.npz",
        "last.npz",
        "metrics.jsonl",
        "summary.json",
    }
    assert Path("runs/latest").resolve() == run.resolve()


def test_progress_goes_to_stderr_with_a_line_for_each_epoch(train):
    lines = train().stderr.splitlines()
    assert lines[0].startswith("784-8-10, 6,370 parameters; ")
    assert [line.split("  ")[0] for line in lines[1:3]] == ["epoch 1/2", "epoch 2/2"]
    assert lines[-2].startswith("Validation loss: ")
    assert lines[-1].startswith("Kept epoch ")


def test_quiet_says_nothing(train):
    assert train("-q").stderr == ""


def test_an_invalid_name_is_refused_before_anything_is_downloaded(dlcli, monkeypatch):
    monkeypatch.setattr("dlcli.data.datasets.load", None)
    result = dlcli("train", "--name", "../../x")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: --name '../../x': use up to 100 letters")


def test_json_is_the_summary(train):
    result = train("--format", "json", "--name", "mine")
    summary = json.loads(result.stdout)
    assert summary == json.loads(Path("runs/mine/summary.json").read_text())
    assert summary["run"] == "runs/mine"
    assert set(summary) == {
        "run",
        "epochs",
        "stopped_by",
        "best_epoch",
        "validation_accuracy",
        "validation_loss",
        "train_accuracy",
        "train_loss",
        "overfitting_since",
        "seconds",
        "parameters",
        "config",
        "dataset",
        "init",
        "threads",
        "threads_auto",
        "versions",
        "finished",
    }


def test_the_run_is_named_after_the_last_config(train, workdir):
    (workdir / "my net.yaml").write_text("seed: 1")
    assert train("-c", "my net.yaml").stdout.rstrip().endswith("-my-net")
    assert train("-c", "-", stdin=b"seed: 2").stdout.rstrip().endswith("-stdin")


def test_the_resolved_config_is_kept(train, dlcli):
    run = Path(train("--set", "seed=7").stdout.rstrip())
    shown = dlcli("config", "show", "-c", run / "config.yaml", "--format", "json")
    assert json.loads(shown.stdout)["seed"] == 7


def test_equal_seeds_give_equal_bytes_and_different_seeds_do_not(train):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train("--name", name, "--set", f"seed={seed}", "--set", "dropout=0.2")
    a, b, c = (Path("runs", name, "best.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_the_test_images_are_never_used(train, tiny, monkeypatch):
    """Training on a dataset with other test images gives the same network."""
    train("--name", "a")
    test_images = tiny / "t10k-images-idx3-ubyte"
    content = bytearray(test_images.read_bytes())
    content[16:] = bytes(255 - byte for byte in content[16:])
    test_images.write_bytes(content)
    train("--name", "b")
    weights = [Path("runs", name, "metrics.jsonl").read_text().splitlines() for name in "ab"]
    keys = ("train_loss", "validation_loss", "gradient_norm")
    first, second = ([[json.loads(li)[k] for k in keys] for li in lines] for lines in weights)
    assert first == second


def test_a_failure_to_link_latest_does_not_stop_a_run(train):
    Path("runs/latest").mkdir(parents=True)
    result = train("--name", "r")
    assert result.code == 0
    assert "Warning: runs/latest: cannot be made a link to the run" in result.stderr
    assert [*Path("runs/r").glob(".latest*"), *Path("runs").glob(".latest*")] == []


def test_a_taken_name_is_refused(train):
    train("--name", "r")
    result = train("--name", "r")
    assert result.code == 2
    assert "exists already" in result.stderr


def test_latest_is_the_run_that_was_trained_last_even_if_only_its_summary_was_missing(train):
    """Killed after its only epoch, before the link was made."""
    train("--name", "r", "--set", "epochs=1")
    Path("runs/r/summary.json").unlink()
    Path("runs/latest").unlink()
    assert train("--resume", "runs/r", "--set", "epochs=1").code == 0
    assert Path("runs/latest").readlink() == Path("r")


def test_without_validation_images_the_last_epoch_is_reported_as_kept(train):
    stderr = train("--set", "validation_size=0", "--set", "epochs=3").stderr
    assert "Kept epoch 3 of 3: the last, as there are no validation images\n" in stderr


def test_an_unwritable_runs_directory_is_reported(train, workdir):
    (workdir / "file").write_text("")
    result = train("--runs-dir", "file")
    assert result.code == 2
    assert result.stderr == "Error: file: is a file, not a folder\n"


def test_a_file_system_without_locks_is_a_warning_and_no_error(dlcli, tiny, monkeypatch):
    """As some network file systems; other warnings, of libraries, would be errors here."""

    def missing(_descriptor, _operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    settings = ["--set", f"dataset={tiny}", "--set", "hidden_layers=[]", "--set", "epochs=1"]
    result = dlcli("train", *settings, "--name", "run")
    assert result.code == 0
    assert "Warning: runs/run: this file system has no locks" in result.stderr
    resumed = dlcli("train", "--resume", "runs/run", "--set", "epochs=2")
    assert resumed.code == 0
    assert "this file system has no locks" in resumed.stderr


def test_a_folder_that_cannot_be_flushed_does_not_stop_a_training(dlcli, tiny, monkeypatch):
    fsync = os.fsync

    def refused(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    settings = ["--set", f"dataset={tiny}", "--set", "hidden_layers=[]", "--set", "epochs=1"]
    assert dlcli("train", "-q", *settings, "--name", "run").stderr == ""
    assert Path("runs/latest").readlink() == Path("run")


def test_a_command_in_a_message_can_be_typed_wherever_the_run_is(dlcli, tiny):
    command = ["train", "-q", "--runs-dir", "my runs", "--name", "x", "--set", f"dataset={tiny}"]
    assert dlcli(*command, "--set", "epochs=1").code == 0
    assert dlcli(*command).stderr.endswith("resume it: dlcli train --resume 'my runs/x'\n")
    Path("my runs/x/best.npz").unlink()
    assert dlcli("eval", "my runs/x").stderr.endswith("is in 'my runs/x/last.npz'\n")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("class_weights={x: 2}", "Error: class_weights: no class x; there are 0, 1, 2,"),
        ("train_size=61", "Error: train_size 61: there are only 54 training images beside"),
        ("freeze_layers=2", "Error: --set: freeze_layers: there is only 1 hidden layer, and"),
    ],
)
def test_a_class_an_image_or_a_layer_that_is_not_there_is_refused(train, setting, message):
    result = train("--set", setting)
    assert result.code == 2
    assert result.stderr.startswith(message)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("[3, x]", "Error: classes: "),
        ("[3]", "Error: --set: classes: expected a list of at least 2 whole numbers"),
        ("[3, '3']", "Error: --set: classes: '3' is there twice"),
        ("[3, 1.5]", "Error: --set: classes: expected a list"),
    ],
)
def test_classes_that_are_not_there_are_refused(train, classes, message):
    result = train("--set", f"classes={classes}")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert not Path("runs").exists()
