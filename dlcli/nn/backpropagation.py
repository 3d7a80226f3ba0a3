"""Backpropagation: the gradient of the cost by every parameter, by the chain rule.

Going forward, each layer keeps its activations a = f(z) and their derivatives f'(z). Going
back, the error of a layer, d = dJ/dz, gives the gradients of its parameters and the error of
the layer before it:

    dJ/dW = a_before^T d        dJ/db = sum of d over images        d_before = (d W^T) * f'(z)

With batch normalisation, d passes through it between bias and weights (see ``batch_norm``).

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating
errors", 1986.
"""

from collections.abc import Mapping

import numpy as np

from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.batch_norm import BatchNorm
from dlcli.nn.kernels import NUMPY, Pass
from dlcli.nn.losses import LOSSES
from dlcli.nn.memory import zeros
from dlcli.nn.network import Buffers, Network, scale_pixels, split_parameters
from dlcli.nn.types import Array, Pixels, Rows


class Backpropagation:
    """The forward and backward pass of training; all memory is allocated once.

    Attributes
    ----------
    gradient
        dJ/dparameters of the last batch, laid out like ``Network.parameters``.
    kernels
        The passes beside the matrix products; float32 can have compiled ones.
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
        frozen_layers: int = 0,
    ) -> None:
        """Prepare for batches of up to ``batch_size`` images.

        Parameters
        ----------
        l2_penalty
            Adds l2_penalty/2 times the sum of the squared weights to the cost.
        dropout, input_dropout
            Fraction of hidden activations and of pixels set to 0; the others are scaled up by
            1 / (1 - fraction), so that inference needs no change (Srivastava et al., 2014).
        frozen_layers
            The first so many layers stay as they are: their gradient is 0, and their batch
            normalisation is that of inference.
        """
        self.network = network
        self.kernels: Mapping[str, Pass] = NUMPY
        self.loss = LOSSES[loss]
        self.batch_size = batch_size
        self.l2_penalty = l2_penalty
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.frozen_layers = frozen_layers
        self._frozen_weights = sum(weight.size for weight in network.weights[:frozen_layers])
        dtype = network.parameters.dtype
        self.gradient: Array = zeros(network.parameters.size, dtype)
        self._weight_gradients, self._bias_gradients, self._scale_gradients = split_parameters(
            self.gradient, network.layer_sizes, batch_norm=network.batch_norm
        )
        self._batch_norms = [
            BatchNorm(*arrays, batch_size)
            for arrays in zip(network.scales, network.means, network.variances, strict=True)
        ]
        self._all_inputs: Array = np.empty((batch_size, network.layer_sizes[0]), dtype)
        self._all_buffers = Buffers(network.layer_sizes, batch_size, dtype, with_derivatives=True)
        self._inputs, self._buffers = self._all_inputs, self._all_buffers
        self._gathered: Pixels = np.empty((batch_size, network.layer_sizes[0]), np.uint8)
        self._errors: list[Array] = [np.empty_like(values) for values in self._buffers.values]
        # Without dropout and penalty these two are never touched, and so take no memory.
        self._mask: Array = np.empty(batch_size * max(network.layer_sizes), dtype)
        self._penalty_gradient: Array = zeros(network.weight_count, dtype)

    def run(
        self,
        images: Pixels | Array,
        targets: Array,
        random: np.random.Generator,
        weights: Array | None = None,
        rows: Rows | None = None,
    ) -> Array:
        """Compute the gradient of a batch's cost; return the logits, which the next run overwrites.

        The images have shape (n, inputs), uint8 from 0 to 255, or the network's floats as they are;
        targets and logits have shape (n, classes). With
        ``weights``, shape (n,), the cost is the mean of the images' costs times their weights.
        With ``rows``, shape (n,), the batch is made of these of the images.
        """
        logits = self.forward(images, random, rows)
        self.backward(targets, weights)
        return logits

    def forward(
        self, images: Pixels | Array, random: np.random.Generator, rows: Rows | None = None
    ) -> Array:
        """Compute the logits of a batch, with dropout and the batch's own mean and variance."""
        network, count = self.network, len(images if rows is None else rows)
        self._inputs, self._buffers = self._all_inputs[:count], self._all_buffers.first(count)
        before = self._inputs
        if rows is None:
            scale_pixels(images, before)
        elif images.dtype == np.uint8:
            gathered = self._gathered[:count]
            # With mode="raise", NumPy would first gather into a temporary array.
            images.take(rows, axis=0, out=gathered, mode="clip")
            self.kernels["scale_pixels"](gathered, before)
        else:  # scaled already
            images.take(rows, axis=0, out=before, mode="clip")
        if self.input_dropout:
            self._drop(self.input_dropout, random, before)
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            values = self._buffers.values[layer]
            np.matmul(before, weight, out=values)
            if layer < len(self._batch_norms):
                if layer < self.frozen_layers:
                    self._batch_norms[layer].infer(values)
                else:
                    self._batch_norms[layer].forward(values)
            if layer == len(network.activations):
                values += bias
            else:
                derivatives = self._buffers.derivatives[layer]
                self.kernels[network.activations[layer]](values, bias, derivatives)
                if self.dropout:
                    # Where a value is dropped, so is its derivative.
                    self._drop(self.dropout, random, values, derivatives)
            before = values
        return before

    def backward(self, targets: Array, weights: Array | None = None) -> None:
        """Fill ``gradient`` for the batch that went forward last (see :meth:`run`)."""
        network, buffers, rows = self.network, self._buffers, len(self._inputs)
        error = self._errors[-1][:rows]
        self._differentiate_cost(buffers.values[-1], buffers.outputs, targets, error)
        if weights is not None:
            error *= weights[:, np.newaxis]
        error.sum(axis=0, out=self._bias_gradients[-1])
        for layer in reversed(range(self.frozen_layers, len(network.weights))):
            before = buffers.values[layer - 1] if layer else self._inputs
            if layer < len(self._batch_norms):
                self._batch_norms[layer].backward(
                    error, self._bias_gradients[layer], self._scale_gradients[layer]
                )
            np.matmul(before.T, error, out=self._weight_gradients[layer])
            if layer > self.frozen_layers:
                error_before = self._errors[layer - 1][:rows]
                np.matmul(error, network.weights[layer].T, out=error_before)
                self.kernels["backward"](
                    error_before, buffers.derivatives[layer - 1], self._bias_gradients[layer - 1]
                )
                error = error_before
        if self.l2_penalty:
            learning = slice(self._frozen_weights, network.weight_count)
            self.kernels["add_penalty"](
                self.gradient[learning],
                network.parameters[learning],
                self.l2_penalty,
                self._penalty_gradient[learning],
            )

    def _differentiate_cost(
        self, logits: Array, outputs: Array, targets: Array, error: Array
    ) -> None:
        """Write dJ/dlogits into ``error``; J is the mean over the batch."""
        output_activation = self.network.output_activation
        if (output_activation, self.loss) == ("softmax", LOSSES["cross_entropy"]):
            self.kernels["shift"](logits, outputs)
            np.exp(outputs, out=outputs)
            self.kernels["softmax_error"](outputs, targets, error)
        else:
            OUTPUT_ACTIVATIONS[output_activation].forward(logits, outputs)
            self.loss.gradient(output_activation, outputs, targets, error)
            error /= len(error)

    def penalty(self) -> float:
        """The L2 part of the cost, of the weights that are not frozen."""
        weights = self.network.parameters[self._frozen_weights : self.network.weight_count]
        return 0.5 * self.l2_penalty * float(weights @ weights)

    def _drop(self, fraction: float, random: np.random.Generator, *arrays: Array) -> None:
        """Set a random fraction of the values to 0, in the same places of each array."""
        mask = self._mask[: arrays[0].size]
        draw_mask(mask, fraction, random, self.kernels)
        for array in arrays:
            np.multiply(array, mask.reshape(array.shape), out=array)


# 16 random bits decide whether a value is dropped: the fraction is rounded to 1/65536.
_LEVELS = 1 << 16


def draw_mask(
    mask: Array,
    fraction: float,
    random: np.random.Generator,
    kernels: Mapping[str, Pass] = NUMPY,
) -> None:
    """Fill ``mask`` with 0 for a random fraction of it, and 1 / (1 - fraction) for the rest.

    Each 64 random bits decide on four values, in a third of the time of drawing a number for
    each of them.
    """
    dropped = min(round(fraction * _LEVELS), _LEVELS - 1)
    bits = random.integers(0, 1 << 64, -(-mask.size // 4), dtype=np.uint64)
    kernels["draw_mask"](
        bits.view(np.uint16)[: mask.size], dropped, _LEVELS / (_LEVELS - dropped), mask.reshape(-1)
    )
