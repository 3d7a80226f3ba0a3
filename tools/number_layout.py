"""Where the digits of a page stand: chance decides on a plan, which is fitted to a canvas."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dlcli.vision.mnist_format import bounding_box
from tools.conditions import CONDITIONS as SCENES
from tools.photographs import Marks, Scene, canvas_size, draw
from tools.writers import Writer

Random = np.random.Generator
Range = tuple[float, float]
Counts = tuple[int, int]  # the least and the most

# The height of digits, in pixels, at which a page is laid out before its scale is known.
_ROUGH_HEIGHT_PX = 40.0
# From this level on a pixel is part of a digit.
COVERED = 128
# Distances are in heights of a digit. How much digits differ in height (standard deviation, most)
# and stand off the line (standard deviation).
_HEIGHT_SPREAD, _MAX_HEIGHT_SPREAD, _OFF_LINE = 0.05, 0.15, 0.03
# The distance between digits that touch: their strokes overlap, by less than their width.
_OVERLAP: Range = (-0.07, -0.01)
_WORD_GAP: Range = (1.0, 2.2)
# Where a desk may be seen, at the edges of the picture, as a fraction of its shorter side.
_DESK_EDGE = 0.14
_CELL: Range = (1.35, 1.7)
_LINE_PITCH: Range = (1.6, 2.4)


@dataclass(frozen=True)
class Condition:
    """What is written on a page, and how.

    Attributes
    ----------
    digits, numbers, lines
        The least and the most digits of a number, numbers of a line, and lines.
    touching
        The fraction of neighbouring digits that touch; if not 0, one pair at least does.
    gap
        The distance between digits that do not touch.
    slope
        Degrees by which lines rise or fall, at most.
    right
        Whether numbers below each other end at the same place, and not begin there.
    form
        What is printed on the paper: a key of ``tools.forms.FORMS``.
    scene
        Paper, pen, light and camera.
    side
        The longer side of the picture, in pixels.
    aspect
        The shorter side divided by the longer one.
    """

    digits: Counts = (6, 6)
    numbers: Counts = (1, 1)
    lines: Counts = (1, 1)
    touching: float = 0.0
    gap: Range = (0.12, 0.35)
    slope: float = 1.0
    right: bool = False
    form: str | None = None
    scene: Callable[[Random], Scene] = SCENES["dark on light, anywhere"]
    side: Range = (500, 1600)
    aspect: Range = (0.35, 1)


class Digit(NamedTuple):
    """A digit that is to be written; distances in heights of a digit."""

    value: int
    marks: Marks
    height: float
    off_line: float
    gap: float  # to the digit before; below 0, they overlap
    line: int
    number: int  # in its line


class Plan(NamedTuple):
    """All that chance decides about a page's text, before its scale is known."""

    digits: tuple[Digit, ...]
    pen_width: float | None  # as a fraction of a digit's longer side
    slope: float  # of lines: heights down for each to the right
    pitch: float
    cell: float  # the width of a box for one digit; 0 without such boxes
    right: bool


class Placed(NamedTuple):
    """A digit on a canvas, in pixels."""

    digit: Digit
    patch: Marks
    left: int
    top: int

    @property
    def right(self) -> int:
        """The column behind its last one."""
        return self.left + int(self.patch.shape[1])

    @property
    def bottom(self) -> int:
        """The row below its last one."""
        return self.top + int(self.patch.shape[0])


class Written(NamedTuple):
    """The digits on the canvas, their height, and where the first line begins."""

    placed: list[Placed]
    height: float
    origin: tuple[float, float]


def make_plan(
    condition: Condition, writer: Writer, pen_width: float | None, random: Random
) -> Plan:
    """Numbers for a page in one hand."""
    digits = [
        digit
        for line in range(_count(condition.lines, random))
        for number in range(_count(condition.numbers, random))
        for digit in _number(condition, writer, (line, number), random)
    ]
    slope = float(np.tan(np.radians(random.uniform(-condition.slope, condition.slope))))
    pitch = random.uniform(*_LINE_PITCH)
    cell = random.uniform(*_CELL) if condition.form == "cells" else 0.0
    return Plan(tuple(digits), pen_width, slope, pitch, cell, condition.right)


def _number(
    condition: Condition, writer: Writer, place: tuple[int, int], random: Random
) -> Iterator[Digit]:
    """The digits of a number, which is at a place: its line, and its number in that."""
    length = _count(condition.digits, random)
    touches = random.random(length) < condition.touching
    if condition.touching and length > 1:
        touches[random.integers(1, length)] = True
    for position in range(length):
        value = int(random.integers(10))
        gap = random.uniform(*(_OVERLAP if touches[position] else condition.gap))
        spread = random.normal(0, _HEIGHT_SPREAD)
        yield Digit(
            value,
            writer.write(value, random),
            1 + float(np.clip(spread, -_MAX_HEIGHT_SPREAD, _MAX_HEIGHT_SPREAD)),
            random.normal(0, _OFF_LINE),
            gap if position else random.uniform(*_WORD_GAP),
            *place,
        )


