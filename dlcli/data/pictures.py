"""A dataset's images as picture files, and in rows for a grid."""

from pathlib import Path

import numpy as np

from dlcli.data.augmentation import Distortions, Ranges
from dlcli.data.datasets import Examples
from dlcli.nn.random import random_stream
from dlcli.nn.types import Pixels
from dlcli.vision.preview import write_image

_COLUMNS = 10


def export(examples: Examples, folder: Path, limit: int | None) -> int:
    """Write the first ``limit`` images into ``folder`` as ``INDEX-LABEL.png``; return how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = min(limit or len(examples), len(examples))
    for index in range(count):
        name = f"{index:05d}-{examples.labels[index]}.png"
        write_image(examples.images[index], folder / name)
    return count


def rows(train: Examples) -> list[Pixels]:
    """The first ten images of each digit."""
    return [images[:_COLUMNS] for images in _by_digit(train)]


def distorted_rows(train: Examples, augmentation: Ranges, seed: int) -> list[Pixels]:
    """The first image of each digit, followed by nine distortions of it."""
    distort = Distortions(augmentation).apply
    random = random_stream(seed, "augmentation")
    firsts = [images[:1] for images in _by_digit(train)]
    return [
        np.concatenate([first, distort(np.repeat(first, _COLUMNS - 1, axis=0), random)])
        for first in firsts
    ]


def _by_digit(train: Examples) -> list[Pixels]:
    return [train.images[train.labels == digit] for digit in np.unique(train.labels)]
