"""Activations against PyTorch, and properties that hold for any input."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())
# A small difference of numbers near 1 has a rounding error relative to 1.
TOLERANCES: dict[type, dict[str, Any]] = {
    np.float64: {"rtol": 1e-12, "atol": 1e-14},
    np.float32: {"rtol": 2e-6, "atol": 3e-6},
}

any_activation = pytest.mark.parametrize("name", ACTIVATIONS)
any_output = pytest.mark.parametrize("name", OUTPUT_ACTIVATIONS)
both_precisions = pytest.mark.parametrize("dtype", [np.float64, np.float32])
logits_of_any_size = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.floats(-1e4, 1e4)
)


def activate(name, z):
    a = z.copy()
    ACTIVATIONS[name].forward(a, None)
    return a


def activate_with_derivative(name, z):
    a, derivative = z.copy(), np.full_like(z, np.nan)
    ACTIVATIONS[name].forward(a, derivative)
    return a, derivative


def outputs_of(name, logits):
    out = np.full_like(logits, np.nan)
    OUTPUT_ACTIVATIONS[name].forward(logits, out)
    return out


@both_precisions
@any_activation
def test_values_agree_with_pytorch(name, dtype):
    z = np.array([ORACLE["activations"]["z"]], dtype)
    expected = [ORACLE["activations"][name]["values"]]
    np.testing.assert_allclose(activate(name, z), expected, **TOLERANCES[dtype])


@both_precisions
@any_activation
def test_derivatives_agree_with_pytorch(name, dtype):
    z = np.array([ORACLE["activations"]["z"]], dtype)
    _, derivative = activate_with_derivative(name, z)
    expected = [ORACLE["activations"][name]["derivatives"]]
    np.testing.assert_allclose(derivative, expected, **TOLERANCES[dtype])


@both_precisions
@any_activation
def test_values_are_the_same_with_the_derivative_and_without(name, dtype):
    z = np.linspace(-9, 9, 1200, dtype=dtype).reshape(30, 40)
    a, _ = activate_with_derivative(name, z)
    np.testing.assert_array_equal(a, activate(name, z))


@both_precisions
@any_activation
def test_huge_sums_neither_overflow_nor_warn(name, dtype):
    z = np.array([[-1e6, -1e3, 1e3, 1e6]], dtype)
    a, derivative = activate_with_derivative(name, z)
    assert np.isfinite(a).all()
    assert np.isfinite(derivative).all()


@pytest.mark.parametrize("case", ["outputs", "extreme_outputs"])
@both_precisions
@any_output
def test_outputs_agree_with_pytorch(name, dtype, case):
    record = ORACLE[case]
    outputs = outputs_of(name, np.array(record["logits"], dtype))
    expected = next(p["outputs"] for p in record["pairs"] if p["output_activation"] == name)
    np.testing.assert_allclose(outputs, expected, **TOLERANCES[dtype])


def test_small_sigmoid_outputs_can_still_be_ranked():
    outputs = outputs_of("sigmoid", np.array([[-40, -30, -20, -50]], np.float32))
    assert outputs.argsort().tolist() == [[3, 0, 1, 2]]


@given(logits_of_any_size)
def test_softmax_is_a_distribution_that_ranks_as_the_logits_do(logits):
    outputs = outputs_of("softmax", logits)
    assert (outputs >= 0).all()
    np.testing.assert_allclose(outputs.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(
        outputs[np.arange(len(logits)), logits.argmax(axis=1)], outputs.max(axis=1)
    )


@given(logits_of_any_size, st.integers(-1000, 1000))
def test_softmax_does_not_change_when_all_logits_rise_alike(logits, rise):
    np.testing.assert_allclose(
        outputs_of("softmax", logits + rise), outputs_of("softmax", logits), rtol=1e-9, atol=1e-12
    )


@any_output
@given(logits=logits_of_any_size)
def test_probabilities_are_at_least_0_and_sum_to_1(name, logits):
    outputs = outputs_of(name, logits)
    probabilities = OUTPUT_ACTIVATIONS[name].probabilities(outputs)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("outputs", "probabilities"),
    [
        ([0.5, 1.5, 0, 2], [0.125, 0.375, 0, 0.5]),
        ([-3, 1, -0.5, 3], [0, 0.25, 0, 0.75]),
        ([-1, -2, -3, -2], [0.5, 0.25, 0, 0.25]),
        ([-1, -1, -1, -1], [0.25, 0.25, 0.25, 0.25]),
        ([0, 0, 0, 0], [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_positive_linear_outputs_are_divided_by_their_sum(outputs, probabilities):
    assert OUTPUT_ACTIVATIONS["linear"].probabilities(np.array([outputs], float)).tolist() == [
        probabilities
    ]


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=10))
def test_the_largest_linear_output_has_the_largest_probability(outputs):
    probabilities = OUTPUT_ACTIVATIONS["linear"].probabilities(np.array([outputs]))[0]
    assert probabilities[np.argmax(outputs)] == probabilities.max()
