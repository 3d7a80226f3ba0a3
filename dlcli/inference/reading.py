"""Numbers on pictures: the candidates of a page, recognised in one batch and decoded.

Of all ways to divide a word into digits, dynamic programming finds the one with the highest
score: see ``vision.segmentation`` for the candidates and the literature.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dlcli.errors import CheckpointError, ImageError
from dlcli.inference.numeral_lattice import Numeral, Scored
from dlcli.inference.numeral_strings import Recognizer, recognize, recognize_surely
from dlcli.inference.parallel import available_cores, in_order
from dlcli.inference.preparation import laid_out
from dlcli.inference.sources import ImageSource
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision.candidate import Box
from dlcli.vision.decode import (
    FULL_SIZE,
    PAGE_SIDE_PX,
    ignore_warnings,
    read_pages,
    to_grey_or_rgb,
)
from dlcli.vision.mnist_format import bounding_box
from dlcli.vision.pipeline import preprocess
from dlcli.vision.rejection import ood_scores, rejection_reason, rejection_threshold

if TYPE_CHECKING:
    from dlcli.vision.grid_cells import Cell

# Digits of a grid that are less surely read, at most so many, are looked at again.
_SURE, _MAX_REPEATED = 0.98, 200
# What stands in a cell of a grid, or in a number, is a digit more often than what the rejection
# network was trained on: the odds that it is none are lower by this factor (Saerens, Latinne and
# Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", 2002).
_OTHER_ODDS = 0.1
# Digits that cover less of what is drawn on a picture than this are details of something else.
_MIN_FRACTION = 0.15
DOUBTFUL, EMPTY = "?", "."


@dataclass(frozen=True)
class ReadDigit:
    """One digit of a number.

    Attributes
    ----------
    digit
        None if it is doubtful, ``?`` in the number's text, or if its cell of a grid is empty,
        ``.`` in the text.
    probability
        Of the digit; 0 for an empty cell.
    box
        Left, top, right and bottom in the picture's pixels.
    """

    digit: int | None
    probability: float
    box: Box


@dataclass(frozen=True)
class Number:
    """A number on a picture.

    Attributes
    ----------
    text
        Its digits, such as ``42``, or ``4?`` where one is doubtful.
    probability
        That all digits are right, and that there are so many of them.
    box
        Left, top, right and bottom in the picture's pixels.
    line
        The line it stands on, from 1.
    digits
        From left to right.
    """

    text: str
    probability: float
    box: Box
    line: int
    digits: tuple[ReadDigit, ...]


@dataclass(frozen=True)
class ReadingOptions:
    """What is known about the numbers on a picture, and how sure their digits must be.

    Attributes
    ----------
    reject
        A digit that is less probable is doubtful.
    digits
        So many digits has every number.
    lines
        So many lines are on the picture.
    grid
        Rows and columns of cells, with one digit or nothing in each.
    """

    reject: float = 0.0
    digits: int | None = None
    lines: int | None = None
    grid: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check the numbers; raise ``ValueError`` for one that no page can have."""
        if not (isinstance(self.reject, (int, float, np.number)) and 0 <= self.reject <= 1):
            raise ValueError(f"reject: expected a number from 0 to 1, found {self.reject!r}")
        if not (
            self.grid is None or (isinstance(self.grid, (tuple, list)) and len(self.grid) == 2)
        ):
            raise ValueError(f"grid: expected rows and columns, as in (9, 9), found {self.grid!r}")
        known = {"digits": self.digits, "lines": self.lines}
        counts = [(name, value) for name, value in known.items() if value is not None]
        for name, value in [*counts, *(("grid", value) for value in self.grid or ())]:
            if not (isinstance(value, (int, np.integer)) and value >= 1):
                raise ValueError(f"{name}: expected 1 or more, found {value!r}")
        if self.grid is not None and (self.digits is not None or self.lines is not None):
            raise ValueError("grid: has one digit in a cell; leave out digits and lines")


ANYTHING = ReadingOptions()


@dataclass(frozen=True)
class Reading:
    """The numbers on one picture.

    Attributes
    ----------
    name
        Its path; the pages of a file that has several are path, path#2, ...
    numbers
        In reading order.
    error
        Why it could not be read.
    picture
        Upright, in grey or RGB, if it was asked for. It may be reduced: boxes refer to the size in
        ``info[FULL_SIZE]``.
    """

    name: str
    numbers: tuple[Number, ...] = ()
    error: str | None = None
    picture: Image.Image | None = None


