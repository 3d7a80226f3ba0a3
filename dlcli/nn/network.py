"""The multilayer perceptron: its parameters and its forward pass.

A layer computes weighted sums plus bias, z = a W + b, and its activations a' = f(z). All
parameters live in one contiguous vector: first the weights of all layers, then all biases and,
with batch normalisation, the scales of all hidden neurons. So an optimiser updates them, and
weight decay its part of them, in one sweep. The matrices of the layers are views of it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.batch_norm import fuse
from dlcli.nn.initializers import AUTO, initial_weights, receptive_fields
from dlcli.nn.memory import zeros
from dlcli.nn.types import Array

# Images of one inference pass: enough for efficient matrix products, few enough to keep the
# activations of a wide network small.
_INFERENCE_ROWS = 1000


class Buffers:
    """The memory of a forward pass, allocated once for batches of up to ``rows`` images.

    Attributes
    ----------
    values
        Each hidden layer's activations, shape (rows, neurons), and at the end the logits.
    derivatives
        Each hidden layer's da/dz, of the same shapes; empty in inference.
    outputs
        The output activation of the logits, shape (rows, classes).
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        rows: int,
        dtype: npt.DTypeLike,
        *,
        with_derivatives: bool = False,
    ) -> None:
        *hidden, classes = layer_sizes[1:]
        self.values: list[Array] = [np.empty((rows, size), dtype) for size in hidden]
        self.derivatives: list[Array] = []
        if with_derivatives:
            self.derivatives = [np.empty_like(values) for values in self.values]
        # Stored class by class: the largest of ten logits and the sum of ten exponentials then
        # take 11 us for 128 rows instead of 26, and the loss of 2,048 rows 80 us instead of 330.
        self.values.append(np.empty((classes, rows), dtype).T)
        self.outputs: Array = np.empty((classes, rows), dtype).T

    def first(self, rows: int) -> "Buffers":
        """The same memory as buffers for as many rows or fewer."""
        if rows == len(self.outputs):
            return self
        part = object.__new__(Buffers)
        part.values = [array[:rows] for array in self.values]
        part.derivatives = [array[:rows] for array in self.derivatives]
        part.outputs = self.outputs[:rows]
        return part


