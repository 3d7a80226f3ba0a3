"""Statistics of the neurons of each layer over a set of images."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.errors import CheckpointError
from dlcli.nn import neuron_health
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Counts
from dlcli.runs.checkpoint import Model

_BINS = 48  # about two pixels wide
# As many as MNIST has test images: enough for statistics, few enough for memory.
_MAX_IMAGES = 10_000


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; shapes (bins,) and (bins + 1,)."""

    counts: Counts
    edges: Array


@dataclass(frozen=True)
class HiddenLayer:
    """Statistics of one hidden layer.

    Attributes
    ----------
    order
        The neurons, the most important first. Importance is the standard deviation of a neuron's
        output times the norm of its outgoing weights: how much it moves the next layer's inputs.
    exciting
        For each of the first neurons of ``order``, the indices of the images with its highest
        outputs, highest first, shape (neurons, images).
    outputs, zeros
        A histogram of the outputs that are not 0, and the fraction of those that are.
    dead, saturated
        How many neurons are (see ``neuron_health``); ``saturated`` is None if their range is
        unbounded.
    """

    activation: str
    order: npt.NDArray[np.intp]
    exciting: npt.NDArray[np.intp]
    outputs: Histogram
    zeros: float
    dead: int
    saturated: int | None


def hidden_layers(
    model: Model, images: npt.NDArray[np.uint8], neurons: int, each: int
) -> list[HiddenLayer]:
    """Run the first 10,000 images, shape (n, 784), through a network; describe its hidden layers.

    For the most important ``neurons`` of each layer, find ``each`` most exciting images.

    Raises
    ------
    CheckpointError
        The weights are so large that sums overflow.
    """
    network = model.network
    with np.errstate(over="ignore", invalid="ignore"):
        *hidden, _ = network.layer_outputs(images[:_MAX_IMAGES])
    if not all(np.isfinite(outputs).all() for outputs in hidden):
        raise CheckpointError(f"{model.path}: its weights are so large that sums overflow")
    return [
        _describe(activation, outputs, outgoing, neurons, each)
        for activation, outputs, outgoing in zip(
            network.activations, hidden, network.weights[1:], strict=True
        )
    ]


def _describe(
    activation: str, outputs: Array, outgoing: Array, neurons: int, each: int
) -> HiddenLayer:
    order = neuron_health.by_importance(outputs, outgoing)
    saturated = neuron_health.saturated(activation, outputs)
    return HiddenLayer(
        activation=activation,
        order=order,
        exciting=np.argsort(-outputs[:, order[:neurons]], axis=0, kind="stable")[:each].T,
        outputs=_histogram(outputs[outputs != 0], float(outputs.min()), float(outputs.max())),
        zeros=1 - np.count_nonzero(outputs) / outputs.size,
        dead=int(np.count_nonzero(neuron_health.dead(activation, outputs))),
        saturated=None if saturated is None else int(np.count_nonzero(saturated)),
    )


def weight_histograms(network: Network) -> list[Histogram]:
    """A histogram of the weights of each layer."""
    return [
        _histogram(weight, float(weight.min()), float(weight.max())) for weight in network.weights
    ]


def _histogram(values: Array, low: float, high: float) -> Histogram:
    """Count values between two bounds in equal bins, with an edge at 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    width = (high - low) / _BINS or 1 / _BINS
    below, above = math.ceil(-low / width), math.ceil(high / width)
    if not below + above:
        above = _BINS
    bounds = (min(low, -below * width), max(high, above * width))  # rounding may have moved them
    return Histogram(*np.histogram(values, below + above, bounds))
