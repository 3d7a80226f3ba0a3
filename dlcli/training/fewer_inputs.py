"""Training with fewer inputs than pixels, where that gives the same network or a good start.

Pixels that are 0 in every training image (67 of MNIST's 784) have no gradient: without them, the
same network is trained. Their weights stay as they are, also after epochs of half the size, where
the momentum of their neighbours would move them a little.

The first epochs may show images of half the size. Each 2x2 block of pixels becomes one input, half
of the block's sum: the projection P of an image onto the images that are even in each block, in an
orthonormal basis. The first layer's weights W become PW. As P has orthonormal rows, a step of
gradient descent on PW is that of the whole network on blurred images with equal weights in each
block, weight decay, momentum and norms included. After each epoch the weights are spread over the
pixels again, transpose(P) PW: there a network of 28x28 inputs is evaluated and kept, and from there
training continues with whole images. Training on coarse images first is that of Touvron et al.,
"Fixing the train-test resolution discrepancy", 2019, and of Tan and Le, "EfficientNetV2"
(progressive learning), 2021.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dlcli.config.schema import Config
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels
from dlcli.training.builders import make_optimizer
from dlcli.training.state import TrainingState

_SIDE = IMAGE_SIDE // 2
# Images that are halved at once, so that they stay in the cache: 60,000 take 40 ms, all at once 70.
_BLOCK = 256
# Pixels that are always 0 are left out if that saves this fraction of the products of a step: an
# epoch of 784-128-10 on MNIST takes 7 to 10 % less time then, and another copy of the images.
_WORTH_LEAVING_OUT = 0.05


class Inputs(Protocol):
    """What a network is shown instead of all pixels."""

    @property
    def images(self) -> Pixels | Array:
        """The training images, shape (n, inputs)."""

    @property
    def left_out(self) -> npt.NDArray[np.intp]:
        """The pixels whose weights stay as they are."""

    def of_weights(self, weights: Array) -> Array:
        """The weights of the inputs, given those of the pixels, shape (784, neurons)."""

    def restore(self, weights: Array, pixels: Array) -> None:
        """Write the weights of the inputs into those of the pixels."""


class VaryingPixels:
    """The pixels that are not 0 in every image."""

    def __init__(self, images: Pixels, varying: npt.NDArray[np.intp]) -> None:
        self.images = np.take(images, varying, axis=1)
        self.left_out = np.delete(np.arange(images.shape[1]), varying)
        self._varying = varying

    def of_weights(self, weights: Array) -> Array:
        """The weights of the inputs, given those of the pixels, shape (784, neurons)."""
        chosen: Array = weights[self._varying]
        return chosen

    def restore(self, weights: Array, pixels: Array) -> None:
        """Write the weights of the inputs into those of the pixels."""
        pixels[self._varying] = weights


class HalfSize:
    """Images of half the size."""

    def __init__(self, images: Pixels) -> None:
        self.images = halved(images)
        self.left_out = np.arange(0)

    def of_weights(self, weights: Array) -> Array:
        """The weights of the inputs, given those of the pixels, shape (784, neurons)."""
        return pooled_weights(weights)

    def restore(self, weights: Array, pixels: Array) -> None:
        """Write the weights of the inputs into those of the pixels."""
        pixels[...] = spread_weights(weights)


def fewer_inputs(
    config: Config, images: Pixels, layer_sizes: Sequence[int], epoch: int
) -> Inputs | None:
    """What to show in the next epoch, after so many, instead of all pixels; None if these."""
    if epoch < config.half_size_epochs:
        return HalfSize(images)
    moves_all = config.weight_decay or config.max_norm is not None
    if moves_all or config.input_dropout or config.augmentation is not None:
        return None
    varying = np.flatnonzero(images.any(axis=0))
    if _saved(layer_sizes, len(varying)) < _WORTH_LEAVING_OUT:
        return None
    return VaryingPixels(images, varying)


def _saved(layer_sizes: Sequence[int], inputs: int) -> float:
    """The fraction of a step's products that so many inputs save."""
    # A layer has a product forward and one for its gradient; all but the first have a third.
    first, *others = (a * b for a, b in pairwise(layer_sizes))
    return 2 * first * (1 - inputs / layer_sizes[0]) / (2 * first + 3 * sum(others))