class Network:
    """A fully connected network with one output per class.

    Attributes
    ----------
    parameters
        Every weight, then every bias, then every scale, shape (parameters,).
    weights, biases
        Views into ``parameters``, one a layer, shapes (fan-in, fan-out) and (fan-out,).
    scales
        Views into ``parameters``, one a hidden layer, shape (neurons,); none without batch
        normalisation.
    statistics
        The running means, then the variances, of every hidden neuron's sums; empty without
        batch normalisation.
    means, variances
        Views into ``statistics``, one a hidden layer.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        activations: Sequence[str],
        output_activation: str,
        dtype: npt.DTypeLike = np.float32,
        *,
        batch_norm: bool = False,
    ) -> None:
        """Allocate a network whose parameters are all 0.

        ``layer_sizes`` go from input to output; ``activations`` has a name for each hidden layer.
        """
        self.layer_sizes = tuple(layer_sizes)
        self.activations = tuple(activations)
        self.output_activation = output_activation
        self.batch_norm = batch_norm
        hidden = self.layer_sizes[1:-1] if batch_norm else ()
        self.parameters: Array = zeros(count_parameters(layer_sizes) + sum(hidden), dtype)
        self.weights, self.biases, self.scales = split_parameters(
            self.parameters, layer_sizes, batch_norm=batch_norm
        )
        self.weight_count = sum(weight.size for weight in self.weights)
        self.statistics: Array = np.zeros(2 * sum(hidden), dtype)
        self.means = _split(self.statistics, hidden)
        self.variances = _split(self.statistics[sum(hidden) :], hidden)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the vectors alone: the views into them are made anew."""
        arguments = (
            self.layer_sizes,
            self.activations,
            self.output_activation,
            self.parameters.dtype,
        )
        make = partial(Network, batch_norm=self.batch_norm)
        return make, arguments, (self.parameters, self.statistics)

    def __setstate__(self, vectors: tuple[Array, Array]) -> None:
        self.parameters[...], self.statistics[...] = vectors

    def initialize(
        self,
        name: str,
        stddev: float,
        random: "np.random.Generator",
        receptive_field: float | None = None,
    ) -> None:
        """Draw random weights, set biases to 0, and scales to 1 (see ``initializers``).

        ``receptive_field`` is that of the first layer's neurons, of pixels, if they have one.
        """
        suitable = [ACTIVATIONS[activation].initializer for activation in self.activations]
        suitable.append(OUTPUT_ACTIVATIONS[self.output_activation].initializer)
        for weight, initializer in zip(self.weights, suitable, strict=True):
            chosen = initializer if name == AUTO else name
            shape = (weight.shape[0], weight.shape[1])
            weight[...] = initial_weights(chosen, shape, stddev, random)
        if receptive_field is not None:
            first = self.weights[0]
            first *= receptive_fields(first.shape[1], receptive_field, random)
        self.parameters[self.weight_count :] = 0
        self.statistics[...] = 0
        for ones in (*self.scales, *self.variances):
            ones[...] = 1

    def forward(self, inputs: Array, buffers: Buffers) -> Array:
        """Compute the outputs for a batch, leaving each layer's values in ``buffers``.

        This is inference: no dropout, and batch normalisation has to be fused. The forward
        pass of training is that of ``Backpropagation``. The inputs are pixels from 0 to 1, shape
        (n, 784), and the buffers have exactly n rows.
        """
        before = inputs
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = buffers.values[layer]
            np.matmul(before, weight, out=values)
            values += bias
            if layer < len(self.activations):
                ACTIVATIONS[self.activations[layer]].forward(values, None)
            before = values
        OUTPUT_ACTIVATIONS[self.output_activation].forward(before, buffers.outputs)
        return buffers.outputs

    def infer(self, images: npt.NDArray[np.uint8] | Array) -> tuple[Array, Array]:
        """Compute logits and outputs, both of shape (n, classes), a block of images at a time.

        The images are pixels from 0 to 255 or floats from 0 to 1, shape (n, 784).
        """
        logits = np.empty((len(images), self.layer_sizes[-1]), self.parameters.dtype)
        outputs = np.empty_like(logits)
        for block, buffers in self._forward_in_blocks(images):
            logits[block], outputs[block] = buffers.values[-1], buffers.outputs
        return logits, outputs

    def layer_outputs(self, images: npt.NDArray[np.uint8] | Array) -> list[Array]:
        """Compute what every layer gives, from the first to the output, shapes (n, neurons).

        The images are as for :meth:`infer`.
        """
        shapes = [(len(images), neurons) for neurons in self.layer_sizes[1:]]
        found: list[Array] = [np.empty(shape, self.parameters.dtype) for shape in shapes]
        for block, buffers in self._forward_in_blocks(images):
            layers = [*buffers.values[:-1], buffers.outputs]
            for array, values in zip(found, layers, strict=True):
                array[block] = values
        return found

    def _forward_in_blocks(
        self, images: npt.NDArray[np.uint8] | Array
    ) -> Iterator[tuple[slice, Buffers]]:
        """The forward pass of each block of images; the next one overwrites the buffers."""
        network = self.fuse_batch_norm()
        dtype, rows = self.parameters.dtype, min(len(images), _INFERENCE_ROWS)
        inputs = np.empty((rows, self.layer_sizes[0]), dtype)
        buffers = Buffers(self.layer_sizes, rows, dtype)
        for start in range(0, len(images), _INFERENCE_ROWS):
            block = slice(start, min(start + rows, len(images)))
            part = buffers.first(block.stop - start)
            scale_pixels(images[block], out=inputs[: block.stop - start])
            network.forward(inputs[: block.stop - start], part)
            yield block, part

    def like(self) -> "Network":
        """A network of the same shape whose parameters are all 0."""
        return Network(
            self.layer_sizes,
            self.activations,
            self.output_activation,
            self.parameters.dtype,
            batch_norm=self.batch_norm,
        )

    def fuse_batch_norm(self) -> "Network":
        """A network without batch normalisation that computes the same.

        The running mean and variance of each neuron become part of its weights and its bias.
        A network without batch normalisation is returned as it is.
        """
        if not self.batch_norm:
            return self
        plain = Network(
            self.layer_sizes, self.activations, self.output_activation, self.parameters.dtype
        )
        plain.parameters[...] = self.parameters[: plain.parameters.size]
        for layer, scale in enumerate(self.scales):
            plain.weights[layer][...], plain.biases[layer][...] = fuse(
                self.weights[layer],
                self.biases[layer],
                scale,
                self.means[layer],
                self.variances[layer],
            )
        return plain

    def limit_norms(self, limit: float, frozen_layers: int = 0) -> None:
        """Shorten each hidden neuron's vector of incoming weights to at most ``limit``.

        The first ``frozen_layers`` stay as they are. Source: Srivastava et al., "Dropout", 2014,
        section 5.1 (max-norm).
        """
        for weight in self.weights[frozen_layers:-1]:
            norms = np.sqrt(np.einsum("ij,ij->j", weight, weight))
            longer = np.flatnonzero(norms > limit)
            if longer.size:
                weight[:, longer] *= limit / norms[longer]

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class, shape (n, classes), from what :meth:`infer` returns.

        Softmax outputs are probabilities; sigmoid and linear outputs are divided by their sum.
        """
        return OUTPUT_ACTIVATIONS[self.output_activation].probabilities(outputs)


def scale_pixels(images: npt.NDArray[np.uint8] | Array, out: Array) -> None:
    """Write pixels scaled from 0..255 to 0..1, or floats as they are, into ``out``."""
    np.copyto(out, images, casting="same_kind")
    if images.dtype == np.uint8:
        out *= out.dtype.type(1 / 255)


def count_parameters(layer_sizes: Sequence[int]) -> int:
    """Weights and biases in a network of these layers."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(layer_sizes))


def split_parameters(
    vector: Array, layer_sizes: Sequence[int], *, batch_norm: bool = False
) -> tuple[list[Array], list[Array], list[Array]]:
    """The weights, biases and scales inside a vector laid out like ``parameters``."""
    shapes = list(pairwise(layer_sizes))
    flat = _split(vector, [fan_in * fan_out for fan_in, fan_out in shapes])
    weights = [weight.reshape(shape) for weight, shape in zip(flat, shapes, strict=True)]
    neurons = layer_sizes[1:]
    rest = vector[sum(weight.size for weight in weights) :]
    scales = _split(rest[sum(neurons) :], neurons[:-1] if batch_norm else ())
    return weights, _split(rest, neurons), scales


def _split(vector: Array, sizes: Sequence[int]) -> list[Array]:
    """Views of consecutive parts of a vector, one of each size."""
    ends = list(accumulate(sizes))
    return [vector[end - size : end] for end, size in zip(ends, sizes, strict=True)]
