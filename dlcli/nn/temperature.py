"""Probabilities that mean what they say: of the answers given with 90 %, 90 % are right."""

import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Array

# Beyond these, no network that learned anything is found.
_SHARPEST, _FLATTEST = 0.1, 10.0
_PRECISION = 1e-4


def is_temperature(value: object) -> bool:
    """Whether :func:`fit_temperature` could have found it."""
    return type(value) in {int, float} and _SHARPEST <= value <= _FLATTEST  # type: ignore[operator]  # a number


def fit_temperature(logits: Array, labels: npt.NDArray[np.uint8]) -> float:
    """The number T for which softmax(logits / T) fits the labels best.

    T minimises the cross-entropy, which is convex in 1/T; found by Newton's method between
    bounds that close in. No answer changes by it, only how sure it is. Source: Guo et al., "On
    calibration of modern neural networks", 2017. A few images that are all right do not prove
    certainty: each label has a share of 1 / (n + 2) given to all classes alike, as in Platt,
    "Probabilistic outputs for support vector machines", 1999.

    Parameters
    ----------
    logits
        Of images that the network was not trained on, shape (n, classes).
    labels
        The truth, shape (n,).

    Returns
    -------
    float
        From 0.1 to 10.
    """
    shifted = np.ascontiguousarray((logits - logits.max(axis=1, keepdims=True)).T)
    squares = shifted * shifted
    truth = float(shifted[labels, np.arange(len(labels))].mean(dtype=np.float64))
    truth += (float(shifted.mean(dtype=np.float64)) - truth) / (len(labels) + 2)
    low, high = 1 / _FLATTEST, 1 / _SHARPEST
    sharpness = 1.0
    while high - low > _PRECISION * sharpness:
        weights = np.exp(sharpness * shifted)
        weights /= weights.sum(axis=0)
        means = np.einsum("kn,kn->n", weights, shifted)
        slope = float(means.mean(dtype=np.float64)) - truth
        curvature = float(
            (np.einsum("kn,kn->n", weights, squares) - means * means).mean(dtype=np.float64)
        )
        if slope > 0:
            high = sharpness
        else:
            low = sharpness
        newton = sharpness - slope / curvature if curvature > 0 else low
        if abs(newton - sharpness) < _PRECISION * sharpness:
            break
        sharpness = newton if low < newton < high else (low * high) ** 0.5
    return 1 / sharpness
