"""Files appear whole or not at all, and never by overwriting what the user did not offer."""

import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from dlcli.errors import ConfigError

DEFAULT_DATA_DIR = Path("data")
DEFAULT_RUNS_DIR = Path("runs")


def stdin() -> BufferedIOBase:
    """The bytes on stdin.

    Raises
    ------
    ConfigError
        It was closed before the start (``<&-``).
    """
    if sys.stdin is None:
        raise ConfigError("-: stdin is closed")
    return cast("BufferedIOBase", sys.stdin.buffer)


def open_file(path: Path) -> BufferedReader:
    """Open a file to be read, and nothing that could keep its reader waiting for ever.

    Raises
    ------
    OSError
        It cannot be opened, or is a pipe or a device.
    """
    nonblocking = getattr(os, "O_NONBLOCK", 0)  # to open a pipe would wait for its writer
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | nonblocking))  # noqa: SIM115 - Path.open has no opener; the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))
    return file


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the disk name ``path``: when a write or a read fails, it names no file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block succeeds.

    The content is flushed to the disk before the rename, and the folder after it, so that
    a crash at any moment leaves either the old file or the new one. When the block raises,
    the temporary file is removed and ``path`` stays as it was; when the process is killed,
    it is left for :func:`remove_leftovers`. Without ``durable`` nothing is waited for: for
    thousands of small files that a command can write again.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full; it names ``path``.
    """
    temporary = temporary_for(path)
    try:
        with naming(path), _open_new(temporary) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # the user knows the file by this name
        with suppress(OSError):  # of two errors the first is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def _open_new(path: Path) -> BinaryIO:
    """Open a file that is new, instead of one that a killed process left, or of a planted link."""
    try:
        return path.open("xb")
    except FileExistsError:
        path.unlink()
        return path.open("xb")


def temporary_for(path: Path) -> Path:
    """The name beside ``path`` under which this process writes what will be ``path``."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed processes left of writing the files ``names`` in ``folder``.

    Only for a folder that is locked: nobody else may be writing these files.
    """
    for name in names:
        for temporary in leftovers(folder, name):
            temporary.unlink(missing_ok=True)


def leftovers(folder: Path, name: str) -> Iterator[Path]:
    """The temporary files of ``folder / name``, of killed processes or of one at work."""
    return folder.glob(f".{name}.*.tmp")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that a crash of the machine does not undo it.

    Raises
    ------
    OSError
        It cannot be made, or is a file.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable (a rename lives in the folder, not in the file)."""
    if os.name == "nt":  # Windows cannot open folders; its renames are journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with naming(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise unless ``path`` is free or the user said ``--force``.

    Raises
    ------
    ConfigError
        Something is there already, or the parent folder is missing.
    """
    if str(path) == "-":
        raise ConfigError("-: name a file; stdout is for the result")
    if path.exists() and not force:
        raise ConfigError(f"{path}: exists already; add --force to replace it")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: the folder {path.parent} does not exist")


def refuse_full_folder(folder: Path, *, force: bool) -> None:
    """Raise unless ``folder`` is missing or empty, or the user said ``--force``.

    Raises
    ------
    ConfigError
        It is no folder, or something is in it.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigError(f"{folder}: is not empty; add --force to write into it all the same")
