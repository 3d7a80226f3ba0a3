"""The progress of ``dlcli train``: lines, bars, times and the sparkline of the loss."""

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from functools import partial
from types import SimpleNamespace

import click
import pytest

from dlcli.cli.train_progress import EpochProgress, sparkline


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


def test_without_validation_images_or_after_one_epoch_there_is_no_sparkline(train):
    assert "Validation loss:" not in train("--set", "validation_size=0").stderr
    assert "Validation loss:" not in train("--set", "epochs=1").stderr


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
