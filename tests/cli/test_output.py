"""Results reach stdout in any encoding, and exit codes do not depend on who reads them."""

import io
import os
import subprocess
import sys

import pytest
from PIL import Image

from dlcli.cli import output


@pytest.fixture
def pictures(workdir) -> list[bytes]:
    """Strokes like MNIST's, with names that few encodings hold; two more are missing or broken."""
    names = [os.fsencode("\N{CJK UNIFIED IDEOGRAPH-6570}.png"), b"plain.png", b"\xff\xe9.png"]
    for name in names:
        picture = Image.new("L", (28, 28))
        picture.paste(255, (13, 4, 16, 24))
        picture.save(os.fsdecode(name), "PNG")
    return names


def run_apart(*arguments: str | bytes, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "dlcli", *arguments], **options)


def run_without_reader(*arguments: str | bytes) -> tuple[int, bytes]:
    """The exit code and stderr of a command whose stdout is a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        finished = run_apart(*arguments, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    return finished.returncode, finished.stderr


def test_a_threshold_is_not_met_even_if_nobody_reads_the_scores(workdir, trained_model):
    code, stderr = run_without_reader("eval", "-q", str(trained_model), "--min-accuracy", "1")
    assert code == 5
    assert stderr.endswith(b"is below 1\n")
    assert stderr.count(b"\n") == 1


def test_a_corrupt_dataset_is_told_even_if_nobody_reads_the_list(mirror, dlcli, local_cache):
    assert dlcli("data", "fetch", "mnist", "-q").code == 0
    next((local_cache / "mnist").iterdir()).write_bytes(b"changed")
    assert run_without_reader("data", "verify")[0] == 3


@pytest.mark.parametrize("form", ["text", "json", "csv"])
@pytest.mark.parametrize("bad", [0, 1, 3])
def test_a_picture_that_cannot_be_read_is_told_even_if_nobody_reads_the_predictions(
    pictures, form, bad
):
    names = [*pictures[:bad], b"missing.png", *pictures[bad:]]
    code, stderr = run_without_reader("predict", "-q", "-m", "pretrained", "-f", form, *names)
    assert (code, stderr) == (4, b"Error: missing.png: no such file\n")


def test_pages_without_numbers_are_not_told_when_nobody_reads_the_numbers_any_more(pictures):
    """They were not read at all; what cannot be read still is told."""
    names = [*pictures, *pictures, b"missing.png"]
    code, stderr = run_without_reader("read", "-m", "pretrained", *names)
    assert code == 4
    assert stderr.splitlines()[1:] == [b"Error: missing.png: no such file"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "shift_jis", "utf-16", "cp037"])
def test_any_path_is_printed_in_any_encoding(pictures, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    missing = [b"missing-" + name for name in pictures]
    finished = run_apart("predict", *pictures, *missing, capture_output=True, env=environment)
    assert finished.returncode == 4
    shown, told = finished.stdout.decode(encoding), finished.stderr.decode(encoding, "replace")
    assert [line.split("\t")[2] for line in shown.splitlines()][1:] == [
        "plain.png",
        r"\udcff\udce9.png",
    ]
    assert shown.splitlines()[0].split("\t")[2] in {"\u6570.png", r"\u6570.png"}
    assert told.count("no such file") == 3
    assert "Unicode" not in told


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_the_path_of_a_run_goes_to_the_next_command_as_the_bytes_that_it_is(
    workdir, tiny, encoding
):
    runs_dir = b"r\xff\xe9"
    settings = (f"--set=dataset={tiny}", "--set=hidden_layers=[4]", "--set=epochs=1")
    finished = run_apart(
        *("train", "-q", *settings, "--name=a", "--runs-dir", runs_dir),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (finished.returncode, finished.stdout) == (0, runs_dir + b"/a\n")


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("utf-8", "\u6570\udcff", b"\xe6\x95\xb0\xff"),
        ("cp1252", "\u6570\udcff\xe9", rb"\u6570" + b"\xff\xe9"),
        ("ascii", "\udcffa\u6570", b"\xffa" + rb"\u6570"),
        ("utf-16-le", "\udcff", r"\udcff".encode("utf-16-le")),
        ("utf-8", "\ud800", rb"\ud800"),
    ],
)
def test_what_an_encoding_lacks_is_escaped(monkeypatch, encoding, text, written):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    output.print_any_character()
    output.echo(text, nl=False)
    assert stream.buffer.getvalue() == written
