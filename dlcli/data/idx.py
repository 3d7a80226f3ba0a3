"""The IDX format of MNIST's files, read strictly: any deviation from the format is an error.

A file is a big-endian header (two zero bytes, the element type, the number of dimensions,
then each dimension as a 32-bit integer) followed by as many bytes as the dimensions say.
Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dlcli.errors import DatasetError
from dlcli.files import open_file
from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Labels, Pixels

# A bytearray is never converted to bytes: that would copy up to 600 MB.
Content: TypeAlias = bytes | bytearray

# The largest file of the MNIST family (EMNIST ByClass) has 698,000 images, 547 MB. A larger one
# is taken for an attempt to exhaust memory.
MAX_BYTES = 600_000_000
_BLOCK_BYTES = 1 << 16
_UNSIGNED_BYTE = 0x08  # the element type of all files of the family


class IdxFile(NamedTuple):
    """A file's path, its decompressed content, and the SHA-256 sum of that content."""

    name: str
    content: Content
    sha256: str


def find(folder: Path, file: str, suffixes: Sequence[str] = ("", ".gz")) -> Path:
    """The path of an IDX file in ``folder``, with the first of ``suffixes`` that exists.

    Raises
    ------
    DatasetError
        The file is missing.
    """
    for suffix in suffixes:
        path = folder / f"{file}{suffix}"
        if path.exists() and not path.is_dir():  # a folder may have its name, as on Kaggle
            return path
    raise DatasetError(f"{folder}: contains no {file} (or {file}.gz)")


def read_file(path: Path, max_bytes: int | None = None) -> Content:
    """Read a file, raw or gzipped; return at most ``max_bytes`` bytes of decompressed content.

    Raises
    ------
    DatasetError
        The file is missing, unreadable, too large, or damaged gzip.
    """
    try:
        with open_file(path) as file:
            return _unpack(file, str(path), MAX_BYTES if max_bytes is None else max_bytes)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error


def decompress(content: bytes, name: str, max_bytes: int | None = None) -> Content:
    """Gunzip gzipped content, to at most ``max_bytes`` bytes; return other content unchanged.

    Raises
    ------
    DatasetError
        Damaged or truncated gzip, or more content than allowed.
    """
    return _unpack(io.BytesIO(content), name, MAX_BYTES if max_bytes is None else max_bytes)


def _unpack(file: BinaryIO, name: str, max_bytes: int) -> Content:
    magic = file.read(2)
    file.seek(0)
    if magic == b"\x1f\x8b":
        return _gunzip(file, name, max_bytes)
    if file.seek(0, os.SEEK_END) > max_bytes:
        raise DatasetError(f"{name}: larger than {max_bytes:,} bytes")
    file.seek(0)
    return file.read()


def _gunzip(file: BinaryIO, name: str, max_bytes: int) -> bytearray:
    """Decompress block by block, so that a gzip bomb cannot fill the memory."""
    unzip = zlib.decompressobj(wbits=31)
    content = bytearray()
    try:
        while not unzip.eof and (block := file.read(_BLOCK_BYTES)):
            content += unzip.decompress(block, max_bytes + 1 - len(content))
            if len(content) > max_bytes:
                raise DatasetError(f"{name}: larger than {max_bytes:,} bytes")
    except zlib.error as error:
        raise DatasetError(f"{name}: damaged gzip file: {error}") from error
    if not unzip.eof:
        raise DatasetError(f"{name}: truncated gzip file")
    end = file.tell() - len(unzip.unused_data)
    trailing = file.seek(0, os.SEEK_END) - end
    if trailing:
        raise DatasetError(f"{name}: {trailing} bytes after the gzip content")
    return content


def parse_images(content: Content, name: str) -> Pixels:
    """Images of an IDX file, shape (n, 784), 0 (background) to 255 (foreground).

    Raises
    ------
    DatasetError
        The magic number is wrong, the images are not 28x28, or the file is too short or too long.
    """
    shape = _parse_header(content, name, dimensions=3, kind="images")
    if shape[1:] != (IMAGE_SIDE, IMAGE_SIDE):
        raise DatasetError(f"{name}: images are {shape[1]}x{shape[2]}, expected 28x28")
    return _body(content, shape, name).reshape(shape[0], IMAGE_SIZE)


def parse_labels(content: Content, name: str) -> Labels:
    """Labels of an IDX file, shape (n,), 0 to 255.

    Raises
    ------
    DatasetError
        The magic number is wrong, or the file is too short or too long.
    """
    return _body(content, _parse_header(content, name, dimensions=1, kind="labels"), name)


def serialize(array: npt.NDArray[np.uint8]) -> bytes:
    """``array`` as the content of an IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + array.tobytes()


def compress(content: bytes) -> bytes:
    """Gzip without a time stamp, so that equal content gives equal bytes."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def _parse_header(content: Content, name: str, *, dimensions: int, kind: str) -> tuple[int, ...]:
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if content[:4] != expected:
        raise DatasetError(
            f"{name}: not an IDX file of {kind}: it starts with {content[:4].hex() or 'nothing'}, "
            f"expected {expected.hex()}"
        )
    end = 4 + 4 * dimensions
    if len(content) < end:
        raise DatasetError(f"{name}: truncated in its header")
    shape = struct.unpack(f">{dimensions}I", content[4:end])
    expected_size = end + math.prod(shape)
    if len(content) != expected_size:
        fault = "truncated" if len(content) < expected_size else "too long"
        raise DatasetError(
            f"{name}: {fault}: {len(content):,} bytes, but its header says {expected_size:,}"
        )
    return shape


def _body(content: Content, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    if shape[0] == 0:
        raise DatasetError(f"{name}: empty (its header says 0 items)")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
