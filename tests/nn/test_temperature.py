"""The temperature that calibrates probabilities."""

import numpy as np
import pytest

from dlcli.evaluation.metrics import expected_calibration_error
from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES, one_hot, smooth
from dlcli.nn.temperature import fit_temperature, is_temperature


def softmax(logits):
    outputs = np.empty_like(logits)
    OUTPUT_ACTIVATIONS["softmax"].forward(logits, outputs)
    return outputs


def true_logits(count=20_000, spread=2.0):
    """Logits, and labels drawn by the very probabilities that they stand for."""
    random = np.random.default_rng(0)
    logits = random.normal(0, spread, (count, 10)).astype(np.float32)
    chosen = softmax(logits).cumsum(axis=1) < random.random((count, 1))
    return logits, np.minimum(chosen.sum(axis=1), 9).astype(np.uint8)


@pytest.mark.parametrize("factor", [0.2, 0.5, 1.0, 3.0, 8.0])
def test_overconfident_and_underconfident_probabilities_are_calibrated(factor):
    logits, labels = true_logits()
    temperature = fit_temperature(logits * np.float32(factor), labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    right = softmax(logits * np.float32(factor / temperature))
    assert expected_calibration_error(right, labels) < 0.015


@pytest.mark.parametrize("spread", [0.1, 1.0, 30.0])
def test_no_other_temperature_fits_better(spread):
    logits, labels = true_logits(2000, spread)
    logits = logits * np.float32(2)
    best = fit_temperature(logits, labels)

    # With the smoothing of the targets.
    targets = smooth(one_hot(labels, 10, np.float64), 1 / 2002)

    def loss(temperature):
        scaled = logits.astype(float) / temperature
        return LOSSES["cross_entropy"].value("softmax", scaled, targets).mean()

    assert all(loss(best) <= loss(best * factor) + 1e-9 for factor in (0.5, 0.98, 1.02, 2))


@pytest.mark.parametrize("count", [5, 100, 10_000])
@pytest.mark.parametrize("gap", [5.0, 20.0])
def test_correct_predictions_give_as_much_confidence_as_their_number_allows(count, gap):
    logits = np.zeros((count, 10), np.float32)
    logits[:, 3] = gap
    temperature = fit_temperature(logits, np.full(count, 3, np.uint8))
    # Platt's targets leave the wrong classes nine tenths of 1 / (count + 2).
    error = 1 - float(softmax(logits / np.float32(temperature))[0, 3])
    assert error == pytest.approx(0.9 / (count + 2), rel=0.01)


def test_the_temperature_stays_within_its_bounds():
    logits = np.eye(10, dtype=np.float32)
    labels = np.arange(10, dtype=np.uint8)
    assert fit_temperature(logits, (labels + 1) % 10) == pytest.approx(10, rel=1e-3)
    assert fit_temperature(logits / 100, labels) == pytest.approx(0.1, rel=1e-3)


def test_equal_logits_need_no_temperature():
    assert fit_temperature(np.zeros((5, 10), np.float32), np.zeros(5, np.uint8)) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((possible, True) for possible in (0.1, 1, 10.0)),
        *((never, False) for never in (0.09, 10**400, float("nan"), True, "1", None)),
    ],
)
def test_only_a_number_within_the_bounds_is_a_temperature(value, expected):
    assert is_temperature(value) == expected
