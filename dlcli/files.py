"""Files that appear whole or not at all, locks, and refusals to overwrite what the user has."""

import errno
import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from dlcli.errors import ConfigError, DlcliError

# A file system that cannot flush a folder says so with one of these (CIFS, vboxsf, some FUSE).
_CANNOT_FLUSH_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
# The same for locks (flock).
_HAS_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
_LOCK_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
# Why a file cannot be replaced that can be written: it is a mount point (EBUSY), or its folder
# may not be changed.
_CANNOT_REPLACE = {errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS}

DEFAULT_RUNS_DIR = Path("runs")

IS_WINDOWS = os.name == "nt"
"""Files that are open cannot be renamed or removed there, and links need a privilege."""


def quoted(*words: str | Path) -> str:
    """Words as they must be typed in a shell: that of Unix, or PowerShell and cmd.

    A path that begins with a dash gets ``./`` before it, so that it is no option.
    """
    typed = [
        f"./{word}" if isinstance(word, Path) and str(word).startswith("-") else str(word)
        for word in words
    ]
    if IS_WINDOWS:
        plain = re.compile(r"[\w./\\:=@+-]+")
        return " ".join(
            word if plain.fullmatch(word) else '"{}"'.format(word.replace('"', '\\"'))
            for word in typed
        )
    import shlex  # takes 1 ms

    return shlex.join(typed)


def expand_home(path: str) -> str:
    """The path with ``~`` and ``~user`` replaced, as shells do, but only in words of their own."""
    return os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises for an unknown user


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

    On a file system without locks, nothing is locked: see :func:`has_locks`.

    Raises
    ------
    TimeoutError
        Another process has the lock, and ``wait`` is false.
    OSError
        The file cannot be opened; the error names it.
    """
    os.close(os.open(path, _LOCK_FLAGS | os.O_CREAT, 0o666))
    if not has_locks(path):
        yield
        return
    from filelock import FileLock

    file_lock = FileLock(path, blocking=wait)
    with annotate_errors(path):
        file_lock.acquire()
    try:
        yield
    finally:
        file_lock.release()


def has_locks(path: Path) -> bool:
    """Whether the file system of ``path``, a file that processes lock, has locks."""
    if IS_WINDOWS or not path.exists():
        return True
    import fcntl

    descriptor = os.open(path, _LOCK_FLAGS)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _HAS_NO_LOCKS
    finally:
        os.close(descriptor)
    return True


@contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it when the block succeeds.

    The content is flushed to the disk before the rename, and the folder after it, so that a
    crash at any moment leaves either the old file or the new one. When the block raises, the
    temporary file is removed and ``path`` stays as it was; when the process is killed, the
    temporary file stays until :func:`remove_temporary_files`. With ``durable=False`` nothing is
    flushed: much faster for thousands of small files that a command can write again.

    Whatever has the name ``path`` is replaced, also a link: this is for files that dlcli names.
    For files that the user names, there is :func:`write_output`.

    Raises
    ------
    OSError
        The folder cannot be written to, or the disk is full; the error names ``path``.
    """
    temporary = temporary_path(path)
    is_created = False
    try:
        with annotate_errors(path), temporary.open("xb") as file:
            is_created = True
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # the name that the user knows
        if is_created:
            with suppress(OSError):  # report the first error, not one of the cleanup
                temporary.unlink(missing_ok=True)
        raise
    if durable:
        flush_folder(path.parent)


@contextmanager
def write_output(path: Path, note: Callable[[str], None]) -> Iterator[BinaryIO]:
    """Open a buffer whose content goes to ``path``, named by the user, when the block succeeds.

    A regular file is replaced as :func:`atomic_write` does it; a link is followed, and its target
    replaced. A device, a pipe or a socket is written into, and so is a file that cannot be
    replaced because it is a mount point or because its folder is read-only; ``note`` is told.

    Raises
    ------
    OSError
        The path cannot be written; the error names it.
    DlcliError
        It is a pipe or a socket whose reader is gone.
    """
    buffer = io.BytesIO()
    yield buffer
    content = buffer.getbuffer()
    if is_stdout(path):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    if is_stream(path):
        _write_into(path, content)
        return
    target = Path(os.path.realpath(path))
    try:
        with atomic_write(target) as file:
            file.write(content)
    except OSError as error:
        if error.errno not in _CANNOT_REPLACE or not target.is_file():
            raise
        _write_into(target, content)
        note(f"{path}: could not be replaced ({error.strerror}), so it was written in place")


