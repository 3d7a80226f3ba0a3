"""How each layer learns: measured at a few batches of an epoch, at under 1 % of its time.

Nothing here changes a bit of the training, and nothing is drawn at random.
"""

import math
from dataclasses import dataclass

import numpy as np

from dlcli.data.examples import Examples
from dlcli.nn import neuron_health
from dlcli.nn.network import Network, split_parameters
from dlcli.nn.types import Array

# Batches of an epoch at which gradient and update are measured, and the least distance between
# two of them: a measurement takes up to a third of the time of a small network's step.
_BATCHES, _LEAST_DISTANCE = 8, 64
# Of a larger layer, so many weights, evenly spaced, stand for all in the ratio of update to weight.
_MAX_WEIGHTS = 1 << 14
# Images over which neurons are watched: enough for rare ones, and few enough to take no time.
_MAX_IMAGES = 500


@dataclass(frozen=True)
class LayerRecord:
    """What one epoch did to one layer.

    Attributes
    ----------
    gradient_norm
        The norm of the cost's gradient by the layer's weights: the mean over up to 8 batches of
        the epoch, before clipping.
    update_ratio
        The norm of a step of the weights divided by their norm: the mean over the same batches,
        for up to 16,384 of the weights. None if the weights are 0.
    dead, saturated
        The fraction of a hidden layer's neurons (see ``neuron_health``), over up to 500 of the
        images that the epoch is validated with, else of the training images, evenly spaced. None
        for the output layer; ``saturated`` is None where the activation is unbounded.
    """

    gradient_norm: float
    update_ratio: float | None
    dead: float | None = None
    saturated: float | None = None


class LayerMetrics:
    """The measurements of an epoch of ``steps`` steps.

    ``gradient`` is where each step's gradient will be, laid out like the network's parameters.
    """

    def __init__(self, network: Network, gradient: Array, steps: int) -> None:
        distance = max(-(-steps // _BATCHES), _LEAST_DISTANCE)
        self._measured = range(min(distance, steps) // 2, steps, distance)
        self._weights = [_some(weight) for weight in network.weights]
        self._gradients, _, _ = split_parameters(
            gradient, network.layer_sizes, batch_norm=network.batch_norm
        )
        self._before: list[Array] = []
        self._norms = np.zeros(len(self._weights))
        self._ratios = np.zeros(len(self._weights))
        self._health: list[tuple[float, float | None]] = []

    def before_step(self, step: int) -> None:
        """Measure the gradient and remember the weights, at the steps to be measured."""
        if step in self._measured:
            self._norms += [_norm(gradient) for gradient in self._gradients]
            self._before = [weights.copy() for weights in self._weights]

    def after_step(self) -> None:
        """Measure how the weights changed, if :meth:`before_step` has measured the gradient."""
        for layer, before in enumerate(self._before):
            step, norm = _norm(self._weights[layer] - before), _norm(before)
            self._ratios[layer] += step / norm if norm else math.inf
        self._before = []

    def observe(self, network: Network, examples: Examples) -> None:
        """Find the dead and saturated neurons of each hidden layer, over some of the images."""
        *hidden, _ = network.layer_outputs(examples.evenly_spaced(_MAX_IMAGES).images)
        for activation, outputs in zip(network.activations, hidden, strict=True):
            saturated = neuron_health.saturated(activation, outputs)
            self._health.append(
                (
                    float(neuron_health.dead(activation, outputs).mean()),
                    None if saturated is None else float(saturated.mean()),
                )
            )

    def records(self) -> tuple[LayerRecord, ...]:
        """What was measured, the first layer first."""
        count = len(self._measured)
        health = [*self._health, (None, None)]
        return tuple(
            LayerRecord(float(norm), ratio if math.isfinite(ratio) else None, dead, saturated)
            for norm, ratio, (dead, saturated) in zip(
                self._norms / count, (self._ratios / count).tolist(), health, strict=True
            )
        )


def _some(weight: Array) -> Array:
    """A view of at most ``_MAX_WEIGHTS`` of a layer's weights, evenly spaced."""
    stride = -(-weight.size // _MAX_WEIGHTS)
    while math.gcd(stride, weight.shape[1]) != 1:  # else they would all be of a few neurons
        stride += 1
    return weight.reshape(-1)[::stride]


def _norm(array: Array) -> float:
    vector = array.reshape(-1)
    return math.sqrt(float(vector @ vector))
