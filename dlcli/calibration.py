"""Probabilities that mean what they say: of the answers given with 90 %, 90 % are right."""

import numpy as np
import numpy.typing as npt

from dlcli.activations import Array

# Beyond these, no network that learned anything is found; where every answer is right, the
# best temperature would be 0.
_SHARPEST, _FLATTEST = 0.1, 10.0
_PRECISION = 1e-4


def fit_temperature(logits: Array, labels: npt.NDArray[np.uint8]) -> float:
    """The number T for which softmax(logits / T) fits the labels best.

    T minimises the cross-entropy, which is convex in 1/T; found by Newton's method between
    bounds that close in. No answer changes by it, only how sure it is. Source: Guo et al., "On
    calibration of modern neural networks", 2017.

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
