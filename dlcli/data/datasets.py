"""Datasets in memory: loaded by name from the cache or the package, or from a folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlcli.data import cache, idx, location
from dlcli.data.classes import DIGITS, numbered, summary
from dlcli.data.idx import IdxFile
from dlcli.data.registry import DATASETS, FILES, sha256
from dlcli.errors import ConfigError, DatasetError
from dlcli.files import expand_home
from dlcli.nn.types import Labels, Pixels

if TYPE_CHECKING:
    from dlcli.data.download import Progress


@dataclass(frozen=True)
class Examples:
    """Images, shape (n, 784), 0 (background) to 255 (foreground), and labels, shape (n,)."""

    images: Pixels
    labels: Labels

    def __len__(self) -> int:
        return len(self.images)


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
    """

    name: str
    train: Examples
    test: Examples
    checksum: str
    class_names: tuple[str, ...] = DIGITS
    folder: str | None = None

    def of_classes(self, names: Sequence[object] | None) -> "Dataset":
        """The images of some of the classes, which keep their order; of all classes for None.

        ``checksum`` stays that of the whole.

        Raises
        ------
        ConfigError
            A class is not there.
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
            rows = np.isin(part.labels, kept)
            return Examples(part.images[rows], new_labels[part.labels[rows]])

        class_names = tuple(self.class_names[label] for label in kept)
        return replace(self, train=some(self.train), test=some(self.test), class_names=class_names)

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


def load(name: str, data_dir: Path | None = None, progress: "Progress | None" = None) -> Dataset:
    """Load a dataset, downloading the files that are not in the cache.

    Parameters
    ----------
    name
        A key of ``DATASETS``, or a folder of IDX files.
    data_dir
        The cache; None for the usual one (:func:`dlcli.data.location.default`).
    progress
        Told of downloads.

    Raises
    ------
    DatasetError
        The dataset is unavailable, or one of its files is corrupt.
    """
    info = DATASETS.get(name)
    if info is None:
        folder = os.path.abspath(expand_home(name))  # noqa: PTH100 - links stay
        files = _read_folder(Path(expand_home(name)))
        dataset = _parse(name, files)
        names = _numbers(files[1], files[3], (dataset.train.labels, dataset.test.labels))
        return replace(dataset, class_names=names, folder=folder)
    if info.embedded is not None:
        files = _read_folder(info.embedded)
    else:
        files = cache.read(name, data_dir or location.default().path, progress)
    return replace(_parse(name, files), class_names=info.class_names)


def _read_folder(folder: Path) -> list[IdxFile]:
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises if a name is too long
        names = ", ".join(DATASETS)
        raise DatasetError(f"{folder}: no such folder of IDX files, and none of {names}")
    files: list[IdxFile] = []
    remaining = idx.MAX_BYTES  # for all four together: each of them could be a gzip bomb
    for file in FILES:
        path = idx.find(folder, file)
        content = idx.read_file(path, remaining)
        files.append(IdxFile(str(path), content, sha256(content)))
        remaining -= len(content)
    return files


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


def _numbers(train: IdxFile, test: IdxFile, labels: Sequence[Labels]) -> tuple[str, ...]:
    """The names of classes that have none: the ten digits, or more numbers if labels are higher.

    Raises
    ------
    DatasetError
        A number is left out in training, as if by a label that is wrong.
    """
    known = set(labels[0].tolist())
    for file, found in zip((train, test), labels, strict=True):
        highest = int(found.max())
        if highest < len(DIGITS):
            continue
        absent = next((n for n in range(highest + 1) if n not in known), None)
        if absent is not None:
            index = int(np.argmax(found))
            raise DatasetError(
                f"{file.name}: label {index} is {highest}, but no training image has the label "
                f"{absent}"
            )
    return numbered(max(len(DIGITS), 1 + max(known)))
