"""Images in a CSV file as Kaggle hands MNIST out: the label first, then 784 pixels, row by row."""

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcli.data import classes, idx
from dlcli.data.examples import Examples
from dlcli.data.image_folder import TEST_FRACTION
from dlcli.data.registry import FILES
from dlcli.errors import DatasetError
from dlcli.files import atomic_write, make_folder, open_file
from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Labels

# IDX files of more images would be larger than what is read; see ``idx.MAX_BYTES``.
_MAX_IMAGES = 750_000
_MAX_LINE_BYTES = 100_000
_MAX_LABEL = 255  # a byte in IDX files
# What a file with so many columns after the first one may be.
_HINTS = {
    IMAGE_SIZE - 1: "; Kaggle's test.csv has no labels",
    IMAGE_SIZE + 1: "; pandas writes its index as a column, but for to_csv(..., index=False)",
}


@dataclass(frozen=True)
class _Rows:
    """The images of a file as bytes, with their labels as they are written."""

    pixels: list[bytes]
    labels: list[str]


def convert(source: Path, test_source: Path | None, folder: Path) -> tuple[int, int]:
    """Write the images of CSV files as IDX files into ``folder``; return how many of each split.

    Without ``test_source``, a fifth of each class are the test images, chosen by their pixels.
    Labels that are no numbers, or numbers with gaps, become the names of classes, in a
    ``classes.txt``.

    Raises
    ------
    DatasetError
        A file is no such CSV file, or has too few images.
    """
    train = _read(source)
    test = _read(test_source) if test_source is not None else None
    names = _names(train.labels, source)
    learning = _examples(train, names, source, source)
    if test is not None and test_source is not None:
        splits = (learning, _examples(test, names, test_source, source))
    else:
        splits = _split(learning, source)
    make_folder(folder)
    # Interrupted, this must not leave new images with old labels.
    for old in (*FILES, classes.NAMES_FILE):
        (folder / old).unlink(missing_ok=True)
    if names != classes.numbered(len(names)):
        with atomic_write(folder / classes.NAMES_FILE) as file:
            file.write("".join(f"{name}\n" for name in names).encode())
    for files, examples in zip((FILES[:2], FILES[2:]), splits, strict=True):
        images = examples.images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
        for name, array in zip(files, (images, examples.labels), strict=True):
            with atomic_write(folder / name) as file:
                file.write(idx.serialize(np.asarray(array, np.uint8)))
    return len(splits[0]), len(splits[1])


def _read(path: Path) -> _Rows:
    rows = _Rows([], [])
    try:
        with open_file(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), 1):
                _add(rows, line, f"{path}, line {number}", is_first=number == 1)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not rows.labels:
        raise DatasetError(f"{path}: holds no images")
    return rows


def _add(rows: _Rows, line: bytes, where: str, *, is_first: bool) -> None:
    """Add the image on a line; the first line may be a header."""
    if b"\0" in line:
        raise DatasetError(f"{where}: not a text in UTF-8; save the file as UTF-8")
    if is_first:
        line = line.removeprefix(codecs.BOM_UTF8)
    label, *cells = line.strip().split(b",")
    if not label and not cells:
        return
    if len(cells) != IMAGE_SIZE:
        hint = _HINTS.get(len(cells), "")
        raise DatasetError(
            f"{where}: {len(cells) + 1:,} columns, expected a label and {IMAGE_SIZE} pixels{hint}"
        )
    try:
        pixels = bytes(map(int, cells))
    except ValueError:
        if is_first and _are_titles(cells):
            if b"label" not in label.lower() and any(b"label" in cell.lower() for cell in cells):
                raise DatasetError(f"{where}: the label must be the first column") from None
            return
        raise DatasetError(f"{where}: {_wrong(cells)}, expected 0 to 255") from None
    if len(rows.labels) == _MAX_IMAGES:
        raise DatasetError(f"{where}: more than {_MAX_IMAGES:,} images")
    try:
        rows.labels.append(label.strip(b' "').decode())
    except UnicodeDecodeError:
        raise DatasetError(f"{where}: the label is not in UTF-8; save the file as UTF-8") from None
    rows.pixels.append(pixels)


