"""Loading datasets: by name from the cache or the package, from folders, and as mixtures."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from dlcli.data import cache, idx, idx_folder, location, writers
from dlcli.data.classes import DIGITS
from dlcli.data.examples import Dataset, Examples, checksum, mixture
from dlcli.data.idx import IdxFile
from dlcli.data.registry import DATASETS, FILES, sha256
from dlcli.errors import DatasetError
from dlcli.files import expand_home
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.vision import Preparation

if TYPE_CHECKING:
    from dlcli.data import download, prepared

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
        pictures=content.pictures,
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
    named = DIGITS if found.names_file() is None else names
    identity = checksum((file.sha256 for file in files), named)
    train, test = (
        Examples(part.images, part.labels - np.uint8(first))
        for part in (dataset.train, dataset.test)
    )
    if not found.is_transposed:
        return replace(dataset, train=train, test=test, checksum=identity, class_names=names)
    return replace(
        dataset,
        train=_turned(train),
        test=_turned(test),
        checksum=sha256(f"{identity} transposed".encode()),
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
    identity = checksum((file.sha256 for file in files), DIGITS)
    return Dataset(name, splits[0], splits[1], identity)
