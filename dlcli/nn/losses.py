"""The cost J of a batch: how wrong the outputs are, and which way each logit should move.

Both losses are means over images. ``gradient`` is dJ/dlogits before that mean is taken: each
image's own gradient, shape (n, classes).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.types import Array, Labels


@dataclass(frozen=True)
class Loss:
    """One cost, given what the last layer computed.

    Attributes
    ----------
    value
        ``value(output_activation, logits, targets)``: the cost of each image, shape (n,); the
        targets are one-hot, shape (n, classes).
    gradient
        ``gradient(output_activation, outputs, targets, out)`` writes the gradient of that
        cost by the logits into ``out``, shape (n, classes).
    """

    value: Callable[[str, Array, Array], Array]
    gradient: Callable[[str, Array, Array, Array], None]


def _mse(output_activation: str, logits: Array, targets: Array) -> Array:
    """Mean squared error: the sum over classes of 1/2 (y - yhat)^2."""
    difference = np.empty_like(logits)
    OUTPUT_ACTIVATIONS[output_activation].function(logits, difference)
    difference -= targets
    cost: Array = 0.5 * np.einsum("nk,nk->n", difference, difference)
    return cost


def _mse_gradient(output_activation: str, outputs: Array, targets: Array, out: Array) -> None:
    """dJ/doutputs = yhat - y, carried through the output activation by the chain rule."""
    np.subtract(outputs, targets, out=out)
    OUTPUT_ACTIVATIONS[output_activation].times_derivative(out, outputs)


def _cross_entropy(output_activation: str, logits: Array, targets: Array) -> Array:
    """Minus the log of the probability given to the truth, from the logits.

    Computed from the logits because the log of a probability that has rounded to 0 is lost:
    with softmax, log of sum of exp(z_j) minus z_truth, all z shifted by the largest, so that
    a small cost is not lost beside large z; with sigmoid, each class is a yes or no of its
    own, and its cost is log(1 + exp(z)) - y z, summed over classes.
    """
    if output_activation == "sigmoid":
        cost: Array = (np.logaddexp(0, logits) - targets * logits).sum(axis=1)
        return cost
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum: Array = np.log(np.exp(shifted).sum(axis=1))
    log_sum -= np.einsum("nk,nk->n", shifted, targets)
    return log_sum


def _cross_entropy_gradient(
    _output_activation: str, outputs: Array, targets: Array, out: Array
) -> None:
    """P - y, with softmax and with sigmoid alike: the logarithm undoes the exponential."""
    np.subtract(outputs, targets, out=out)


LOSSES: dict[str, Loss] = {
    "mse": Loss(_mse, _mse_gradient),
    "cross_entropy": Loss(_cross_entropy, _cross_entropy_gradient),
}


def one_hot(labels: Labels, classes: int, dtype: npt.DTypeLike = np.float32) -> Array:
    """1 for each label's class and 0 for the others, shape (n, classes).

    A class after the other in memory, like the logits that they are compared with.
    """
    targets: Array = np.take(np.eye(classes, dtype=dtype), labels, axis=1).T
    return targets


def smooth(targets: Array, share: float) -> Array:
    """Move a share of each image's target from its class to all classes alike.

    Source: Szegedy et al., "Rethinking the Inception architecture", 2016, section 7 (label
    smoothing).
    """
    if not share:
        return targets
    smoothed: Array = targets * (1 - share) + share / targets.shape[1]
    return smoothed


def mean_loss(name: str, output_activation: str, logits: Array, labels: Labels) -> float:
    """The cost J of a set of images: the mean of each one's cost.

    Parameters
    ----------
    name
        A name in ``LOSSES``.
    output_activation
        A name in ``OUTPUT_ACTIVATIONS``.
    logits
        What the network's last layer computed, shape (n, classes).
    labels
        The truth, shape (n,).
    """
    targets = one_hot(labels, logits.shape[1], logits.dtype)
    values = LOSSES[name].value(output_activation, logits, targets)
    return float(values.mean(dtype=np.float64))
