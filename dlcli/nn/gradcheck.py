"""Backpropagation against finite differences, layer by layer, in float64.

The slope along a parameter is also (J(p + h) - J(p - h)) / 2h; the two must agree. Source:
LeCun et al., "Efficient BackProp", 1998; the relative error is that of Karpathy's CS231n
notes on gradient checks.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dlcli.config.schema import Config
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import LOSSES, one_hot, smooth
from dlcli.nn.network import Network, split_parameters
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array

# With h = 1e-5 in float64 a right gradient agrees to about 1e-7 and a wrong one to about 1.
TOLERANCE = 1e-5
_STEP = 1e-5
_IMAGES = 8
_PARAMETERS_PER_ARRAY = 100
# A kink of relu between p - h and p + h makes the finite difference wrong, not the gradient;
# a hundred times smaller step leaves it outside.
_FINER = 100
# A cost is rounded to about ten times float64's precision, and so a finite difference to this
# share of the cost over h; only what exceeds that can show that a slope is wrong.
_ROUNDING = 10 * float(np.finfo(np.float64).eps) / _STEP


@dataclass(frozen=True)
class LayerCheck:
    """How far backpropagation and finite differences are apart in one layer's array."""

    layer: int
    array: str
    shape: tuple[int, ...]
    checked: int
    largest_relative_error: float

    @property
    def passed(self) -> bool:
        """Whether the error is within what rounding explains."""
        return self.largest_relative_error <= TOLERANCE


def check_gradients(config: Config) -> Iterator[LayerCheck]:
    """Check the weights, biases and scales of each layer of a config's network.

    The network has the config's shape, functions, initial weights, batch normalisation, dropout
    and penalty, and the targets its smoothing; the images are random pixels, and up to 100
    parameters of each array are tried.

    Yields
    ------
    LayerCheck
        For each layer's arrays, from the input on.
    """
    random = random_stream(config.seed, "gradient_check")
    network = Network(
        config.layer_sizes,
        config.activations,
        config.output_activation,
        np.float64,
        batch_norm=config.batch_norm,
    )
    network.initialize(
        config.initializer,
        config.initializer_stddev,
        random_stream(config.seed, "initial_weights"),
    )
    # Biases of 0 and scales of 1 would hide a mistake in what multiplies them.
    network.parameters[network.weight_count :] += random.normal(
        0, 0.1, network.parameters.size - network.weight_count
    )
    backpropagation = Backpropagation(
        network,
        config.loss,
        batch_size=_IMAGES,
        l2_penalty=0.0 if config.optimizer == "adamw" else config.weight_decay,
        dropout=config.dropout,
        input_dropout=config.input_dropout,
    )
    images = random.integers(0, 256, (_IMAGES, network.layer_sizes[0]), dtype=np.uint8)
    labels = random.integers(0, network.layer_sizes[-1], _IMAGES, dtype=np.uint8)
    targets = one_hot(labels, network.layer_sizes[-1], np.float64)
    targets = smooth(targets, config.label_smoothing)

    def cost() -> float:
        # The same seed each time: dropout must drop the same neurons.
        dropout_random = random_stream(config.seed, "dropout")
        logits = backpropagation.run(images, targets, dropout_random)
        values = LOSSES[config.loss].value(config.output_activation, logits, targets)
        return float(values.mean()) + backpropagation.penalty()

    smallest = max(_ROUNDING * cost() / TOLERANCE, 1e-8)
    slopes = backpropagation.gradient.copy()
    weight_slopes, bias_slopes, scale_slopes = split_parameters(
        slopes, network.layer_sizes, batch_norm=config.batch_norm
    )
    for layer in range(len(network.weights)):
        for name, arrays, array_slopes in (
            ("weight", network.weights, weight_slopes),
            ("bias", network.biases, bias_slopes),
            ("scale", network.scales, scale_slopes),
        ):
            if layer >= len(arrays):  # the last layer is not normalised
                continue
            values, analytic = arrays[layer], array_slopes[layer]
            flat, flat_slopes = values.reshape(-1), analytic.reshape(-1)
            count = min(flat.size, _PARAMETERS_PER_ARRAY)
            chosen = random.choice(flat.size, count, replace=False)
            # Where a slope is tiny its relative error is all rounding; it is then measured
            # against the layer's typical slope, or the smallest that can be told from 0.
            floor = max(smallest, float(np.abs(flat_slopes).mean()))
            errors = [
                _relative_error(flat, int(index), float(flat_slopes[index]), floor, cost)
                for index in chosen
            ]
            yield LayerCheck(layer, name, values.shape, count, max(errors))


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
        # max and min keep their first argument beside one that is no number, so that a slope
        # which is none counts as infinitely wrong.
        error = min(error, abs(numeric - analytic) / max(floor, abs(numeric), abs(analytic)))
        if error <= TOLERANCE:
            break
    return float(error)
