"""Lines and tables that fit a terminal: broken between parts, never inside a number."""

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import TextIO

_INDENT = "  "
_GAP = "  "
# A first column wider than this fraction of the terminal stands on a line of its own.
_WIDE_COLUMN = 0.3


def width(stream: TextIO | None) -> int | None:
    """The columns of a terminal; None for a file or a pipe, where lines may have any length.

    The environment variable COLUMNS, if it is set, decides in place of the terminal.
    """
    if stream is None or not stream.isatty():
        return None
    if os.environ.get("COLUMNS", "").isdecimal():
        return shutil.get_terminal_size().columns
    try:
        return os.get_terminal_size(stream.fileno()).columns or None  # 0 if it is not known
    except OSError:  # a terminal only by name
        return None


def lines(pieces: Sequence[str], limit: int | None) -> list[str]:
    """Pieces of a text, with the spaces between them, as one line or as several that fit."""
    found = [""]
    for piece in pieces:
        longer = f"{found[-1]}{piece}"
        if found[-1] and limit is not None and len(longer.rstrip()) > limit:
            found.append(f"{_INDENT}{piece.lstrip()}")
        else:
            found[-1] = longer
    return [line.rstrip() for line in found]


def beside(name: str, column: int, text: str, limit: int | None) -> list[str]:
    """A name, and a text beside it from ``column`` on, in several lines where one does not fit."""
    import textwrap

    if limit is None:
        return [f"{name:<{column}}{text}"]
    first, rest = f"{name:<{column}}", " " * column
    return textwrap.wrap(
        text, max(limit, 2 * column), initial_indent=first, subsequent_indent=rest
    ) or [first.rstrip()]


def table(cells: Sequence[Sequence[str]], left: int, limit: int | None) -> Iterator[str]:
    """The rows of a table in aligned columns, the first ``left`` of them left-aligned.

    Where the columns do not fit into ``limit`` characters, each row has several lines, with the
    same columns in the same place of each.
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    groups = _groups(widths, limit)
    for row in cells:
        for number, group in enumerate(groups):
            padded = [
                row[column].ljust(widths[column])
                if column < left
                else row[column].rjust(widths[column])
                for column in group
            ]
            yield ((_INDENT if number else "") + _GAP.join(padded)).rstrip()


def _groups(widths: Sequence[int], limit: int | None) -> list[range]:
    """The columns of each line."""
    total = sum(widths) + len(_GAP) * (len(widths) - 1)
    if limit is None or total <= limit:
        return [range(len(widths))]
    first = 1 if widths[0] > _WIDE_COLUMN * limit else 0  # it ends the first group
    starts, used = [0], widths[0]
    for column in range(1, len(widths)):
        longer = used + len(_GAP) + widths[column]
        if column == first or longer > limit:
            starts.append(column)
            used = len(_INDENT) + widths[column]
        else:
            used = longer
    return [range(a, b) for a, b in zip(starts, [*starts[1:], len(widths)], strict=True)]
