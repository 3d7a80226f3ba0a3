"""The command line as a whole: errors, exit codes, quiet ends."""

import errno
import inspect
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from PIL import Image

from dlcli import errors
from dlcli.cli import output
from dlcli.cli.main import run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "Error: No such command 'trian'; did you mean train?\n"),
        (["xyz"], "Error: No such command 'xyz'. (see: dlcli --help)\n"),
        (["train", "--zzzz"], "--zzzz"),
        (["eval", "--split", "all"], "(see: dlcli eval --help)\n"),
        (["eval", "--min-accuracy", "2"], "(see: dlcli eval --help)\n"),
        (["predict"], "Error: Missing argument 'IMAGE...'"),
        (["predict", "-", "--from-file", "-"], "Error: stdin (-) can be read only once"),
        (["compare", "one"], "as in: dlcli compare MODEL one\n"),
        (["data", "fetch", "mnits"], "(see: dlcli data fetch --help)\n"),
        (["data", "export"], "(see: dlcli data export --help)\n"),
        (["config", "check"], "(see: dlcli config check --help)\n"),
        (["train", "--threads", "0"], "(see: dlcli train --help)\n"),
        (["train", "--resume", "x", "--name", "y"], "--name and --resume exclude each other"),
        (["eval", "--folds", "3", "--tta"], "--folds and --tta exclude each other"),
        (["data", "export", "--dataset", "sample", "-o", "-"], "-: name a folder"),
        (["train", "--resume", "x", "--runs-dir", "y"], "--runs-dir and --resume exclude"),
        (
            ["predict", "x", "--top", "2", "-f", "csv"],
            "csv has all probabilities; use --top with text or json",
        ),
    ],
)
def test_wrong_usage_gets_one_line_and_exit_code_2(dlcli, arguments, message):
    result = dlcli(*arguments)
    assert result.code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_exit_codes_are_those_of_the_documentation():
    codes = {
        name: kind.exit_code
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.DlcliError)
    }
    assert codes == {
        "DlcliError": 1,
        "ConfigError": 2,
        "DatasetError": 3,
        "InputError": 4,
        "ImageError": 4,
        "CheckpointError": 4,
        "ThresholdError": 5,
        "DivergenceError": 1,
        "ClaimError": 1,
        "GradientError": 1,
    }


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "f"), 1, "f: No space left on device"),
        (OSError("odd"), 1, "odd"),
        (MemoryError("8 GiB"), 1, "not enough memory: 8 GiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (errors.Terminated("terminated"), 143, "terminated"),
        (click.ClickException("clicked"), 1, "clicked"),
        (ZeroDivisionError("oops"), 1, "unexpected ZeroDivisionError: oops (run again with"),
    ],
)
def test_every_error_becomes_one_line_and_a_code(dlcli, monkeypatch, error, code, message):
    def fail(_runs_dir):
        raise error

    monkeypatch.setattr("dlcli.runs.listing.list_runs", fail)
    result = dlcli("runs", "--runs-dir", ".")
    assert result.code == code
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1


def test_an_exit_is_not_swallowed(workdir, monkeypatch):
    def leave(_runs_dir):
        raise SystemExit(7)

    monkeypatch.setattr("dlcli.runs.listing.list_runs", leave)
    with pytest.raises(SystemExit):
        run(["runs", "--runs-dir", "."])


@pytest.mark.parametrize("arguments", [["--debug", "eval", "nope"], ["eval", "nope", "--debug"]])
def test_debug_shows_the_traceback(workdir, capsys, arguments):
    assert run(arguments) == 4
    stderr = capsys.readouterr().err
    assert "Traceback" in stderr
    assert "Error: nope: no such run directory or checkpoint" in stderr


def test_a_full_disk_is_reported(workdir):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        finished = subprocess.run(
            [sys.executable, "-m", "dlcli", "config", "show"], stdout=full, stderr=subprocess.PIPE
        )
    assert finished.returncode == 1
    assert b"No space left on device" in finished.stderr
    assert b"Traceback" not in finished.stderr


def test_a_closed_pipe_ends_quietly(workdir):
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert stderr == b""


def test_help_is_fast_because_it_imports_little(workdir):
    code = (
        "import sys; from dlcli.cli.main import run\n"
        "run(['--help']); run(['read', '--help']); run(['train', '--set', 'x=1'])\n"
        "open('a.yaml', 'w').write('epochs: 3'); run(['config', 'check', 'a.yaml'])\n"
        "assert 'numpy' not in sys.modules, 'numpy is imported too early'"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert "x: unknown key" in finished.stderr


@pytest.mark.parametrize(
    ("box", "also_slow"),
    [
        ((12, 4, 16, 24), {"cv2"}),  # as MNIST would have it
        ((12, 6, 15, 22), set()),  # to be scaled
    ],
)
def test_a_prediction_imports_nothing_that_only_training_needs(
    trained_model, workdir, box, also_slow
):
    image = Image.new("L", (28, 28))
    image.paste(255, box)
    image.save(workdir / "a.png")
    code = (
        "import sys, numpy; before = set(sys.modules)\n"
        "from dlcli.cli.main import run\n"
        "assert run(sys.argv[1:]) == 0\n"
        f"slow = {{'msgspec', 'yaml', 'requests', 'numpy.ma', 'numpy.random', *{also_slow}}}\n"
        "slow |= {name for name in sys.modules if name.startswith('dlcli.data.')}\n"
        "slow.remove('dlcli.data.classes')\n"
        "assert not slow & (set(sys.modules) - before), slow & set(sys.modules)"
    )
    arguments = ["predict", "a.png", "--model", str(trained_model)]
    finished = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("predict - -m {model} <&-", 2, "Error: -: stdin is closed\n"),
        ("train -c - <&-", 2, "Error: -: stdin is closed\n"),
        ("train -q --set dataset=sample --set epochs=1 2>&-", 0, ""),
    ],
)
def test_closed_streams_are_reported_or_not_needed(workdir, trained_model, command, code, message):
    line = f"{sys.executable} -m dlcli {command.format(model=trained_model)}"
    finished = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True)
    assert (finished.returncode, finished.stderr.splitlines()[-1:]) == (
        code,
        message.splitlines()[-1:],
    )


