"""Datasets in memory: by name from the cache or the package, from folders, and mixtures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from dlcli.data import cache, classes, idx, idx_folder, location, writers
from dlcli.data.classes import DIGITS, summary
from dlcli.data.idx import IdxFile
from dlcli.data.registry import DATASETS, FILES, sha256
from dlcli.errors import ConfigError, DatasetError
from dlcli.files import expand_home
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Labels, Pixels, Writers
from dlcli.vision import Preparation, Preprocessing

if TYPE_CHECKING:
    from dlcli.data import download, prepared
    from dlcli.data.image_folder import Unusable

    class Progress(download.Progress, prepared.Progress, Protocol):
        """Learns what is being downloaded or prepared."""


class Part(Protocol):
    """One dataset of a mixture."""

    @property
    def name(self) -> str:
        """A name of ``DATASETS``, or a folder."""

    @property
    def weight(self) -> float:
        """How often an image of it counts in training."""


Source: TypeAlias = str | Sequence[str | Part]
"""What to load: a name of ``DATASETS``, a folder, or several of these as a mixture."""


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


def load(
    source: Source,
    data_dir: Path | None = None,
    progress: "Progress | None" = None,
    preparation: Preparation | None = None,
    usual: Preparation | None = None,
) -> Dataset:
    """Load a dataset, downloading the files that are not in the cache.

    Parameters
    ----------
    source
        A key of ``DATASETS``, a folder of IDX files or pictures, or several of these.
    data_dir
        The cache; None for the usual one (:func:`dlcli.data.location.default`).
    progress
        Told of downloads, and of pictures that are prepared.
    preparation
        How to prepare pictures; for None, exported ones are taken as they are, and others
        prepared in the ``usual`` way.
    usual
        By default the way that suits their classes.

    Raises
    ------
    DatasetError
        The dataset is unavailable, or one of its files is corrupt.
    """
    data_dir = data_dir or location.default().path
    if isinstance(source, str):
        return _load_one(source, data_dir, progress, preparation, usual)
    names = [part if isinstance(part, str) else part.name for part in source]
    return mixture([_load_one(name, data_dir, progress, preparation, usual) for name in names])


def exists(name: str) -> bool:
    """Whether there is a dataset of this name, or a folder that may be one."""
    if not name:  # as of a variable that is not set; it does not mean this folder
        return False
    path = Path(expand_home(name))
    if name in DATASETS or os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises
        return True
    return idx_folder.find(path) is not None


def refuse_missing(name: str) -> None:
    """Raise ``DatasetError`` unless there is a dataset of this name, or a folder."""
    if not exists(name):
        raise DatasetError(
            f"{expand_home(name) or repr(name)}: no such folder of IDX files or pictures, "
            f"and none of {', '.join(DATASETS)}"
        )


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


def _load_one(
    name: str,
    data_dir: Path,
    progress: "Progress | None",
    preparation: Preparation | None,
    usual: Preparation | None,
) -> Dataset:
    info = DATASETS.get(name)
    if info is None:
        folder = os.path.abspath(expand_home(name))  # noqa: PTH100 - links stay
        return replace(_load_folder(name, data_dir, progress, preparation, usual), folder=folder)
    if info.embedded is not None:
        paths = tuple(idx.find(info.embedded, file) for file in FILES)
        files = idx_folder.read(idx_folder.Found(info.embedded, "", paths))
        dataset = _parse(name, files)
    else:
        files = cache.read(name, data_dir, progress)
        dataset = _with_writers(_parse(name, files), data_dir / name)
    preprocessing = preparation or info.preprocessing
    return replace(dataset, class_names=info.class_names, preprocessing=preprocessing)


def _load_folder(
    name: str,
    data_dir: Path,
    progress: "Progress | None",
    preparation: Preparation | None,
    usual: Preparation | None,
) -> Dataset:
    """A folder of IDX files or of pictures."""
    refuse_missing(name)
    folder = Path(expand_home(name))
    found = idx_folder.find(folder)
    if found is not None:
        dataset = _with_writers(_load_idx(name, found), found.folder)
        return replace(dataset, preprocessing=preparation or "digit")
    from dlcli.data import image_folder, prepared  # and Pillow

    listing = image_folder.list_pictures(folder)
    if listing is None:
        raise DatasetError(
            f"{folder}: contains no {FILES[0]} (or {FILES[0]}.gz), and no pictures; "
            f"put those of each class into a folder of its name: {folder / 'CLASS'}"
        )
    content = prepared.load(listing, data_dir, preparation, progress, usual)
    train, test = map(Examples, content.images, content.labels)
    return Dataset(
        name,
        train,
        test,
        content.checksum,
        content.class_names,
        preprocessing=content.preprocessing,
        unusable=content.unusable,
        notes=content.notes,
    )


def _with_writers(dataset: Dataset, folder: Path) -> Dataset:
    """The dataset with the writers of its training images, if a file in the folder names them."""
    path = writers.find(folder)
    if path is None:
        return dataset
    found = writers.read(path, dataset.train.labels)
    train = replace(dataset.train, writers=found.writers)
    return replace(dataset, train=train, writers_checksum=sha256(found.content))


def _load_idx(name: str, found: idx_folder.Found) -> Dataset:
    files = idx_folder.read(found)
    dataset = _parse(name, files)
    labels = (dataset.train.labels, dataset.test.labels)
    names, first = idx_folder.class_names(found, files, labels)
    train, test = (
        Examples(part.images, part.labels - np.uint8(first))
        for part in (dataset.train, dataset.test)
    )
    if not found.is_transposed:
        return replace(dataset, train=train, test=test, class_names=names)
    return replace(
        dataset,
        train=_turned(train),
        test=_turned(test),
        checksum=sha256(f"{dataset.checksum} transposed".encode()),
        class_names=names,
        notes=("EMNIST's images are stored transposed, and are turned upright here",),
    )


def _turned(examples: Examples) -> Examples:
    """Images with rows and columns exchanged."""
    squares = examples.images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE).transpose(0, 2, 1)
    return replace(examples, images=np.ascontiguousarray(squares).reshape(examples.images.shape))


def _parse(name: str, files: list[IdxFile]) -> Dataset:
    splits = []
    for image_file, label_file in (files[:2], files[2:]):
        images = idx.parse_images(image_file.content, image_file.name)
        labels = idx.parse_labels(label_file.content, label_file.name)
        if len(images) != len(labels):
            raise DatasetError(
                f"{image_file.name}: {len(images):,} images, but {len(labels):,} labels "
                f"in {label_file.name}"
            )
        splits.append(Examples(images, labels))
    checksum = sha256("".join(file.sha256 for file in files).encode())
    return Dataset(name, splits[0], splits[1], checksum)
