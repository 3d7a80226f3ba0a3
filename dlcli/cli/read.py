"""``dlcli read``."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import options, pictures
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads
from dlcli.cli.output import echo, print_csv, print_json, printable, watch_stdout
from dlcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlcli.inference.reading import Number, Reading

_MAX_DIGITS = 100  # of a number, and rows or columns of a grid
_MAX_LINES = 1_000


def _rows_and_columns(text: str) -> tuple[int, int]:
    """Two numbers, as in 9x9."""
    sides = re.fullmatch(r"(\d{1,3})[xX×](\d{1,3})", text)  # noqa: RUF001 - as people type it
    if sides is None:
        raise click.BadParameter(f"{text!r} is not ROWSxCOLUMNS, as in 9x9.")
    rows, columns = int(sides[1]), int(sides[2])
    if not (1 <= rows <= _MAX_DIGITS and 1 <= columns <= _MAX_DIGITS):
        raise click.BadParameter(f"{text!r} is not from 1x1 to {_MAX_DIGITS}x{_MAX_DIGITS}.")
    return rows, columns


@click.command("read", cls=Command)
@pictures.arguments
@click.option(
    "--digits",
    type=click.IntRange(1, _MAX_DIGITS),
    metavar="N",
    help="Each number has N digits, which helps where digits touch.",
)
@click.option(
    "--lines",
    type=click.IntRange(1, _MAX_LINES),
    metavar="N",
    help="Each picture has N lines of numbers.",
)
@click.option(
    "--grid",
    type=_rows_and_columns,
    metavar="ROWSxCOLUMNS",
    help="Each picture is a grid of boxes with a digit or nothing in each, as a sudoku. Prints "
    "each row as a number, with . for an empty box.",
)
@click.option("--join", is_flag=True, help="Print all digits of a picture as one number.")
@click.option(
    "--reject",
    type=options.Fraction(),
    default=0.0,
    metavar="P",
    help="Print ? for a digit whose probability is below P.",
)
@click.option(
    "--show",
    "shown_dir",
    type=options.PathType(readable=False, path_type=Path),
    metavar="DIR",
    help="Write each picture as a PNG with boxes, digits and probabilities drawn in.",
)
@options.force
@options.threads
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def command(
    images: tuple[str, ...],
    model_paths: tuple[str, ...],
    lists: tuple[str, ...],
    recursive: bool,
    digits: int | None,
    lines: int | None,
    grid: tuple[int, int] | None,
    join: bool,
    reject: float,
    shown_dir: Path | None,
    force: bool,
    threads: int | None,
    output_format: str,
) -> None:
    """Read the handwritten numbers on each picture.

    IMAGE is a picture of numbers (a scan, a drawing, a photo of a page) in any format that Pillow
    reads, a folder of them, or - for one picture on stdin. Prints NUMBER, PROBABILITY and PATH,
    separated by tabs, a line a number, in reading order; with --format json, an object a picture
    with the box, line and digits of each number. A digit that is doubtful is ?; points, signs and
    letters are left out.

    The model is that of dlcli predict: --model, else $DLCLI_MODEL, else runs/latest; pretrained
    if there are no runs at all. It must have learned digits.

    For a picture without numbers nothing is printed, and stderr says so. A picture that cannot be
    used is reported on stderr; the others are still read, and the exit code is 4.

    \b
    Examples:
      dlcli read receipt.jpg
      dlcli read --digits 5 --reject 0.9 postcodes/
      dlcli read --grid 9x9 --join sudoku.png
      dlcli read --show seen page.png
      find . -name '*.jpg' -print0 | dlcli read --from-file - --format json
    """
    pictures.check_usage(images, lists, model_paths)
    pictures.use_one_thread(threads)
    if grid is not None and (digits is not None or lines is not None):
        raise click.UsageError("--grid says how many digits and lines there are: use it alone")
    from dlcli.inference.reading import ReadingOptions, read
    from dlcli.inference.sources import find_sources

    model = pictures.load_model(model_paths)
    if shown_dir is not None:
        pictures.make_folder(shown_dir, force=force)
    if threads is not None:
        click.get_current_context().with_resource(limit_threads(threads))

    # Drawings are wanted even if nobody reads the numbers.
    is_unread = watch_stdout() if shown_dir is None else lambda: False
    readings = read(
        model,
        find_sources(images, lists, recursive=recursive, written=shown_dir, is_unread=is_unread),
        ReadingOptions(reject, digits, lines, grid),
        keep_pictures=shown_dir is not None,
        threads=threads,
        is_unread=is_unread,
    )

    def reason(reading: "Reading") -> str | None:
        return None if reading.numbers or is_unread() else "no number found"

    readings = pictures.with_bar(readings, images, lists, reason)
    failures = pictures.Failures()
    readings = pictures.usable(readings, failures, reason, as_json=output_format == "json")
    if shown_dir is not None:
        readings = _write_drawings(readings, shown_dir)
    if join:
        readings = map(_joined, readings)
    _print(readings, output_format, str(model.path))
    if failures.count:
        click.get_current_context().exit(InputError.exit_code)


def _write_drawings(readings: "Iterable[Reading]", folder: Path) -> "Iterator[Reading]":
    """Write each picture with what was read drawn in."""
    from dlcli.inference.drawing import write_drawing

    for number, reading in enumerate(readings):
        write_drawing(reading, pictures.path_in(folder, number, reading.name))
        yield reading


def _joined(reading: "Reading") -> "Reading":
    """Make one number of all that are on a picture."""
    if not reading.numbers:
        return reading
    boxes = [number.box for number in reading.numbers]
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    number = replace(
        reading.numbers[0],
        text="".join(number.text for number in reading.numbers),
        probability=math.prod(number.probability for number in reading.numbers),
        box=(min(lefts), min(tops), max(rights), max(bottoms)),
        digits=tuple(digit for number in reading.numbers for digit in number.digits),
    )
    return replace(reading, numbers=(number,))


def _print(readings: "Iterator[Reading]", output_format: str, model: str) -> None:
    """Print the numbers of each picture as they come."""
    if output_format == "csv":
        columns = ["path", "line", "text", "probability", "left", "top", "right", "bottom"]
        print_csv((_csv_row(r, number) for r in readings for number in r.numbers), columns)
    elif output_format == "json":
        for reading in readings:
            numbers = [_json_object(number) for number in reading.numbers]
            print_json({"path": reading.name, "numbers": numbers, "model": model}, indent=None)
    else:
        for reading in readings:
            for number in reading.numbers:
                cells = [number.text, f"{number.probability:.4f}", printable(reading.name)]
                echo("\t".join(cells))


def _json_object(number: "Number") -> dict[str, Any]:
    digits = [
        {"digit": digit.digit, "probability": digit.probability, "box": digit.box}
        for digit in number.digits
    ]
    return {
        "text": number.text,
        "probability": number.probability,
        "box": number.box,
        "line": number.line,
        "digits": digits,
    }


def _csv_row(reading: "Reading", number: "Number") -> dict[str, Any]:
    left, top, right, bottom = number.box
    return {
        "path": reading.name,
        "line": number.line,
        "text": number.text,
        "probability": f"{number.probability:.6g}",
        "left": left,
        "top": top,
        "right": right,
        "bottom": bottom,
    }