def is_stdout(path: Path) -> bool:
    """Whether a path is ``/dev/stdout``, another name for that, or a link to it.

    A regular file to which stdout was redirected is not meant by its own name: the user may not
    know that ``-o out.csv >out.csv`` is the same file twice.
    """
    try:
        status = path.stat()
        is_same = os.path.samestat(status, os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError, AttributeError):  # no such file; stdout is closed, or is no file
        return False
    return is_same and (not stat.S_ISREG(status.st_mode) or _leads_into(path, ("/dev/", "/proc/")))


def _leads_into(path: Path, folders: tuple[str, ...]) -> bool:
    """Whether a path, or a link on the way from it to its target, is in one of the folders."""
    while True:
        if str(path.absolute()).startswith(folders):
            return True
        if not path.is_symlink():
            return False
        path = path.parent / path.readlink()


def is_stream(path: Path) -> bool:
    """Whether a path is a device, a pipe or a socket, or a link to one."""
    if not path.exists():
        return False
    mode = path.stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _write_into(path: Path, content: memoryview) -> None:
    """Write into what is there: a device, a pipe, a socket, or a file that must stay the same."""
    try:
        with annotate_errors(path), _opened_in_place(path) as file:
            file.write(content)
            file.flush()
            if path.is_file():
                os.fsync(file.fileno())
    except BrokenPipeError as error:
        raise DlcliError(f"{path}: its reader is gone") from error


def _opened_in_place(path: Path) -> BinaryIO:
    if not path.is_socket():
        return path.open("wb")
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(path))
        return connection.makefile("wb")


def temporary_path(path: Path) -> Path:
    """A name beside ``path`` under which to write it: new each time, and on every machine."""
    return path.with_name(f".{path.name}.{os.urandom(8).hex()}.tmp")


def temporary_files(folder: Path, name: str) -> Iterator[Path]:
    """The temporary files of ``folder / name``, of killed and of running processes."""
    return folder.glob(f".{name}.*.tmp")


def remove_temporary_files(folder: Path, names: Iterable[str]) -> None:
    """Remove temporary files that killed processes left while writing ``names`` in ``folder``.

    The caller must have locked the folder, so that no other process is writing these files; on
    a file system without locks, they must stay.
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
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        reason = "is a file, not a folder"
        raise NotADirectoryError(errno.ENOTDIR, reason, str(folder)) from error
    flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Flush the names in ``folder`` to the disk (a rename changes the folder, not the file).

    Where the file system cannot do that, there is nothing to do: databases continue, too.
    """
    if IS_WINDOWS:  # it cannot open folders; its file system journals renames
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with annotate_errors(folder):
            os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH_FOLDERS:
            raise
    finally:
        os.close(descriptor)


# Endings that say what a file holds. With another one, people write what they like.
_ENDINGS = {".onnx", ".safetensors", ".npz", ".npy", ".pt", ".html", ".htm", ".pdf", ".svg", ".png"}
_ENDINGS |= {".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".csv", ".json", ".jsonl", ".yaml"}


def refuse_wrong_ending(path: Path, content: str, *endings: str, hint: str = "") -> None:
    """Raise if the ending of ``path`` promises something else than ``content``.

    Raises
    ------
    ConfigError
        The ending is that of another format than the ``endings`` that fit.
    """
    ending = path.suffix.lower()
    if ending in _ENDINGS and ending not in endings:
        better = path.with_suffix(endings[0])
        raise ConfigError(f"{path}: would hold {content}; name it {better}{hint}")


def refuse_to_overwrite(
    path: Path, *, force: bool, advice: str = "add --force to replace it"
) -> None:
    """Raise unless ``path`` is free or the user said ``--force``.

    Devices, pipes and sockets are written into and lose nothing, so they need no ``--force``.

    Raises
    ------
    ConfigError
        The file exists already, or is a folder, or its parent folder is missing.
    """
    if str(path) == "-":
        raise ConfigError("-: name a file; stdout is for the result")
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder, not a file")
    if is_stdout(path) or is_stream(path):
        return
    if path.exists() and not force:
        raise ConfigError(f"{path}: exists already; {advice}")
    folder = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise ConfigError(f"{path}: the folder {folder} does not exist")


def refuse_full_folder(folder: Path, *, force: bool) -> None:
    """Raise unless ``folder`` is missing or empty, or the user said ``--force``.

    Raises
    ------
    ConfigError
        The path is a file, or the folder is not empty.
    """
    if str(folder) == "-":
        raise ConfigError("-: name a folder; stdout is for the result")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ConfigError(f"{folder}: is not empty; add --force to write into it anyway")