def read(
    model: Model,
    sources: Iterable[ImageSource | None],
    options: ReadingOptions = ANYTHING,
    *,
    keep_pictures: bool = False,
    threads: int | None = None,
    is_unread: Callable[[], bool] = lambda: False,
) -> Iterator[Reading]:
    """Read the numbers on each picture, in order; one that cannot be read stops no other.

    Parameters
    ----------
    model
        The classifier of digits.
    sources
        The pictures, as :func:`dlcli.inference.predictor.predict` takes them.
    options
        What is known about the numbers.
    keep_pictures
        Return the pictures, too.
    threads
        How many pictures to read at once; None for the number of cores.
    is_unread
        Whether nobody wants the numbers any more, asked from any thread. From then on pictures
        are only decoded, to report those that cannot be.

    Raises
    ------
    CheckpointError
        The model was trained on other images than digits.
    """

    def read_page(name: str, page: Image.Image | ImageError) -> Reading:
        if isinstance(page, ImageError):
            return Reading(name, error=str(page))
        try:
            picture = to_grey_or_rgb(page, name, PAGE_SIDE_PX)
        except ImageError as error:
            return Reading(name, error=str(error))
        picture.info[FULL_SIZE] = page.info.get(FULL_SIZE, page.size)
        numbers = () if is_unread() else _numbers(model, picture, options)
        return Reading(name, numbers, picture=picture if keep_pictures else None)

    def read_file(source: ImageSource) -> list[Reading]:
        if source.error is not None:
            return [Reading(source.name, error=source.error)]
        pages = read_pages(source.file, source.name, PAGE_SIDE_PX)
        return [read_page(name, page) for name, page in pages]

    _refuse_other_classes(model)
    with ignore_warnings():
        for batch in in_order(read_file, list, sources, threads or available_cores()):
            yield from batch


def read_picture(
    model: Model, picture: Image.Image, options: ReadingOptions = ANYTHING
) -> tuple[Number, ...]:
    """The numbers on a picture of any mode, in reading order.

    Raises
    ------
    ImageError
        The picture is damaged.
    CheckpointError
        The model was trained on other images than digits.
    """
    _refuse_other_classes(model)
    size = picture.info.get(FULL_SIZE, picture.size)
    page = to_grey_or_rgb(picture, "picture", PAGE_SIDE_PX)
    page.info[FULL_SIZE] = size
    return _numbers(model, page, options)


def _refuse_other_classes(model: Model) -> None:
    if not model.metadata.reads_drawn_digits:
        raise CheckpointError(
            f"{model.path}: cannot read numbers: it was not trained on all ten digits, light on a "
            "dark background; use another model, such as pretrained"
        )


def _numbers(model: Model, picture: Image.Image, options: ReadingOptions) -> tuple[Number, ...]:
    if options.grid is not None:
        return _rows(model, picture, options.grid, options.reject)
    from dlcli.vision.segmentation import segment  # and OpenCV

    page = segment(picture, options.lines)
    recognizer = Recognizer(model, page)
    lines = [line for line in recognizer.read(options.digits) if line]
    digits = [digit for line in lines for number in line for digit in number.digits]
    again = iter(recognizer.look_again(digits))
    lines = [
        [replace(number, digits=tuple(islice(again, len(number.digits)))) for number in line]
        for line in lines
    ]
    if options.digits is None:
        lines = [[number for number in line if _is_legible(number)] for line in lines]
    kept = [digit.span.labels for line in lines for number in line for digit in number.digits]
    if kept and page.fraction(frozenset[int]().union(*kept)) < _MIN_FRACTION:
        return ()
    width, height = picture.info[FULL_SIZE]
    factors = width / page.size[0], height / page.size[1]
    numbers = [
        _number(
            [
                _digit(digit, factors, options.reject, is_alone=len(number.digits) == 1)
                for digit in number.digits
            ],
            line_number,
            number.certainty,
        )
        for line_number, line in enumerate(filter(None, lines), 1)
        for number in line
    ]
    if len(digits) <= 1 and (options.digits or 1) == 1:
        return _single(model, picture, options.reject, numbers)
    return tuple(numbers)


