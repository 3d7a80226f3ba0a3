"""Batch normalisation: a neuron's sums over a batch get mean 0 and variance 1, then a new scale.

    zhat = (z - mean) / sqrt(variance + epsilon)        y = scale zhat + bias

Mean and variance are those of the batch in training; for use, running means of them over the
batches of training, and then all of it is an affine map that can be folded into the weights.
Source: Ioffe and Szegedy, "Batch normalization", 2015.
"""

import numpy as np

from dlcli.nn.types import Array

_EPSILON = 1e-5  # keeps the division finite; as PyTorch's
_MOMENTUM = 0.1  # the newest batch's share of the running statistics; as PyTorch's


class Normalization:
    """Normalises one layer's sums and carries errors back through it.

    Attributes
    ----------
    mean, variance
        Running means of the batches' statistics, shape (neurons,).
    """

    def __init__(self, scale: Array, mean: Array, variance: Array, rows: int) -> None:
        """Prepare for batches of up to ``rows`` images; the arrays are changed in place."""
        self.mean = mean
        self.variance = variance
        self._scale = scale
        self._centred = np.empty((rows, scale.size), scale.dtype)
        self._product = np.empty_like(self._centred)
        self._inverse = np.ones_like(scale)
        self._ones = np.ones(rows, scale.dtype)

    def forward(self, sums: Array) -> None:
        """Turn weighted sums z, shape (n, neurons), into scale zhat, in place."""
        rows, ones = len(sums), self._ones[: len(sums)]
        # Sums over images as products, as in backpropagation.
        mean = ones @ sums
        mean /= rows
        centred = np.subtract(sums, mean, out=self._centred[:rows])
        np.multiply(centred, centred, out=sums)
        variance = ones @ sums
        variance /= rows
        np.divide(1, np.sqrt(variance + _EPSILON), out=self._inverse)
        np.multiply(centred, self._inverse * self._scale, out=sums)
        if rows > 1:  # one image has no variance to learn from
            self.mean += _MOMENTUM * (mean - self.mean)
            self.variance += _MOMENTUM * (variance * (rows / (rows - 1)) - self.variance)

    def backward(self, error: Array, bias_slope: Array, scale_slope: Array) -> None:
        """Turn dJ/dy into dJ/dz, in place.

        Every z moves the mean and the variance, and so every zhat of its neuron:
        dJ/dz = scale / sqrt(variance + epsilon) (d - mean of d - zhat mean of (d zhat)).

        Parameters
        ----------
        error
            dJ/dy, shape (n, neurons).
        bias_slope
            The sum of ``error`` over images, shape (neurons,).
        scale_slope
            Filled with dJ/dscale, shape (neurons,).
        """
        rows = len(error)
        centred = self._centred[:rows]
        product = np.multiply(error, centred, out=self._product[:rows])
        np.matmul(self._ones[:rows], product, out=scale_slope)
        scale_slope *= self._inverse
        np.multiply(centred, scale_slope * self._inverse / rows, out=product)
        error -= product
        error -= bias_slope / rows
        error *= self._inverse * self._scale


def fold(
    weight: Array, bias: Array, scale: Array, mean: Array, variance: Array
) -> tuple[Array, Array]:
    """The weight and the bias of a plain layer that computes what the normalised one does."""
    factor = scale / np.sqrt(variance + _EPSILON)
    return weight * factor, bias - mean * factor
