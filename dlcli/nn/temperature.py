"""Calibrated probabilities: of the predictions with 90 %, about 90 % are correct."""

import numpy as np

from dlcli.nn.types import Array, Labels

# The temperature of every network that has learned anything is within these bounds.
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.1, 10.0
_PRECISION = 1e-4


def is_temperature(value: object) -> bool:
    """Whether :func:`fit_temperature` could have found it."""
    return type(value) in {int, float} and _MIN_TEMPERATURE <= value <= _MAX_TEMPERATURE  # type: ignore[operator]  # a number


def fit_temperature(logits: Array, labels: Labels) -> float:
    """The temperature T for which softmax(logits / T) fits the labels best.

    T minimises the cross-entropy, which is convex in 1/T: Newton's method finds it between
    shrinking bounds. T changes the probabilities, but not which class has the highest.
    Source: Guo et al., "On calibration of modern neural networks", 2017.

    A few images that are all classified correctly do not prove certainty: each target is
    smoothed by 1 / (n + 2), as in Platt, "Probabilistic outputs for support vector machines",
    1999.

    The images, with logits of shape (n, classes), must not be those of the training. The result
    is between 0.1 and 10.
    """
    shifted = np.ascontiguousarray((logits - logits.max(axis=1, keepdims=True)).T)
    squares = shifted * shifted
    truth = float(shifted[labels, np.arange(len(labels))].mean(dtype=np.float64))
    truth += (float(shifted.mean(dtype=np.float64)) - truth) / (len(labels) + 2)
    low, high = 1 / _MAX_TEMPERATURE, 1 / _MIN_TEMPERATURE
    sharpness = 1.0
    while high - low > _PRECISION * sharpness:
        weights = np.exp(sharpness * shifted)
        weights /= weights.sum(axis=0)
        means = np.einsum("kn,kn->n", weights, shifted)
        derivative = float(means.mean(dtype=np.float64)) - truth
        curvature = float(
            (np.einsum("kn,kn->n", weights, squares) - means * means).mean(dtype=np.float64)
        )
        if derivative > 0:
            high = sharpness
        else:
            low = sharpness
        newton = sharpness - derivative / curvature if curvature > 0 else low
        if abs(newton - sharpness) < _PRECISION * sharpness:
            break
        sharpness = newton if low < newton < high else (low * high) ** 0.5
    return 1 / sharpness
