"""What commands print: messages and progress to stderr, results to stdout."""

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli.options import QUIET

if TYPE_CHECKING:
    from dlcli.data.download import Progress


def tell(text: str) -> None:
    """Write a line to stderr; if that takes no more, the work still goes on."""
    try:
        click.echo(text, err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def message(text: str) -> None:
    """Tell the user something in one line on stderr, unless told to be quiet."""
    if not is_quiet():
        tell(printable(text))


def warn(text: str) -> None:
    """Warn the user on stderr, unless told to be quiet."""
    message(f"Warning: {text}")


def is_quiet() -> bool:
    """Whether the user asked for errors alone."""
    return bool(click.get_current_context().meta.get(QUIET, False))


def shows_bars() -> bool:
    """Whether progress bars make sense: on a terminal, and not told to be quiet."""
    return sys.stderr is not None and sys.stderr.isatty() and not is_quiet()


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a JSON document (or, without indent, one line) to stdout."""
    import json

    click.echo(json.dumps(value, indent=indent))


def print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header line to stdout, each as it comes."""
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    click.echo(buffer.getvalue(), nl=False)
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(
            {name: printable(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
        )
        click.echo(buffer.getvalue(), nl=False)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print aligned columns to stdout, the first ``left`` of them to the left."""
    lines = [list(header), *[[printable(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """A text that no terminal acts upon: control characters and bad bytes are spelled out."""
    if text.isprintable():  # nearly all are, and this takes a hundredth of the time
        return text
    return "".join(
        character
        if character.isprintable() or _is_space(character)
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def _is_space(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) == "Zs"


_BLOCKS = "▁▂▃▄▅▆▇█"
_LETTERS = "_.-:=+*#"
_SPARKLINE_WIDTH = 60


def sparkline(losses: Sequence[float]) -> str:
    """A line of bars, for stderr: as high as the losses, or as dark where it has no bars.

    The scale is logarithmic, for losses fall by factors. Of many, each bar is the mean of a few.
    """
    width = min(len(losses), _SPARKLINE_WIDTH)
    edges = [number * len(losses) // width for number in range(width + 1)]
    levels = [math.log(max(sum(losses[a:b]) / (b - a), 1e-9)) for a, b in pairwise(edges)]
    least, most = min(levels), max(levels)
    try:
        _BLOCKS.encode(getattr(sys.stderr, "encoding", None) or "ascii")
        bars = _BLOCKS
    except UnicodeEncodeError:
        bars = _LETTERS
    scale = (len(bars) - 1) / (most - least) if most > least else 0.0
    return "".join(bars[round((level - least) * scale)] for level in levels)


@contextmanager
def download_progress() -> Iterator["Progress"]:
    """Show downloads: a progress bar a file on a terminal, else a line a file."""
    if not shows_bars():
        seen: set[str] = set()

        def announce(name: str, _received: int, _total: int) -> None:
            if name not in seen:
                seen.add(name)
                message(f"downloading {name}")

        yield announce
        return
    from tqdm import tqdm

    bars: dict[str, tqdm[Any]] = {}

    def update(name: str, received: int, total: int) -> None:
        if name not in bars:
            bars[name] = tqdm(desc=name, unit="B", unit_scale=True, file=sys.stderr)
        bars[name].total = total or None
        bars[name].n = received
        bars[name].refresh()

    try:
        yield update
    finally:
        for bar in bars.values():
            bar.close()
