"""Backpropagation: the slope of the cost along every parameter, by the chain rule.

Going forward, each layer keeps its activations a = f(z) and their slopes f'(z). Going back, the
error of a layer, d = dJ/dz, gives the slopes of its parameters and the error of the layer
before it:

    dJ/dW = a_before^T d        dJ/db = sum of d over images        d_before = (d W^T) * f'(z)

With batch normalisation, d passes through it between bias and weights (see
``normalization``).

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating
errors", 1986.
"""

import numpy as np
import numpy.typing as npt

from dlcli.nn.batch_norm import Normalization
from dlcli.nn.losses import LOSSES
from dlcli.nn.memory import zeros
from dlcli.nn.network import Buffers, Network, scale_pixels, split_parameters
from dlcli.nn.types import Array


class Backpropagation:
    """Computes the gradient of a batch's cost; all memory is allocated once.

    Attributes
    ----------
    gradient
        dJ/dparameters, laid out like ``Network.parameters``.
    """

    def __init__(
        self,
        network: Network,
        loss: str,
        *,
        batch_size: int,
        l2_penalty: float = 0.0,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
    ) -> None:
        """Prepare for batches of up to ``batch_size`` images.

        Parameters
        ----------
        network
            The network to differentiate.
        loss
            A name in ``LOSSES``.
        batch_size
            Largest number of images in a batch.
        l2_penalty
            Adds l2_penalty/2 times the sum of the squared weights to the cost.
        dropout, input_dropout
            Share of hidden activations and of pixels set to 0; those kept are scaled up by
            1 / (1 - share), so that inference needs no change (Srivastava et al., 2014).
        """
        self.network = network
        self.loss = LOSSES[loss]
        self.batch_size = batch_size
        self.l2_penalty = l2_penalty
        self.dropout = dropout
        self.input_dropout = input_dropout
        dtype = network.parameters.dtype
        self.gradient: Array = zeros(network.parameters.size, dtype)
        self._weight_slopes, self._bias_slopes, self._scale_slopes = split_parameters(
            self.gradient, network.layer_sizes, batch_norm=network.batch_norm
        )
        self._normalizations = [
            Normalization(*arrays, batch_size)
            for arrays in zip(network.scales, network.means, network.variances, strict=True)
        ]
        self._inputs: Array = np.empty((batch_size, network.layer_sizes[0]), dtype)
        self._buffers = Buffers(network.layer_sizes, batch_size, dtype, with_slopes=True)
        self._errors: list[Array] = [np.empty_like(values) for values in self._buffers.values]
        self._ones: Array = np.ones(batch_size, dtype)
        # Without dropout and penalty these two are never touched, and so take no memory.
        self._mask: Array = np.empty(batch_size * max(network.layer_sizes), dtype)
        self._pull: Array = zeros(network.weight_count, dtype)

    def run(
        self,
        images: npt.NDArray[np.uint8],
        targets: Array,
        random: np.random.Generator,
    ) -> Array:
        """Fill ``gradient`` for a batch.

        Parameters
        ----------
        images
            Shape (n, 784), 0 to 255.
        targets
            What the outputs should be, shape (n, classes).
        random
            Draws what dropout drops.

        Returns
        -------
        Array
            The logits, shape (n, classes); the next run overwrites them.
        """
        rows = len(images)
        inputs, buffers = self._inputs[:rows], self._buffers.first(rows)
        scale_pixels(images, out=inputs)
        if self.input_dropout:
            self._drop(self.input_dropout, random, inputs)

        def normalize(layer: int) -> None:
            self._normalizations[layer].forward(buffers.values[layer])

        def drop_hidden(layer: int) -> None:
            # The slope of what is dropped is 0 as well, and that of the rest scaled up alike.
            self._drop(self.dropout, random, buffers.values[layer], buffers.slopes[layer])

        self.network.forward(
            inputs,
            buffers,
            normalize if self._normalizations else None,
            drop_hidden if self.dropout else None,
        )
        self._carry_back(inputs, buffers, targets)
        return buffers.values[-1]

    def penalty(self) -> float:
        """The L2 part of the cost."""
        weights = self.network.parameters[: self.network.weight_count]
        return 0.5 * self.l2_penalty * float(weights @ weights)

    def _carry_back(self, inputs: Array, buffers: Buffers, targets: Array) -> None:
        network, rows = self.network, len(inputs)
        error = self._errors[-1][:rows]
        self.loss.gradient(network.output_activation, buffers.outputs, targets, error)
        error /= rows  # J is the mean over the batch
        for layer in reversed(range(len(network.weights))):
            before = buffers.values[layer - 1] if layer else inputs
            # The sum over images, as a product: a third of the time that sum(axis=0) takes.
            np.matmul(self._ones[:rows], error, out=self._bias_slopes[layer])
            if layer < len(self._normalizations):
                self._normalizations[layer].backward(
                    error, self._bias_slopes[layer], self._scale_slopes[layer]
                )
            np.matmul(before.T, error, out=self._weight_slopes[layer])
            if layer:
                error_before = self._errors[layer - 1][:rows]
                np.matmul(error, network.weights[layer].T, out=error_before)
                error_before *= buffers.slopes[layer - 1]
                error = error_before
        if self.l2_penalty:
            weights = network.parameters[: network.weight_count]
            np.multiply(weights, self.l2_penalty, out=self._pull)
            self.gradient[: network.weight_count] += self._pull

    def _drop(self, share: float, random: np.random.Generator, *arrays: Array) -> None:
        """Set a random share of the values to 0, in the same places of each array."""
        mask = self._mask[: arrays[0].size].reshape(arrays[0].shape)
        draw_mask(mask, share, random)
        for array in arrays:
            np.multiply(array, mask, out=array)


# A random number's bits that decide on one value: the share is rounded to 1/65536.
_STEPS = 1 << 16


def draw_mask(mask: Array, share: float, random: np.random.Generator) -> None:
    """Fill ``mask`` with 0 for a random share of it, and 1 / (1 - share) for the rest.

    Each 64 random bits decide on four values: a third of the time that drawing a number for
    each takes.
    """
    dropped = min(round(share * _STEPS), _STEPS - 1)
    bits = random.integers(0, 1 << 64, -(-mask.size // 4), dtype=np.uint64)
    kept = bits.view(np.uint16)[: mask.size] >= dropped
    factor = mask.dtype.type(_STEPS / (_STEPS - dropped))
    np.multiply(kept.reshape(mask.shape), factor, out=mask)
