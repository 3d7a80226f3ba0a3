"""The commands in docs/finetuning.md run as they stand there, and teach a model another hand."""

import json
import re
import shlex
from pathlib import Path

import pytest

from dlcli.evaluation.evaluate import evaluate
from dlcli.runs import lookup
from tools import foreign_hand

GUIDE = (Path(__file__).parent.parent / "docs" / "finetuning.md").read_text("utf-8")


def lines() -> list[str]:
    """The commands of the guide, but for the page to draw on, which nobody draws on here."""
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if "--demo" not in line]


def test_the_guide_halves_the_errors_in_another_hand(dlcli, workdir):
    """With the sample in place of MNIST: nothing is downloaded, and it takes seconds."""
    foreign_hand.write(Path("mine"), count=25, seed=0)
    assert len(lines()) == 6
    for command in lines():
        words = shlex.split(command.replace("mnist", "sample"))[1:]
        if words[0] == "train":
            words += ["--set", "epochs=2", "--set", "batch_size=64", "--threads", "1"]
        result = dlcli(*words)
        assert result.code == 0, result.stderr
    summary = json.loads(Path("runs/my-hand/summary.json").read_text())
    assert summary["init"]["name"] == "pretrained"
    held_out = foreign_hand.examples(30, seed=1)
    before, after = (
        evaluate([lookup.load_named(name)], held_out).accuracy
        for name in ("pretrained", "runs/my-hand")
    )
    assert 1 - after <= (1 - before) / 2


@pytest.mark.parametrize("config", re.findall(r"--config (\w+)", GUIDE))
def test_the_configs_of_the_guide_are_shipped(config):
    assert (Path(__file__).parent.parent / "configs" / f"{config}.yaml").exists()