def _are_titles(cells: list[bytes]) -> bool:
    """Whether the cells of a first line are no pixels: words, or pandas' numbers of its columns."""
    stripped = [cell.strip(b' "') for cell in cells]
    if b"label" in map(bytes.lower, stripped) or not any(map(bytes.isdigit, stripped)):
        return True
    return any(stripped == [b"%d" % (first + n) for n in range(IMAGE_SIZE)] for first in (0, 1))


def _wrong(cells: list[bytes]) -> str:
    """The first pixel that is none."""
    for number, cell in enumerate(cells):
        if not (cell.strip().isdigit() and len(cell.strip()) <= 3 and int(cell) <= 255):
            return f"pixel {number} is {cell.decode(errors='replace')[:20]!r}"
    raise AssertionError("all pixels can be read")


def _names(labels: list[str], path: Path) -> tuple[str, ...]:
    """The names of the classes: the digits, more numbers if there are no gaps, or the labels."""
    used = set(labels)
    if all(label.isdecimal() and label.isascii() for label in used):
        longest = max(used, key=lambda label: (len(label), label))
        if len(longest) > len(str(_MAX_LABEL)) or max(map(int, used)) > _MAX_LABEL:
            raise DatasetError(f"{path}: the label {longest[:20]} is above {_MAX_LABEL}")
        numbers = sorted(set(map(int, used)))
        if numbers[-1] < len(classes.DIGITS):
            return classes.DIGITS
        return tuple(map(str, numbers))
    for label in sorted(used):
        if re.fullmatch(r"[+-]?\d+\.\d*", label):
            raise DatasetError(f"{path}: the label {label!r} is neither a whole number nor a name")
    names = classes.checked(classes.in_order(list(used)), str(path))
    if len(names) > _MAX_LABEL + 1:
        raise DatasetError(f"{path}: {len(names):,} classes, at most {_MAX_LABEL + 1}")
    return names


def _examples(rows: _Rows, names: tuple[str, ...], path: Path, train_path: Path) -> Examples:
    """The images with the numbers of their classes, which those of training define."""
    images = np.frombuffer(b"".join(rows.pixels), np.uint8).reshape(-1, IMAGE_SIZE)
    index = {name: number for number, name in enumerate(names)}
    # Numbers may have zeros before them, unless names have.
    labels = [
        index.get(label, index.get(str(int(label))) if label.isdecimal() else None)
        for label in rows.labels
    ]
    if None in labels:
        unknown = rows.labels[labels.index(None)]
        raise DatasetError(f"{path}: the label {unknown[:60]!r} is none of {train_path}")
    return Examples(images, np.array(labels, np.uint8))


def _split(examples: Examples, path: Path) -> tuple[Examples, Examples]:
    """Training and test examples, the latter a fifth of each class, chosen by their pixels."""
    held_out = np.zeros(len(examples), dtype=bool)
    held_out[list(_chosen(examples.images.tobytes(), examples.labels))] = True
    if not held_out.any():
        raise DatasetError(f"{path}: too few images for a test; each class needs two or more")
    return examples.take(~held_out), examples.take(held_out)


def _chosen(pixels: bytes, labels: Labels) -> Iterator[int]:
    digests = [
        hashlib.sha256(pixels[start : start + IMAGE_SIZE]).digest()
        for start in range(0, len(pixels), IMAGE_SIZE)
    ]
    for label in np.unique(labels):
        rows = sorted(np.flatnonzero(labels == label).tolist(), key=lambda row: digests[row])
        count = round(TEST_FRACTION * len(rows)) or int(len(rows) > 1)
        yield from rows[:count]
