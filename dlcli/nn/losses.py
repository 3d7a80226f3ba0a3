"""The cost J of a batch: how wrong the outputs are, and which way each logit should move.

Both losses are means over images. ``gradient`` is dJ/dlogits before that mean is taken: each
image's own gradient, shape (n, classes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.lazy_numpy import np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from dlcli.nn.types import Array, Labels


@dataclass(frozen=True, eq=False)
class Loss:
    """One cost, computed from the values of the last layer.

    Attributes
    ----------
    summary
        What it is, for the reference of the config.
    value
        ``value(output_activation, logits, targets)``: the cost of each image, shape (n,); the
        targets are one-hot, shape (n, classes).
    gradient
        ``gradient(output_activation, outputs, targets, out)`` writes the gradient of that
        cost by the logits into ``out``, shape (n, classes).
    """

    summary: str
    value: Callable[[str, Array, Array], Array]
    gradient: Callable[[str, Array, Array, Array], None]
    needs_probabilities: bool = False


def _mse(output_activation: str, logits: Array, targets: Array) -> Array:
    """Mean squared error: the sum over classes of 1/2 (y - yhat)^2."""
    difference = np.empty_like(logits)
    OUTPUT_ACTIVATIONS[output_activation].forward(logits, difference)
    difference -= targets
    cost: Array = 0.5 * np.einsum("nk,nk->n", difference, difference)
    return cost


def _mse_gradient(output_activation: str, outputs: Array, targets: Array, out: Array) -> None:
    """dJ/doutputs = yhat - y, carried through the output activation by the chain rule."""
    np.subtract(outputs, targets, out=out)
    OUTPUT_ACTIVATIONS[output_activation].backward(out, outputs)


def _cross_entropy(output_activation: str, logits: Array, targets: Array) -> Array:
    """Minus the log of the probability of the true class.

    It is computed from the logits, because a probability that was rounded to 0 has no logarithm.
    With softmax it is the log of the sum of exp(z_j), minus z of the true class. With sigmoid
    each class is a yes or no of its own: log(1 + exp(z)) - y z, summed over the classes.
    """
    if OUTPUT_ACTIVATIONS[output_activation].cross_entropy == "binary":
        cost: Array = (np.logaddexp(0, logits) - targets * logits).sum(axis=1)
        return cost
    # Beside large z, a small cost would be rounded away.
    shifted = logits - logits.max(axis=1, keepdims=True)
    cost = np.log(np.exp(shifted).sum(axis=1))
    cost -= np.einsum("nk,nk->n", shifted, targets)
    return cost


def _cross_entropy_gradient(
    _output_activation: str, outputs: Array, targets: Array, out: Array
) -> None:
    """The same with softmax and with sigmoid: p - y."""
    np.subtract(outputs, targets, out=out)


LOSSES: dict[str, Loss] = {
    "mse": Loss("the sum over classes of 1/2 (y - yhat)^2", _mse, _mse_gradient),
    "cross_entropy": Loss(
        "minus the log of the true class's probability",
        _cross_entropy,
        _cross_entropy_gradient,
        needs_probabilities=True,
    ),
}


def fits(loss: str, output_activation: str) -> bool:
    """Whether a loss can be computed from these outputs."""
    if not LOSSES[loss].needs_probabilities:
        return True
    return OUTPUT_ACTIVATIONS[output_activation].gives_probabilities


def one_hot(labels: Labels, classes: int, dtype: npt.DTypeLike = "float32") -> Array:
    """1 for each label's class and 0 for the others, shape (n, classes).

    Stored class by class, like the logits that they are compared with (see ``Buffers``).
    """
    targets: Array = np.take(np.eye(classes, dtype=dtype), labels, axis=1).T
    return targets


def balanced_weights(labels: Labels, classes: int) -> Array:
    """Weights with which all classes count alike, shape (classes,).

    Each is the number of images divided by that of its class and by the number of classes that
    have images, so that the mean weight of an image is 1. Source: King and Zeng, "Logistic
    regression in rare events data", 2001. A class without images has the weight 1.

    >>> balanced_weights(np.array([0, 0, 0, 2]), classes=3).round(3).tolist()
    [0.667, 1.0, 2.0]
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights: Array = np.ones(classes)
    weights[counts > 0] = len(labels) / (present * counts[counts > 0])
    return weights


def smooth(targets: Array, fraction: float) -> Array:
    """Move a fraction of each image's target from its class to all classes alike.

    Source: Szegedy et al., "Rethinking the Inception architecture", 2016, section 7.
    """
    if not fraction:
        return targets
    smoothed: Array = targets * (1 - fraction) + fraction / targets.shape[1]
    return smoothed


def mean_loss(
    name: str,
    output_activation: str,
    logits: Array,
    labels: Labels,
    class_weights: Array | None = None,
) -> float:
    """The cost J of images with these logits, shape (n, classes): the mean of their costs.

    With ``class_weights``, shape (classes,), the cost of each image counts so often.
    """
    targets = one_hot(labels, logits.shape[1], logits.dtype)
    values = LOSSES[name].value(output_activation, logits, targets)
    if class_weights is not None:
        values = values * class_weights[labels]
    return float(values.mean(dtype=np.float64))
