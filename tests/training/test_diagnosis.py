"""The advice after a training that learned nothing or diverged fits what was wrong."""

from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dlcli.config.validation import from_builtins
from dlcli.data.examples import Examples
from dlcli.errors import DivergenceError
from dlcli.training import diagnosis
from dlcli.training.loop import fit
from dlcli.training.measurements import Measurements
from dlcli.training.state import initial_state

NONE = Examples(np.empty((0, 784), np.uint8), np.empty(0, np.uint8))
DEEP = {"hidden_layers": [32] * 3}


@pytest.fixture(scope="module")
def train(sample) -> Examples:
    """2,000 training images."""
    return Examples(sample.train.images[:2000], sample.train.labels[:2000])


def cause_of(settings: dict[str, Any], train: Examples) -> diagnosis.Cause:
    """Why training with these settings learned nothing."""
    config = from_builtins({"hidden_layers": [32], "epochs": 2} | settings, "test")
    state = initial_state(config, 10)
    list(fit(config, train, NONE, state))
    cause = diagnosis.why_nothing_was_learned(config, state, train, 0.1)
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("settings", "seen", "advice"),
    [
        (
            {"learning_rate": 1e-6},
            "weights changed by only 0.00",
            "raise learning_rate (now 1e-06)",
        ),
        (
            {"hidden_layers": [32] * 6, "activation": "sigmoid"},
            "the first layer's gradient is 1/",
            "set activation=relu or batch_norm=true, or use fewer layers",
        ),
        ({"weight_decay": 10}, "weights shrank to ", "lower weight_decay (now 10)"),
        ({"dropout": 0.99}, "dropout's noise is ", "lower dropout (now 0.99)"),
        ({"input_dropout": 0.99}, "dropout's noise is ", "lower input_dropout (now 0.99)"),
        ({"learning_rate": 5}, "weights grew to ", "lower learning_rate (now 5)"),
        (
            {"learning_rate": 10, "optimizer": "adam"},
            "weights grew to ",
            "lower learning_rate (now 10)",
        ),
        (
            {"gradient_clip": 1e-6},
            "weights changed by only ",
            "raise gradient_clip (now 1e-06)",
        ),
        ({"max_norm": 1e-3}, "weights shrank to 1/", "raise max_norm (now 0.001)"),
        (
            DEEP | {"initializer": "normal", "initializer_stddev": 1e-4},
            "the initial weights are too small",
            "raise initializer_stddev (now 0.0001) or set initializer=auto",
        ),
        (
            {"initializer": "normal", "initializer_stddev": 50, "activation": "tanh"},
            "the initial weights are too large",
            "lower initializer_stddev (now 50) or set initializer=auto",
        ),
    ],
    ids=str,
)
def test_the_advice_after_learning_nothing_is_about_what_was_wrong(train, settings, seen, advice):
    cause = cause_of(settings, train)
    assert cause.seen.startswith(seen)
    assert cause.advice == advice


def test_pixels_of_0_and_1_are_told_from_a_low_learning_rate(train):
    bits = replace(train, images=(train.images > 127).astype(np.uint8))
    cause = cause_of({}, bits)
    assert cause.seen == "pixels hardly differ (standard deviation 0.33 of 255)"
    assert cause.advice == "scale the images from 0 to 255"


def test_dead_and_saturated_neurons_are_told(train):
    for activation, bias, how in (("relu", -100, "dead"), ("sigmoid", 100, "saturated")):
        config = from_builtins({"hidden_layers": [32], "activation": activation}, "test")
        state = initial_state(config, 10)
        state.network.biases[0][...] = bias
        state.network.weights[0] *= 1.5
        cause = diagnosis.why_nothing_was_learned(config, state, train, 0.1)
        assert cause is not None
        assert cause.seen == f"100 % of a layer's neurons are {how}"
        assert cause.advice == "lower learning_rate (now 0.1) or set batch_norm=true"


def test_wrong_labels_are_no_fault_of_the_hyperparameters(train):
    labels = np.random.default_rng(0).permutation(train.labels)
    cause = cause_of({}, replace(train, labels=labels))
    assert cause.advice == "check the labels, or train for more epochs"


@pytest.mark.parametrize(("classes", "bound"), [(2, 5 / 9), (3, 11 / 27), (10, 0.2)])
def test_what_is_near_guessing_depends_on_the_number_of_classes(train, classes, bound):
    few = replace(train, labels=train.labels % classes)
    config = from_builtins({"hidden_layers": []}, "test")
    state = initial_state(config, classes)
    assert diagnosis.why_nothing_was_learned(config, state, few, bound - 0.01) is not None
    assert diagnosis.why_nothing_was_learned(config, state, few, bound + 0.01) is None


