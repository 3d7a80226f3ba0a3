"""The core works where Windows refuses what Linux allows: see ``windows/sitecustomize.py``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Result, write_idx_folder

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the simulation finds open files as Linux shows them"
)

REPOSITORY = Path(__file__).parent.parent
SIMULATION = Path(__file__).parent / "windows"

TRAIN = "train -q --set dataset=tiny --set hidden_layers=[4] --set batch_size=10 --set epochs={}"
COMMANDS = {
    "train": f"{TRAIN.format(1)} --name a",
    "resume": "train --resume runs/a --set epochs=2",
    "train again": f"{TRAIN.format(1)} --name b",
    "eval": "eval -q --format json",
    "eval latest": "eval runs/latest -q --format json",
    "resume latest": "train --resume runs/latest --set epochs=3",
    "compare": "compare runs/a runs/b --format json",
    "predict": "predict pictures",
    "read": "read -q --model pretrained pictures",
    "report": "report -q runs/a",
    "export": "export -q runs/a --format onnx --output a.onnx",
    "plot": "plot -q runs/a --output curves.png",
    "search": "sweep --config search.yaml",
    "remove": "runs rm runs/b --yes",
    "list": "runs list --format json",
    "predict without a link": "predict -q pictures",
    "status": "data status --data-dir cache",
    "config": "config init mine.yaml --dataset sample",
}
SEARCH = """
dataset: tiny
hidden_layers: [4]
epochs: 1
learning_rate: {low: 0.01, high: 0.1}
sweep: {trials: 2, sampler: random}
"""


def start(program: list[str], folder: Path, stdin: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(SIMULATION), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        input=stdin,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder in which the commands run."""
    folder: Path = tmp_path_factory.mktemp("windows")
    write_idx_folder(folder / "tiny")
    (folder / "search.yaml").write_text(SEARCH, encoding="utf-8")
    pictures = folder / "pictures"
    export = ["data", "export", "--dataset", "sample", "--limit", "1", "--output", str(pictures)]
    subprocess.run([sys.executable, "-m", "dlcli", *export], check=True, capture_output=True)
    (exported,) = pictures.iterdir()
    exported.rename(pictures / "\u6570-\xfc.png")  # of these, cp1252 has only the second
    return folder


@pytest.fixture(scope="module")
def results(folder) -> dict[str, Result]:
    """What the commands did, by name."""
    commands = json.dumps([command.split() for command in COMMANDS.values()])
    finished = start([str(SIMULATION / "session.py")], folder, commands)
    assert finished.returncode == 0, finished.stderr
    found = [Result(*result) for result in json.loads(finished.stdout)]
    return dict(zip(COMMANDS, found, strict=True))


def test_this_python_refuses_what_windows_refuses(tmp_path):
    program = """
import errno, os
from pathlib import Path

def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]

here = Path("file")
here.write_text("\\xfc")
assert here.read_bytes() == b"\\xfc"
Path("folder").mkdir()
print(refused(os.symlink, "file", "link"), refused(os.open, "folder", os.O_RDONLY))
print(refused(Path("a:b").write_text, ""), refused(os.rename, "file", "folder"))
with here.open() as file:
    print(refused(os.remove, "file"), refused(os.replace, "file", "b"))
    print(refused(os.fsync, file.fileno()))
for module in ("fcntl", "resource", "pwd"):
    try:
        __import__(module)
    except ModuleNotFoundError:
        print("no", module)
print(hasattr(os, "fork"))
"""
    finished = start(["-c", program], tmp_path, "")
    assert finished.stderr == ""
    assert finished.stdout.split("\n") == [
        "EINVAL EACCES",
        "EINVAL EEXIST",
        *("EACCES EACCES", "EBADF"),
        *("no fcntl", "no resource", "no pwd"),
        *("False", ""),
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_succeeds(results, name):
    assert (results[name].code, "Error" in results[name].stderr) == (0, False), results[name].stderr


def test_latest_is_a_file_with_the_name_of_the_run(results, folder):
    assert results["eval"].stdout == results["eval latest"].stdout
    assert json.loads(results["eval"].stdout)["model"].startswith("runs/b")
    assert results["resume latest"].stdout == "runs/b\n"
    assert "Warning" not in results["train again"].stderr


def test_removing_the_latest_run_removes_that_file(results, folder):
    assert results["remove"].stderr == "removed runs/b, and the link to it, latest\n"
    rows = json.loads(results["list"].stdout)
    assert rows[0]["run"] == "runs/a"
    assert not (folder / "runs" / "b").exists()
    assert results["predict without a link"].code == 0


def test_names_that_the_console_has_no_letters_for_are_escaped(results):
    assert results["predict"].stdout.rstrip().endswith("pictures/\\u6570-\xfc.png")


def test_a_search_starts_its_workers_without_forking(results):
    assert "Warning" not in results["search"].stderr
    assert results["search"].stdout
