"""Count the numbers that a model reads on pages of each kind: ``benchmarks/NUMBERS.md``.

The pages are those of ``tools.number_pages``, of MNIST's test digits, and pages without a number.
Where Tesseract is installed it reads them, too. Takes about half an hour on two cores for 60 pages
of each of 36 kinds.

    make numbers MODEL=pretrained FOLDER=~/pages
"""

import csv
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple, TextIO

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
from tqdm import tqdm

from benchmarks.report import processor
from dlcli.cli import options
from dlcli.errors import DlcliError, ImageError
from dlcli.inference.reading import read
from dlcli.inference.sources import ImageSource
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from tools.conditions import NO_DIGIT, any_photo
from tools.number_pages import GROUPS, pages
from tools.photographs import photograph
from tools.writers import Writers, load_digits

NO_NUMBER = ("a blank page", "a letter", "a scribble", "a star", "a face", "a house")
Counts = dict[str, Counter[str]]
_COLUMNS = ("pages", "numbers", "numbers right", "digits right")
# So many pages are one piece of work for a process.
_BATCH = 10
_TIMINGS = 5
# Tesseract's page segmentation modes: a uniform block of text, and a single line.
_BLOCK, _LINE = "6", "7"


class Text(NamedTuple):
    """What is written on a picture file, number by number, and whether that is on one line."""

    content: bytes
    numbers: tuple[str, ...]
    is_line: bool


Reader = Callable[[Text], Sequence[str]]


def texts(kind: str, digits: Writers, numbers: range) -> Iterator[Text]:
    """Pages of a kind: a condition, or one of ``NO_NUMBER``."""
    if kind not in NO_NUMBER:
        for page in pages(kind, digits, numbers):
            lines = {number.line for number in page.numbers}
            yield Text(page.content, tuple(n.text for n in page.numbers), len(lines) == 1)
        return
    for number in numbers:
        random = np.random.default_rng([zlib.crc32(kind.encode()), number])
        marks = NO_DIGIT[kind](random, np.zeros((0, 28, 28), np.uint8))
        yield Text(photograph(marks, any_photo(random), random), (), is_line=False)


def texts_in(folder: Path) -> dict[str, str]:
    """The digits on each picture of a folder, as its ``labels.csv`` says (``file,digits``).

    Raises
    ------
    ImageError
        There is no such file, or it has other columns.
    """
    labels = folder / "labels.csv"
    try:
        with labels.open(newline="") as file:
            return {row["file"]: row["digits"] for row in csv.DictReader(file)}
    except OSError as error:
        raise ImageError(f"{labels}: cannot be read: {error.strerror}") from error
    except KeyError as error:
        raise ImageError(f"{labels}: has no column {error}; expected file,digits") from error


def by_dlcli(model: Model, text: Text) -> list[str]:
    """The numbers that ``dlcli read`` finds."""
    source = ImageSource(io.BytesIO(text.content), "page")
    (reading,) = read(model, [source], threads=1)
    if reading.error is not None:
        raise ImageError(reading.error)
    return [number.text for number in reading.numbers]


def by_tesseract(text: Text) -> list[str]:
    """The numbers that Tesseract finds, looking for digits alone."""
    command = ["tesseract", "stdin", "stdout", "--psm", _LINE if text.is_line else _BLOCK]
    command += ["-c", "tessedit_char_whitelist=0123456789"]
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    # Killed by a signal, as Tesseract 5.3 is by some pages, it has read nothing.
    done = subprocess.run(
        command, input=text.content, capture_output=True, env=environment, check=False
    )
    if done.returncode > 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout.decode().split() if done.returncode == 0 else []


