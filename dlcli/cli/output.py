"""What commands print: messages and progress to stderr, results to stdout."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from dlcli.cli import layout
from dlcli.cli.options import QUIET
from dlcli.files import is_stdout, write_output

STOP_IS_TOLD = "dlcli.stop_is_told"
_IS_CLOSED = "dlcli.stdout_is_closed"
_ENCODING_ERRORS = "dlcli.escape"


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode what an encoding lacks: bytes of a path as they are, all else as in \\u6570."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    error.end = error.start + 1  # one character at a time
    is_byte = "\udc80" <= error.object[error.start] <= "\udcff"
    if is_byte and not error.encoding.startswith(("utf-16", "utf-32")):
        return codecs.lookup_error("surrogateescape")(error)
    return codecs.backslashreplace_errors(error)


def print_any_character() -> None:
    """Let stdout and stderr take any text, also what their encoding (PYTHONIOENCODING) lacks."""
    codecs.register_error(_ENCODING_ERRORS, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ENCODING_ERRORS)


def echo(text: object = "", *, nl: bool = True) -> None:
    """Write a line to stdout; once its reader is gone (| head -1), write no more and go on.

    So the exit code is that of the whole work, however much of the result somebody reads.
    """
    try:
        click.echo(text, file=sys.stdout, nl=nl)  # noqa: TID251
    except BrokenPipeError:
        _stop_printing()


def _stop_printing() -> None:
    discard(sys.stdout)
    click.get_current_context().meta[_IS_CLOSED] = True


def watch_stdout() -> Callable[[], bool]:
    """A function for any thread: whether the reader of stdout is gone."""
    meta = click.get_current_context().meta
    return lambda: bool(meta.get(_IS_CLOSED, False))


def discard(stream: TextIO) -> None:
    """Let what is written to a stream vanish, also what it holds already."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def echo_error(text: str) -> None:
    """Write a line to stderr; once that fails, write no more and let the work continue."""
    if sys.stderr is None:  # it was closed before the start (2>&-)
        return
    try:
        click.echo(text, file=sys.stderr)  # noqa: TID251
    except OSError:
        discard(sys.stderr)


def styled(text: str, stream: TextIO | None, **style: Any) -> str:
    """A text in a style of ``click.style``, where a stream is a terminal that shows styles.

    ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb`` turn styles off.
    """
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if is_plain or stream is None or not stream.isatty():
        return text
    return click.style(text, **style)


def message(text: str, **style: Any) -> None:
    """Write a line to stderr, unless --quiet; in a style of ``click.style`` on a terminal."""
    if not is_quiet():
        echo_error(styled(printable(text), sys.stderr, **style) if style else printable(text))


def message_of(*pieces: str, **style: Any) -> None:
    """Write a line to stderr, unless --quiet; a narrow terminal breaks it between the pieces."""
    for line in layout.lines(list(map(printable, pieces)), layout.width(sys.stderr)):
        message(line, **style)


def echo_of(*pieces: str) -> None:
    """Write a line to stdout; a narrow terminal breaks it between the pieces."""
    for line in layout.lines(list(map(printable, pieces)), layout.width(sys.stdout)):
        echo(line)


def say_stopped(text: str) -> None:
    """Say how far the work came before Ctrl-C or SIGTERM, and how to continue it."""
    message(text)
    click.get_current_context().meta[STOP_IS_TOLD] = not is_quiet()


def warn(text: str) -> None:
    """Write a warning to stderr, unless --quiet."""
    if not is_quiet():
        echo_error(f"{styled('Warning:', sys.stderr, fg='yellow', bold=True)} {printable(text)}")


def is_quiet() -> bool:
    """Whether the user wants to see nothing but errors."""
    return bool(click.get_current_context().meta.get(QUIET, False))


def can_ask() -> bool:
    """Whether somebody sits at stdin who can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()


def shows_bars() -> bool:
    """Whether to show progress bars: on a terminal, unless --quiet."""
    return sys.stderr is not None and sys.stderr.isatty() and not is_quiet()


@contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open a file that the user named for writing (:func:`dlcli.files.write_output`)."""
    try:
        with write_output(path, warn) as file:
            yield file
    except BrokenPipeError:  # stdout's
        _stop_printing()


def print_path(path: Path) -> None:
    """Print the path of a file that was written to stdout, unless the file itself went there."""
    if not is_stdout(path):
        echo(path)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a JSON document to stdout; without ``indent``, in one line."""
    from dlcli.runs import strict_json

    echo(strict_json.dumps(value, indent=indent))


def print_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header line to stdout, each as soon as it is there."""
    import csv
    import io

    def print_line(cells: Iterable[Any]) -> None:
        line = io.StringIO()
        shown = [printable(cell) if isinstance(cell, str) else cell for cell in cells]
        csv.writer(line, lineterminator="\n").writerow(shown)
        echo(line.getvalue(), nl=False)

    print_line(columns)
    for row in rows:
        print_line(row.get(column) for column in columns)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> None:
    """Print aligned columns to stdout, the first ``left`` of them left-aligned.

    On a terminal that is too narrow, the rows have several lines.
    """
    lines = [list(header), *[[printable(cell) for cell in row] for row in rows]]
    found = list(layout.table(lines, left, layout.width(sys.stdout)))
    in_header = len(found) // len(lines)  # a row has as many lines as the header
    for number, line in enumerate(found):
        echo(styled(line, sys.stdout, bold=True) if number < in_header else line)


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
