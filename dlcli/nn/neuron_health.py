"""Which neurons do nothing for the network, dead or saturated, and which do most."""

import numpy as np
import numpy.typing as npt

from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.types import Array

# Outputs this near to an end of a bounded activation's range, as a fraction of it, are at it.
_NEAR_END = 0.01
# A neuron is saturated if it is at an end of its range for this fraction of the images.
_SATURATED_FRACTION = 0.95
# A neuron whose activation does not rectify is dead if its outputs differ by less than this.
_DEAD_SPREAD = 1e-3

Flags = npt.NDArray[np.bool_]


def dead(activation: str, outputs: Array) -> Flags:
    """Which neurons no image excites, from outputs of shape (n, neurons).

    With a ReLU, leaky ReLU or GELU, those with an input above 0 for no image; with a sigmoid or
    tanh, those with a constant output.
    """
    lowest, highest = outputs.min(axis=0), outputs.max(axis=0)
    is_dead: Flags = highest - lowest < _DEAD_SPREAD
    if ACTIVATIONS[activation].rectifies:
        is_dead = highest <= 0
    return is_dead


def saturated(activation: str, outputs: Array) -> Flags | None:
    """Which neurons are at an end of their range for 95 % of the images; None if it is unbounded.

    There the derivative of the activation is almost 0.
    """
    bounds = ACTIVATIONS[activation].bounds
    if bounds is None:
        return None
    low, high = bounds
    margin = _NEAR_END * (high - low)
    at_end = (outputs < low + margin) | (outputs > high - margin)
    is_saturated: Flags = at_end.mean(axis=0) > _SATURATED_FRACTION
    return is_saturated


def by_importance(outputs: Array, outgoing: Array) -> npt.NDArray[np.intp]:
    """The numbers of a layer's neurons, the most important first.

    Importance is how much a neuron's outputs vary over the images, shape (n, neurons), times the
    norm of its outgoing weights, shape (neurons, next layer's neurons).
    """
    norms = np.linalg.norm(outgoing.astype(np.float64), axis=1)  # in float32, squares overflow
    importance = outputs.std(axis=0, dtype=np.float64) * norms
    return np.argsort(-importance, kind="stable")
