"""Two models on the same test images, and whether their difference is chance."""

import shutil
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from dlcli.evaluation import evaluate
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from tests.cli.evaluations import json_of

KEYS = [
    "first",
    "second",
    "dataset",
    "first_accuracy",
    "second_accuracy",
    "images",
    "both_right",
    "only_first_right",
    "only_second_right",
    "both_wrong",
    "p_value",
]


@pytest.fixture
def untrained(make_checkpoint):
    return make_checkpoint("untrained.npz")


def test_json_holds_the_documented_keys(dlcli, trained_model, untrained, sample):
    found = json_of(dlcli("compare", trained_model, untrained, "--format", "json"))
    assert list(found) == KEYS
    assert (found["first"], found["second"]) == (str(trained_model / "best.npz"), str(untrained))
    assert found["dataset"] == "sample"
    right = [
        evaluate.evaluate([checkpoint.load(path)], sample.test).predictions == sample.test.labels
        for path in (trained_model / "best.npz", untrained)
    ]
    assert found["first_accuracy"] == right[0].mean()
    assert found["second_accuracy"] == right[1].mean()
    assert found["both_right"] == np.count_nonzero(right[0] & right[1])
    assert found["only_first_right"] == np.count_nonzero(right[0] & ~right[1])
    assert found["only_second_right"] == np.count_nonzero(right[1] & ~right[0])
    assert found["both_wrong"] == np.count_nonzero(~right[0] & ~right[1])
    assert found["images"] == 2000
    assert found["p_value"] < 1e-100


def test_text_says_whether_the_difference_is_chance(dlcli, trained_model, untrained):
    found = json_of(dlcli("compare", trained_model, untrained, "--format", "json"))
    result = dlcli("compare", trained_model, untrained)
    assert (result.code, result.stderr) == (0, "")
    header, first, second, _, counts, verdict = result.stdout.splitlines()
    assert header.split("  ")[0] == "model"
    assert first.split() == [
        str(trained_model / "best.npz"),
        f"{100 * found['first_accuracy']:.2f}",
        "%",
        f"{found['both_right'] + found['only_first_right']:,}",
        f"{found['only_first_right']:,}",
    ]
    assert second.startswith(str(untrained))
    assert second.split()[-1] == f"{found['only_second_right']:,}"
    assert counts == (
        f"2,000 test images of sample; both correct {found['both_right']:,}, both wrong "
        f"{found['both_wrong']:,}"
    )
    assert verdict.endswith("(the difference is more than chance)")


def test_a_model_is_as_good_as_itself(dlcli, trained_model):
    found = json_of(dlcli("compare", trained_model, trained_model, "--format", "json"))
    assert (found["only_first_right"], found["only_second_right"], found["p_value"]) == (0, 0, 1)
    assert (
        "p = 1 (the difference may well be chance)"
        in dlcli("compare", trained_model, trained_model).stdout
    )
    warning = f"Warning: {trained_model / 'best.npz'} is compared with itself; name another model"
    assert warning in dlcli("compare", trained_model, trained_model).stderr


def test_exchanged_models_exchange_their_scores(dlcli, trained_model, untrained):
    one = json_of(dlcli("compare", trained_model, untrained, "--format", "json"))
    other = json_of(dlcli("compare", untrained, trained_model, "--format", "json"))
    assert one["only_first_right"] == other["only_second_right"]
    assert one["p_value"] == other["p_value"]


def test_another_dataset_can_be_named(dlcli, trained_model, untrained, tiny):
    arguments = ["compare", trained_model, untrained, "--dataset", tiny, "--format", "json"]
    found = json_of(dlcli(*arguments))
    assert (found["dataset"], found["images"]) == (str(tiny), 20)


def test_names_are_shown_safely(dlcli, make_checkpoint, tiny):
    names = [make_checkpoint("a\x1b[2J.npz").name, make_checkpoint("b.npz").name]
    result = dlcli("compare", *names, "--dataset", tiny)
    assert result.code == 0
    assert "a\\x1b[2J.npz" in result.stdout


@pytest.mark.parametrize("place", [0, 1])
def test_an_unreadable_model_is_reported(dlcli, untrained, place):
    Path("text.npz").write_text("no model")
    paths = [untrained, untrained]
    paths[place] = "text.npz"
    result = dlcli("compare", *paths)
    assert (result.code, result.stdout) == (4, "")
    assert result.stderr.startswith("Error: text.npz: not a whole .npz checkpoint")


def test_outputs_that_overflow_are_reported(dlcli, untrained, make_checkpoint):
    network = Network([784, 10, 10], ["relu"], "softmax")
    network.parameters[...] = 3e38
    result = dlcli("compare", untrained, make_checkpoint("huge.npz", network))
    assert result.code == 4
    assert "huge.npz: its weights are so large that outputs overflow" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["untrained.npz"] * 3])
def test_two_models_are_compared(dlcli, untrained, arguments):
    assert dlcli("compare", *arguments).code == 2


def test_a_single_model_is_compared_with_the_latest_run(dlcli, trained_model, untrained):
    result = dlcli("compare", "untrained.npz")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.endswith("name one, as in: dlcli compare MODEL untrained.npz\n")
    Path("runs").mkdir()
    Path("runs/latest").symlink_to(trained_model)
    found = json_of(dlcli("compare", "untrained.npz", "--format", "json"))
    assert (found["first"], found["second"]) == (str(trained_model / "best.npz"), "untrained.npz")


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_no_line_is_wider(dlcli, trained_model, workdir, monkeypatch, columns):
    shutil.copytree(trained_model, workdir / "runs" / "20261128T190216Z-quickstart")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    run = "runs/20261128T190216Z-quickstart"
    result = dlcli("compare", run, "pretrained", "--dataset", "sample")
    lines = click.unstyle(result.stdout).splitlines()
    assert f"{run}/best.npz" in [line.split("  ")[0] for line in lines]
    assert max(len(line) for line in lines if not line.startswith(run)) <= columns
    assert "McNemar's test: p = " in "\n".join(lines)
