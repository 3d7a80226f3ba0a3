"""Files that appear whole or not at all, locks, and refusals to overwrite what the user has."""

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
        stdin is closed (``<&-``).
    """
    if sys.stdin is None:
        raise ConfigError("-: stdin is closed")
    return cast("BufferedIOBase", sys.stdin.buffer)


def open_file(path: Path) -> BufferedReader:
    """Open a regular file for reading; refuse pipes and devices, which could block for ever.

    Raises
    ------
    OSError
        The file cannot be opened, or is a pipe or a device.
    """
    nonblocking = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for its writer
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | nonblocking))  # noqa: SIM115 - Path.open has no opener; the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", str(path))
    return file


@contextmanager
def annotate_errors(path: Path) -> Iterator[None]:
    """Add ``path`` to an ``OSError`` without a file name, as a failed read or write raises it."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


@contextmanager
def lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock the file ``path`` against other processes; the lock ends when its process does.

    Raises
    ------
    TimeoutError
        Another process has the lock, and ``wait`` is false.
    OSError
        The file cannot be opened; the error names it.
    """
    from filelock import FileLock

    file_lock = FileLock(path, blocking=wait)
    with annotate_errors(path):
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it when the block succeeds.

    The content is flushed to the disk before the rename, and the folder after it, so that a
    crash at any moment leaves either the old file or the new one. When the block raises, the
    temporary file is removed and ``path`` stays as it was; when the process is killed, the
    temporary file stays until :func:`remove_temporary_files`. With ``durable=False`` nothing is
    flushed: much faster for thousands of small files that a command can write again.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full; the error names ``path``.
    """
    temporary = temporary_path(path)
    try:
        with annotate_errors(path), _open_new(temporary) as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # the name that the user knows
        with suppress(OSError):  # report the first error, not one of the cleanup
            temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


def _open_new(path: Path) -> BinaryIO:
    """Create a file, replacing one left by a killed process and never following a link."""
    try:
        return path.open("xb")
    except FileExistsError:
        path.unlink()
        return path.open("xb")


def temporary_path(path: Path) -> Path:
    """The name beside ``path`` under which this process writes it."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def temporary_files(folder: Path, name: str) -> Iterator[Path]:
    """The temporary files of ``folder / name``, of killed and of running processes."""
    return folder.glob(f".{name}.*.tmp")


def remove_temporary_files(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files that killed processes left while writing ``names`` in ``folder``.

    The caller must have locked the folder, so that no other process is writing these files.
    """
    for name in names:
        for temporary in temporary_files(folder, name):
            temporary.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, and flush their names to the disk.

    Raises
    ------
    OSError
        The folder cannot be made, or the path is a file.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Flush the names in ``folder`` to the disk (a rename changes the folder, not the file)."""
    if os.name == "nt":  # Windows cannot open folders; its file system journals renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with annotate_errors(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_to_overwrite(path: Path, *, force: bool) -> None:
    """Raise unless ``path`` is free or the user said ``--force``.

    Raises
    ------
    ConfigError
        The file exists already, or its parent folder is missing.
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
        The path is a file, or the folder is not empty.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigError(f"{folder}: is not empty; add --force to write into it anyway")
