"""Where pictures come from: files, folders, lists of paths, and stdin."""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dlcli.errors import ImageError, InputError
from dlcli.files import expand_home, stdin
from dlcli.inference.path_list import split_list
from dlcli.vision.decode import MAX_BYTES, picture_suffixes


@dataclass(frozen=True, eq=False)
class ImageSource:
    """One picture to predict."""

    file: Path | BinaryIO
    name: str
    error: str | None = None  # why it cannot be read, if that is known already


def find_sources(
    names: Iterable[str],
    lists: Iterable[str],
    *,
    recursive: bool = False,
    written: Path | None = None,
    is_unread: Callable[[], bool] = lambda: False,
) -> Iterator[ImageSource | None]:
    """The pictures of names and of lists of names, found as they are asked for.

    A name is a picture, a folder of pictures, or - for stdin. None among the sources says that
    the next one may take a while. Folders on lists are searched only if ``recursive``: a list
    that names every file of a tree names its folders as well. A folder ``written`` is not searched
    with the one that it is in: pictures are written into it meanwhile. Once ``is_unread`` says that
    nobody wants the predictions any more, a list on stdin, which may be endless, is read no
    further.
    """
    for name in names:
        if name == "-":
            yield ImageSource(io.BytesIO(stdin().read(MAX_BYTES + 1)), "-")
        else:
            yield from _at(name, written)
    for name in lists:
        for source in _listed_in(name, written, recursive=recursive):
            yield source
            if name == "-" and is_unread():
                break


def is_folder(name: str) -> bool:
    """Whether there is a folder of this name, which may be looked into or not."""
    return os.path.isdir(name)  # noqa: PTH112 - Path.is_dir raises where it may not look


def _at(name: str, written: Path | None) -> Iterator[ImageSource]:
    path = Path(name)
    if not is_folder(name):
        yield ImageSource(path, name)
        return
    try:
        for found in find_images(path, written):
            yield ImageSource(found, str(found))
    except ImageError as error:
        yield ImageSource(path, name, str(error))


def _listed_in(name: str, written: Path | None, *, recursive: bool) -> Iterator[ImageSource | None]:
    path = Path(name)
    try:
        with nullcontext(stdin()) if name == "-" else path.open("rb") as stream:
            for listed in split_list(stream):
                if listed is None:
                    yield None
                    continue
                if not os.path.lexists(listed):  # a picture may be called ~
                    listed = expand_home(listed)  # noqa: PLW2901
                if is_folder(listed) and not recursive:
                    hint = "a folder; --recursive searches folders on lists"
                    yield ImageSource(Path(listed), listed, f"{listed}: {hint}")
                else:
                    yield from _at(listed, written)
    except OSError as error:
        yield ImageSource(path, name, f"{name}: cannot be read: {error.strerror}")
    except InputError as error:
        yield ImageSource(path, name, f"{name}: {error}")


def find_images(folder: Path, written: Path | None = None) -> Iterator[Path]:
    """The image files in a folder and its subfolders, in order of their names.

    Hidden files and folders are skipped, and so is the subfolder ``written``.

    Raises
    ------
    ImageError
        There are none; or, after all others, a folder that could not be read.
    """
    suffixes = picture_suffixes()
    found = False
    unreadable: list[OSError] = []
    try:
        for parent, folders, files in os.walk(folder, onerror=unreadable.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if written is not None:
                folders[:] = [name for name in folders if not _is_same(Path(parent, name), written)]
            for file in sorted(files):
                if file.startswith(".") or os.path.splitext(file)[1].lower() not in suffixes:  # noqa: PTH122 - a third of a path's time
                    continue
                path = Path(parent, file)
                if not _is_pipe(path):
                    found = True
                    yield path
    except RecursionError:  # up to Python 3.11, os.walk is recursive
        raise ImageError(f"{folder}: folders are nested too deeply in it") from None
    for error in unreadable:
        raise ImageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not found:
        raise ImageError(f"{folder}: holds no pictures")


def _is_same(folder: Path, other: Path) -> bool:
    try:
        return folder.samefile(other)
    except OSError:  # one of them is gone; searching it will tell
        return False


def _is_pipe(path: Path) -> bool:
    """Whether a file is a named pipe, which could block for ever."""
    try:
        return path.is_fifo()
    except OSError:  # as in a folder that may not be searched; opening the file will tell
        return False