def test_sigterm_ends_any_command_with_143(workdir):
    code = (
        "import os, signal, sys; from dlcli.cli.main import main; from dlcli.runs import listing\n"
        "listing.list_runs = lambda _: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.argv = ['dlcli', 'runs', '--runs-dir', '.']; main()"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (143, "Error: terminated\n")
    assert int(signal.SIGTERM) == 15


@pytest.mark.parametrize("reading", ["PIL.Image.Image.load", "zipfile.ZipFile.read"])
def test_sigterm_is_not_mistaken_for_a_problem_of_the_file_being_read(
    dlcli, trained_model, workdir, monkeypatch, reading
):
    Image.new("L", (28, 28)).save(workdir / "a.png")

    def interrupted(*_arguments, **_options):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(reading, interrupted)
    result = dlcli("predict", "-q", "-m", trained_model, "a.png")
    assert (result.code, result.stderr) == (143, "Error: terminated\n")


def test_the_work_continues_when_nobody_reads_stderr_any_more(workdir):
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcli", "train", "--set", "dataset=sample", "--set", "epochs=2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stderr.close()
    stdout = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 0
    assert (workdir / stdout.decode().strip() / "summary.json").exists()


def test_the_work_continues_when_stderr_is_full(workdir):
    line = f"{sys.executable} -m dlcli train --set dataset=sample --set epochs=2 2>/dev/full"
    finished = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, text=True)
    assert finished.returncode == 0
    assert (workdir / finished.stdout.strip() / "summary.json").exists()


def test_a_closed_stdout_is_not_a_failure(workdir):
    command = f"{sys.executable} -m dlcli config show >&-"
    finished = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE)
    assert (finished.returncode, finished.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "stderr"),
    [
        ("config show", 0, ""),
        ("config show >&-", 0, ""),
        ("config show 2>&-", 0, ""),
        ("config show > /dev/full", 1, "Error: No space left on device"),
        ("config check no.yaml", 2, "Error: no.yaml: no such config file"),
        ("config check no.yaml 2>&-", 2, ""),
    ],
)
def test_the_installed_command_ends_at_once_and_loses_nothing(dlcli, arguments, code, stderr):
    command = Path(sys.executable).with_name("dlcli")
    finished = subprocess.run(
        ["sh", "-c", f"{command} {arguments}"], capture_output=True, text=True
    )
    assert finished.returncode == code
    assert finished.stderr.startswith(stderr)
    assert len(finished.stderr.splitlines()) == len(stderr.splitlines())
    shown = (
        dlcli("config", "show").stdout if arguments in {"config show", "config show 2>&-"} else ""
    )
    assert finished.stdout == shown


def test_the_installed_command_succeeds_when_its_reader_has_seen_enough(workdir):
    command = Path(sys.executable).with_name("dlcli")
    line = f"{{ {command} config show; echo $? >&2; }} | :"
    finished = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert finished.stderr == "0\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("Zürich\u00a0✓", "Zürich\u00a0✓"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("bad\udcff", r"bad\udcff"),
    ],
)
def test_text_from_outside_does_nothing_to_the_terminal(text, shown):
    assert output.printable(text) == shown


def test_error_messages_do_nothing_to_the_terminal_either(dlcli):
    result = dlcli("eval", "\x1b[2Jmodel")
    assert result.stderr == "Error: \\x1b[2Jmodel: no such run directory or checkpoint\n"


WARNING = """
import logging, sys, warnings
from dlcli.cli.main import main
from dlcli.config import schema

to_yaml = schema.to_yaml

def to_yaml_with_warnings(config, **options):
    warnings.warn("from NumPy", RuntimeWarning)
    logging.getLogger("matplotlib").warning("from a log")
    return to_yaml(config, **options)

schema.to_yaml = to_yaml_with_warnings
main()
"""


@pytest.mark.parametrize("debug", [False, True])
def test_warnings_of_libraries_are_shown_only_with_debug(debug):
    arguments = ["config", "show", *(["--debug"] if debug else [])]
    finished = subprocess.run(
        [sys.executable, "-c", WARNING, *arguments], capture_output=True, text=True
    )
    assert finished.returncode == 0
    assert ("RuntimeWarning: from NumPy" in finished.stderr) is debug
    assert ("from a log" in finished.stderr) is debug


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["eval", "pretrained", "--predictions", "p.json"],
            "p.json: would hold CSV; name it p.csv",
        ),
        (["report", "pretrained", "-o", "r.pdf"], "r.pdf: would hold HTML; name it r.html"),
        (
            ["report", "--demo", "pretrained", "-o", "r.png"],
            "r.png: would hold HTML; name it r.html",
        ),
        (["sweep", "report", "-o", "s.csv"], "s.csv: would hold HTML; name it s.html"),
        (["data", "show", "-o", "d.jpg"], "d.jpg: would hold PNG; name it d.png"),
        (["plot", "pretrained", "-o", "c.csv"], "c.csv: the file must end in one of .png, "),
    ],
)
def test_no_file_is_written_under_the_ending_of_another_format(dlcli, arguments, message):
    result = dlcli(*arguments)
    assert (result.code, result.stdout) == (2, "")
    assert f"Error: {message}" in result.stderr
    assert list(Path().iterdir()) == []
