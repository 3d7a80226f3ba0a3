"""The first epochs on images of half the size, which take a fraction of the time.

Each 2x2 block of pixels becomes one input, half of the block's sum: the projection P of an image
onto the images that are even in each block, in an orthonormal basis. The first layer's weights W
become PW. As P has orthonormal rows, a step of gradient descent on PW is that of the whole network
on blurred images with equal weights in each block, weight decay, momentum and norms included.
After each epoch the weights are spread over the pixels again, transpose(P) PW: there a network of
28x28 inputs is evaluated and kept, and from there whole images go on.

Training on coarse images first is that of Touvron et al., "Fixing the train-test resolution
discrepancy", 2019, and of Tan and Le, "EfficientNetV2" (progressive learning), 2021.
"""

from collections.abc import Callable

import numpy as np

from dlcli.config.schema import Config
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels
from dlcli.training.builders import make_optimizer
from dlcli.training.state import TrainingState

_SIDE = IMAGE_SIDE // 2
_INPUTS = _SIDE**2
# Images that are halved at once, so that they stay in the cache: 60,000 take 40 ms, all at once 70.
_BLOCK = 256


def halved(images: Pixels) -> Array:
    """Images, shape (n, 784), as inputs, shape (n, 196): half of each four pixels' sum."""
    inputs = np.empty((len(images), _SIDE, _SIDE), np.float32)
    for start in range(0, len(images), _BLOCK):
        some = slice(start, start + _BLOCK)
        blocks = images[some].reshape(-1, _SIDE, 2, _SIDE, 2)
        rows = np.add(blocks[:, :, 0], blocks[:, :, 1], dtype=np.uint16)
        np.multiply(rows[..., 0] + rows[..., 1], np.float32(1 / 2 / 255), out=inputs[some])
    return inputs.reshape(-1, _INPUTS)


def pooled_weights(weights: Array) -> Array:
    """Weights of shape (784, neurons) as those of half the size, shape (196, neurons)."""
    blocks = weights.reshape(_SIDE, 2, _SIDE, 2, -1)
    return np.asarray(blocks.sum(axis=(1, 3)) / 2).reshape(_INPUTS, -1)


def spread_weights(weights: Array) -> Array:
    """Weights of half the size, shape (196, neurons), over all pixels, shape (784, neurons)."""
    blocks = np.empty((_SIDE, 2, _SIDE, 2, weights.shape[1]), weights.dtype)
    blocks[...] = weights.reshape(_SIDE, 1, _SIDE, 1, -1) / 2
    return blocks.reshape(IMAGE_SIDE**2, -1)


class HalfSize:
    """Training at half the size, in place of a training state.

    Attributes
    ----------
    images
        The training images, shape (n, 196).
    state
        What is trained.
    """

    def __init__(self, config: Config, images: Pixels, whole: TrainingState) -> None:
        self.images = halved(images)
        network = _half_of(whole.network)
        optimizer = make_optimizer(config, network.parameters, network.weight_count)
        average = None if whole.average is None else _half_of(whole.average)
        self.state = TrainingState(network, optimizer, average, whole.epoch)
        self._whole = whole
        for half, full in zip(_vectors(self.state), _vectors(whole), strict=True):
            _convert(pooled_weights, full, whole.network, half)

    def finish_epoch(self) -> None:
        """Bring the whole state to where this one is after an epoch."""
        whole, state = self._whole, self.state
        for half, full in zip(_vectors(state), _vectors(whole), strict=True):
            _convert(spread_weights, half, state.network, full)
        whole.network.statistics[...] = state.network.statistics
        if whole.average is not None and state.average is not None:
            whole.average.statistics[...] = state.average.statistics
        whole.epoch, whole.gradient_norm = state.epoch, state.gradient_norm


def _vectors(state: TrainingState) -> list[Array]:
    """The arrays that are laid out like parameters; those of SGD are."""
    averages = [] if state.average is None else [state.average.parameters]
    return [state.network.parameters, *state.optimizer.state.values(), *averages]


def _convert(
    change: Callable[[Array], Array], source: Array, network: Network, target: Array
) -> None:
    """Change the first layer's weights in a vector of a network's, and copy the rest."""
    weights = network.weights[0]
    first = change(source[: weights.size].reshape(weights.shape))
    target[: first.size] = first.reshape(-1)
    target[first.size :] = source[weights.size :]


def _half_of(network: Network) -> Network:
    """A network of 196 inputs with the same batch statistics; its parameters are all 0."""
    half = Network(
        (_INPUTS, *network.layer_sizes[1:]),
        network.activations,
        network.output_activation,
        network.parameters.dtype,
        batch_norm=network.batch_norm,
    )
    half.statistics[...] = network.statistics
    return half
