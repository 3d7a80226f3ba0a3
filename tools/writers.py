"""Digits of MNIST that look as if one person had written them.

MNIST does not say who wrote its test images. Digits of similar slant, stroke width and breadth,
each compared with others of its class, pass for one hand.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcli.data import datasets
from dlcli.data.cache import status
from dlcli.data.examples import Dataset, Examples
from dlcli.data.location import default
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.mnist_format import bounding_box
from tools.photographs import Marks

Random = np.random.Generator
Floats = npt.NDArray[np.float64]

# A writer has so many forms of each digit.
FORMS = 6
_DIGITS = 10
# MNIST scales the longer side of a digit to 20 pixels. One that is wider than this, in proportion
# to its height, would become larger than its neighbours when all are scaled to the same height.
_MAX_ASPECT = 1.15
# Digits among which hands are looked for; with more of them, measuring takes long.
_MOST = 10_000
# At least this level counts as part of a digit, where its extent is measured.
_EXTENT_LEVEL = 64


@dataclass(frozen=True)
class Writer:
    """One hand: a few forms of each digit.

    Attributes
    ----------
    forms
        For each digit from 0 to 9 its images, cut out, light on dark.
    indices
        Where these are among the digits of the set.
    """

    forms: tuple[tuple[Marks, ...], ...]
    indices: tuple[tuple[int, ...], ...]

    def write(self, digit: int, random: Random) -> Marks:
        """A digit in one of the writer's forms."""
        forms = self.forms[digit]
        return forms[random.integers(len(forms))]


class Writers:
    """The hands that can be made up from a set of digits.

    Parameters
    ----------
    digits
        Images and labels; at least one of each digit.
    """

    def __init__(self, digits: Examples) -> None:
        self._images = digits.images[:_MOST].reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
        labels = digits.labels[:_MOST]
        styles, aspects = _measure(self._images)
        self._members: list[npt.NDArray[np.intp]] = []
        self._styles: list[Floats] = []  # of the members, in standard deviations of their class
        for digit in range(_DIGITS):
            of_class = np.flatnonzero(labels == digit)
            members = of_class[aspects[of_class] <= _MAX_ASPECT]
            members = members if len(members) else of_class
            style = styles[members] - styles[members].mean(axis=0)
            self._members.append(members)
            self._styles.append(style / np.maximum(style.std(axis=0), 1e-6))

    def any_writer(self, random: Random) -> Writer:
        """A hand whose style is that of a digit chosen at random."""
        styles = self._styles[random.integers(_DIGITS)]
        style = styles[random.integers(len(styles))]
        indices = tuple(self._nearest(digit, style) for digit in range(_DIGITS))
        forms = (tuple(_cut_out(self._images[index]) for index in chosen) for chosen in indices)
        return Writer(tuple(forms), indices)

    def _nearest(self, digit: int, style: Floats) -> tuple[int, ...]:
        distances = np.square(self._styles[digit] - style).sum(axis=1)
        order = np.argsort(distances, kind="stable")[:FORMS]
        return tuple(self._members[digit][order].tolist())


def load_digits(name: str | None = None, data_dir: Path | None = None) -> Dataset:
    """A dataset by name or folder; without one MNIST, or the sample if it is not cached."""
    if name is None:
        cache = data_dir or default().path
        name = "mnist" if status("mnist", cache) == "complete" else "sample"
    return datasets.load(name, data_dir)


def _cut_out(image: Pixels) -> Marks:
    marks: Marks = image[bounding_box(image >= _EXTENT_LEVEL)]
    return marks


def _measure(images: Pixels) -> tuple[Floats, Floats]:
    """Slant, stroke width and breadth of each image, shape (n, 3); and width by height.

    The images have the shape (n, 28, 28).
    """
    levels = images / np.float32(255)
    covered = images >= _EXTENT_LEVEL
    height = np.maximum(covered.any(axis=2).sum(axis=1), 1)
    width = np.maximum(covered.any(axis=1).sum(axis=1), 1)
    mass = np.maximum(levels.sum(axis=(1, 2)), 1e-6)
    line = np.arange(IMAGE_SIDE)
    x = line - (levels.sum(axis=1) @ line / mass)[:, np.newaxis]
    y = line - (levels.sum(axis=2) @ line / mass)[:, np.newaxis]
    slant = np.einsum("nij,ni,nj->n", levels, y, x) / np.einsum("nij,ni->n", levels, y * y)
    # A stroke of width w and length l has the area w * l and two edges of length l.
    edges = sum(np.abs(np.diff(levels, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    stroke = 2 * mass / np.maximum(edges, 1e-6) / height
    aspect = width / height
    return np.column_stack([slant, stroke, aspect]), aspect
