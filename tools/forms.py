"""What is printed on a page of numbers: rules, squares, and the boxes of a form."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from tools.photographs import Marks

Random = np.random.Generator
Segment = tuple[float, float, float, float]  # x and y of both ends
# Of printed lines, in heights of a digit.
_THICKNESS = (0.015, 0.045)


class Text(NamedTuple):
    """What is written on the page that a form is printed for; lengths in pixels.

    Attributes
    ----------
    size
        Width and height of the canvas.
    height
        Of a digit.
    slope
        Of lines: pixels down for each to the right.
    origin
        Where the first line begins, at the foot of its digits.
    pitch
        The distance between lines.
    cell
        The width of a box for one digit; 0 without such boxes.
    numbers
        For each number its line, and the left and the right end.
    lengths
        How many digits each line has.
    """

    size: tuple[int, int]
    height: float
    slope: float
    origin: tuple[float, float]
    pitch: float
    cell: float
    numbers: tuple[tuple[int, float, float], ...]
    lengths: tuple[int, ...]


def printed(kind: str, text: Text, random: Random) -> Marks:
    """A form of a kind of ``FORMS``, 255 where it is printed."""
    canvas = np.zeros(text.size[::-1], np.uint8)
    thickness = max(1, round(text.height * random.uniform(*_THICKNESS)))
    for x1, y1, x2, y2 in FORMS[kind](text, random):
        ends = (round(x1), round(y1)), (round(x2), round(y2))
        cv2.line(canvas, *ends, color=255, thickness=thickness, lineType=cv2.LINE_AA)
    return canvas


def _ruled(text: Text, random: Random) -> Iterator[Segment]:
    """Lines on which the digits stand, or nearly."""
    below = random.uniform(-0.05, 0.12) * text.height
    return _across(text, text.origin[1] + below, text.pitch)


def _squared(text: Text, random: Random) -> Iterator[Segment]:
    """Squares for one digit each, or half as high, wherever the digits are."""
    pitch = text.height * random.uniform(*((1.1, 1.6) if random.random() < 0.5 else (0.4, 0.75)))
    yield from _across(text, random.uniform(0, pitch), pitch)
    width, height = text.size
    lean = text.slope * height
    for x in np.arange(random.uniform(0, pitch) - abs(lean), width + abs(lean), pitch):
        yield x, 0, x - lean, height


def _across(text: Text, start: float, pitch: float) -> Iterator[Segment]:
    """Parallels to the lines of text over the whole page, one of them through a height."""
    width, height = text.size
    rise = text.slope * width
    reach = height + abs(rise) + abs(start)
    for number in range(-int(reach / pitch) - 1, int(reach / pitch) + 2):
        y = start + number * pitch - text.slope * text.origin[0]
        yield 0, y, width, y + rise


def _boxes(text: Text, random: Random) -> Iterator[Segment]:
    """A box around each number."""
    above, below, beside = random.uniform((1.2, 0.2, 0.2), (1.4, 0.35, 0.6)) * text.height
    for line, left, right in text.numbers:
        yield from _outline(text, line, (left - beside, right + beside), (above, below))


def _cells(text: Text, random: Random) -> Iterator[Segment]:
    """A row of boxes for each number, one for each digit."""
    above, below = random.uniform((1.2, 0.2), (1.35, 0.35)) * text.height
    for line, length in enumerate(text.lengths):
        for place in range(length):
            left = text.origin[0] + place * text.cell
            yield from _outline(text, line, (left, left + text.cell), (above, below))


def _outline(
    text: Text, line: int, sides: tuple[float, float], around: tuple[float, float]
) -> Iterator[Segment]:
    def foot(x: float) -> float:
        return text.origin[1] + line * text.pitch + text.slope * (x - text.origin[0])

    (left, right), (above, below) = sides, around
    yield left, foot(left) - above, right, foot(right) - above
    yield left, foot(left) + below, right, foot(right) + below
    for x in sides:
        yield x, foot(x) - above, x, foot(x) + below


FORMS: dict[str, Callable[[Text, Random], Iterator[Segment]]] = {
    "ruled": _ruled,
    "squared": _squared,
    "boxes": _boxes,
    "cells": _cells,
}
# The room around the text that a form needs, in heights of a digit.
ROOM = {"ruled": 0.0, "squared": 0.0, "boxes": 0.7, "cells": 0.9}
