"""``dlcli train``: what it prints, writes, refuses, and how it stops and resumes."""

import errno
import fcntl
import json
import os
import re
import signal
import stat
import struct
import subprocess
import sys
import termios
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from dlcli.cli.train_progress import EpochProgress, sparkline
from dlcli.nn.optimizers import SGD
from dlcli.runs import checkpoint, listing
from dlcli.runs.directory import locked
from dlcli.runs.resume import read

QUICK = ["--set", "hidden_layers=[8]", "--set", "epochs=2", "--set", "batch_size=16"]


@pytest.fixture
def train(dlcli, tiny):
    """Run ``dlcli train`` on 60 images."""

    def invoke(*arguments, **options):
        return dlcli("train", "--set", f"dataset={tiny}", *QUICK, *arguments, **options)

    return invoke


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


@pytest.mark.parametrize(
    ("encoding", "bars"), [("utf-8", "█▅▁"), ("ascii", "#=_"), ("cp1252", "#=_"), (None, "#=_")]
)
def test_the_sparkline_is_drawn_with_what_stderr_can_show(monkeypatch, encoding, bars):
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(encoding=encoding, isatty=lambda: False))
    assert sparkline([1.6, 0.5, 0.1]) == bars


def test_a_sparkline_has_a_bar_for_each_loss_but_no_more_than_fit():
    assert len(sparkline([3.0, 2.0])) == 2
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([1.0] * 30 + [0.0]) == "█" * 30 + "▁"
    many = sparkline([2.0**-n for n in range(200)])
    assert len(many) == 43
    assert sorted(many, reverse=True) == list(many)


def test_where_losses_share_a_bar_of_a_sparkline_it_is_their_mean():
    losses = [loss for number in range(43) for loss in (1.0, 1.0 + number)]
    bars = sparkline(losses)
    assert (len(bars), bars[0], bars[-1]) == (43, "▁", "█")
    assert sorted(bars) == list(bars)


def test_the_sparkline_of_a_resumed_run_is_of_all_its_epochs(train, dlcli):
    train("--name", "r")
    stderr = dlcli("train", "--resume", "runs/r", "--set", "epochs=5").stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("Validation loss: ")]
    assert re.fullmatch(r"Validation loss: \d\.\d{4} [▁▂▃▄▅▆▇█]{5} \d\.\d{4}", line)


def test_without_validation_images_or_after_one_epoch_there_is_no_sparkline(train):
    assert "Validation loss:" not in train("--set", "validation_size=0").stderr
    assert "Validation loss:" not in train("--set", "epochs=1").stderr


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


def untimed_metrics(run: Path) -> list[dict[str, Any]]:
    """The metrics log without what depends on the clock."""
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    timed = {"seconds", "samples_per_second"}
    return [{key: value for key, value in e.items() if key not in timed} for e in epochs]


def test_a_resumed_run_is_bit_identical_and_may_have_more_epochs(train, dlcli):
    train("--name", "whole", "--set", "epochs=5", "--set", "dropout=0.3")
    train("--name", "parts", "--set", "epochs=2", "--set", "dropout=0.3")
    result = dlcli("train", "--resume", "runs/parts", "--set", "epochs=5")
    assert (result.code, result.stdout) == (0, "runs/parts\n")
    for name in ("best.npz", "last.npz", "film.npz"):
        assert Path("runs/whole", name).read_bytes() == Path("runs/parts", name).read_bytes()
    whole, parts = (untimed_metrics(Path("runs", name)) for name in ("whole", "parts"))
    assert whole == parts
    assert [epoch["epoch"] for epoch in parts] == [1, 2, 3, 4, 5]
    assert "epochs: 5" in Path("runs/parts/config.yaml").read_text()


