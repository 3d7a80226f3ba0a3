"""The batches of an epoch: shuffled, distorted, mixed, with targets and the weights of classes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.augmentation import Distortions
from dlcli.data.examples import Examples
from dlcli.nn.dimensions import MIN_NORMALISED
from dlcli.nn.kernels import Pass
from dlcli.nn.losses import one_hot, smooth
from dlcli.nn.network import Network
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array, Labels, Pixels, Rows

# Images that are gathered, distorted and scored at once: enough to make the calls of NumPy
# cheap, few enough for the pixels to stay in the cache.
_BLOCK_ROWS = 2048


def steps_per_epoch(config: Config, images: int) -> int:
    """Batches in an epoch.

    The images left over make a smaller batch, with batch normalisation only if they fill half of
    it: the mean and variance of a few images are too noisy. Each epoch leaves out other images.
    """
    whole, rest = divmod(images, config.batch_size)
    least = max(config.batch_size / 2, MIN_NORMALISED)
    left_out = config.batch_norm and whole and rest < least
    return whole + (0 if left_out or not rest else 1)


@dataclass(frozen=True)
class Block:
    """Consecutive batches of an epoch; ``first_step`` counts the batches before, from 0.

    They are made of the ``rows`` of ``images``, with a label and a target for each.
    ``weights`` has the weight of each image, by its class and its dataset; None where all count
    alike.
    """

    first_step: int
    images: Pixels | Array
    rows: Rows
    labels: Labels
    targets: Array
    weights: Array | None

    def batches(self, size: int) -> Iterator[tuple[slice, Rows, Array, Array | None]]:
        """The place in the block, the rows, the targets and the weights of each batch."""
        for start in range(0, len(self.labels), size):
            batch = slice(start, min(start + size, len(self.labels)))
            weights = None if self.weights is None else self.weights[batch]
            yield batch, self.rows[batch], self.targets[batch], weights


class Batches:
    """The training images in batches of ``size``, in another order each epoch.

    Attributes
    ----------
    steps
        Batches in an epoch.
    rows
        The images of the largest block.
    """

    def __init__(
        self,
        config: Config,
        train: Examples,
        network: Network,
        class_weights: Array | None,
        images: Pixels | Array | None = None,
    ) -> None:
        """``class_weights`` has one weight a class, if they do not count alike.

        ``images`` are those to show to the network, if not the examples'.
        """
        self._images = train.images if images is None else images
        self.steps = steps_per_epoch(config, len(train))
        self.size = min(config.batch_size, len(train))
        self._config, self._train = config, train
        self._weights = _weights(config, train, class_weights)
        self._classes, self._dtype = network.layer_sizes[-1], network.parameters.dtype
        self._distortions = Distortions(config.augmentation) if config.augmentation else None
        self._block_steps = max(_BLOCK_ROWS // self.size, 1)
        self.rows = self._block_steps * self.size

    def use(self, kernels: Mapping[str, Pass]) -> None:
        """Have these passes distort the images; no bit depends on them."""
        if self._distortions is not None:
            self._distortions.kernels = kernels

    def epoch(self, epoch: int) -> Iterator[Block]:
        """The batches of an epoch, counted from 0, some at a time."""
        seed = self._config.seed
        order = random_stream(seed, "shuffling", epoch).permutation(len(self._train))
        augmentation_random = random_stream(seed, "augmentation", epoch)
        mixup_random = random_stream(seed, "mixup", epoch)
        for first_step in range(0, self.steps, self._block_steps):
            last_step = min(first_step + self._block_steps, self.steps)
            rows = order[first_step * self.size : last_step * self.size]
            images, labels, rows_of_images = self._images, self._train.labels[rows], rows
            if self._distortions is not None:
                images = self._distortions.apply(self._train.images[rows], augmentation_random)
                rows_of_images = np.arange(len(rows))
            targets = one_hot(labels, self._classes, self._dtype)
            targets = smooth(targets, self._config.label_smoothing)
            weights = None if self._weights is None else self._weights[rows]
            block = Block(first_step, images, rows_of_images, labels, targets, weights)
            if self._config.mixup:
                block = mixed(block, self.size, self._config.mixup, mixup_random)
            yield block


def mixed(block: Block, batch_size: int, alpha: float, random: np.random.Generator) -> Block:
    """Blend each image, its target and its weight with those of another image of its batch.

    One of the two fractions is drawn from the beta distribution with both parameters ``alpha``, the
    other one is the rest of 1; the image's own is the larger one. Where images have weights, each
    counts in the blended target with its own, so that heavy ones stay heavy.
    Source: Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond empirical risk minimization", 2018.
    """
    count = len(block.labels)
    starts = range(0, count, batch_size)
    others = np.concatenate(
        [start + random.permutation(min(batch_size, count - start)) for start in starts]
    )
    drawn = random.beta(alpha, alpha, count).astype(block.targets.dtype)
    own = np.maximum(drawn, 1 - drawn)
    other = 1 - own
    images = block.images[block.rows]
    blended: Pixels | Array = own[:, np.newaxis] * images + other[:, np.newaxis] * images[others]
    if images.dtype == np.uint8:
        blended = np.rint(blended).astype(np.uint8)
    weights = block.weights
    if weights is not None:
        own, other = own * weights, other * weights[others]
        weights = own + other
        own, other = own / weights, other / weights
    targets = own[:, np.newaxis] * block.targets + other[:, np.newaxis] * block.targets[others]
    return replace(
        block,
        images=blended,
        rows=np.arange(count),
        targets=np.asfortranarray(targets),  # see one_hot
        weights=weights,
    )


def _weights(config: Config, train: Examples, class_weights: Array | None) -> Array | None:
    """The weight of each training image; None where all count alike."""
    weights = None if class_weights is None else class_weights[train.labels]
    of_parts = np.array(config.dataset_weights, np.float32)
    if train.parts is None or (of_parts == 1).all():
        return weights
    chosen: Array = of_parts[train.parts]
    return chosen if weights is None else chosen * weights