def _single(
    model: Model, picture: Image.Image, reject: float, otherwise: list[Number]
) -> tuple[Number, ...]:
    """The only digit on a picture, as ``predict`` finds it, unless it finds several."""
    located = preprocess(picture, "picture")
    variants = located.all_variants
    if located.pixels is None or variants is None:
        return tuple(otherwise)
    probabilities = model.infer(laid_out(variants, model.metadata.images))[1].mean(axis=0)
    ood_score = located.ood_score
    if ood_score is None:  # a picture in MNIST's format
        ood_score = float(ood_scores(variants).mean())
    threshold = rejection_threshold(located.box)
    if rejection_reason(ood_score, probabilities, threshold) is not None:
        return ()
    box = located.box or _strokes_box(located.pixels)
    return (_number([_read_digit(probabilities, ood_score, box, reject)], 1),)


def _rows(
    model: Model, picture: Image.Image, grid: tuple[int, int], reject: float
) -> tuple[Number, ...]:
    """The rows of a grid, each as a number with ``.`` for an empty cell."""
    from dlcli.vision.grid_cells import find_cells  # and OpenCV

    rows = find_cells(picture, *grid)
    filled = [cell.pixels for row in rows for cell in row if cell.pixels is not None]
    found = _recognized(model, np.stack(filled)) if filled else iter(())
    size = picture.info[FULL_SIZE]

    def read_cell(cell: "Cell") -> ReadDigit:
        box = _scaled(cell.box, size)
        if cell.pixels is None:
            return ReadDigit(None, 0.0, box)
        return _read_digit(*next(found), box, reject)

    read = [[read_cell(cell) for cell in row] for row in rows]
    return tuple(_number(row, line) for line, row in enumerate(read, 1))


def _recognized(model: Model, images: Pixels) -> Iterator[tuple[Array, float]]:
    """The probabilities and OOD score of each cell's image, of doubtful ones over its variants."""
    found = list(zip(*recognize(model, images), strict=True))
    unsure = [not row.max() * (1 - score) >= _SURE for row, score in found]
    doubtful = np.flatnonzero(unsure)[:_MAX_REPEATED].tolist()
    again = recognize_surely(model, [images[place] for place in doubtful])
    for place, scores in zip(doubtful, again, strict=True):
        found[place] = scores
    for row, score in found:
        yield row, _among_digits(score)


def _among_digits(ood_score: float) -> float:
    """The OOD score of what stands where digits are expected."""
    return ood_score * _OTHER_ODDS / (ood_score * _OTHER_ODDS + 1 - ood_score)


def _strokes_box(pixels: Pixels) -> Box:
    """Where the strokes are on a 28x28 image."""
    image = pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)
    rows, columns = bounding_box(image >= image.max() / 2)
    return columns.start, rows.start, columns.stop, rows.stop


def _is_legible(number: Numeral) -> bool:
    """Whether at least half of a number's digits are no doubtful ones."""
    reasons = [rejection_reason(digit.ood_score, digit.probabilities) for digit in number.digits]
    return 2 * reasons.count(None) >= len(number.digits)


def _digit(
    scored: Scored, factors: tuple[float, float], reject: float, *, is_alone: bool
) -> ReadDigit:
    box = _scaled(scored.span.box, factors)
    ood_score = scored.ood_score if is_alone else _among_digits(scored.ood_score)
    return _read_digit(scored.probabilities, ood_score, box, reject)


def _read_digit(probabilities: Array, ood_score: float, box: Box, reject: float) -> ReadDigit:
    probability = float(probabilities.max())
    reason = rejection_reason(ood_score, probabilities, rejection_threshold(box))
    if reason is not None or not probability >= reject:  # the second is true for nan as well
        return ReadDigit(None, probability, box)
    return ReadDigit(int(probabilities.argmax()), probability, box)


def _number(digits: list[ReadDigit], line: int, certainty: float = 1.0) -> Number:
    text = "".join(map(_character, digits))
    left, top, right, bottom = zip(*(digit.box for digit in digits), strict=True)
    box = (min(left), min(top), max(right), max(bottom))
    probability = math.prod(digit.probability for digit in digits if _character(digit) != EMPTY)
    probability *= certainty
    return Number(text, probability, box, line, tuple(digits))


def _character(digit: ReadDigit) -> str:
    if digit.digit is not None:
        return str(digit.digit)
    return DOUBTFUL if digit.probability else EMPTY


def _scaled(box: tuple[float, float, float, float], factors: tuple[float, float]) -> Box:
    """A box of the foreground in pixels of the picture, rounded outwards."""
    (left, top, right, bottom), (across, down) = box, factors
    return (
        math.floor(left * across),
        math.floor(top * down),
        math.ceil(right * across),
        math.ceil(bottom * down),
    )