def halved(images: Pixels) -> Array:
    """Images, shape (n, 784), as inputs, shape (n, 196): half of each four pixels' sum."""
    inputs = np.empty((len(images), _SIDE, _SIDE), np.float32)
    for start in range(0, len(images), _BLOCK):
        some = slice(start, start + _BLOCK)
        blocks = images[some].reshape(-1, _SIDE, 2, _SIDE, 2)
        rows = np.add(blocks[:, :, 0], blocks[:, :, 1], dtype=np.uint16)
        np.multiply(rows[..., 0] + rows[..., 1], np.float32(1 / 2 / 255), out=inputs[some])
    return inputs.reshape(-1, _SIDE**2)


def pooled_weights(weights: Array) -> Array:
    """Weights of shape (784, neurons) as those of half the size, shape (196, neurons)."""
    blocks = weights.reshape(_SIDE, 2, _SIDE, 2, -1)
    return np.asarray(blocks.sum(axis=(1, 3)) / 2).reshape(_SIDE**2, -1)


def spread_weights(weights: Array) -> Array:
    """Weights of half the size, shape (196, neurons), over all pixels, shape (784, neurons)."""
    blocks = np.empty((_SIDE, 2, _SIDE, 2, weights.shape[1]), weights.dtype)
    blocks[...] = weights.reshape(_SIDE, 1, _SIDE, 1, -1) / 2
    return blocks.reshape(IMAGE_SIDE**2, -1)


class FewerInputs:
    """Training with fewer inputs, in place of a training state.

    Attributes
    ----------
    state
        What is trained.
    """

    def __init__(self, config: Config, inputs: Inputs, whole: TrainingState) -> None:
        network = _with_inputs(whole.network, inputs)
        optimizer = make_optimizer(config, network.parameters, network.weight_count)
        average = None if whole.average is None else _with_inputs(whole.average, inputs)
        self.state = TrainingState(network, optimizer, average, whole.epoch)
        self.images = inputs.images
        self._inputs, self._whole = inputs, whole
        for few, (first, rest) in self._vectors():
            size = few.size - rest.size
            few[:size] = inputs.of_weights(first).reshape(-1)
            few[size:] = rest
        for few, array in self._counts():
            few[...] = array

    def finish_epoch(self) -> None:
        """Bring the whole state to where this one is after an epoch."""
        whole, state = self._whole, self.state
        for few, (first, rest) in self._vectors():
            size = few.size - rest.size
            self._inputs.restore(few[:size].reshape(-1, first.shape[1]), first)
            rest[...] = few[size:]
        for few, array in self._counts():
            array[...] = few
        whole.network.statistics[...] = state.network.statistics
        if whole.average is not None and state.average is not None:
            whole.average.statistics[...] = state.average.statistics
            # The mean of weights that stay as they are; after half-size epochs it is another.
            still = self._inputs.left_out
            whole.average.weights[0][still] = whole.network.weights[0][still]
        whole.epoch, whole.gradient_norm = state.epoch, state.gradient_norm

    def _vectors(self) -> list[tuple[Array, tuple[Array, Array]]]:
        """Each vector laid out like parameters, and the whole one: its first layer and the rest."""
        few, whole = self.state, self._whole
        pairs = [(few.network.parameters, whole.network.parameters)]
        for name, array in whole.optimizer.state.items():
            if array.size == whole.network.parameters.size:
                pairs.append((few.optimizer.state[name], array))
        if few.average is not None and whole.average is not None:
            pairs.append((few.average.parameters, whole.average.parameters))
        first = whole.network.weights[0]
        return [(a, (b[: first.size].reshape(first.shape), b[first.size :])) for a, b in pairs]

    def _counts(self) -> list[tuple[Array, Array]]:
        """What else the optimiser counts, and the same of the whole one."""
        whole, few = self._whole.optimizer, self.state.optimizer
        size = whole.parameters.size
        return [(few.state[name], a) for name, a in whole.state.items() if a.size != size]


def _with_inputs(network: Network, inputs: Inputs) -> Network:
    """A network of so many inputs with the same batch statistics; its parameters are all 0."""
    fewer = Network(
        (inputs.images.shape[1], *network.layer_sizes[1:]),
        network.activations,
        network.output_activation,
        network.parameters.dtype,
        batch_norm=network.batch_norm,
    )
    fewer.statistics[...] = network.statistics
    return fewer
