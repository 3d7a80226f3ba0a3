"""The IDX format of the MNIST files, read strictly: what is not exactly right is refused.

A file is a big-endian header (two zero bytes, the element type, the number of dimensions,
then each dimension as a 32-bit integer) and the bytes that the dimensions promise. Source:
LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcli.dimensions import CLASSES, IMAGE_SIDE, IMAGE_SIZE
from dlcli.errors import DatasetError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8]

# The largest file of the family (EMNIST ByClass) has 698,000 images; what claims to be larger
# is no dataset of digits but an attack on memory.
MAX_BYTES = 1_000_000_000
_UNSIGNED_BYTE = 0x08


def read_file(path: Path) -> bytes:
    """Read a raw or gzipped file, whichever it is.

    Raises
    ------
    DatasetError
        The file is missing, unreadable, or damaged gzip.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}") from error
    return decompress(content, str(path))


def decompress(content: bytes, name: str) -> bytes:
    """Gunzip what is gzipped; return anything else as it is.

    Raises
    ------
    DatasetError
        Damaged or truncated gzip, or more content than any IDX file of digits has.
    """
    if content[:2] == b"\x1f\x8b":
        unzip = zlib.decompressobj(wbits=31)
        try:
            raw = unzip.decompress(content, MAX_BYTES + 1)
        except zlib.error as error:
            raise DatasetError(f"{name}: damaged gzip file: {error}") from error
        if not unzip.eof and len(raw) <= MAX_BYTES:
            raise DatasetError(f"{name}: truncated gzip file")
        if unzip.unused_data:
            raise DatasetError(f"{name}: {len(unzip.unused_data)} bytes after the gzip content")
        content = raw
    if len(content) > MAX_BYTES:
        raise DatasetError(f"{name}: larger than {MAX_BYTES:,} bytes")
    return content


def parse_images(content: bytes, name: str) -> Images:
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


def parse_labels(content: bytes, name: str) -> Labels:
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


def _parse_header(content: bytes, name: str, *, dimensions: int, kind: str) -> tuple[int, ...]:
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


def _body(content: bytes, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    if shape[0] == 0:
        raise DatasetError(f"{name}: holds nothing (its header says 0 items)")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape))
