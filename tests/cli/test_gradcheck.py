"""``dlcli gradcheck``: what it prints, and that a wrong gradient fails it."""

import json
import math

import pytest

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.gradcheck import LayerCheck

SMALL = ("--set", "hidden_layers=[6, 5]")


@pytest.fixture
def missing_bias_gradients(monkeypatch):
    """Backpropagation that forgets the gradients of the first layer's biases."""
    backward = Backpropagation.backward

    def forgetful(backpropagation, *targets):
        backward(backpropagation, *targets)
        backpropagation._bias_gradients[0][...] = 0

    monkeypatch.setattr(Backpropagation, "backward", forgetful)


def test_each_array_of_each_layer_is_a_line(dlcli):
    result = dlcli("gradcheck", *SMALL)
    assert (result.code, result.stderr) == (0, "")
    header, *lines = [line.split() for line in result.stdout.splitlines()]
    assert header[:4] == ["layer", "array", "shape", "checked"]
    assert [line[:4] for line in lines] == [
        ["0", "weight", "784x6", "100"],
        ["0", "bias", "6", "6"],
        ["1", "weight", "6x5", "30"],
        ["1", "bias", "5", "5"],
        ["2", "weight", "5x10", "50"],
        ["2", "bias", "10", "10"],
    ]
    assert {line[-1] for line in lines} == {"ok"}


def test_json_says_the_same_in_numbers(dlcli):
    result = dlcli("gradcheck", *SMALL, "--format", "json")
    checks = json.loads(result.stdout)
    assert (result.code, len(checks)) == (0, 6)
    assert checks[0].keys() == {
        "layer",
        "array",
        "shape",
        "checked",
        "largest_relative_error",
        "passed",
    }
    assert checks[0]["shape"] == [784, 6]
    assert all(check["passed"] and check["largest_relative_error"] < 1e-5 for check in checks)


def test_the_config_and_its_overrides_are_checked(dlcli, workdir):
    (workdir / "net.yaml").write_text("hidden_layers: [4]\nactivation: gelu\ndropout: 0.5\n")
    result = dlcli("gradcheck", "--config", "net.yaml", "--set", "loss=mse", "--format", "json")
    shapes = [check["shape"] for check in json.loads(result.stdout)]
    assert shapes == [[784, 4], [4], [4, 10], [10]]


@pytest.mark.usefixtures("missing_bias_gradients")
def test_a_wrong_gradient_ends_with_1_and_a_message_naming_the_array(dlcli):
    result = dlcli("gradcheck", *SMALL)
    assert result.code == 1
    assert "layers.0.bias" in result.stderr
    assert "layers.1" not in result.stderr
    marks = [line.split()[-1] for line in result.stdout.splitlines()[1:]]
    assert marks == ["ok", "WRONG", "ok", "ok", "ok", "ok"]


@pytest.mark.usefixtures("missing_bias_gradients")
def test_json_reports_a_wrong_gradient_too(dlcli):
    result = dlcli("gradcheck", *SMALL, "--format", "json")
    assert result.code == 1
    assert [check["passed"] for check in json.loads(result.stdout)] == [True, False] + 4 * [True]


def test_the_network_is_that_of_the_model_that_training_starts_from(dlcli):
    result = dlcli("gradcheck", "-c", "finetune", "-s", "freeze_layers=3", "-f", "json")
    assert result.code == 0
    assert [check["shape"] for check in json.loads(result.stdout)] == [[1024, 10], [10]]
    assert dlcli("gradcheck", "-c", "finetune", "-s", "freeze_layers=4").code == 2


def test_an_invalid_config_is_refused(dlcli):
    result = dlcli("gradcheck", "--set", "activation=swish")
    assert (result.code, result.stdout) == (2, "")
    assert "activation" in result.stderr


def test_a_derivative_of_nan_is_null_in_json(dlcli, monkeypatch):
    check = LayerCheck(0, "weight", (784, 2), 100, math.inf)
    monkeypatch.setattr("dlcli.training.builders.check_gradients", lambda _config: iter([check]))
    result = dlcli("gradcheck", "--format", "json")
    assert result.code == 1
    (row,) = json.loads(result.stdout)
    assert row["largest_relative_error"] is None
    assert row["passed"] is False
