"""Datasets in memory: loaded by name from the cache or the package, or from a folder."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.data import cache, idx, location
from dlcli.data.idx import IdxFile
from dlcli.data.registry import DATASETS, FILES, sha256
from dlcli.errors import DatasetError
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

    ``checksum`` identifies its content. ``folder`` is the absolute path of what was loaded as a
    folder, and None for what was loaded by a name of ``DATASETS``.
    """

    name: str
    train: Examples
    test: Examples
    checksum: str
    folder: str | None = None


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
        return replace(_parse(name, _read_folder(Path(expand_home(name)))), folder=folder)
    if info.embedded is not None:
        files = _read_folder(info.embedded)
    else:
        files = cache.read(name, data_dir or location.default().path, progress)
    return _parse(name, files)


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
