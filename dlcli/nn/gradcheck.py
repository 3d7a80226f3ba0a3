"""Backpropagation against finite differences, layer by layer, in float64.

The derivative by a parameter p is close to (J(p + h) - J(p - h)) / 2h; both must agree. Source:
LeCun et al., "Efficient BackProp", 1998; the relative error is that of Karpathy's CS231n
notes on gradient checks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import one_hot, smooth
from dlcli.nn.network import split_parameters
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array

# With h = 1e-5 in float64, a correct gradient has an error of about 1e-7, a wrong one of about 1.
TOLERANCE = 1e-5
BATCH_SIZE = 8  # enough images to tell a sum over the batch from a mean
_STEP = 1e-5
_PARAMETERS_PER_ARRAY = 100
# A kink of relu between p - h and p + h makes the finite difference wrong, not the gradient.
# A step that is a hundred times smaller does not reach the kink.
_FINER = 100
# A cost has a rounding error of about ten times float64's precision, and a finite difference this
# fraction of the cost. Only a larger difference shows that a gradient is wrong.
_ROUNDING = 10 * float(np.finfo(np.float64).eps) / _STEP


@dataclass(frozen=True)
class LayerCheck:
    """The difference between backpropagation and finite differences in one array of a layer."""

    layer: int
    array: str
    shape: tuple[int, ...]
    checked: int
    largest_relative_error: float

    @property
    def passed(self) -> bool:
        """Whether rounding explains the error."""
        return self.largest_relative_error <= TOLERANCE


def check_gradients(
    backpropagation: Backpropagation,
    *,
    label_smoothing: float = 0.0,
    class_weights: Array | None = None,
    seed: int = 0,
) -> Iterator[LayerCheck]:
    """Check the weights, biases and scales of each layer of a network, from the input on.

    Frozen layers, which have no gradient, are left out.

    Up to 100 parameters of each array are tried, on a batch of random pixels and labels. The
    network is in float64 and has its initial weights. Its biases and scales are changed: at 0
    and 1 they would hide a mistake in what multiplies them.
    """
    random = random_stream(seed, "gradient_check")
    network = backpropagation.network
    network.parameters[network.weight_count :] += random.normal(
        0, 0.1, network.parameters.size - network.weight_count
    )
    cost = _random_cost(backpropagation, label_smoothing, class_weights, seed, random)
    smallest = max(_ROUNDING * cost() / TOLERANCE, 1e-8)
    gradient = backpropagation.gradient.copy()
    weight_gradients, bias_gradients, scale_gradients = split_parameters(
        gradient, network.layer_sizes, batch_norm=network.batch_norm
    )
    for layer in range(backpropagation.frozen_layers, len(network.weights)):
        for name, arrays, gradients in (
            ("weight", network.weights, weight_gradients),
            ("bias", network.biases, bias_gradients),
            ("scale", network.scales, scale_gradients),
        ):
            if layer >= len(arrays):  # the last layer is not normalised
                continue
            values, analytic = arrays[layer].reshape(-1), gradients[layer].reshape(-1)
            count = min(values.size, _PARAMETERS_PER_ARRAY)
            chosen = random.choice(values.size, count, replace=False)
            # The relative error of a tiny derivative is mostly rounding. It is therefore measured
            # against the typical derivative of the layer, or the smallest that differs from 0.
            floor = max(smallest, float(np.abs(analytic).mean()))
            errors = [
                _relative_error(values, int(index), float(analytic[index]), floor, cost)
                for index in chosen
            ]
            yield LayerCheck(layer, name, arrays[layer].shape, count, max(errors))


def _random_cost(
    backpropagation: Backpropagation,
    label_smoothing: float,
    class_weights: Array | None,
    seed: int,
    random: np.random.Generator,
) -> Callable[[], float]:
    """The cost of a batch of random images, as a function of the parameters."""
    network, classes = backpropagation.network, backpropagation.network.layer_sizes[-1]
    shape = (backpropagation.batch_size, network.layer_sizes[0])
    images = random.integers(0, 256, shape, dtype=np.uint8)
    labels = random.integers(0, classes, backpropagation.batch_size, dtype=np.uint8)
    targets = smooth(one_hot(labels, classes, np.float64), label_smoothing)
    weights = None if class_weights is None else class_weights[labels]

    def cost() -> float:
        # The same seed each time, because dropout must drop the same neurons.
        random = random_stream(seed, "dropout")
        logits = backpropagation.run(images, targets, random, weights)
        values = backpropagation.loss.value(network.output_activation, logits, targets)
        if weights is not None:
            values *= weights
        return float(values.mean()) + backpropagation.penalty()

    return cost


def _relative_error(
    values: Array, index: int, analytic: float, floor: float, cost: Callable[[], float]
) -> float:
    error = np.inf
    for step in (_STEP, _STEP / _FINER):
        original = values[index]
        values[index] = original + step
        above = cost()
        values[index] = original - step
        below = cost()
        values[index] = original
        numeric = (above - below) / (2 * step)
        # max and min keep their first argument where the second is NaN, so that a derivative
        # of NaN counts as infinitely wrong.
        error = min(error, abs(numeric - analytic) / max(floor, abs(numeric), abs(analytic)))
        if error <= TOLERANCE:
            break
    return float(error)
