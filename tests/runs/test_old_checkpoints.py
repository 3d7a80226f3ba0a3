"""Checkpoints of every format that was ever released are read, evaluated and resumed."""

import json
import shutil

import pytest

from dlcli.config.files import load
from dlcli.runs import checkpoint
from tools.generate_checkpoints import FOLDER, NAME, RECORD, resume, scores

VERSIONS = sorted(FOLDER.iterdir())
RUNS = [path.parent for path in sorted(FOLDER.glob("*/*/last.npz"))]


def recorded(run):
    return json.loads((run.parent / RECORD).read_text(encoding="utf-8"))[run.name]


def assert_alike(found, expected, images):
    """Equal but for the last digits, which depend on the processor and on the release of NumPy."""
    assert found["correct"] == pytest.approx(expected["correct"], abs=images)
    for loss in ("train_loss", "validation_loss"):
        assert found[loss] == pytest.approx(expected[loss], rel=1e-3)


def test_there_are_runs_of_every_format():
    formats = {path.name.partition(".")[0] for path in VERSIONS}
    assert formats == {f"version-{number}" for number in range(1, checkpoint.FORMAT_VERSION + 1)}
    assert NAME in {path.name for path in VERSIONS}
    assert {run.parent for run in RUNS} == set(VERSIONS)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.parent.name}/{run.name}")
def test_an_old_run_is_read_scored_and_resumed(run, tmp_path):
    assert load([str(run / "config.yaml")])
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    assert_alike(scores(copy), recorded(run)["scores"], images=2)
    resume(copy)
    assert_alike(scores(copy), recorded(run)["resumed"], images=10)


@pytest.mark.parametrize("command", [("eval",), ("predict", "x.png", "--model")])
def test_the_command_line_accepts_old_files(dlcli, command):
    """Each checkpoint file by itself, as someone may have kept it."""
    assert dlcli("data", "export", "--dataset", "sample", "--limit", 1, "-o", "d").code == 0
    for file in sorted(FOLDER.glob("*/*/*.npz")):
        result = dlcli(*[word.replace("x.png", "d") for word in command], file)
        assert result.code == 0, result.stderr
