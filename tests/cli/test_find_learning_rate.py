"""``dlcli train --find-learning-rate``."""

import json
import re
from pathlib import Path

import pytest


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