def test_looking_for_the_cause_changes_no_bit_of_the_network(train):
    settings = {"batch_norm": True, "dropout": 0.5, "epochs": 1}
    config = from_builtins({"hidden_layers": [9]} | settings, "test")
    state = initial_state(config, 10)
    list(fit(config, train, NONE, state))
    before = {name: array.tobytes() for name, array in state.arrays().items()}
    diagnosis.why_nothing_was_learned(config, state, train, 0.1)
    assert {name: array.tobytes() for name, array in state.arrays().items()} == before


@pytest.mark.parametrize(
    ("accuracy", "told"), [(0.19, True), (0.05, True), (0.2, False), (0.9, False), (None, False)]
)
def test_only_an_accuracy_near_guessing_is_explained(train, accuracy, told):
    config = from_builtins({"hidden_layers": []}, "test")
    state = initial_state(config, 10)
    found = diagnosis.why_nothing_was_learned(config, state, train, accuracy)
    assert (found is not None) is told


def test_where_nothing_is_found_this_is_no_cause(train, monkeypatch):
    monkeypatch.setattr(diagnosis, "_first", lambda *_: None)
    config = from_builtins({"hidden_layers": []}, "test")
    cause = diagnosis.why_nothing_was_learned(config, initial_state(config, 10), train, 0.1)
    assert cause is not None
    assert cause.seen.startswith("none was found; ")  # it comes after "Likely cause: "


@pytest.mark.parametrize(
    ("settings", "seen", "advice", "setting"),
    [
        (
            {"learning_rate": 1000},
            "",
            "lower learning_rate (now 1000) or set gradient_clip",
            "learning_rate=100",
        ),
        (
            {"learning_rate": 0.2, "gradient_clip": 5},
            "",
            "lower learning_rate (now 0.2) or gradient_clip (now 5)",
            "learning_rate=0.02",
        ),
        (
            {"learning_rate": 100, "weight_decay": 10},
            "",
            "lower learning_rate (now 100) or weight_decay (now 10)",
            "learning_rate=10",
        ),
        (
            {"learning_rate": 0.5, "weight_decay": 10},
            "each step subtracts 5 times the weights",
            "lower weight_decay (now 10)",
            "weight_decay=0.0005",
        ),
        (
            DEEP | {"dropout": 0.99, "learning_rate": 0.5},
            "dropout's noise is ",
            "lower dropout (now 0.99)",
            "dropout=0.5",
        ),
        (
            {"initializer": "normal", "initializer_stddev": 100},
            "the initial weights are too large",
            "lower initializer_stddev (now 100) or set initializer=auto",
            "initializer=auto",
        ),
    ],
    ids=str,
)
def test_the_advice_after_divergence_is_about_what_was_wrong(
    train, settings, seen, advice, setting
):
    config = from_builtins({"hidden_layers": [32]} | settings, "test")
    cause = diagnosis.why_it_diverged(config, 10, train)
    assert cause.seen.startswith(seen)
    assert bool(cause.seen) is bool(seen)
    assert (cause.advice, cause.setting) == (advice, setting)


def test_training_that_diverges_ends_with_the_advice(train):
    settings = {"learning_rate": 1000, "loss": "mse", "output_activation": "linear"}
    with pytest.raises(DivergenceError, match="training diverged in epoch 1, step ") as raised:
        cause_of(settings, train)
    assert str(raised.value).endswith("; lower learning_rate (now 1000) or set gradient_clip")
    assert raised.value.setting == "learning_rate=100"


MEASURED = dict.fromkeys(field.name for field in fields(Measurements)) | {
    "dropout_noise": 100.0,
    "gains": (0.01, 1.0),
    "final_gains": (0.01, 1.0),
    "gradients": (1e-9, 1.0),
    "penalty": 0.0,
}


@pytest.mark.parametrize(
    ("symptom", "settings", "setting"),
    [
        ("_dropout_noise", {"dropout": 0.5}, "dropout=0"),
        ("_dropout_noise", {"dropout": 0.1}, "dropout=0"),
        ("_dropout_noise", {"dropout": 0.1, "input_dropout": 0.5}, "input_dropout=0.2"),
        ("_initial_weights", {}, None),
        ("_initial_weights", {"initializer": "normal"}, "initializer=auto"),
        ("_shrunken_weights", {}, None),
        ("_vanishing_gradient", {"batch_norm": True, "activation": "tanh"}, "activation=relu"),
        ("_vanishing_gradient", {"batch_norm": True}, ""),
    ],
)
def test_no_advice_is_what_is_set_already(symptom, settings, setting):
    measured: Any = SimpleNamespace(**MEASURED)
    cause = getattr(diagnosis, symptom)(from_builtins(settings, "test"), measured)
    assert (None if cause is None else cause.setting) == setting
