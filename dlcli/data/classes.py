"""The names of a dataset's classes: the labels of its images are their indices.

Folders of IDX files or pictures may hold a ``classes.txt``, with a name on each line in the order
of the labels, or a mapping as EMNIST has: on each line a label, then the code of its character.
"""

from collections.abc import Sequence
from pathlib import Path

from dlcli.errors import DatasetError
from dlcli.files import open_file

DIGITS = tuple("0123456789")
"""The classes of MNIST, and of every dataset that names none."""

MIN_CLASSES, MAX_CLASSES = 2, 1_000
NAMES_FILE = "classes.txt"
_MAX_BYTES = 1_000_000  # of a file of names
_LAST_CODE = 0x10FFFF  # of Unicode
MAX_NAME_LENGTH = 255  # characters; file systems allow no longer name of a folder


def numbered(count: int) -> tuple[str, ...]:
    """The names of classes that have none: ``0``, ``1`` and so on."""
    return tuple(map(str, range(count)))


def summary(names: Sequence[str]) -> str:
    """The names in a message: all of a few, the first and the last of many."""
    shown = list(names) if len(names) <= 12 else [*names[:3], "...", names[-1]]
    return f"{', '.join(shown)} ({len(names)} classes)"


def are_digits(names: Sequence[str]) -> bool:
    """Whether all classes are digits, though not all digits may be there."""
    return set(names) <= set(DIGITS)


def is_name(value: object) -> bool:
    """Whether a value can be the name of a class."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH


def checked(names: Sequence[str], where: str) -> tuple[str, ...]:
    """The names, if they can be those of classes.

    Raises
    ------
    DatasetError
        A name is empty, too long, not printable or there twice, or there are too many; the error
        starts with ``where``.
    """
    if len(names) > MAX_CLASSES:
        raise DatasetError(f"{where}: {len(names):,} classes, at most {MAX_CLASSES:,}")
    for name in names:
        if not is_name(name):
            raise DatasetError(
                f"{where}: {name[:60]!r} cannot be the name of a class: "
                f"use 1 to {MAX_NAME_LENGTH} characters"
            )
        if not name.isprintable():
            raise DatasetError(
                f"{where}: {name[:60]!r} cannot be the name of a class: it is not printable"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DatasetError(f"{where}: the class {twice!r} is there twice")
    return tuple(names)


def in_order(names: Sequence[str]) -> list[str]:
    """Names sorted: numbers by their value, others by their characters."""
    if all(name.isdecimal() and name.isascii() for name in names):
        return sorted(names, key=lambda name: (int(name), name))
    return sorted(names)


def read_names(path: Path) -> tuple[str, ...]:
    """The names in a ``classes.txt``; raise ``DatasetError`` if they are no names."""
    return checked([line.strip() for line in _lines(path)], str(path))


def read_mapping(path: Path) -> tuple[tuple[str, ...], int]:
    """The names in a mapping of EMNIST, and its first label: 0 or 1.

    Raises
    ------
    DatasetError
        A line is no mapping, or a label is left out.
    """
    found: dict[int, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if len(words) < 2 or not all(word.isdecimal() and len(word) <= 7 for word in words):
            raise DatasetError(
                f"{path}, line {number}: expected a label and the code of its character, as in 0 48"
            )
        label, code = int(words[0]), int(words[1])
        if label in found:
            raise DatasetError(f"{path}, line {number}: the label {label} is there twice")
        found[label] = chr(code) if code <= _LAST_CODE else ""
    first = min(found)
    missing = next((n for n in range(first, first + len(found)) if n not in found), None)
    if first > 1 or missing is not None:
        wanted = 0 if missing is None else missing
        raise DatasetError(f"{path}: maps {len(found)} labels, but not {wanted}")
    return checked([found[label] for label in sorted(found)], str(path)), first


def _lines(path: Path) -> list[str]:
    """The lines of a small text file, without empty ones at its end."""
    try:
        with open_file(path) as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not a text file (UTF-8)") from error
    if len(content) > _MAX_BYTES:
        raise DatasetError(f"{path}: larger than {_MAX_BYTES:,} bytes")
    lines = text.rstrip().splitlines()
    if not lines:
        raise DatasetError(f"{path}: empty; it should name the classes, one a line")
    return lines
