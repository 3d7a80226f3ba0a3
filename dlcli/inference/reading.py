"""Numbers on pictures: the candidates of a page, recognised in one batch and decoded.

Of all ways to divide a word into digits, dynamic programming finds the one with the highest
score: see ``vision.segmentation`` for the candidates and the literature.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dlcli.errors import CheckpointError, ImageError
from dlcli.inference.predictor import available_cores, in_order
from dlcli.inference.sources import ImageSource
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
from dlcli.vision.rejection import REJECTION_THRESHOLD, ood_scores

if TYPE_CHECKING:
    from dlcli.vision.segmentation import Span

# The cost in nats of leaving atoms out as no digit: about that of a candidate at the threshold of
# rejection.
_LEFT_OUT_COST = -math.log(1 - REJECTION_THRESHOLD)
_MIN_PROBABILITY = 1e-6
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
        That all digits are right.
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
        Upright in RGB, at its full size, if it was asked for.
    """

    name: str
    numbers: tuple[Number, ...] = ()
    error: str | None = None
    picture: Image.Image | None = None


@dataclass(frozen=True)
class _Scores:
    """The recogniser's and the rejection network's outputs for candidates."""

    probabilities: Array
    ood: Array


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
        return Reading(name, numbers, picture=_full_size(picture) if keep_pictures else None)

    def read_file(source: ImageSource) -> list[Reading]:
        if source.error is not None:
            return [Reading(source.name, error=source.error)]
        pages = read_pages(source.file, source.name, PAGE_SIDE_PX)
        return [read_page(name, page) for name, page in pages]

    _refuse_other_classes(model)
    with ignore_warnings():
        for batch in in_order(read_file, sources, threads or available_cores()):
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
            f"{model.path}: cannot read numbers: it was not trained on light digits on a dark "
            "ground; use another model, such as pretrained"
        )


def _full_size(picture: Image.Image) -> Image.Image:
    """A picture that may have been reduced in the size that boxes refer to."""
    size = picture.info[FULL_SIZE]
    return picture.convert("RGB") if picture.size == size else picture.convert("RGB").resize(size)


def _numbers(model: Model, page: Image.Image, options: ReadingOptions) -> tuple[Number, ...]:
    from dlcli.vision.segmentation import segment  # and OpenCV

    found = segment(page)
    spans = [span for word in found.words for span in word.spans]
    if not spans:
        return ()
    scores = _scores(model, np.stack([span.pixels for span in spans]))
    width, height = page.info[FULL_SIZE]
    factors = width / found.size[0], height / found.size[1]
    numbers = []
    first = 0
    for word in found.words:
        part = slice(first, first + len(word.spans))
        first = part.stop
        path = _best_path(word.atoms, word.spans, _costs(scores, part))
        digits = [
            _digit(scores, part.start + index, _scaled(word.spans[index].box, factors), options)
            for index in path
        ]
        if digits:
            numbers.append(_number(digits, word.line + 1))
    return tuple(numbers)


def _scores(model: Model, images: Pixels) -> _Scores:
    return _Scores(model.infer(images)[1], ood_scores(images))


def _costs(scores: _Scores, part: slice) -> list[float]:
    """The cost in nats of each candidate: how unlikely it is to be a digit, and which one."""
    likely = scores.probabilities[part].max(axis=1) * (1 - scores.ood[part])
    costs: list[float] = (-np.log(np.maximum(likely, _MIN_PROBABILITY))).tolist()
    return costs


def _best_path(atoms: int, spans: "Sequence[Span]", costs: list[float]) -> list[int]:
    """The cheapest way to divide atoms into candidates; atoms may be left out at a cost."""
    best = [0.0] + [math.inf] * atoms
    path: list[tuple[int, int | None]] = [(0, None)] * (atoms + 1)
    ending: list[list[int]] = [[] for _ in range(atoms + 1)]
    for number, span in enumerate(spans):
        ending[span.end].append(number)
    for end in range(1, atoms + 1):
        best[end], path[end] = best[end - 1] + _LEFT_OUT_COST, (end - 1, None)
        for number in ending[end]:
            start = spans[number].start
            if best[start] + costs[number] < best[end]:
                best[end], path[end] = best[start] + costs[number], (start, number)
    chosen = []
    at = atoms
    while at > 0:
        at, number_or_none = path[at]
        if number_or_none is not None:
            chosen.append(number_or_none)
    return chosen[::-1]


def _digit(scores: _Scores, index: int, box: Box, options: ReadingOptions) -> ReadDigit:
    probabilities = scores.probabilities[index]
    probability = float(probabilities.max())
    is_doubtful = float(scores.ood[index]) + 1 - probability > REJECTION_THRESHOLD
    digit = (
        None if is_doubtful or not probability >= options.reject else int(probabilities.argmax())
    )
    return ReadDigit(digit, probability, box)


def _number(digits: list[ReadDigit], line: int) -> Number:
    text = "".join(DOUBTFUL if digit.digit is None else str(digit.digit) for digit in digits)
    left, top, right, bottom = zip(*(digit.box for digit in digits), strict=True)
    box = (min(left), min(top), max(right), max(bottom))
    probability = math.prod(digit.probability for digit in digits)
    return Number(text, probability, box, line, tuple(digits))


def _scaled(box: Box, factors: tuple[float, float]) -> Box:
    """A box of the foreground in pixels of the picture, rounded outwards."""
    (left, top, right, bottom), (across, down) = box, factors
    return (
        math.floor(left * across),
        math.floor(top * down),
        math.ceil(right * across),
        math.ceil(bottom * down),
    )
