"""The IDX format of the MNIST files, read strictly: what is not exactly right is refused.

A file is a big-endian header (two zero bytes, the element type, the number of dimensions,
then each dimension as a 32-bit integer) and the bytes that the dimensions promise. Source:
LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from dlcli.config.dimensions import CLASSES, IMAGE_SIDE, IMAGE_SIZE
from dlcli.errors import DatasetError
from dlcli.files import open_file
from dlcli.nn.types import Labels, Pixels

Content: TypeAlias = bytes | bytearray  # a copy, from one to the other, may be of 600 MB

# The largest file of the family (EMNIST ByClass) has 698,000 images; a dataset that claims to be
# larger is none of digits but an attack on memory.
MAX_BYTES = 600_000_000
_BLOCK = 1 << 16
_UNSIGNED_BYTE = 0x08


def read_file(path: Path, most: int | None = None) -> Content:
    """Read a raw or gzipped file, whichever it is, of at most ``most`` bytes of content.

    Raises
    ------
    DatasetError
        The file is missing, unreadable, too large, or damaged gzip.
    """
    try:
        with open_file(path) as file:
            return _unpack(file, str(path), MAX_BYTES if most is None else most)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error


def decompress(content: bytes, name: str, most: int | None = None) -> Content:
    """Gunzip what is gzipped, to at most ``most`` bytes; return anything else as it is.

    Raises
    ------
    DatasetError
        Damaged or truncated gzip, or more content than was allowed.
    """
    return _unpack(io.BytesIO(content), name, MAX_BYTES if most is None else most)


def _unpack(file: BinaryIO, name: str, most: int) -> Content:
    start = file.read(2)
    file.seek(0)
    if start == b"\x1f\x8b":
        return _gunzip(file, name, most)
    if file.seek(0, os.SEEK_END) > most:
        raise DatasetError(f"{name}: larger than {most:,} bytes")
    file.seek(0)
    return file.read()


def _gunzip(file: BinaryIO, name: str, most: int) -> bytearray:
    """Unpack block by block, so that neither a bomb nor its unpacking fills the memory."""
    unzip = zlib.decompressobj(wbits=31)
    raw = bytearray()
    try:
        while not unzip.eof and (block := file.read(_BLOCK)):
            raw += unzip.decompress(block, most + 1 - len(raw))
            if len(raw) > most:
                raise DatasetError(f"{name}: larger than {most:,} bytes")
    except zlib.error as error:
        raise DatasetError(f"{name}: damaged gzip file: {error}") from error
    if not unzip.eof:
        raise DatasetError(f"{name}: truncated gzip file")
    end = file.tell() - len(unzip.unused_data)
    after = file.seek(0, os.SEEK_END) - end
    if after:
        raise DatasetError(f"{name}: {after} bytes after the gzip content")
    return raw


def parse_images(content: Content, name: str) -> Pixels:
    """Images of an IDX file, shape (n, 784), 0 (paper) to 255 (ink).

    Raises
    ------
    DatasetError
        Wrong magic number, not 28x28, truncated or over-long.
    """
    shape = _parse_header(content, name, dimensions=3, kind="images")
    if shape[1:] != (IMAGE_SIDE, IMAGE_SIDE):
        raise DatasetError(f"{name}: images are {shape[1]}x{shape[2]}, expected 28x28")
    return _body(content, shape, name).reshape(shape[0], IMAGE_SIZE)


def parse_labels(content: Content, name: str) -> Labels:
    """Labels of an IDX file, shape (n,), 0 to 9.

    Raises
    ------
    DatasetError
        Wrong magic number, truncated or over-long, or a label above 9.
    """
    shape = _parse_header(content, name, dimensions=1, kind="labels")
    labels = _body(content, shape, name)
    if labels.size and labels.max() >= CLASSES:
        index = int(np.argmax(labels >= CLASSES))
        raise DatasetError(f"{name}: label {index} is {labels[index]}, expected 0 to 9")
    return labels


def serialize(array: npt.NDArray[np.uint8]) -> bytes:
    """An IDX file holding ``array``."""
    header = struct.pack(f">HBB{array.ndim}I", 0, _UNSIGNED_BYTE, array.ndim, *array.shape)
    return header + array.tobytes()


def compress(content: bytes) -> bytes:
    """Gzip that depends on the content alone (no time stamp)."""
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
    promised = end + math.prod(shape)
    if len(content) != promised:
        fault = "truncated" if len(content) < promised else "over-long"
        raise DatasetError(
            f"{name}: {fault}: {len(content):,} bytes, but its header promises {promised:,}"
        )
    return shape


def _body(content: Content, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    if shape[0] == 0:
        raise DatasetError(f"{name}: holds nothing (its header says 0 items)")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
