"""The arrays of an ``.npz`` file, in which nothing is trusted.

Nothing is unpickled, nothing unpacked, and nothing read before its size is known to be right.
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

_MAX_HEADER_BYTES = 10_000
_NPY_MAGIC = np.lib.format.magic(1, 0)
_ZIP_END = struct.Struct("<4s6xH10x")  # APPNOTE.TXT 4.3.16, without a comment


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a file for :func:`read_array` and :func:`read_member`, and close it after the block.

    Raises
    ------
    CheckpointError
        It is damaged, be that seen now or in the block.
    OSError
        It cannot be read.
    """
    try:
        with (
            open_file(path) as file,
            _BoundedReader(file) as reader,
            zipfile.ZipFile(reader) as archive,
        ):
            reader.most = sys.maxsize
            _refuse_lost_entries(reader, archive)
            yield archive
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,  # zipfile, of features it lacks
        RuntimeError,  # zipfile, of encrypted members
        ValueError,
    ) as error:
        if isinstance(error.__context__, OSError):  # a disk that fails is no broken zip file
            raise error.__context__ from None
        raise CheckpointError(f"not a whole .npz checkpoint: {error!s:.150}") from error


class _BoundedReader(io.BufferedReader):
    """A zip file, of which not much is read until its directory is known.

    ``zipfile`` makes an object of every entry, and those of millions would fill the memory.
    """

    most = 1_000_000
    """Bytes; the directory of the largest checkpoint has a fifth of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        if (size or 0) > self.most:
            raise CheckpointError("its zip directory is far too long")
        return super().read(size)


def _refuse_lost_entries(reader: io.BufferedReader, archive: zipfile.ZipFile) -> None:
    """Count the directory's entries, which ``zipfile`` does not.

    A single flipped bit in the length of a comment makes it take the entries that follow for the
    comment; a running mean that has vanished in it would not be missed.
    """
    reader.seek(-_ZIP_END.size, os.SEEK_END)
    signature, count = _ZIP_END.unpack(reader.read(_ZIP_END.size))
    if signature != b"PK\5\6" or count != len(archive.infolist()):
        raise CheckpointError("its zip directory is damaged")


def read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, name: str, shape: tuple[int, ...]
) -> npt.NDArray[np.floating[Any]]:
    """A float array of exactly the expected shape; its content is not read if it has another.

    Raises
    ------
    CheckpointError
        Naming the array, if it is missing or another one.
    """
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
    """An array's bytes, element type and shape; the zip's CRC is checked on the way.

    Raises
    ------
    CheckpointError
        Naming the array, if it is not as dlcli stores its own.
    """
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise CheckpointError(f"{name}: compressed; dlcli stores its arrays as they are")
    content = archive.read(member)
    file = io.BytesIO(content)
    if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
        raise CheckpointError(f"{name}: not an array of .npy format 1.0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of headers that no present NumPy writes
            header = np.lib.format.read_array_header_1_0(file, _MAX_HEADER_BYTES)
    # NumPy's parser answers broken headers with whatever it stumbles over.
    except Exception as error:
        raise CheckpointError(f"{name}: damaged array header") from error
    shape, fortran_order, dtype = header
    if fortran_order and len(shape) > 1:
        raise CheckpointError(f"{name}: columns before rows; dlcli stores rows first")
    return memoryview(content)[file.tell() :], dtype, shape  # no copy: it may be of a gigabyte
