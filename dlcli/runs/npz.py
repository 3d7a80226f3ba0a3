"""Reading the arrays of an ``.npz`` file without trusting anything in it.

Nothing is unpickled or decompressed, and nothing is read before its size is known to be right.
"""

import io
import math
import os
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.errors import CheckpointError
from dlcli.files import open_file

_MAX_HEADER_BYTES = 10_000  # of an array; NumPy writes 118 or 182
_NPY_MAGIC = np.lib.format.magic(1, 0)
# What zipfile raises; RuntimeError for encrypted members and for features it lacks.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)
_ZIP_END = struct.Struct("<4s6xH10x")  # APPNOTE.TXT 4.3.16, without a comment


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a file for :func:`read_array` and :func:`read_member` in the block.

    Raises
    ------
    CheckpointError
        The file is damaged, whether this is found at once or in the block.
    OSError
        It cannot be read.
    """
    try:
        with (
            open_file(path) as file,
            _BoundedReader(file) as reader,
            zipfile.ZipFile(reader) as archive,
        ):
            reader.max_bytes = sys.maxsize
            _check_entries(reader, archive)
            yield archive
    except _DAMAGE as error:
        if isinstance(error.__context__, OSError):  # the disk failed; the zip file may be fine
            raise error.__context__ from None
        raise CheckpointError(f"not a whole .npz checkpoint: {error!s:.150}") from error


class _BoundedReader(io.BufferedReader):
    """A zip file that refuses to read much until its directory has been read.

    ``zipfile`` makes an object of each entry, and millions of them would fill the memory.
    """

    max_bytes = 1_000_000
    """Five times the size of the directory of the largest checkpoint."""

    def read(self, size: int | None = -1, /) -> bytes:
        if (size or 0) > self.max_bytes:
            raise CheckpointError("its zip directory is far too long")
        return super().read(size)


def _check_entries(reader: io.BufferedReader, archive: zipfile.ZipFile) -> None:
    """Compare the entries with their number in the file and its size; ``zipfile`` does neither.

    A single flipped bit in the length of a comment makes the following entries part of that
    comment. If a running mean vanished that way, nothing else would notice. And entries that
    share their bytes could fill the memory many times.
    """
    reader.seek(-_ZIP_END.size, os.SEEK_END)
    signature, count = _ZIP_END.unpack(reader.read(_ZIP_END.size))
    entries = archive.infolist()
    if signature != b"PK\5\6" or count != len(entries):
        raise CheckpointError("its zip directory is damaged")
    # Entries of which the two differ are refused by name, see read_member.
    sizes = (min(entry.file_size, entry.compress_size) for entry in entries)
    if sum(sizes) > reader.tell():
        raise CheckpointError("its arrays are larger than the file")


def read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, name: str, shape: tuple[int, ...]
) -> npt.NDArray[np.floating[Any]]:
    """Read a float array; raise ``CheckpointError`` unless it has exactly the expected shape."""
    if member is None:
        raise CheckpointError(f"{name}: missing")
    if member.file_size > 8 * math.prod(shape) + _MAX_HEADER_BYTES:
        raise CheckpointError(f"{name}: {member.file_size:,} bytes are too many for shape {shape}")
    content, dtype, found = read_member(archive, member, name)
    if found != shape:
        raise CheckpointError(f"{name}: expected shape {shape}, found {found}")
    if dtype.kind != "f" or dtype.itemsize not in {2, 4, 8}:
        raise CheckpointError(f"{name}: expected float32, found {dtype}")
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise CheckpointError(f"{name}: {len(content):,} bytes do not fill shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape)


def read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str
) -> tuple[memoryview, np.dtype[Any], tuple[int, ...]]:
    """Read an array's bytes, element type and shape; ``zipfile`` checks the CRC.

    An array that is not stored as dlcli stores arrays raises ``CheckpointError``.
    """
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise CheckpointError(f"{name}: compressed; dlcli stores its arrays as they are")
    content = archive.read(member)
    file = io.BytesIO(content)
    if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
        raise CheckpointError(f"{name}: not an array of .npy format 1.0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # about headers that no current NumPy writes
            header = np.lib.format.read_array_header_1_0(file, _MAX_HEADER_BYTES)
    # NumPy's parser raises errors of any kind for broken headers.
    except Exception as error:
        raise CheckpointError(f"{name}: damaged array header") from error
    shape, fortran_order, dtype = header
    if fortran_order and len(shape) > 1:
        raise CheckpointError(f"{name}: columns before rows; dlcli stores rows first")
    return memoryview(content)[file.tell() :], dtype, shape  # no copy of up to a gigabyte
