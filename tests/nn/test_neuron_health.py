"""Dead and saturated neurons, from their outputs for a few images."""

import numpy as np
import pytest

from dlcli.nn import neuron_health

UP, LEVEL, DOWN = [0.1, 0.5, 0.9], [0.5, 0.5, 0.5], [-0.9, -0.2, 0.0]


@pytest.mark.parametrize(
    ("activation", "outputs", "dead"),
    [
        ("relu", [UP, [0, 0, 0], [0, 0, 0.1]], [False, True, False]),
        ("leaky_relu", [LEVEL, DOWN], [False, True]),
        ("sigmoid", [UP, LEVEL], [False, True]),
        ("tanh", [DOWN, [1, 1, 1]], [False, True]),
    ],
)
def test_dead_neurons_tell_no_images_apart(activation, outputs, dead):
    found = neuron_health.dead(activation, np.array(outputs, np.float32).T)
    assert found.tolist() == dead


def test_saturated_neurons_are_at_an_end_of_their_range_for_nearly_all_images():
    mostly = np.where(np.arange(100) < 96, 1.0, 0.5)  # 0.5 is the middle of a sigmoid
    less = np.where(np.arange(100) < 95, 1.0, 0.5)
    outputs = np.array([mostly, less, 1 - mostly, np.full(100, 0.97)]).T
    found = neuron_health.saturated("sigmoid", outputs)
    assert found is not None
    assert found.tolist() == [True, False, True, False]
    found = neuron_health.saturated("tanh", -outputs)
    assert found is not None
    assert found.tolist() == [True, False, False, False]
    assert neuron_health.saturated("relu", outputs) is None
