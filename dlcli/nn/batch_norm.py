"""Batch normalisation: a neuron's sums over a batch get mean 0 and variance 1, then a new scale.

    zhat = (z - mean) / sqrt(variance + epsilon)        y = scale zhat + bias

In training, mean and variance are those of the batch. In inference, they are running means
over the batches of training; the whole is then linear and can be fused with the weights.
Source: Ioffe and Szegedy, "Batch normalization", 2015.
"""

import numpy as np

from dlcli.nn.types import Array

# PyTorch's defaults.
_EPSILON = 1e-5  # keeps the division finite
_MOMENTUM = 0.1  # weight of the newest batch in the running statistics


class BatchNorm:
    """Normalises the sums of one layer in training, forward and backward.

    ``mean`` and ``variance`` are running means over the batches, shape (neurons,).
    """

    def __init__(self, scale: Array, mean: Array, variance: Array, batch_size: int) -> None:
        """Prepare for batches of up to ``batch_size`` images; ``mean`` and ``variance`` change."""
        self.mean = mean
        self.variance = variance
        self._scale = scale
        self._centred = np.empty((batch_size, scale.size), scale.dtype)
        self._product = np.empty_like(self._centred)
        self._inverse = np.ones_like(scale)
        self._ones = np.ones(batch_size, scale.dtype)

    def forward(self, sums: Array) -> None:
        """Turn weighted sums z, shape (n, neurons), into scale zhat, in place."""
        rows, ones = len(sums), self._ones[: len(sums)]
        # Sums over images as products: that takes 5 % off an epoch of a small network.
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

    def infer(self, sums: Array) -> None:
        """Turn weighted sums into scale zhat by the running mean and variance, in place."""
        sums -= self.mean
        sums *= self._scale / np.sqrt(self.variance + _EPSILON)

    def backward(self, error: Array, bias_gradient: Array, scale_gradient: Array) -> None:
        """Turn dJ/dy into dJ/dz, in place.

        Every z moves the mean and the variance, and so every zhat of its neuron:
        dJ/dz = scale / sqrt(variance + epsilon) (d - mean of d - zhat mean of (d zhat)).

        ``error`` has shape (n, neurons); ``bias_gradient`` is its sum over images. dJ/dscale is
        written into ``scale_gradient``.
        """
        rows = len(error)
        centred = self._centred[:rows]
        product = np.multiply(error, centred, out=self._product[:rows])
        np.matmul(self._ones[:rows], product, out=scale_gradient)
        scale_gradient *= self._inverse
        np.multiply(centred, scale_gradient * self._inverse / rows, out=product)
        error -= product
        error -= bias_gradient / rows
        error *= self._inverse * self._scale


def fuse(
    weight: Array, bias: Array, scale: Array, mean: Array, variance: Array
) -> tuple[Array, Array]:
    """The weight and the bias of a plain layer that computes the same as the normalised one."""
    factor = scale / np.sqrt(variance + _EPSILON)
    return weight * factor, bias - mean * factor