def tesseract_version() -> str | None:
    """The version of Tesseract; None if it is not installed."""
    if shutil.which("tesseract") is None:
        return None
    command = ["tesseract", "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


def count(text: Text, readers: dict[str, Reader]) -> Counter[str]:
    """What a page has, and for each reader how many numbers are right and digits wrong."""
    digits = "".join(text.numbers)
    counts = Counter(pages=1, numbers=len(text.numbers), digits=len(digits))
    for name, reader in readers.items():
        found = reader(text)
        counts[f"{name}: pages"] = 1
        counts[f"{name}: numbers"] = in_common(found, text.numbers)
        counts[f"{name}: edits"] = edit_distance("".join(found), digits)
        counts[f"{name}: nothing"] = not found
    return counts


def edit_distance(found: Sequence[str], truth: Sequence[str]) -> int:
    """How many items must be put in, left out or replaced (Levenshtein)."""
    costs = list(range(len(truth) + 1))
    for row, item in enumerate(found, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(truth, 1):
            replaced = diagonal + (item != other)
            diagonal = costs[column]
            costs[column] = min(replaced, diagonal + 1, costs[column - 1] + 1)
    return costs[-1]


def in_common(found: Sequence[str], truth: Sequence[str]) -> int:
    """How many numbers are in both, in the same order (longest common subsequence)."""
    lengths = [0] * (len(truth) + 1)
    for item in found:
        diagonal = 0
        for column, other in enumerate(truth, 1):
            above = lengths[column]
            lengths[column] = diagonal + 1 if item == other else max(above, lengths[column - 1])
            diagonal = above
    return lengths[-1]


def percent_right(counts: Counter[str], reader: str) -> tuple[str, str]:
    """Numbers and digits that a reader has right; empty if it has not been asked."""
    if not counts[f"{reader}: pages"]:
        return "", ""
    numbers = counts[f"{reader}: numbers"] / counts["numbers"]
    digits = max(0.0, 1 - counts[f"{reader}: edits"] / counts["digits"])
    return f"{numbers:.1%}", f"{digits:.1%}"


_model = cache(lookup.load_named)


@cache
def _writers(data_dir: Path) -> Writers:
    return Writers(load_digits(data_dir=data_dir).test)


def _readers(model: str) -> dict[str, Reader]:
    readers: dict[str, Reader] = {"dlcli": partial(by_dlcli, _model(model))}
    if tesseract_version() is not None:
        readers["tesseract"] = by_tesseract
    return readers


def _count(model: str, data_dir: Path, part: tuple[str, range]) -> Counter[str]:
    readers = _readers(model)
    total: Counter[str] = Counter()
    for text in texts(part[0], _writers(data_dir), part[1]):
        total.update(count(text, readers))
    return total


def count_all(model: str, data_dir: Path, kinds: Iterable[str], number: int) -> Counts:
    """Count the pages of all kinds, in several processes."""
    parts = [
        (kind, range(number)[first : first + _BATCH])
        for kind in kinds
        for first in range(0, number, _BATCH)
    ]
    counts: Counts = {}
    with Pool() as pool:
        results = pool.imap(partial(_count, model, data_dir), parts)
        for (kind, _), more in zip(tqdm(parts), results, strict=True):
            counts.setdefault(kind, Counter()).update(more)
    return counts


def count_folder(model: str, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """For each labelled picture of a folder its name, its digits, and the numbers read."""
    for file, digits in texts_in(folder).items():
        try:
            content = (folder / file).read_bytes()
        except OSError as error:
            raise ImageError(f"{folder / file}: cannot be read: {error.strerror}") from error
        yield file, digits, by_dlcli(_model(model), Text(content, (digits,), is_line=False))


def seconds_of_read(model: str, data_dir: Path) -> list[float]:
    """The seconds that ``dlcli read`` takes for 100 digits, its start included, ascending."""
    (page,) = pages("100 digits", _writers(data_dir), [0])
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.png")
        file.write_bytes(page.content)
        command = [sys.executable, "-m", "dlcli", "read", "-q", "--model", model, str(file)]
        for _ in range(_TIMINGS):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def table(counts: Counts) -> str:
    """A table in Markdown: of each group a row for all its pages, and one for each condition."""
    columns = [*_COLUMNS, "Tesseract: numbers right", "digits right"]
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " --: |" * len(columns)]
    for group, conditions in GROUPS.items():
        rows = {name: counts[name] for name in conditions}
        for name, row in {f"**{group}**": sum(rows.values(), Counter()), **rows}.items():
            shown = [f"{row['pages']:,}", f"{row['numbers']:,}"]
            shown += [*percent_right(row, "dlcli"), *percent_right(row, "tesseract")]
            lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def no_number_table(counts: Counts) -> str:
    """A table in Markdown: on how many pages without a number none is read."""
    lines = ["| | pages | no number read | Tesseract: nothing read |", "| --- | --: | --: | --: |"]
    for kind in NO_NUMBER:
        row = counts[kind]
        shown = [
            f"{row[f'{reader}: nothing'] / row['pages']:.1%}" if row[f"{reader}: pages"] else ""
            for reader in ("dlcli", "tesseract")
        ]
        lines.append(f"| {kind} | {row['pages']:,} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def render(model: Model, command: str, digits: str, counts: Counts, seconds: list[float]) -> str:
    """The page with the tables."""
    sizes = "-".join(map(str, model.network.layer_sizes))
    version = tesseract_version()
    other = (
        f"Tesseract {version}" if version else "Tesseract (not installed: its columns are empty)"
    )
    return f"""# Numbers that `dlcli read` reads

Written by `{command}`.
[tools/number_pages.py](../tools/number_pages.py) makes the pages from the test digits of {digits}
and fixed seeds: each page is in one hand, of digits of similar slant, stroke width and breadth. The
network is {sizes}, trained on {model.metadata.dataset.name}. Rows in bold sum up those below.

A number is right if all its digits are, in reading order; a doubtful digit, `?`, is wrong. Digits
right are 1 minus the edit distance between all digits of a page and those read, per digit.
{other} reads the same pages, told to look for digits alone
(`tessedit_char_whitelist`), as one line (`--psm {_LINE}`) or a block (`--psm {_BLOCK}`). It is made
for print.

{table(counts)}
On pages without a number, none is to be read:

{no_number_table(counts)}
A page of 100 digits at 3 megapixels takes **{statistics.median(seconds):.2f} s**, start of Python
included (median of {_TIMINGS} runs, the fastest took {seconds[0]:.2f} s; {processor()},
{os.cpu_count()} cores). Other work on the machine only adds to the time.
"""


@click.command()
@click.argument("model")
@click.option("--count", default=60, show_default=True, help="Pages of a kind.")
@click.option(
    "--folder",
    type=options.PathType(exists=True, file_okay=False, path_type=Path),
    help="Print, too, what is read on its pictures; labels.csv has their digits (file,digits).",
)
@options.data_dir
@click.option("--output", type=click.File("w", atomic=True), default="-", help="The page's file.")
def main(model: str, count: int, folder: Path | None, data_dir: Path, output: TextIO) -> None:
    """Count how many numbers on pages of each kind MODEL reads, for a page in Markdown."""
    command = f"python -m tools.number_accuracy {model} --count {count}"
    kinds = [kind for conditions in GROUPS.values() for kind in conditions]
    try:
        if folder is not None:
            _print_folder(model, folder)
        if count:
            digits = load_digits(data_dir=data_dir).name
            counts = count_all(model, data_dir, [*kinds, *NO_NUMBER], count)
            seconds = seconds_of_read(model, data_dir)
            output.write(render(_model(model), command, digits, counts, seconds))
    except DlcliError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _print_folder(model: str, folder: Path) -> None:
    """Print what is read on each picture of a folder, and how much of it is right."""
    right = wrong = digits = pictures = 0
    for file, truth, numbers in count_folder(model, folder):
        found = "".join(numbers)
        pictures += 1
        right += found == truth
        wrong += edit_distance(found, truth)
        digits += len(truth)
        print(f"{'right' if found == truth else 'wrong'}\t{file}\t{truth}\t{' '.join(numbers)}")
    print(
        f"{right} of {pictures} pictures with every digit right; {wrong} of {digits} digits wrong"
    )


if __name__ == "__main__":
    main()