def on_disk(folder: Path) -> dict[str, tuple[int, bool | bytes]]:
    """Everything in a folder, with contents and times of modification."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in [folder, *folder.rglob("*")]
    }


@pytest.mark.parametrize("options", [[], ["-c", "c.yaml"], ["--set", "epochs=2"], ["-c", "-"]])
def test_resuming_a_finished_run_changes_nothing_on_disk(train, dlcli, tiny, options):
    config = f"dataset: {tiny}\nhidden_layers: [8]\nepochs: 2\nbatch_size: 16\n"
    Path("c.yaml").write_text(config)
    train("--name", "done")
    train("--name", "other")
    before = on_disk(Path("runs"))
    again = dlcli("train", "--resume", "runs/done", *options, stdin=config.encode())
    assert (again.code, again.stdout) == (0, "runs/done\n")
    stderr = (
        "The run is already finished (stopped by epochs); to train longer, add --set epochs=N\n"
    )
    assert stderr in again.stderr
    assert on_disk(Path("runs")) == before


def test_resuming_a_finished_run_needs_no_data(train, dlcli, tiny):
    first = json.loads(train("--name", "done", "-f", "json").stdout)
    for file in tiny.iterdir():
        file.unlink()
    Path("runs/done").rename("moved")
    again = dlcli("train", "-q", "--resume", "moved", "-f", "json")
    assert json.loads(again.stdout) == first | {"run": "moved"}


def test_resume_through_the_latest_link_and_with_the_same_config_file(train, dlcli, workdir, tiny):
    (workdir / "c.yaml").write_text(f"dataset: {tiny}\nhidden_layers: [4]\nepochs: 1\n")
    assert dlcli("train", "-c", "c.yaml", "--name", "r").code == 0
    (workdir / "c.yaml").write_text(f"dataset: {tiny}\nhidden_layers: [4]\nepochs: 3\n")
    resumed = dlcli("train", "-c", "c.yaml", "--resume", "runs/latest")
    assert resumed.stdout == "runs/r\n"  # the run, not a link that may point elsewhere tomorrow
    assert len(Path("runs/r/metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "learning_rate=0.2"],
            "min_gradient_norm may be changed, not learning_rate (0.1 -> 0.2)",
        ),
        (["--set", "seed=9", "--set", "epochs=9"], "not seed (0 -> 9)"),
        (["--set", "epochs=1"], "the run has done 2 epochs, more than 1"),
        (["--set", "epochs=none"], "epochs: expected a whole number"),
    ],
)
def test_resuming_with_another_config_is_refused(train, dlcli, arguments, message):
    train("--name", "r")
    result = dlcli("train", "--resume", "runs/r", *arguments)
    assert result.code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_run_that_stopped_early_trains_on_with_more_patience(train, dlcli):
    rule = ("--set", "early_stopping=1", "--set", "learning_rate=1e-9")
    train("--name", "r", *rule, "--set", "epochs=50")
    done = len(Path("runs/r/metrics.jsonl").read_text().splitlines())
    assert done < 50
    again = dlcli("train", "--resume", "runs/r").stderr
    assert "(stopped by early_stopping); to train longer, add --set early_stopping=N\n" in again
    more = ("--set", f"epochs={done + 3}", "--set", "early_stopping=50")
    assert dlcli("train", "-q", "--resume", "runs/r", *more).code == 0
    assert len(Path("runs/r/metrics.jsonl").read_text().splitlines()) == done + 3
    assert "early_stopping: 50\n" in Path("runs/r/config.yaml").read_text()


def test_an_edited_config_of_a_run_is_noticed(train, dlcli):
    train("--name", "r")
    path = Path("runs/r/config.yaml")
    path.write_text(path.read_text().replace("epochs: 2\n", "epochs: 3\n"))
    longer = dlcli("train", "--resume", "runs/r")
    assert longer.code == 0
    assert "Warning: runs/r/config.yaml was edited: epochs (2 -> 3)\n" in longer.stderr
    assert "epoch 3/3" in longer.stderr
    edited = path.read_text().replace("seed: 0\n", "seed: 1\n")
    path.write_text(edited)
    refused = dlcli("train", "--resume", "runs/r")
    assert (refused.code, refused.stdout) == (2, "")
    assert "config.yaml was edited: only epochs, early_stopping" in refused.stderr
    assert path.read_text() == edited


def test_a_resumed_run_keeps_its_thread_count(train, dlcli):
    train("--name", "r", "--threads", "2")
    resumed = dlcli("train", "--resume", "runs/r", "--set", "epochs=3", "-f", "json")
    assert json.loads(resumed.stdout)["threads"] == 2
    assert "; 2 threads\n" in resumed.stderr


def test_a_run_is_resumed_from_another_folder_and_with_moved_data(train, dlcli, tiny, monkeypatch):
    for name in ("whole", "parts"):
        epochs = 3 if name == "whole" else 1
        train("--name", name, "--set", "dataset=tiny", "--set", f"epochs={epochs}")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    resume = ("train", "-q", "--resume", "../runs/parts")
    assert dlcli(*resume, "--set", "epochs=2").code == 0
    tiny.rename("moved")
    gone = dlcli(*resume, "--set", "epochs=3")
    assert (gone.code, gone.stdout) == (3, "")
    hint = f"{tiny}: no such folder of images; name it with: --set dataset=FOLDER\n"
    assert gone.stderr == f"Error: {hint}"
    assert dlcli(*resume, "--set", "epochs=3", "--set", "dataset=moved").code == 0
    whole, parts = (Path("../runs", name, "metrics.jsonl") for name in ("whole", "parts"))
    losses = [
        [json.loads(x)["train_loss"] for x in p.read_text().splitlines()] for p in (whole, parts)
    ]
    assert losses[0] == losses[1]
    assert "dataset: moved\n" in Path("../runs/parts/config.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["--resume", "r"], 4, "r: no such run directory; did you mean runs/r?"),
        (["--resume", "runs/r/last.npz"], 4, "a file, not a run directory; did you mean runs/r?"),
        (["--config", "runs/r"], 2, "Is a directory; did you mean runs/r/config.yaml?"),
    ],
)
def test_a_mistaken_name_of_a_run_has_a_hint(train, dlcli, arguments, code, hint):
    train("--name", "r")
    result = dlcli("train", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert result.stderr.endswith(f"{hint}\n")


def test_resuming_on_other_data_is_refused(train, dlcli, tiny):
    train("--name", "r")
    labels = tiny / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x01")
    result = dlcli("train", "--resume", "runs/r", "--set", "epochs=3")
    assert result.code == 2
    assert "was trained on other data" in result.stderr


def test_resuming_another_folder_is_an_error_that_leaves_nothing_in_it(train, workdir):
    (workdir / "mine").mkdir()
    result = train("--resume", "mine")
    assert result.code == 4
    assert "mine: not a run directory; it has neither config.yaml nor last.npz" in result.stderr
    assert list((workdir / "mine").iterdir()) == []


@pytest.mark.parametrize("path", ["nowhere", "runs/nowhere"])
def test_resuming_a_missing_run_is_an_error_and_never_a_new_start(train, path):
    result = train("--resume", path)
    assert result.code == 4
    assert "no such run directory" in result.stderr
    assert not Path("runs").exists()


def test_a_resumed_run_that_will_end_differently_has_a_warning(train, dlcli, monkeypatch):
    train("--name", "r", "--threads", "1", "--set", "schedule=cosine")
    assert "Warning" not in dlcli("train", "--resume", "runs/r").stderr
    extended = dlcli("train", "--resume", "runs/r", "--set", "epochs=3").stderr
    assert "Warning: schedule cosine ends with the last epoch" in extended
    monkeypatch.setattr("dlcli.runs.resume.read", lambda path: replace(read(path), threads=64))
    other = dlcli("train", "--resume", "runs/r", "--threads", "1", "--set", "epochs=4").stderr
    assert "Warning: the run was started with 64 threads; with 1 the weights will differ" in other


def test_a_run_that_is_being_trained_cannot_be_resumed(train, dlcli):
    train("--name", "r")
    with locked(Path("runs/r")):
        result = dlcli("train", "--resume", "runs/r", "--set", "epochs=3")
    assert (result.code, result.stdout) == (2, "")
    assert "runs/r: another process is training in it" in result.stderr


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


def test_a_run_in_which_nothing_was_saved_can_be_started_anew_but_not_resumed(train, dlcli):
    Path("runs/r").mkdir(parents=True)
    Path("runs/r/.lock").touch()
    resumed = dlcli("train", "--resume", "runs/r")
    assert resumed.code == 4
    assert "nothing was saved to resume from; start the run again with --name" in resumed.stderr
    assert train("--name", "r").code == 0


def test_latest_is_the_run_that_was_trained_last_even_if_only_its_summary_was_missing(train):
    """Killed after its only epoch, before the link was made."""
    train("--name", "r", "--set", "epochs=1")
    Path("runs/r/summary.json").unlink()
    Path("runs/latest").unlink()
    assert train("--resume", "runs/r", "--set", "epochs=1").code == 0
    assert Path("runs/latest").readlink() == Path("r")


def test_keys_without_effect_have_a_warning(train):
    assert "Warning: beta1 has no effect with optimizer: sgd" in train("--set", "beta1=0.5").stderr


def diverge_after(monkeypatch, epochs):
    """Make the weights explode in the first step after some epochs."""
    step, steps = SGD.step, epochs * 4  # 50 images in batches of 16

    def explode(self, gradient, learning_rate):
        nonlocal steps
        step(self, gradient, learning_rate)
        if steps == 0:
            self.parameters *= 1e30
        steps -= 1

    monkeypatch.setattr(SGD, "step", explode)


DIVERGING = ("--set", "loss=mse", "--set", "output_activation=linear", "--set", "batch_size=16")
REMEDY = "lower learning_rate (now 0.1) or set gradient_clip"


def test_divergence_stops_with_a_remedy_and_keeps_the_last_good_state(train, monkeypatch):
    diverge_after(monkeypatch, epochs=2)
    result = train("--name", "r", *DIVERGING, "--set", "epochs=4")
    assert result.code == 1
    assert result.stdout == ""
    *_, kept, error = result.stderr.splitlines()
    assert kept == (
        "Epoch 2 is saved; to train again: "
        "dlcli train --config runs/r/config.yaml --set learning_rate=0.01"
    )
    assert re.fullmatch(
        rf"Error: training diverged in epoch 3, step 2: its loss is (inf|nan); {re.escape(REMEDY)}",
        error,
    )
    assert checkpoint.load(Path("runs/r/last.npz")).metadata.epoch == 2
    assert checkpoint.load(Path("runs/r/best.npz")).metadata.epoch in {1, 2}
    assert [row["status"] for row in listing.list_runs(Path("runs"))] == ["diverged"]


def test_resuming_a_run_that_diverged_says_what_to_do(train, dlcli, monkeypatch):
    diverge_after(monkeypatch, epochs=2)
    train("--name", "r", *DIVERGING, "--set", "epochs=4")
    refused = dlcli("train", "--resume", "runs/r")
    assert refused.code == 1
    assert refused.stderr.startswith("Error: runs/r: training diverged in epoch 3, step 2: ")
    assert (
        f"{REMEDY}. Resuming would only repeat that; to train again: dlcli train" in refused.stderr
    )
    assert refused.stderr.count("\n") == 1
    # Other epochs may mean another schedule, or an end before the divergence.
    ended = dlcli("train", "--resume", "runs/r", "--set", "epochs=2")
    assert (ended.code, ended.stdout) == (0, "runs/r\n")
    assert [row["status"] for row in listing.list_runs(Path("runs"))] == ["finished"]


def test_the_rule_that_stopped_training_is_named(train):
    for score in ("higher validation accuracy", "lower validation loss"):
        keep = f"best_{score.rpartition(' ')[2]}"
        stopped = train("--set", "epochs=200", "--set", "early_stopping=2", "--set", f"keep={keep}")
        rule = f"Stopped by early_stopping: no {score} in 2 epochs (keep: {keep})\n"
        assert rule in stopped.stderr
    flat = train("--set", "epochs=3", "--set", "min_gradient_norm=1000", "-f", "json")
    assert "Stopped by min_gradient_norm: the gradient norm fell below 1000\n" in flat.stderr
    assert json.loads(flat.stdout)["stopped_by"] == "min_gradient_norm"


def test_a_network_that_learned_nothing_has_a_warning_with_a_measured_cause(train):
    stuck = train("--set", "learning_rate=1e-9", "--set", "validation_size=0.5")
    assert stuck.code == 0
    warning, cause, advice = stuck.stderr.splitlines()[3:6]
    assert warning.startswith("Warning: the network learned almost nothing (validation accuracy ")
    assert re.fullmatch(r"Likely cause: weights changed by only .* %\.", cause)
    assert advice == "What to try: raise learning_rate (now 1e-09)."


def test_the_advice_after_divergence_is_kept_for_resuming(train, dlcli):
    """With weight_decay 10, another learning rate alone would not help."""
    settings = ("--set", "weight_decay=10", "--set", "learning_rate=0.9", "--set", "epochs=100")
    stderr = train("--name", "r", *settings).stderr
    command = "dlcli train --config runs/r/config.yaml --set weight_decay=0.0005"
    assert f"to train again: {command}\n" in stderr
    assert stderr.endswith(": lower weight_decay (now 10)\n")
    assert dlcli("train", "--resume", "runs/r").stderr.endswith(f"to train again: {command}\n")
    # Older versions of dlcli wrote no second line.
    reason = Path("runs/r/diverged.txt").read_text().splitlines()[0]
    Path("runs/r/diverged.txt").write_text(f"{reason}\n")
    old = dlcli("train", "--resume", "runs/r").stderr
    assert old.endswith("--config runs/r/config.yaml --set learning_rate=0.09\n")


def test_overfitting_is_reported_in_one_line(train, monkeypatch):
    monkeypatch.setattr("dlcli.runs.run.overfitting_since", lambda _records: 1)
    lines = [line for line in train().stderr.splitlines() if "Overfitting" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Overfitting since epoch 1: the validation loss rose")


def test_without_validation_images_the_last_epoch_is_reported_as_kept(train):
    stderr = train("--set", "validation_size=0", "--set", "epochs=3").stderr
    assert "Kept epoch 3 of 3: the last, as there are no validation images\n" in stderr


def test_an_unwritable_runs_directory_is_reported(train, workdir):
    (workdir / "file").write_text("")
    result = train("--runs-dir", "file")
    assert result.code == 1
    assert result.stderr == "Error: file: File exists\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_stopped_by_a_signal_can_be_resumed_bit_identically(dlcli, number, code):
    settings = ["--set", "dataset=sample", "--set", "hidden_layers=[16]", "--set", "batch_size=8"]
    command = ["train", *settings, "--set", "dropout=0.1", "--set"]
    with subprocess.Popen(
        [sys.executable, "-m", "dlcli", *command, "epochs=100000", "--name", "stopped"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(line.split()[:2] == ["epoch", "1/100000"] for line in process.stderr)
        process.send_signal(number)
        stdout, stderr = process.stdout.read(), process.stderr.read()
    assert process.returncode == code
    assert stdout == ""
    assert "Resume with: dlcli train --resume runs/stopped" in stderr
    assert "Traceback" not in stderr
    assert list(Path("runs/stopped").glob("*.tmp")) == []
    epochs = f"epochs={checkpoint.load(Path('runs/stopped/last.npz')).metadata.epoch + 1}"
    assert dlcli("train", "-q", "--resume", "runs/stopped", "--set", epochs).code == 0
    assert dlcli(*command, epochs, "-q", "--name", "whole").code == 0
    for name in ("best.npz", "last.npz"):
        assert Path("runs/whole", name).read_bytes() == Path("runs/stopped", name).read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_waits_until_the_checkpoint_is_written(train, dlcli, monkeypatch, number, code):
    """It would leave the zip file open, which complains on stderr when it is deleted."""
    train("--name", "whole", "--set", "epochs=3")
    opened = zipfile.ZipFile.open
    files = 0

    def interrupted(self, name, mode="r", *rest, **options):
        nonlocal files
        member = opened(self, name, mode, *rest, **options)
        files += mode == "w"
        if files == 10:  # last.npz of no epoch has six arrays: this is that of the first one
            os.kill(os.getpid(), number)
        return member

    monkeypatch.setattr(zipfile.ZipFile, "open", interrupted)
    stopped = train("--name", "stopped", "--set", "epochs=3")
    assert (stopped.code, stopped.stdout) == (code, "")
    *_, line, hint = stopped.stderr.splitlines()  # and no "Error: interrupted"
    assert line.startswith("epoch 1/3")
    assert hint == "Stopped; epoch 1 is saved. Resume with: dlcli train --resume runs/stopped"
    assert dlcli("train", "-q", "--resume", "runs/stopped").code == 0
    for name in ("best.npz", "last.npz"):
        assert Path("runs/whole", name).read_bytes() == Path("runs/stopped", name).read_bytes()


@pytest.fixture(scope="module", params=[80, 40])
def columns(request) -> int:
    """How wide the terminal is."""
    return request.param


@pytest.fixture(scope="module")
def lines_on_a_terminal(tmp_path_factory, columns) -> list[str]:
    """What a training shows, by line breaks and by carriage returns."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    settings = ("dataset=sample", "epochs=10", "hidden_layers=[40, 40]", "batch_size=50")
    without_columns = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", *[f"--set={setting}" for setting in settings]],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=tmp_path_factory.mktemp("terminal"),
        # Bars are drawn ten times a second at most, and an epoch may take less than that.
        env={**without_columns, "TQDM_MININTERVAL": "0"},
    )
    os.close(slave)
    with open(master, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor
        shown = b"".join(iter(partial(read_terminal, terminal), b"")).decode()
    assert process.wait() == 0, shown
    return re.split(r"\r\n|[\r\n]", shown)


def read_terminal(terminal) -> bytes:
    """What was written to a terminal; nothing when its last process has ended."""
    try:
        return terminal.read(65536)
    except OSError:  # EIO
        return b""


def test_every_line_of_training_fits_the_terminal(lines_on_a_terminal, columns):
    assert max(len(click.unstyle(line)) for line in lines_on_a_terminal) <= columns


def test_the_bar_shows_the_progress_the_loss_and_the_time_left(lines_on_a_terminal, columns):
    bars = [line for line in lines_on_a_terminal if "%|" in line]
    what = r"0\.\d{4} \S+ s left"
    if columns == 80:
        what = r"loss 0\.\d{4} \([0-9.]+ %\), [0-9,]+ images/s, \S+ s left"
    drawn = [line for line in bars if re.fullmatch(rf"epoch 9/10  \d\d %\|[^|]+\| {what}", line)]
    assert len(drawn) >= 3
    cut = [line for line in bars if not re.search(r"(  0 %\| +\|| left)$", line)]
    assert cut == []


def test_the_lines_of_epochs_are_broken_between_scores(lines_on_a_terminal, columns):
    lines = [line for line in lines_on_a_terminal if line.strip() and "%|" not in line]
    first, second = (
        next(number for number, line in enumerate(lines) if line.startswith(f"epoch  {epoch}/10"))
        for epoch in (1, 2)
    )
    assert second - first == {80: 1, 40: 3}[columns]
    score = r"\d\.\d{4} \([0-9.]+ %\)"
    assert re.fullmatch(
        rf"epoch  1/10 +loss {score} +validation {score} +\S+ s left",
        " ".join(lines[first:second]),
    )


def test_the_last_epoch_tells_how_long_training_took_and_the_others_how_long_it_will(train):
    first, last = [line for line in train().stderr.splitlines() if line.startswith("epoch ")]
    assert first.endswith(" left")
    assert last.endswith(" in all")


def test_the_time_left_counts_only_the_epochs_of_this_session(monkeypatch):
    clock = iter([100.0, 104.0])
    monkeypatch.setattr("dlcli.cli.train_progress.monotonic", lambda: next(clock))
    progress = EpochProgress(images=50, epochs=20, done=10)
    assert progress._time(12) == "16 s left"


def test_a_huge_loss_is_shown_in_powers_of_ten(train):
    settings = ("dataset=sample", "learning_rate=1000", "hidden_layers=[30]", "batch_size=128")
    huge = train(*[word for setting in settings for word in ("--set", setting)]).stderr
    assert re.search(r"epoch 1/2  loss \d\.\d{3}e\+\d\d \(", huge)


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
    assert "resume with: dlcli train --resume 'my runs/x'" in dlcli("eval", "my runs/x").stderr


# Classes that count differently, and a part of the images


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


def test_training_on_a_part_with_weighted_classes_is_told_and_resumes_alike(train, dlcli):
    settings = ("--set", "train_size=0.5", "--set", "class_weights=balanced")
    result = train(*settings, "--name", "whole", "--set", "epochs=3")
    assert "tiny: 27 training images, 6 for validation" in result.stderr
    train(*settings, "--name", "part", "--set", "epochs=1")
    assert dlcli("train", "--resume", "runs/part", "--set", "epochs=3").code == 0
    whole, part = (checkpoint.load(Path("runs") / name / "last.npz") for name in ("whole", "part"))
    assert whole.network.parameters.tobytes() == part.network.parameters.tobytes()
    shown = dlcli("eval", "runs/whole", "--split", "train", "--format", "json")
    assert json.loads(shown.stdout)["images"] == 27


# Finding a learning rate


def test_the_suggested_learning_rate_is_the_only_line_on_stdout_and_no_run_is_written(train):
    result = train("--find-learning-rate")
    assert result.code == 0
    assert re.fullmatch(r"learning_rate=0\.\d+\n", result.stdout)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("The loss falls fastest at a learning rate of 0.")
    assert max(map(len, lines[1:])) <= 80
    assert "^" in lines[-2]
    assert lines[-1].split()[:3] == ["1e-05", "0.0001", "0.001"]
    assert not Path("runs").exists()
    assert train("--set", result.stdout.strip()).code == 0


def test_the_learning_rate_is_found_from_trained_weights_too_and_told_as_json(train):
    train("--name", "a")
    result = train("--find-learning-rate", "--init", "runs/a", "-f", "json", "-q")
    found = json.loads(result.stdout)
    assert result.stderr == ""
    assert list(found) == [
        "learning_rate",
        "steepest",
        "divergence",
        "rates",
        "losses",
        "smoothed",
    ]
    assert len(found["rates"]) == len(found["losses"]) == len(found["smoothed"])
    assert found["learning_rate"] == pytest.approx(found["steepest"], rel=0.1)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_range_test_is_drawn(train, kind):
    pytest.importorskip("matplotlib")
    result = train("--find-learning-rate", "--plot", f"rates.{kind}")
    assert result.code == 0
    assert Path(f"rates.{kind}").stat().st_size > 5000
    assert result.stderr.endswith(f"Plot: rates.{kind}\n")
    assert train("--find-learning-rate", "--plot", f"rates.{kind}").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plot", "a.png"), "--plot is for --find-learning-rate"),
        (("--find-learning-rate", "--name", "a"), "--name and --find-learning-rate exclude"),
        (("--find-learning-rate", "--resume", "a"), "--find-learning-rate and --resume exclude"),
        (("--find-learning-rate", "--plot", "a.gif"), "must end in one of .png, .svg, .pdf"),
    ],
)
def test_what_has_no_meaning_with_the_range_test_is_refused(train, arguments, message):
    result = train(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr


# Some of the classes


def test_a_network_of_two_digits_is_trained_scored_and_resumed_on_their_images(dlcli):
    settings = ("--set", "dataset=sample", "--set", "classes=[7, 3]", "--set", "train_size=300")
    assert dlcli("train", *settings, *QUICK, "--name", "two").code == 0
    scores = json.loads(dlcli("eval", "runs/two", "-f", "json").stdout)
    assert scores["images"] == 242 + 215  # of the sample's test images
    assert scores["accuracy"] > 0.9
    assert len(scores["confusion_matrix"]) == 2
    text = dlcli("eval", "runs/two").stdout
    assert re.search(r"^3 .*242$", text, re.MULTILINE)
    assert re.search(r"^7 .*215$", text, re.MULTILINE)
    assert dlcli("eval", "runs/two", "--dataset", "sample", "-f", "json").code == 0
    validation = json.loads(dlcli("eval", "runs/two", "--split", "validation", "-f", "json").stdout)
    assert validation["accuracy"] == listing.row_of(Path("runs/two"))["validation_accuracy"]
    assert dlcli("train", "--resume", "runs/two", "--set", "epochs=3").code == 0
    init = dlcli("train", "--init", "pretrained", *settings, "--set", "epochs=1", "--name", "few")
    assert "784-1024-1024-1024-2" in init.stderr
    assert "the last layer is new" not in init.stderr


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("[3, x]", "Error: classes: "),
        ("[3]", "Error: --set: classes: expected a list of whole numbers"),
        ("[3, '3']", "Error: --set: classes: '3' is there twice"),
        ("[3, 1.5]", "Error: --set: classes: expected a list"),
    ],
)
def test_classes_that_are_not_there_are_refused(train, classes, message):
    result = train("--set", f"classes={classes}")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(message)
    assert not Path("runs").exists()
