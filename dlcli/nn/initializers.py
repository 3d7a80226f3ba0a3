"""Random initial weights: large enough for signals to pass, small enough not to explode.

Each row of ``VARIANCES`` gives the variance a weight needs by its layer's fan-in and fan-out.
"""

from collections.abc import Callable

import numpy as np

from dlcli.nn.types import Array

VARIANCES: dict[str, Callable[[int, int], float]] = {
    # He et al., 2015: half of a ReLU's inputs are cut off, so the rest carry twice the variance.
    "he": lambda fan_in, _fan_out: 2 / fan_in,
    # Glorot and Bengio, 2010: a compromise between signals going forward and errors going back.
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    # LeCun et al., "Efficient BackProp", 1998.
    "lecun": lambda fan_in, _fan_out: 1 / fan_in,
}
INITIALIZERS = (
    "auto",
    *(f"{family}_{shape}" for family in VARIANCES for shape in ("normal", "uniform")),
    "normal",
)
_RECTIFIERS = {"relu", "leaky_relu", "gelu"}


def initial_weights(
    name: str,
    stddev: float,
    activation: str,
    shape: tuple[int, int],
    random: "np.random.Generator",  # quoted: only training needs to import numpy.random
) -> Array:
    """Draw the weights of one layer.

    Parameters
    ----------
    name
        One of ``INITIALIZERS``.
    stddev
        Standard deviation, for ``normal`` alone.
    activation
        What the layer's sums go through, for ``auto`` alone.
    shape
        (fan-in, fan-out).
    random
        Source of randomness.

    Returns
    -------
    Array
        float64 weights of that shape.
    """
    if name == "normal":
        return random.normal(0, stddev, shape)
    if name == "auto":
        name = "he_normal" if activation in _RECTIFIERS else "glorot_uniform"
    family, _, distribution = name.partition("_")
    variance = VARIANCES[family](*shape)
    if distribution == "normal":
        return random.normal(0, np.sqrt(variance), shape)
    limit = np.sqrt(3 * variance)  # a uniform distribution over +-limit has variance limit^2/3
    return random.uniform(-limit, limit, shape)
