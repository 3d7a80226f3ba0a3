"""The multilayer perceptron: its parameters and its forward pass.

A layer computes weighted sums plus bias, z = a W + b, and squashes them, a' = f(z). All
parameters live in one contiguous vector, first every layer's weights, then every layer's
biases, so that an optimiser updates them, and weight decay its part of them, in one sweep;
the matrices are views of it.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dlcli.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Array
from dlcli.initializers import initial_weights

# Rows of one inference pass: enough to keep the matrix products efficient, few enough for the
# activations of a wide network to stay small.
_INFERENCE_ROWS = 1000


class Buffers:
    """What a forward pass leaves behind, allocated once for passes of up to ``rows`` rows.

    Attributes
    ----------
    sums
        Each layer's weighted sums z, shape (rows, neurons); the last are the logits.
    outputs
        Each layer's activations, shape (rows, neurons); the last are the network's outputs.
    """

    def __init__(self, layer_sizes: Sequence[int], rows: int, dtype: npt.DTypeLike) -> None:
        self.sums: list[Array] = [np.empty((rows, size), dtype) for size in layer_sizes[1:]]
        self.outputs: list[Array] = [np.empty_like(sums) for sums in self.sums]

    def first(self, rows: int) -> "Buffers":
        """The same memory, seen as buffers for fewer rows."""
        part = object.__new__(Buffers)
        part.sums = [array[:rows] for array in self.sums]
        part.outputs = [array[:rows] for array in self.outputs]
        return part


class Network:
    """A fully connected network with a probability for each class at its end.

    Attributes
    ----------
    parameters
        Every weight, then every bias, shape (parameters,).
    weights, biases
        Views into ``parameters``, one a layer, shapes (fan-in, fan-out) and (fan-out,).
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activations: Sequence[str],
        output_activation: str,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        """Allocate a network whose parameters are all 0.

        Parameters
        ----------
        layer_sizes
            Neurons in every layer, from input to output.
        activations
            Names in ``ACTIVATIONS``, one a hidden layer.
        output_activation
            A name in ``OUTPUT_ACTIVATIONS``.
        dtype
            float32, or float64 for gradient checks.
        """
        self.layer_sizes = tuple(layer_sizes)
        self.activations = tuple(activations)
        self.output_activation = output_activation
        self.parameters: Array = np.zeros(count_parameters(layer_sizes), dtype)
        self.weights, self.biases = split_parameters(self.parameters, layer_sizes)
        self.weight_count = sum(weight.size for weight in self.weights)

    def initialize(self, name: str, stddev: float, random: np.random.Generator) -> None:
        """Draw random weights and set the biases to 0 (see ``initializers``)."""
        ends_in = (*self.activations, self.output_activation)
        for weight, activation in zip(self.weights, ends_in, strict=True):
            shape = (weight.shape[0], weight.shape[1])
            weight[...] = initial_weights(name, stddev, activation, shape, random)
        self.parameters[self.weight_count :] = 0

    def forward(
        self,
        inputs: Array,
        buffers: Buffers,
        after_hidden: Callable[[int, Array], None] | None = None,
    ) -> Array:
        """Compute the outputs for a batch, leaving each layer's values in ``buffers``.

        Parameters
        ----------
        inputs
            Pixels from 0 to 1, shape (n, 784).
        buffers
            Memory for exactly n rows.
        after_hidden
            Called with each hidden layer's index and activations, which it may change in
            place (dropout).

        Returns
        -------
        Array
            One answer per class, shape (n, classes); a view of the last buffer.
        """
        values = inputs
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            sums, outputs = buffers.sums[layer], buffers.outputs[layer]
            np.matmul(values, weight, out=sums)
            sums += bias
            if layer < last:
                ACTIVATIONS[self.activations[layer]].function(sums, outputs)
                if after_hidden is not None:
                    after_hidden(layer, outputs)
            else:
                OUTPUT_ACTIVATIONS[self.output_activation].function(sums, outputs)
            values = outputs
        return values

    def infer(self, images: npt.NDArray[np.uint8]) -> tuple[Array, Array]:
        """Run images through the network, a block at a time.

        Parameters
        ----------
        images
            Shape (n, 784), 0 to 255.

        Returns
        -------
        tuple
            The logits and the outputs, each of shape (n, classes).
        """
        dtype, classes = self.parameters.dtype, self.layer_sizes[-1]
        logits = np.empty((len(images), classes), dtype)
        outputs = np.empty_like(logits)
        rows = min(len(images), _INFERENCE_ROWS)
        inputs = np.empty((rows, self.layer_sizes[0]), dtype)
        buffers = Buffers(self.layer_sizes, rows, dtype)
        for start in range(0, len(images), _INFERENCE_ROWS):
            block = slice(start, min(start + rows, len(images)))
            count = block.stop - block.start
            part = buffers.first(count)
            scale_pixels(images[block], out=inputs[:count])
            outputs[block] = self.forward(inputs[:count], part)
            logits[block] = part.sums[-1]
        return logits, outputs

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class, shape (n, classes), from what :meth:`infer` returns.

        Softmax gives them as they are; sigmoid and linear outputs are made into shares that
        sum to 1.
        """
        return OUTPUT_ACTIVATIONS[self.output_activation].probabilities(outputs)


def scale_pixels(images: npt.NDArray[np.uint8], out: Array) -> None:
    """Write pixels scaled from 0..255 to 0..1 into ``out``, of the same shape."""
    np.multiply(images, out.dtype.type(1 / 255), out=out)


def count_parameters(layer_sizes: Sequence[int]) -> int:
    """Weights and biases in a network of these layers."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(layer_sizes))


def split_parameters(vector: Array, layer_sizes: Sequence[int]) -> tuple[list[Array], list[Array]]:
    """The weight matrices and bias vectors inside a vector laid out like ``parameters``."""
    weights, biases = [], []
    start = 0
    for fan_in, fan_out in pairwise(layer_sizes):
        weights.append(vector[start : start + fan_in * fan_out].reshape(fan_in, fan_out))
        start += fan_in * fan_out
    for fan_out in layer_sizes[1:]:
        biases.append(vector[start : start + fan_out])
        start += fan_out
    return weights, biases
