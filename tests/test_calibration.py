"""The temperature that makes probabilities true."""

import numpy as np
import pytest

from dlcli.activations import OUTPUT_ACTIVATIONS
from dlcli.calibration import fit_temperature
from dlcli.losses import mean_loss
from dlcli.metrics import expected_calibration_error


def softmax(logits):
    outputs = np.empty_like(logits)
    OUTPUT_ACTIVATIONS["softmax"].function(logits, outputs)
    return outputs


def true_logits(count=20_000, spread=2.0):
    """Logits, and labels drawn by the very probabilities that they stand for."""
    random = np.random.default_rng(0)
    logits = random.normal(0, spread, (count, 10)).astype(np.float32)
    chosen = softmax(logits).cumsum(axis=1) < random.random((count, 1))
    return logits, np.minimum(chosen.sum(axis=1), 9).astype(np.uint8)


@pytest.mark.parametrize("factor", [0.2, 0.5, 1.0, 3.0, 8.0])
def test_probabilities_too_sure_or_not_sure_enough_are_set_right(factor):
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

    def loss(temperature):
        return mean_loss("cross_entropy", "softmax", logits.astype(float) / temperature, labels)

    assert all(loss(best) <= loss(best * factor) + 1e-9 for factor in (0.5, 0.98, 1.02, 2))


def test_where_every_answer_is_right_the_sharpest_is_chosen_and_where_none_is_the_flattest():
    logits = np.eye(10, dtype=np.float32)
    labels = np.arange(10, dtype=np.uint8)
    assert fit_temperature(logits, labels) == pytest.approx(0.1, rel=1e-3)
    assert fit_temperature(logits, (labels + 1) % 10) == pytest.approx(10, rel=1e-3)


def test_logits_that_say_nothing_fit_at_any_temperature():
    assert 0.1 <= fit_temperature(np.zeros((5, 10), np.float32), np.zeros(5, np.uint8)) <= 10
