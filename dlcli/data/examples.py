"""Labelled images in memory: examples, datasets of them, and mixtures of datasets."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcli.data import classes
from dlcli.data.classes import DIGITS, summary
from dlcli.data.registry import sha256
from dlcli.errors import ConfigError, DatasetError
from dlcli.files import expand_home
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Labels, Pixels, Writers
from dlcli.vision import Preprocessing

if TYPE_CHECKING:
    from dlcli.data.image_folder import Unusable


@dataclass(frozen=True)
class Examples:
    """Images, shape (n, 784), 0 (background) to 255 (foreground), and labels, shape (n,).

    ``parts`` is the number of the part that each image of a mixture comes from, shape (n,);
    ``writers`` that of the writer of each image, where it is known; ``kept`` are the places
    that the images had in their split before others were left out.
    """

    images: Pixels
    labels: Labels
    parts: npt.NDArray[np.uint8] | None = None
    writers: Writers | None = None
    kept: npt.NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Examples":
        """Some of the examples, by their numbers or a mask."""
        parts = None if self.parts is None else self.parts[rows]
        writers = None if self.writers is None else self.writers[rows]
        return Examples(self.images[rows], self.labels[rows], parts, writers, self.places[rows])

    @property
    def places(self) -> npt.NDArray[np.intp]:
        """The place of each image in its split, from 0, shape (n,)."""
        return np.arange(len(self)) if self.kept is None else self.kept

    def evenly_spaced(self, most: int) -> "Examples":
        """Up to ``most`` of the examples, from all over the dataset: it may be sorted by class."""
        return self.take(np.linspace(0, len(self) - 1, min(len(self), most)).astype(np.intp))


@dataclass(frozen=True)
class Dataset:
    """A whole dataset in memory.

    Attributes
    ----------
    checksum
        Identifies its content.
    class_names
        The name of each class; labels are their indices.
    folder
        The absolute path of what was loaded as a folder; None for what was loaded by a name of
        ``DATASETS``.
    preprocessing
        How pictures must be prepared for a model of this dataset.
    unusable
        The pictures of a folder that are left out.
    notes
        What the user should know about it, a line each.
    parts
        The datasets of a mixture, in order, without their images.
    writers_checksum
        The SHA-256 sum of the file that names the writers; None without one.
    pictures
        Of a folder of pictures, the path inside it that each training image was made of, and then
        each test image; None for other datasets.
    """

    name: str
    train: Examples
    test: Examples
    checksum: str
    class_names: tuple[str, ...] = DIGITS
    folder: str | None = None
    preprocessing: Preprocessing = "digit"
    unusable: "tuple[Unusable, ...]" = ()
    notes: tuple[str, ...] = ()
    parts: "tuple[Dataset, ...]" = field(default=(), repr=False)
    writers_checksum: str | None = None
    pictures: tuple[tuple[str, ...], tuple[str, ...]] | None = field(default=None, repr=False)

    def picture(self, split: str, place: int) -> str | None:
        """The path of the picture that an image was made of; None where it was of none.

        ``place`` is that of :attr:`Examples.places`; validation images have those of training.
        """
        if self.pictures is None or self.folder is None:
            return None
        is_near = os.path.abspath(expand_home(self.name)) == self.folder  # noqa: PTH100 - links stay
        folder = expand_home(self.name) if is_near else self.folder
        return str(Path(folder) / self.pictures[split == "test"][place])

    def of_classes(self, names: Sequence[object] | None) -> "Dataset":
        """The images of some of the classes, which keep their order; of all classes for None.

        ``checksum`` stays that of the whole.

        Raises
        ------
        ConfigError
            A class is not there, or has no images to train on or none to test with.
        """
        if names is None:
            return self
        wanted = set(map(str, names))
        for name in map(str, names):
            if name not in self.class_names:
                there = summary(self.class_names)
                raise ConfigError(f"classes: {self.name} has no class {name!r:.60}; it has {there}")
        kept = [label for label, name in enumerate(self.class_names) if name in wanted]
        dtype = np.uint8 if len(kept) <= 256 else np.uint16
        new_labels: Labels = np.zeros(len(self.class_names), dtype)
        new_labels[kept] = np.arange(len(kept))

        def some(part: Examples) -> Examples:
            chosen = part.take(np.isin(part.labels, kept))
            return replace(chosen, labels=new_labels[chosen.labels])

        train, test = some(self.train), some(self.test)
        for part, examples in (("training", train), ("test", test)):
            if not len(examples):
                raise ConfigError(f"classes: {self.name} has no {part} images of these classes")
        class_names = tuple(self.class_names[label] for label in kept)
        return replace(self, train=train, test=test, class_names=class_names)

    def for_training(self, names: Sequence[object] | None) -> "Dataset":
        """As :meth:`of_classes`, of two classes or more: a network is to tell them apart.

        Raises
        ------
        ConfigError
            As :meth:`of_classes`.
        DatasetError
            It has only one class.
        """
        if len(self.class_names) < classes.MIN_CLASSES:
            raise DatasetError(
                f"{self.name}: has only one class, {self.class_names[0]!r}; "
                "a network needs two or more to tell apart"
            )
        return self.of_classes(names)

    def with_classes(self, names: Sequence[str], whose: str = "") -> "Dataset":
        """The same images with the labels of classes in another order, and perhaps of more.

        ``whose`` says in the error whose classes the names are.

        Raises
        ------
        DatasetError
            One of its classes is missing among them.
        """
        if tuple(names) == self.class_names:
            return self
        missing = [name for name in self.class_names if name not in names]
        if missing:
            raise DatasetError(
                f"{self.name}: its class {missing[0]!r} is none of {whose}{summary(names)}"
            )
        dtype = np.uint8 if len(names) <= 256 else np.uint16
        labels: Labels = np.array([names.index(name) for name in self.class_names], dtype)
        train, test = (
            replace(part, labels=labels[part.labels]) for part in (self.train, self.test)
        )
        return replace(self, train=train, test=test, class_names=tuple(names))


def checksum(contents: Iterable[str], class_names: Sequence[str]) -> str:
    """Identifies a dataset by the SHA-256 sums of its files, and by names that are not the digits.

    The names decide which images the config key ``classes`` takes, and the labels in a mixture.
    """
    names = "" if tuple(class_names) == DIGITS else "\n".join(("", *class_names))
    return sha256(f"{''.join(contents)}{names}".encode())


def mixture(parts: Sequence[Dataset]) -> Dataset:
    """All images of several datasets; the labels are those of the one with the most classes.

    Raises
    ------
    DatasetError
        One has a class that the others lack, or pictures must be prepared in several ways.
    """
    first = max(parts, key=lambda part: len(part.class_names))  # the first of equals
    same = [part.with_classes(first.class_names, f"those of {first.name}: ") for part in parts]
    named: dict[str, str] = {}
    for part in parts:
        if part.checksum in named:
            raise DatasetError(
                f"{_joined(parts)}: {part.name} has the images of {named[part.checksum]}; to count "
                "them more often, give it a weight"
            )
        named[part.checksum] = part.name
    ways = {part.preprocessing: part.name for part in parts}
    if len(ways) > 1:
        listed = ", ".join(f"{name}: {way}" for way, name in ways.items())
        raise DatasetError(
            f"{_joined(parts)}: pictures are prepared in different ways ({listed}); "
            "prepare them alike: --set preparation=digit"
        )
    return Dataset(
        name=_joined(parts),
        train=_concatenated([part.train for part in same]),
        test=_concatenated([part.test for part in same]),
        checksum=sha256(" ".join(part.checksum for part in parts).encode()),
        class_names=first.class_names,
        preprocessing=first.preprocessing,
        unusable=tuple(
            replace(each, name=f"{part.name}/{each.name}")
            for part in parts
            for each in part.unusable
        ),
        notes=tuple(f"{part.name}: {note}" for part in parts for note in part.notes),
        parts=tuple(replace(part, train=_NO_EXAMPLES, test=_NO_EXAMPLES) for part in parts),
    )


_NO_EXAMPLES = Examples(np.empty((0, IMAGE_SIDE**2), np.uint8), np.empty(0, np.uint8))


def _joined(parts: Sequence[Dataset]) -> str:
    return " + ".join(part.name for part in parts)


def _concatenated(examples: Sequence[Examples]) -> Examples:
    numbers = np.arange(len(examples), dtype=np.uint8)
    return Examples(
        np.concatenate([each.images for each in examples]),
        np.concatenate([each.labels for each in examples]),
        np.repeat(numbers, [len(each) for each in examples]),
    )
