"""Finite differences agree with every right gradient and with no wrong one."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.nn import gradcheck
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.batch_norm import BatchNorm
from dlcli.nn.gradcheck import TOLERANCE
from dlcli.nn.losses import LOSSES, fits
from dlcli.training.builders import check_gradients

# Every pair that the config allows: cross-entropy needs probabilities.
PAIRS = [
    (output, loss) for output, loss in product(OUTPUT_ACTIVATIONS, LOSSES) if fits(loss, output)
]
REGULARISERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "l2": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3},
    "input_dropout": {"input_dropout": 0.2},
    "batch_norm": {"batch_norm": True},
    "label_smoothing": {"label_smoothing": 0.2},
    "class_weights": {"class_weights": "balanced"},
    "all": {
        "weight_decay": 0.1,
        "dropout": 0.3,
        "input_dropout": 0.2,
        "batch_norm": True,
        "label_smoothing": 0.1,
        "class_weights": {"3": 5.0},
    },
}

each_pair = pytest.mark.parametrize(("output_activation", "loss"), PAIRS)


@pytest.fixture
def quick(monkeypatch):
    """Try fewer parameters of each array."""
    monkeypatch.setattr(gradcheck, "_PARAMETERS_PER_ARRAY", 15)


def check(*, hidden_layers=(6, 5), **settings):
    return list(check_gradients(Config(hidden_layers=hidden_layers, **settings)))


def wrong_arrays(**settings):
    return {f"{c.layer}.{c.array}" for c in check(**settings) if not c.passed}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("regulariser", REGULARISERS)
@each_pair
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_are_right(activation, output_activation, loss, regulariser):
    assert not wrong_arrays(
        activation=activation,
        output_activation=output_activation,
        loss=loss,
        **REGULARISERS[regulariser],
    )


@pytest.mark.usefixtures("quick")
@each_pair
def test_gradients_are_right_without_hidden_layers(output_activation, loss):
    assert not wrong_arrays(
        hidden_layers=(), output_activation=output_activation, loss=loss, weight_decay=0.1
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_layers": (9,) * 12, "activation": "sigmoid", "loss": "mse"},
        {"initializer": "normal", "initializer_stddev": 1e-4},
        {"initializer": "normal", "initializer_stddev": 100.0},
        {"initializer": "normal", "initializer_stddev": 100.0, "activation": "tanh"},
        {"weight_decay": 10.0, "loss": "mse", "activation": "sigmoid"},
        {"hidden_layers": (5, 4, 3), "activation": ("gelu", "relu", "sigmoid")},
        {"optimizer": "adamw", "weight_decay": 10.0},
    ],
    ids=str,
)
def test_right_gradients_pass_however_small_or_large_they_are(settings):
    assert not wrong_arrays(**settings)


def test_every_array_is_checked_from_the_input_on():
    checks = check()
    assert [(c.layer, c.array, c.shape, c.checked) for c in checks] == [
        (0, "weight", (784, 6), 100),
        (0, "bias", (6,), 6),
        (1, "weight", (6, 5), 30),
        (1, "bias", (5,), 5),
        (2, "weight", (5, 10), 50),
        (2, "bias", (10,), 10),
    ]
    assert all(0 <= c.largest_relative_error <= TOLERANCE for c in checks)


def test_frozen_layers_have_no_gradient_to_check():
    checks = check(freeze_layers=1, batch_norm=True, weight_decay=0.1)
    assert all(c.passed for c in checks)
    assert [(c.layer, c.array) for c in checks] == [
        (1, "weight"),
        (1, "bias"),
        (1, "scale"),
        (2, "weight"),
        (2, "bias"),
    ]


def test_the_scales_of_normalised_layers_are_checked_as_well():
    checks = check(batch_norm=True)
    assert [(c.layer, c.shape, c.checked) for c in checks if c.array == "scale"] == [
        (0, (6,), 6),
        (1, (5,), 5),
    ]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("part", "found_in"),
    [
        ("bias", {"0.weight", "1.weight"}),
        ("scale", {"0.weight", "0.scale", "1.weight", "1.scale"}),
    ],
)
def test_a_mistake_in_the_normalisation_is_found(part, found_in, monkeypatch):
    right = BatchNorm.backward

    def wrong(batch_norm, error, bias_gradient, scale_gradient):
        if part == "bias":
            right(batch_norm, error, 1.01 * bias_gradient, scale_gradient)
        else:
            right(batch_norm, error, bias_gradient, scale_gradient)
            scale_gradient *= 1.01
            error *= 1.01

    monkeypatch.setattr(BatchNorm, "backward", wrong)
    wrongly = wrong_arrays(batch_norm=True, activation="tanh")
    # What is wrong in a layer is carried back to those before it.
    assert found_in <= wrongly
    assert not wrongly & {"1.bias", "2.weight", "2.bias"}


@pytest.mark.usefixtures("quick")
def test_the_same_config_gives_the_same_check_and_another_seed_another():
    assert check() == check()
    assert check(seed=1) != check()


@pytest.mark.parametrize("kink", [-3e-6, 0.4, 3e-6])
def test_a_kink_beside_the_parameter_is_stepped_over(kink):
    values = np.array([1.0])
    right = float(values[0] > 1 + kink)

    def cost():
        return max(values[0] - 1 - kink, 0.0)

    assert gradcheck._relative_error(values, 0, right, 1e-3, cost) < TOLERANCE
    assert gradcheck._relative_error(values, 0, 1 - right, 1e-3, cost) > 0.5
    assert values == 1


def slightly_wrong(backward):
    def wrong(gradient, *others):
        backward(gradient, *others)
        gradient *= 1.0001

    return wrong


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_derivative_wrong_by_a_ten_thousandth_is_found(activation, monkeypatch):
    right = ACTIVATIONS[activation]

    def wrong(z, derivative):
        right.forward(z, derivative)
        derivative *= 1.0001

    monkeypatch.setitem(ACTIVATIONS, activation, replace(right, forward=wrong))
    # Only the last layer's arrays lie before the activation on the way back.
    assert wrong_arrays(activation=activation) == {"0.weight", "0.bias", "1.weight", "1.bias"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("output_activation", OUTPUT_ACTIVATIONS)
def test_a_wrong_derivative_of_the_output_is_found_in_every_layer(output_activation, monkeypatch):
    right = OUTPUT_ACTIVATIONS[output_activation]
    wrong = replace(right, backward=slightly_wrong(right.backward))
    monkeypatch.setitem(OUTPUT_ACTIVATIONS, output_activation, wrong)
    assert len(wrong_arrays(output_activation=output_activation, loss="mse")) == 6


@pytest.mark.usefixtures("quick")
@each_pair
def test_a_wrong_gradient_of_the_loss_is_found_in_every_layer(output_activation, loss, monkeypatch):
    right = LOSSES[loss]

    def off(output_activation, outputs, targets, out):
        right.gradient(output_activation, outputs, targets, out)
        out += 0.01 * targets

    monkeypatch.setitem(LOSSES, loss, replace(right, gradient=off))
    assert len(wrong_arrays(output_activation=output_activation, loss=loss)) == 6


def forget_class_weights(backpropagation, backward, targets, weights):
    backward(backpropagation, targets, None)


def break_bias_sum(backpropagation, backward, *targets):
    backward(backpropagation, *targets)
    backpropagation._bias_gradients[1][...] = 0


def break_one_weight(backpropagation, backward, *targets):
    backward(backpropagation, *targets)
    backpropagation._weight_gradients[2][3, 4] *= 1.01


def forget_penalty(backpropagation, backward, *targets):
    penalty, backpropagation.l2_penalty = backpropagation.l2_penalty, 0.0
    backward(backpropagation, *targets)
    backpropagation.l2_penalty = penalty


def forget_dropout_masks(backpropagation, backward, *targets):
    buffers = backpropagation._buffers
    for values, derivatives in zip(buffers.values, buffers.derivatives, strict=False):
        derivatives[...] = values * (1 - values)  # of the sigmoid, as if none were dropped
    backward(backpropagation, *targets)


def forget_the_mean(backpropagation, backward, *targets):
    backward(backpropagation, *targets)
    backpropagation.gradient *= len(targets[0])


@pytest.mark.parametrize(
    ("mistake", "settings", "found_in"),
    [
        (break_bias_sum, {}, {"1.bias"}),
        (break_one_weight, {}, {"2.weight"}),
        (
            forget_class_weights,
            {"class_weights": "balanced"},
            {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"},
        ),
        (forget_penalty, {"weight_decay": 1e-3}, {"0.weight", "1.weight", "2.weight"}),
        (forget_dropout_masks, {"dropout": 0.5}, {"0.weight", "0.bias", "1.weight", "1.bias"}),
        (
            forget_the_mean,
            {},
            {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "2.bias"},
        ),
    ],
)
def test_a_mistake_on_the_way_back_is_found_where_it_is(mistake, settings, found_in, monkeypatch):
    backward = Backpropagation.backward

    def mistaken(backpropagation, *targets):
        mistake(backpropagation, backward, *targets)

    monkeypatch.setattr(Backpropagation, "backward", mistaken)
    assert wrong_arrays(**settings) == found_in


@pytest.mark.usefixtures("quick")
def test_a_gradient_that_is_no_number_is_wrong(monkeypatch):
    def nonsense(backpropagation, *_):
        backpropagation.gradient[...] = np.nan

    monkeypatch.setattr(Backpropagation, "backward", nonsense)
    assert len(wrong_arrays()) == 6
