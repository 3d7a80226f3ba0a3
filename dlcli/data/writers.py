"""Who wrote each of MNIST's training images: the extended labels of QMNIST, where they are there.

A file ``qmnist-train-labels-idx2-int``, gzipped or not, may lie beside the files of MNIST. It is an
IDX file of 32-bit integers with a row for each training image, in the same order: the digit, the
partition of NIST's database, the writer, and five more numbers that are not used here.
Source: Yadav and Bottou, "Cold Case: The Lost MNIST Digits", 2019.
"""

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlcli.data import idx
from dlcli.errors import DatasetError
from dlcli.nn.types import Labels, Writers

if TYPE_CHECKING:
    from dlcli.data.idx import Content

FILE = "qmnist-train-labels-idx2-int"
_MAGIC = bytes([0, 0, 0x0C, 2])  # 32-bit integers in 2 dimensions
_HEADER_BYTES = 12
_DIGIT, _WRITER = 0, 2  # columns
_MIN_COLUMNS = 3
_MAX_BYTES = 64_000_000  # a row for each of two million images


class ExtendedLabels(NamedTuple):
    """The writer of each training image, shape (n,), and the content that says so."""

    writers: Writers
    content: "Content"


def find(folder: Path) -> Path | None:
    """The file in a folder of IDX files, unpacked before gzipped; None if there is none."""
    for name in (FILE, f"{FILE}.gz"):
        if os.path.lexists(folder / name):
            return folder / name
    return None


def read(path: Path, labels: Labels) -> ExtendedLabels:
    """Read the file; ``labels`` are those of the training images that it must describe.

    Raises
    ------
    DatasetError
        It cannot be read, or describes other images.
    """
    try:
        content = idx.read_file(path, _MAX_BYTES)
        return ExtendedLabels(_parse(content, path, labels), content)
    except DatasetError as error:
        advice = "copy it anew, or remove it: only validation_split writers needs it"
        raise DatasetError(f"{error}; {advice}") from error


def _parse(content: "Content", path: Path, labels: Labels) -> Writers:
    if content[:4] != _MAGIC or len(content) < _HEADER_BYTES:
        raise DatasetError(
            f"{path}: no IDX file of extended labels: it starts with "
            f"{content[:4].hex() or 'nothing'}, expected {_MAGIC.hex()}"
        )
    rows, columns = struct.unpack(">2I", content[4:_HEADER_BYTES])
    size = _HEADER_BYTES + 4 * rows * columns
    if columns < _MIN_COLUMNS or len(content) != size:
        raise DatasetError(
            f"{path}: its header says {rows:,} rows of {columns} numbers, but it has "
            f"{len(content):,} bytes"
        )
    if rows != len(labels):
        raise DatasetError(f"{path}: {rows:,} rows, but there are {len(labels):,} training images")
    table = np.frombuffer(content, ">i4", offset=_HEADER_BYTES).reshape(rows, columns)
    differs = table[:, _DIGIT] != labels
    if differs.any():
        row = int(np.argmax(differs))
        raise DatasetError(
            f"{path}: describes other images: row {row} is of a {table[row, _DIGIT]}, but training "
            f"image {row} has the label {labels[row]}"
        )
    return table[:, _WRITER].astype(np.int32)
