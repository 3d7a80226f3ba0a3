"""Runs that were stopped, killed or finished: ``dlcli train --resume``."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcli.runs import checkpoint, listing
from dlcli.runs.directory import locked
from dlcli.runs.resume import read
from tests.cli.trainings import DIVERGING, QUICK, REMEDY, diverge_after


def test_the_sparkline_of_a_resumed_run_is_of_all_its_epochs(train, dlcli):
    train("--name", "r")
    stderr = dlcli("train", "--resume", "runs/r", "--set", "epochs=5").stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith("Validation loss: ")]
    assert re.fullmatch(r"Validation loss: \d\.\d{4} [▁▂▃▄▅▆▇█]{5} \d\.\d{4}", line)


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


def test_a_run_in_which_nothing_was_saved_can_be_started_anew_but_not_resumed(train, dlcli):
    Path("runs/r").mkdir(parents=True)
    Path("runs/r/.lock").touch()
    resumed = dlcli("train", "--resume", "runs/r")
    assert resumed.code == 4
    assert "nothing was saved to resume from; start the run again with --name" in resumed.stderr
    assert train("--name", "r").code == 0


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


# To compile kernels takes longer than the epochs until it is stopped.
WITHOUT_NUMBA = "import sys; sys.modules['numba'] = None; from dlcli.cli.main import main; main()"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_stopped_by_a_signal_can_be_resumed_bit_identically(dlcli, number, code):
    settings = ["--set", "dataset=sample", "--set", "hidden_layers=[16]", "--set", "batch_size=32"]
    command = ["train", *settings, "--set", "dropout=0.1", "--set"]
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_NUMBA, *command, "epochs=100000", "--name", "stopped"],
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
