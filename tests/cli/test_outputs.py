"""Where commands write: no device, pipe or link is ever replaced, not even with ``--force``."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest

from dlcli.sweep import plan as plans
from dlcli.sweep.storage import StudyLocation, address, create_study, load_study
from dlcli.sweep.worker import Worker
from tests.patience import PATIENCE_SECONDS

# Every command that writes a file that the user names, and the file's ending.
COMMANDS = {
    "export": ("onnx", ["export", "{bare}", "--format", "onnx", "-o"]),
    "eval": ("csv", ["eval", "{bare}", "--dataset", "{tiny}", "--predictions"]),
    "data show": ("png", ["data", "show", "--set", "dataset={tiny}", "-o"]),
    "report": ("html", ["report", "{bare}", "--dataset", "{tiny}", "-o"]),
    "report --demo": ("html", ["report", "{bare}", "--demo", "-o"]),
    "plot": ("png", ["plot", "{run}", "-o"]),
    "sweep report": ("html", ["sweep", "report", "--runs-dir", "{searched}", "--output"]),
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A folder with a search of one trial."""
    folder = tmp_path_factory.mktemp("searched")
    settings = ["hidden_layers=[]", "epochs=1", "learning_rate={choices: [0.1]}"]
    plan = plans.load([], ["dataset=sample", *settings], 1)
    location = StudyLocation(address(None, folder), "s", folder, folder)
    create_study(plan, location)
    Worker(plan, location, load_study(plan, location, 0), lambda: False).work()
    return folder


@pytest.fixture(params=COMMANDS)
def output(request, workdir) -> Path:
    """The file that the command writes; it does not exist."""
    ending, _ = COMMANDS[request.param]
    return Path(f"out.{ending}")


@pytest.fixture
def write(request, output, dlcli, make_checkpoint, trained_model, tiny, searched):
    """Run the command with more arguments."""
    _, words = COMMANDS[request.node.callspec.params["output"]]
    inputs = {"run": trained_model, "tiny": tiny, "searched": searched}
    if "{bare}" in words:  # of which a page is made faster than of a run
        inputs["bare"] = make_checkpoint("bare.npz")
    given = [word.format(**inputs) for word in words]
    return lambda *more: dlcli(*given, output, *more)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_named_pipe_gets_the_content_and_stays_a_pipe(write, output, force):
    os.mkfifo(output)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(output.read_bytes()), daemon=True)
    reader.start()
    result = write(*force)
    reader.join(PATIENCE_SECONDS)
    assert result.code == 0, result.stderr
    assert len(received[0]) > 100
    assert stat.S_ISFIFO(output.stat().st_mode)


def test_the_target_of_a_link_is_replaced_and_the_link_stays(write, output):
    Path("elsewhere").mkdir()
    Path("elsewhere/target").write_bytes(b"old")
    output.symlink_to("elsewhere/target")
    refused = write()
    assert (refused.code, refused.stdout) == (2, "")
    assert f"{output}: exists already; add --force" in refused.stderr
    assert write("--force").code == 0
    assert output.is_symlink()
    assert len(Path("elsewhere/target").read_bytes()) > 100
    assert [path.name for path in Path("elsewhere").iterdir()] == ["target"]


def test_a_mount_point_is_written_in_place_and_that_is_said(write, output, monkeypatch):
    """As ``docker -v out.png:/out.png`` makes it: the kernel refuses to rename onto it."""
    output.write_bytes(b"\xff" * 15_000_000)  # longer than any output
    inode = output.stat().st_ino

    def busy(_self, _target):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    result = write("--force")
    assert result.code == 0, result.stderr
    assert f"{output}: could not be replaced (Device or resource busy)" in result.stderr
    assert output.stat().st_ino == inode
    assert not output.read_bytes().endswith(b"\xff" * 100)
    assert not list(Path().glob(".*.tmp"))


def test_a_folder_is_refused_before_the_work(write, output):
    output.mkdir()
    result = write("--force")
    assert result.code == 2
    assert str(output) in result.stderr
    assert "Model:" not in result.stderr


def exported(path: str, stdout: int | IO[bytes]) -> bytes:
    """What ``dlcli export`` prints when it writes to ``path``."""
    command = [
        sys.executable,
        "-m",
        "dlcli",
        "export",
        "pretrained",
        "-q",
        "-f",
        "onnx",
        "-o",
        path,
    ]
    return subprocess.run(command, stdout=stdout, check=True).stdout


def test_an_export_can_go_to_stdout_into_a_pipe_or_a_file(workdir):
    assert exported("model.onnx", subprocess.PIPE) == b"model.onnx\n"
    content = Path("model.onnx").read_bytes()
    assert exported("/dev/stdout", subprocess.PIPE) == content
    assert exported("/dev/fd/1", subprocess.PIPE) == content
    Path("link").symlink_to("/dev/stdout")
    with Path("redirected.onnx").open("wb") as file:
        exported("link", file)
    assert Path("redirected.onnx").read_bytes() == content
    assert Path("link").is_symlink()


def test_a_file_is_not_both_output_and_stdout_by_mistake(workdir, trained_model, tiny):
    command = [sys.executable, "-m", "dlcli", "eval", trained_model, "--dataset", tiny]
    with Path("out.csv").open("wb") as file:
        refused = subprocess.run(
            [*command, "--predictions", "out.csv"], stdout=file, stderr=subprocess.PIPE, text=True
        )
    assert refused.returncode == 2
    assert "out.csv: exists already" in refused.stderr
