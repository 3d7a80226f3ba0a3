"""Backpropagation: the slope of the cost along every parameter, by the chain rule.

Going forward, each layer keeps its sums z and activations a. Going back, the error of a layer,
d = dJ/dz, gives the slopes of its parameters and the error of the layer before it:

    dJ/dW = a_before^T d        dJ/db = sum of d over images        d_before = (d W^T) * f'(z)

Source: Rumelhart, Hinton and Williams, "Learning representations by back-propagating
errors", 1986.
"""

import numpy as np
import numpy.typing as npt

from dlcli.activations import ACTIVATIONS, Array
from dlcli.losses import LOSSES
from dlcli.network import Buffers, Network, scale_pixels, split_parameters


class Backpropagation:
    """Computes the cost of a batch and its gradient; all memory is allocated once.

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
        self.l2_penalty = l2_penalty
        self.dropout = dropout
        self.input_dropout = input_dropout
        dtype = network.parameters.dtype
        self.gradient: Array = np.zeros_like(network.parameters)
        self._weight_slopes, self._bias_slopes = split_parameters(
            self.gradient, network.layer_sizes
        )
        self._inputs: Array = np.empty((batch_size, network.layer_sizes[0]), dtype)
        self._input_mask: Array = np.empty_like(self._inputs)
        self._buffers = Buffers(network.layer_sizes, batch_size, dtype)
        self._errors: list[Array] = [np.empty_like(sums) for sums in self._buffers.sums]
        self._masks: list[Array] = [np.empty_like(sums) for sums in self._buffers.sums[:-1]]
        self._targets: Array = np.eye(network.layer_sizes[-1], dtype=dtype)

    def run(
        self,
        images: npt.NDArray[np.uint8],
        labels: npt.NDArray[np.uint8],
        random: np.random.Generator,
    ) -> tuple[float, int]:
        """Fill ``gradient`` for a batch.

        Parameters
        ----------
        images
            Shape (n, 784), 0 to 255.
        labels
            Shape (n,).
        random
            Draws what dropout drops.

        Returns
        -------
        tuple
            The mean loss over the batch (without the L2 penalty), and how many images the
            network got right.
        """
        rows = len(images)
        network, inputs, buffers = self.network, self._inputs[:rows], self._buffers.first(rows)
        scale_pixels(images, out=inputs)
        if self.input_dropout:
            drop(inputs, self._input_mask[:rows], self.input_dropout, random)

        def drop_hidden(layer: int, values: Array) -> None:
            drop(values, self._masks[layer][:rows], self.dropout, random)

        outputs = network.forward(inputs, buffers, drop_hidden if self.dropout else None)
        targets = self._targets[labels]
        loss = self.loss.value(network.output_activation, buffers.sums[-1], outputs, targets)
        correct = np.count_nonzero(outputs.argmax(axis=1) == labels)
        self._carry_back(inputs, buffers, targets)
        return float(loss.mean(dtype=np.float64)), int(correct)

    def penalty(self) -> float:
        """The L2 part of the cost."""
        weights = self.network.parameters[: self.network.weight_count]
        return 0.5 * self.l2_penalty * float(weights @ weights)

    def _carry_back(self, inputs: Array, buffers: Buffers, targets: Array) -> None:
        network, rows = self.network, len(inputs)
        error = self._errors[-1][:rows]
        self.loss.gradient(network.output_activation, buffers.outputs[-1], targets, error)
        error *= error.dtype.type(1 / rows)  # J is the mean over the batch
        for layer in reversed(range(len(network.weights))):
            before = buffers.outputs[layer - 1] if layer else inputs
            np.matmul(before.T, error, out=self._weight_slopes[layer])
            np.sum(error, axis=0, out=self._bias_slopes[layer])
            if layer == 0:
                continue
            error_before = self._errors[layer - 1][:rows]
            np.matmul(error, network.weights[layer].T, out=error_before)
            activation, sums = ACTIVATIONS[network.activations[layer - 1]], buffers.sums[layer - 1]
            if self.dropout:
                error_before *= self._masks[layer - 1][:rows]
                activation.function(sums, before)  # dropout changed it; derivatives want f(z)
            activation.times_derivative(error_before, sums, before)
            error = error_before
        if self.l2_penalty:
            count = network.weight_count
            self.gradient[:count] += self.l2_penalty * network.parameters[:count]


def drop(values: Array, mask: Array, share: float, random: np.random.Generator) -> None:
    """Set a random share of ``values`` to 0 in place and scale up the rest.

    ``mask``, of the same shape, is left holding the factors, which the error going back is
    multiplied by as well.
    """
    random.random(out=mask, dtype=mask.dtype.type)
    np.greater_equal(mask, share, out=mask)
    mask *= mask.dtype.type(1 / (1 - share))
    values *= mask
