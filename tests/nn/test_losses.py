"""Losses against PyTorch, ordinary logits and extreme ones."""

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.nn import losses
from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES, balanced_weights, fits, mean_loss, one_hot, smooth

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())
CASES = [
    pytest.param(ORACLE[case], pair, id=f"{case}-{pair['output_activation']}-{pair['loss']}")
    for case in ("outputs", "extreme_outputs")
    for pair in ORACLE[case]["pairs"]
]
# The gradient P - y is a difference of numbers up to 1: its rounding is relative to 1.
TOLERANCES: dict[type, dict[str, Any]] = {
    np.float64: {"rtol": 1e-12, "atol": 1e-15},
    np.float32: {"rtol": 1e-5, "atol": 2e-7},
}

every_case = pytest.mark.parametrize(("record", "pair"), CASES)
both_precisions = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def last_layer(record, pair, dtype):
    """The logits, outputs and labels of a recorded case."""
    logits = np.array(record["logits"], dtype)
    outputs = np.empty_like(logits)
    OUTPUT_ACTIVATIONS[pair["output_activation"]].forward(logits, outputs)
    return logits, outputs, np.array(record["labels"], np.uint8)


@both_precisions
@every_case
def test_each_image_costs_what_pytorch_says(record, pair, dtype):
    logits, _, labels = last_layer(record, pair, dtype)
    targets = one_hot(labels, logits.shape[1], dtype)
    values = LOSSES[pair["loss"]].value(pair["output_activation"], logits, targets)
    np.testing.assert_allclose(values, pair["values"], **TOLERANCES[dtype])


@both_precisions
@every_case
def test_gradient_by_the_logits_agrees_with_pytorch(record, pair, dtype):
    _, outputs, labels = last_layer(record, pair, dtype)
    gradient = np.full_like(outputs, np.nan)
    targets = one_hot(labels, outputs.shape[1], dtype)
    LOSSES[pair["loss"]].gradient(pair["output_activation"], outputs, targets, gradient)
    np.testing.assert_allclose(gradient, pair["gradient"], **TOLERANCES[dtype])


def test_every_loss_is_compared_with_pytorch():
    assert {pair["loss"] for pair in ORACLE["outputs"]["pairs"]} == LOSSES.keys()


def test_only_probabilities_have_a_cross_entropy():
    for name, output in OUTPUT_ACTIVATIONS.items():
        assert fits("cross_entropy", name) == output.gives_probabilities
        assert fits("mse", name)
    assert not fits("cross_entropy", "linear")


def test_one_hot_targets_are_1_at_the_label_and_0_elsewhere():
    targets = one_hot(np.array([2, 0, 1, 2], np.uint8), 4)
    assert targets.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert targets.dtype == np.float32


def test_smoothed_targets_cost_what_pytorch_says():
    record = ORACLE["label_smoothing"]
    logits, labels = np.array(record["logits"]), np.array(record["labels"], np.uint8)
    targets = smooth(one_hot(labels, 10, np.float64), 0.1)
    values = LOSSES["cross_entropy"].value("softmax", logits, targets)
    np.testing.assert_allclose(values, record["values"], rtol=1e-12)


def test_smoothing_shares_targets_among_all_classes_and_0_leaves_them():
    targets = one_hot(np.array([1], np.uint8), 4, np.float64)
    np.testing.assert_allclose(smooth(targets, 0.2), [[0.05, 0.85, 0.05, 0.05]])
    assert smooth(targets, 0) is targets


@every_case
def test_mean_loss_is_the_mean_over_images(record, pair):
    logits, _, labels = last_layer(record, pair, np.float64)
    mean = mean_loss(pair["loss"], pair["output_activation"], logits, labels)
    assert mean == pytest.approx(np.mean(pair["values"]), rel=1e-12)


@pytest.mark.parametrize("shift", [0, 1000, -1000])
def test_a_small_cross_entropy_is_not_lost_beside_large_logits(shift):
    logits = np.array([[8 + shift, shift]], np.float32)
    targets = np.array([[1, 0]], np.float32)
    (cost,) = LOSSES["cross_entropy"].value("softmax", logits, targets)
    assert cost == pytest.approx(3.3540637e-4, rel=1e-3)


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=10),
    st.sampled_from([(p["output_activation"], p["loss"]) for p in ORACLE["outputs"]["pairs"]]),
)
def test_no_cost_is_negative(logits, pair):
    output_activation, loss = pair
    z = np.array([logits] * len(logits), np.float32)
    values = LOSSES[loss].value(output_activation, z, np.eye(len(z), dtype=z.dtype))
    assert (values >= 0).all()


def test_balanced_weights_are_those_of_scikit_learn():
    """compute_class_weight("balanced", classes=[0, 1, 3], y=labels) of scikit-learn 1.9.1."""
    labels = np.array([0] * 5 + [1] * 3 + [3] * 2, np.uint8)
    weights = balanced_weights(labels, 4)
    assert weights[[0, 1, 3]] == pytest.approx([2 / 3, 10 / 9, 5 / 3], abs=1e-12)
    assert weights[2] == 1  # there is no image to weigh
    assert weights[labels].mean() == pytest.approx(1, abs=1e-12)


def test_the_mean_loss_counts_each_image_as_often_as_its_class_weighs():
    logits = np.random.default_rng(0).normal(size=(5, 3))
    labels = np.array([0, 1, 1, 2, 0], np.uint8)
    weights = np.array([0.5, 2, 3])
    each = [mean_loss("mse", "sigmoid", logits[[i]], labels[[i]]) for i in range(5)]
    found = mean_loss("mse", "sigmoid", logits, labels, weights)
    assert found == pytest.approx(np.mean(np.array(each) * weights[labels]), abs=1e-12)


def test_the_examples_in_the_docstrings_are_true():
    failed, attempted = doctest.testmod(losses)
    assert failed == 0
    assert attempted > 0
