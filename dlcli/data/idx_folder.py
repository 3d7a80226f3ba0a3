"""The four IDX files of a dataset in a folder, under the names by which they go around.

MNIST's own names come first. Others have a prefix or a dot for a dash, as in
``train-images.idx3-ubyte`` and ``emnist-letters-test-labels-idx1-ubyte.gz``. A folder may hold
several datasets, each with its prefix; ``FOLDER/PREFIX`` names one of them.

EMNIST's images are stored with rows and columns exchanged (Cohen et al., "EMNIST: an extension of
MNIST to handwritten letters", 2017).
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.data import classes, idx
from dlcli.data.classes import DIGITS, numbered
from dlcli.data.idx import IdxFile
from dlcli.data.registry import FILES, sha256
from dlcli.errors import DatasetError
from dlcli.nn.types import Labels

_NAME = re.compile(
    r"(?P<prefix>.*?)[-_.]?(?P<split>train|t10k|test)[-_.](?P<kind>images|labels)"
    r"[-_.]idx[13][-_.]ubyte(?:\.gz)?",
    re.IGNORECASE,
)
_MAPPING = "mapping.txt"


@dataclass(frozen=True)
class Found:
    """The paths of a dataset's files, in the order of ``FILES``, and what its names say."""

    folder: Path
    prefix: str
    paths: tuple[Path, ...]

    @property
    def is_transposed(self) -> bool:
        """Whether the rows and columns of images are exchanged, as the names of EMNIST tell."""
        return "emnist" in self.prefix.lower()

    def names_file(self) -> Path | None:
        """The file beside them that names the classes: a ``classes.txt`` or a mapping."""
        mappings = [f"{self.prefix}-{_MAPPING}"] if self.prefix else []
        for name in (*mappings, classes.NAMES_FILE, _MAPPING):
            path = self.folder / name
            if os.path.lexists(path):
                return path
        return None


def find(folder: Path) -> Found | None:
    """The IDX files in a folder, or those of a prefix in it; None if there are none.

    Raises
    ------
    DatasetError
        One of the four is missing, or there are several datasets.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises if a name is too long
        return _of_prefix(folder)
    found = families(folder)
    if not found:
        return None
    if "" in found or len(found) == 1:
        prefix = "" if "" in found else next(iter(found))
        return Found(folder, prefix, _complete(folder, prefix, found[prefix]))
    names = ", ".join(str(folder / prefix) for prefix in sorted(found)[:4])
    raise DatasetError(f"{folder}: holds {len(found)} datasets; name one of them: {names}")


def _of_prefix(path: Path) -> Found | None:
    """The files beside each other whose names start with the last part of a path."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 - the same
        return None
    files = families(path.parent).get(path.name)
    if files is None:
        return None
    return Found(path.parent, path.name, _complete(path.parent, path.name, files))


def families(folder: Path) -> dict[str, dict[str, Path]]:
    """The IDX files of a folder by prefix, each under MNIST's name for it."""
    found: dict[str, dict[str, Path]] = {}
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - only the names
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror or error}") from error
    for name in names:  # a raw file comes before its .gz, and is taken
        match = _NAME.fullmatch(name)
        # An archive on Kaggle has folders with the names of the files beside them.
        if match is None or os.path.isdir(folder / name):  # noqa: PTH112 - never raises
            continue
        part = 0 if match["split"].lower() == "train" else 2
        usual = FILES[part + (match["kind"].lower() == "labels")]
        found.setdefault(match["prefix"], {}).setdefault(usual, folder / name)
    return found


def _complete(folder: Path, prefix: str, files: dict[str, Path]) -> tuple[Path, ...]:
    for usual in FILES:
        if usual not in files:
            name = f"{prefix}-{usual}" if prefix else usual
            raise DatasetError(f"{folder}: contains no {name} (or {name}.gz)")
    return tuple(files[usual] for usual in FILES)


def read(found: Found) -> list[IdxFile]:
    """Read the four files; all together have a limit, as each could be a gzip bomb."""
    files: list[IdxFile] = []
    remaining = idx.MAX_BYTES
    for path in found.paths:
        content = idx.read_file(path, remaining)
        files.append(IdxFile(str(path), content, sha256(content)))
        remaining -= len(content)
    return files


def class_names(
    found: Found, files: list[IdxFile], labels: tuple[Labels, Labels]
) -> tuple[tuple[str, ...], int]:
    """The names of the classes, and the label of the first: 0, or 1 as in EMNIST's letters.

    Raises
    ------
    DatasetError
        The names are not as many as the labels.
    """
    low, high = (int(limit) for limit in (labels[0].min(), labels[0].max()))
    path = found.names_file()
    if path is None:
        if low == 1 and high >= len(DIGITS) and labels[1].min() > 0:
            numbers = _numbers(files[1], files[3], (labels[0] - 1, labels[1] - 1))
            return tuple(str(int(number) + 1) for number in numbers), 1
        return _numbers(files[1], files[3], labels), 0
    if path.name.endswith("mapping.txt"):
        names, first = classes.read_mapping(path)
    else:
        names = classes.read_names(path)
        first = int(low == 1 and high == len(names))
    known = set(labels[0].tolist())
    for file, values in zip((files[1], files[3]), labels, strict=True):
        wrong = (values < first) | (values >= first + len(names))
        if wrong.any():
            index = int(np.argmax(wrong))
            raise DatasetError(
                f"{path}: names {len(names)} classes, but label {index} of {file.name} "
                f"is {values[index]}"
            )
    for number, name in enumerate(names, start=first):
        if number not in known:
            raise DatasetError(
                f"{path}: names {len(names)} classes, but no training image has the label {number} "
                f"({name})"
            )
    return names, first


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
