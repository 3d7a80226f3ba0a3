"""What commands print: messages and progress to stderr, results to stdout."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from dlcli.cli.options import QUIET


def echo_error(text: str) -> None:
    """Write a line to stderr; once that fails, write no more and let the work continue."""
    try:
        click.echo(text, err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def message(text: str) -> None:
    """Write a line to stderr, unless --quiet."""
    if not is_quiet():
        echo_error(printable(text))


def warn(text: str) -> None:
    """Write a warning to stderr, unless --quiet."""
    message(f"Warning: {text}")


def is_quiet() -> bool:
    """Whether the user wants to see nothing but errors."""
    return bool(click.get_current_context().meta.get(QUIET, False))


def shows_bars() -> bool:
    """Whether to show progress bars: on a terminal, unless --quiet."""
    return sys.stderr is not None and sys.stderr.isatty() and not is_quiet()


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a JSON document to stdout; without ``indent``, in one line."""
    import json

    click.echo(json.dumps(value, indent=indent))


def print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header line to stdout, each as soon as it is there."""
    import csv
    import io

    def print_line(cells: Iterable[Any]) -> None:
        line = io.StringIO()
        shown = [printable(cell) if isinstance(cell, str) else cell for cell in cells]
        csv.writer(line, lineterminator="\n").writerow(shown)
        click.echo(line.getvalue(), nl=False)

    print_line(columns)
    for row in rows:
        print_line(row.get(column) for column in columns)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print aligned columns to stdout, the first ``left`` of them left-aligned."""
    lines = [list(header), *[[printable(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """A text that does nothing to a terminal: control characters and bad bytes are escaped."""
    if text.isprintable():  # nearly all texts are, and this is a hundred times as fast
        return text
    import unicodedata

    return "".join(
        character
        if character.isprintable() or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )
