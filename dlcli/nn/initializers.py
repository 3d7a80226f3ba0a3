"""Random initial weights: large enough for signals to pass, small enough not to explode."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.lazy_numpy import np

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlcli.nn.types import Array

AUTO = "auto"  # in the config: each activation's own choice


@dataclass(frozen=True, eq=False)
class Initializer:
    """How the weights of a layer are drawn.

    ``variance(fan_in, fan_out)`` is that of a layer's weights, around a mean of 0; None where the
    config gives their standard deviation.
    """

    variance: Callable[[int, int], float] | None
    distribution: Literal["normal", "uniform"]


def _he(fan_in: int, _fan_out: int) -> float:
    """A ReLU cuts off half of its inputs, so the rest carry twice the variance. He et al., 2015."""
    return 2 / fan_in


def _glorot(fan_in: int, fan_out: int) -> float:
    """Suits signals going forward and errors going back alike. Glorot and Bengio, 2010."""
    return 2 / (fan_in + fan_out)


def _lecun(fan_in: int, _fan_out: int) -> float:
    """Keeps the variance of the inputs. LeCun et al., "Efficient BackProp", 1998."""
    return 1 / fan_in


INITIALIZERS: dict[str, Initializer] = {
    "he_normal": Initializer(_he, "normal"),
    "he_uniform": Initializer(_he, "uniform"),
    "glorot_normal": Initializer(_glorot, "normal"),
    "glorot_uniform": Initializer(_glorot, "uniform"),
    "lecun_normal": Initializer(_lecun, "normal"),
    "lecun_uniform": Initializer(_lecun, "uniform"),
    "normal": Initializer(None, "normal"),
}


def initial_weights(
    name: str, shape: tuple[int, int], stddev: float, random: np.random.Generator
) -> Array:
    """Draw the float64 weights of one layer, of shape (fan-in, fan-out).

    ``stddev`` is their standard deviation where the initializer has none of its own.
    """
    initializer = INITIALIZERS[name]
    if initializer.variance is None:
        return random.normal(0, stddev, shape)
    variance = initializer.variance(*shape)
    if initializer.distribution == "normal":
        return random.normal(0, math.sqrt(variance), shape)
    limit = math.sqrt(3 * variance)  # a uniform distribution over +-limit has variance limit^2/3
    return random.uniform(-limit, limit, shape)


# Pixels between the centres of receptive fields and the border of the image: MNIST's digits lie in
# the 20x20 pixels in the middle.
_MARGIN = 4
# Smaller factors are 0: processors multiply subnormal floats a hundred times more slowly.
_NEGLIGIBLE = 1e-6


def receptive_fields(neurons: int, stddev: float, random: np.random.Generator) -> Array:
    """Draw factors for the weights of pixels that are small outside a part of the image.

    That part is a Gaussian of ``stddev`` pixels around a random point of its own for each neuron.
    So a neuron starts as a detector of strokes in one place, as in a convolution, and not of a
    pattern over the whole image, as few digits have. Source: Neyshabur, "Towards learning
    convolutions from scratch", 2020, which finds that it is local weights that convolutions have
    ahead of fully connected layers.

    Returns
    -------
    ndarray
        float64 of shape (784, neurons). The mean square of each neuron's factors is 1, so that the
        weights keep their variance.
    """
    x, y = random.uniform(_MARGIN, IMAGE_SIDE - 1 - _MARGIN, (2, neurons))
    rows, columns = np.mgrid[:IMAGE_SIDE, :IMAGE_SIDE].reshape(2, -1, 1)
    factors: Array = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * stddev**2))
    factors[factors < _NEGLIGIBLE] = 0
    factors /= np.sqrt(np.mean(factors**2, axis=0))
    return factors
