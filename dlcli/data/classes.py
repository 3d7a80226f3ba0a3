"""The names of a dataset's classes: the labels of its images are their indices."""

from collections.abc import Sequence

DIGITS = tuple("0123456789")
"""The classes of MNIST, and of every dataset that names none."""

MIN_CLASSES, MAX_CLASSES = 2, 1_000
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
