"""The running mean of the weights against the formula, step by step."""

import numpy as np
import pytest

from dlcli.nn import ema
from dlcli.nn.ema import WeightAveraging
from dlcli.nn.network import Network


def pair(batch_norm=False):
    network = Network([6, 5, 4, 3], ["relu", "relu"], "softmax", np.float64, batch_norm=batch_norm)
    return network, network.like()


def follow(decay, steps, steps_per_epoch, *, batch_norm=False):
    """Change a network at random, step by step; return the states and the last mean."""
    network, average = pair(batch_norm)
    mean = WeightAveraging(network, average, decay)
    random, states = np.random.default_rng(0), []
    for step in range(1, steps + 1):
        network.parameters[...] = random.normal(size=network.parameters.size)
        network.statistics[...] = random.normal(size=network.statistics.size)
        mean.update(step, steps_per_epoch)
        states.append(np.concatenate([network.parameters, network.statistics]))
    return states, np.concatenate([average.parameters, average.statistics])


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    ("steps_per_epoch", "updates"),
    [(1, [1, 2, 3, 4, 5, 6]), (3, [3, 6]), (20, [16, 20, 36, 40]), (16, [16, 32])],
)
def test_the_mean_is_that_of_the_formula(steps_per_epoch, updates, batch_norm):
    decay = 0.9
    states, found = follow(decay, updates[-1], steps_per_epoch, batch_norm=batch_norm)
    expected, before = np.zeros_like(found), 0
    for step in updates:
        kept = min(decay, step / (step + 9)) ** (step - before)
        expected = kept * expected + (1 - kept) * states[step - 1]
        before = step
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_initial_weights_are_soon_forgotten_and_the_past_is_not():
    network, average = pair()
    average.parameters[...] = 1e6
    mean = WeightAveraging(network, average, 0.99)
    network.parameters[...] = 1
    for step in range(1, 2001):
        mean.update(step, 100)
    np.testing.assert_allclose(average.parameters, 1, rtol=1e-6)
    network.parameters[...] = 2
    for step in range(2001, 2201):
        mean.update(step, 100)
    np.testing.assert_allclose(average.parameters, 2 - 0.99**200, rtol=1e-3)


def test_long_vectors_are_taken_in_part_by_part(monkeypatch):
    _, whole = follow(0.9, 40, 20, batch_norm=True)
    monkeypatch.setattr(ema, "_BLOCK", 7)
    _, in_parts = follow(0.9, 40, 20, batch_norm=True)
    np.testing.assert_array_equal(in_parts, whole)