def _count(limits: Counts, random: Random) -> int:
    return int(random.integers(limits[0], limits[1] + 1))


def fit(plan: Plan, scene: Scene, room: float, random: Random) -> Written:
    """The text at a scale that fits the canvas, at the scene's place in the free space.

    Around it there is room, in heights of a digit, for what is printed.
    """
    canvas = np.array(canvas_size(scene))
    edge = _DESK_EDGE * canvas.min() if scene.desk else 0.0
    one_line = plan.digits[-1].line == 0
    fill = random.uniform((0.5, 0.25 if one_line else 0.6), (0.9, 0.75 if one_line else 0.9))
    _, extent = _bounds(_placed(plan, _ROUGH_HEIGHT_PX))
    rough_extent = extent + 2 * room * _ROUGH_HEIGHT_PX
    height = _ROUGH_HEIGHT_PX * float(np.min(fill * (canvas - 2 * edge) / rough_extent))
    placed = _placed(plan, height)
    corner, extent = _bounds(placed)
    free = canvas - extent - 2 * (room * height + edge)
    # The text lies between 5 and 95 % of what is free.
    margins = room * height + edge + free * (0.05 + 0.9 * np.array(scene.place))
    right, down = (np.rint(margins).astype(int) - corner).tolist()
    moved = [d._replace(left=d.left + right, top=d.top + down) for d in placed]
    return Written(moved, height, (right, down))


def _bounds(placed: list[Placed]) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """The corner at the left and top of what is written, and its width and height."""
    corner = np.array([min(d.left for d in placed), min(d.top for d in placed)])
    end = np.array([max(d.right for d in placed), max(d.bottom for d in placed)])
    return corner, end - corner


def _placed(plan: Plan, height: float) -> list[Placed]:
    """The digits at a height in pixels, on lines below each other; the first begins at 0, 0."""
    lines: list[list[Placed]] = []
    for digit in plan.digits:
        if digit.line == len(lines):
            lines.append([])
        scale = height * digit.height / digit.marks.shape[0]
        longer = scale * max(digit.marks.shape)
        pen_width = None if plan.pen_width is None else plan.pen_width * longer
        patch = _trimmed(np.asarray(draw(digit.marks, scale, pen_width)))
        base = (digit.line * plan.pitch + digit.off_line) * height
        left = _left(plan, lines[-1], Placed(digit, patch, 0, 0), height)
        top = round(base + plan.slope * left) - patch.shape[0]
        lines[-1].append(Placed(digit, patch, left, top))
    if plan.right:
        end = max(line[-1].right for line in lines)
        lines = [[_moved(d, end - line[-1].right, plan.slope) for d in line] for line in lines]
    return [digit for line in lines for digit in line]


def _moved(digit: Placed, right: int, slope: float) -> Placed:
    return digit._replace(left=digit.left + right, top=digit.top + round(slope * right))


def _trimmed(patch: Marks) -> Marks:
    trimmed: Marks = patch[bounding_box(patch > 0)]
    return trimmed


def _left(plan: Plan, line: list[Placed], digit: Placed, height: float) -> int:
    """Where a digit begins that is to follow the others of its line."""
    if plan.cell:
        return round((len(line) + 0.5) * plan.cell * height - digit.right / 2)
    if not line:
        return 0
    before = line[-1]
    # Both stand on the line: their rows are compared from the feet upwards.
    rise = round((before.digit.off_line - digit.digit.off_line) * height)
    rise += round(plan.slope * -before.patch.shape[1])
    ends = _last_covered(before.patch, max(1, round(0.03 * height)))
    begins = _first_covered(digit.patch)
    rows = [(len(ends) - 1 - up, len(begins) - 1 - up + rise) for up in range(len(ends))]
    distances = [
        ends[one] - begins[two]
        for one, two in rows
        if 0 <= two < len(begins) and ends[one] >= 0 and begins[two] >= 0
    ]
    reach = max(distances, default=int(before.patch.shape[1]))
    return before.left + reach + round(digit.digit.gap * height)


def _last_covered(patch: Marks, slack: int) -> list[int]:
    """The column behind the last one that is covered, in each row or one near it; -1 if none."""
    ends = [-1 if not row.any() else int(np.flatnonzero(row)[-1]) + 1 for row in patch >= COVERED]
    return [max(ends[max(0, row - slack) : row + slack + 1]) for row in range(len(ends))]


def _first_covered(patch: Marks) -> list[int]:
    """The first column that is covered, in each row; -1 if none."""
    return [-1 if not row.any() else int(row.argmax()) for row in patch >= COVERED]
