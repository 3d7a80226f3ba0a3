"""Statistics of the neurons of each layer over a set of images."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dlcli.errors import CheckpointError
from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.network import Buffers, Network, scale_pixels
from dlcli.nn.types import Array, Counts
from dlcli.runs.checkpoint import Model

BINS = 48
# Images of one pass: enough for the matrix products, few enough for wide layers.
_BATCH_SIZE = 1000
# How near to an end of an activation's range counts as at it, as a fraction of the range.
_NEAR_END = 0.01
# A neuron is saturated if its answer is at an end of its range for this share of the images.
_SATURATED_FRACTION = 0.95
# A neuron whose answers differ by less than this is dead where the activation has a range.
_DEAD_SPREAD = 1e-3


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; shapes (bins,) and (bins + 1,)."""

    counts: Counts
    edges: Array

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.counts + other.counts, self.edges)


@dataclass(frozen=True)
class HiddenLayer:
    """Statistics of one hidden layer.

    Attributes
    ----------
    importance
        Of each neuron: the standard deviation of its output times the norm of its outgoing
        weights, which is how much it moves the inputs of the next layer; shape (neurons,).
    order
        The neurons, the most important first, shape (neurons,).
    exciting
        For each of the first neurons of ``order``, the indices of the images with its highest
        outputs, highest first, shape (neurons, images).
    outputs
        A histogram of the outputs that are not 0.
    zeros
        The fraction of outputs that are exactly 0.
    dead
        Neurons that do not distinguish images: with a ReLU, leaky ReLU or GELU, those with an
        input above 0 for no image; with a sigmoid or tanh, those with a constant output.
    saturated
        Neurons at an end of their range for 95 % of the images; None if the activation is
        unbounded.
    """

    activation: str
    importance: Array
    order: npt.NDArray[np.intp]
    exciting: npt.NDArray[np.intp]
    outputs: Histogram
    zeros: float
    dead: int
    saturated: int | None


def hidden_layers(
    model: Model, images: npt.NDArray[np.uint8], neurons: int, each: int
) -> list[HiddenLayer]:
    """Run images through a network, twice, and describe every hidden layer.

    Parameters
    ----------
    images
        Shape (n, 784), 0 to 255.
    neurons
        The number of neurons of each layer that exciting images are found for.
    each
        The number of images for each of them.

    Raises
    ------
    CheckpointError
        The weights are so large that sums overflow.
    """
    network = model.network
    tallies = [_Tally(size, name) for size, name in _hidden(network)]
    for values in _passes(network, images):
        for tally, block in zip(tallies, values, strict=True):
            tally.add(block)
    if not all(math.isfinite(bound) for tally in tallies for bound in tally.bounds()):
        raise CheckpointError(f"{model.path}: its weights are so large that sums overflow")
    importances = [
        tally.deviation(len(images)) * np.sqrt(np.einsum("ij,ij->i", weight, weight))
        for tally, weight in zip(tallies, network.weights[1:], strict=True)
    ]
    orders = [np.argsort(-importance, kind="stable") for importance in importances]
    histograms = [_histogram(np.empty(0), *tally.bounds()) for tally in tallies]
    seen: list[list[Array]] = [[] for _ in tallies]
    for values in _passes(network, images):
        for layer, block in enumerate(values):
            histograms[layer] += _histogram(block[block != 0], *tallies[layer].bounds())
            seen[layer].append(block[:, orders[layer][:neurons]].copy())
    return [
        HiddenLayer(
            activation=tally.activation,
            importance=importances[layer],
            order=orders[layer],
            exciting=np.argsort(-np.concatenate(seen[layer]), axis=0, kind="stable")[:each].T,
            outputs=histograms[layer],
            zeros=tally.zeros / (len(images) * len(orders[layer])),
            dead=tally.dead(),
            saturated=tally.saturated(len(images)),
        )
        for layer, tally in enumerate(tallies)
    ]


def weight_histograms(network: Network) -> list[Histogram]:
    """A histogram of the weights of each layer."""
    return [
        _histogram(weight, float(weight.min()), float(weight.max())) for weight in network.weights
    ]


class _Tally:
    """Running statistics of one layer's outputs, each of shape (neurons,)."""

    def __init__(self, neurons: int, activation: str) -> None:
        self.activation = activation
        self._bounds = ACTIVATIONS[activation].bounds
        self.zeros = 0
        self._sum = np.zeros(neurons)
        self._squares = np.zeros(neurons)
        self._least = np.full(neurons, np.inf)
        self._largest = np.full(neurons, -np.inf)
        self._at_end = np.zeros(neurons, np.int64)

    def add(self, block: Array) -> None:
        self.zeros += block.size - int(np.count_nonzero(block))
        self._sum += block.sum(axis=0, dtype=np.float64)
        self._squares += np.einsum("ni,ni->i", block, block, dtype=np.float64)
        np.minimum(self._least, block.min(axis=0), out=self._least)
        np.maximum(self._largest, block.max(axis=0), out=self._largest)
        if self._bounds is not None:
            low, high = self._bounds
            margin = _NEAR_END * (high - low)
            self._at_end += ((block < low + margin) | (block > high - margin)).sum(axis=0)

    def deviation(self, images: int) -> Array:
        mean = self._sum / images
        variance: Array = np.maximum(self._squares / images - mean * mean, 0)
        return np.sqrt(variance)

    def bounds(self) -> tuple[float, float]:
        return float(self._least.min()), float(self._largest.max())

    def dead(self) -> int:
        if self._bounds is not None:
            return int(np.count_nonzero(self._largest - self._least < _DEAD_SPREAD))
        return int(np.count_nonzero(self._largest <= 0))

    def saturated(self, images: int) -> int | None:
        if self._bounds is None:
            return None
        return int(np.count_nonzero(self._at_end > _SATURATED_FRACTION * images))


def _hidden(network: Network) -> Iterator[tuple[int, str]]:
    return zip(network.layer_sizes[1:-1], network.activations, strict=True)


def _passes(network: Network, images: npt.NDArray[np.uint8]) -> Iterator[list[Array]]:
    """The outputs of every hidden layer, a batch at a time, in memory that is reused."""
    rows = min(_BATCH_SIZE, len(images))
    buffers = Buffers(network.layer_sizes, rows, network.parameters.dtype)
    inputs = np.empty((rows, network.layer_sizes[0]), network.parameters.dtype)
    for start, stop in pairwise([*range(0, len(images), rows), len(images)]):
        part = buffers.first(stop - start)
        scale_pixels(images[start:stop], out=inputs[: stop - start])
        with np.errstate(over="ignore", invalid="ignore"):  # the caller checks the bounds
            network.forward(inputs[: stop - start], part)
        yield part.values[:-1]


def _histogram(values: Array, low: float, high: float) -> Histogram:
    """Count values between two bounds in equal bins, with an edge at 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    width = (high - low) / BINS or 1 / BINS
    below, above = math.ceil(-low / width), math.ceil(high / width)
    if not below + above:
        above = BINS
    bounds = (min(low, -below * width), max(high, above * width))  # rounding may have moved them
    return Histogram(*np.histogram(values, below + above, bounds))
