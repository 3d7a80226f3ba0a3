"""What commands print: messages and progress to stderr, results to stdout."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli.options import QUIET

if TYPE_CHECKING:
    from dlcli.data.download import Progress


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
    return "".join(
        character
        if character.isprintable() or _is_space(character)
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def _is_space(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) == "Zs"


@contextmanager
def download_progress() -> Iterator["Progress"]:
    """Show downloads: on a terminal a progress bar for each file, else a line for each file."""
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
