"""What can be seen on a picture, and which of it is likest a digit.

A picture is looked at twice: as a whole, to find the digit, and closely, to see its strokes. If
that does not look like a digit, the next likely place is tried, then what remains without lines
and boxes, then what there is if paper was taken for ink.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.components import MARKED, SEVERAL, Found, find_digit
from dlcli.vision.foreground import Colours, Ink, Levels, is_dark, strength, without_lines
from dlcli.vision.mnist_format import centre, extent, fit, stroke_width, strokes_of
from dlcli.vision.rejection import unlikeness

Box = tuple[int, int, int, int]
Judge = Callable[[Pixels], float]

BLANK = "blank: there is no ink on it"
NO_DIGIT = "no digit: nothing but an edge, lines or specks"

# The longest side of a picture that a person is shown.
SHOWN_SIDE = 280
# The longest side at which a picture is looked at as a whole, and the length of the digit when
# it is looked at closely.
_WHOLE_SIDE = 256
_CLOSE_LENGTH = 100
# Windows for closing strokes: shares of the whole picture's longest side; close, times the
# strokes' width, and at most a share of what is in view.
_WHOLE_WINDOWS = (0.05, 0.12, 0.35)
_CLOSE_WINDOW = 4
_LARGEST_CLOSE_WINDOW = 0.6
# Shares of overlap: from the first on, two boxes are one place; from the second on, what is seen
# closely is what was found; below the third it is something else, and a fleck of the paper if it
# is so faint, of 255 levels. A bar that is fainter still, or beside something so
# much stronger, is one wherever it is: the edge of something, or a line of a grid.
_SAME = 0.8
_EXPECTED = 0.6
_ANOTHER = 0.2
_FAINT = 32.0
_FAINT_BAR = 24.0
_FAINT_BESIDE = 0.125
_BAR = 0.35
# A line is at least this share of what it is part of, at least this much longer than the digit
# itself, and at most so many times as thick as strokes.
_LINE = 0.85
_LONGER = 1.15
_LINE_WIDTH = 2.0
# When lines are taken away, at least this share of the rest must be the digit.
_MOST = 0.7
# The part of a height or a width that is at its end.
_BESIDE = 0.25
# Pixels that the edges of a box may be wrong by, looked at closely.
_SLACK = 2
# Digits of MNIST that are wider than a stroke, for their height, cover less of their box.
_FILLED = 0.7
_NARROW = 0.5
# Room around the digit when it is looked at closely, as a share of its length.
_MARGIN = 0.4
# A view whose unlikeness is below these may, surely and clearly does show a digit: over the
# photographs of digits by which `make likeness` judges, that of about 99 %, 99 % and 92 % is.
_LIKE = 0.2
_SURELY_LIKE = 0.1
_CLEARLY_LIKE = 0.01


@dataclass(frozen=True)
class Steps:
    """What was seen of a picture on the way, to be shown to a person.

    Attributes
    ----------
    picture
        The picture, shrunk to a longest side of at most ``SHOWN_SIDE``.
    part
        Left, top, right and bottom of what was looked at closely, in pixels of ``picture``;
        None, as all that follows, for a picture that needed no preparation or is blank.
    ink
        How strong the ink is there, 0 to 1 (the pen's strength) and more.
    box
        Left, top, right and bottom of the digit in ``ink``.
    strokes
        The digit alone, 0 to 1, thickened if it was thin.
    """

    picture: Image.Image
    part: Box | None = None
    ink: Levels | None = None
    box: Box | None = None
    strokes: Levels | None = None


@dataclass(frozen=True)
class View:
    """What was taken for the digit.

    Attributes
    ----------
    pixels
        The 28x28, shape (784,), 0 (paper) to 255 (ink); None: there is nothing.
    doubt
        Why it does not show one digit, if it does not.
    steps
        What was seen on the way.
    """

    pixels: Pixels | None
    doubt: str | None
    steps: Steps


def look_at(picture: Image.Image, unlike: Judge = unlikeness) -> View:
    """The digit on a picture in mode L or RGB, or why there is none.

    Parameters
    ----------
    picture
        What to look at.
    unlike
        Tells of a view, shape (1, 784), how unlike a digit it is, from 0 to 1.
    """
    whole = picture.copy()
    whole.thumbnail((_WHOLE_SIDE, _WHOLE_SIDE), Image.Resampling.BOX)
    dark = is_dark(_channels(whole), _windows(whole)[1:])
    inks = _inks(whole, dark=dark)
    # Of a narrow picture the short side is rounded too much to tell the scale.
    scale = max(picture.size) / max(whole.size)
    views = chain(_views(picture, inks, scale), _views_apart(picture, inks, scale))
    best = _best(views, unlike)
    if best is not None and _is_filled(best):
        # A sheet of paper on a dark desk may pass for ink.
        other = _best(_views(picture, _inks(whole, dark=not dark), scale), unlike)
        if other is not None and other.doubt is None and not _is_filled(other):
            best = other
    if best is None:
        doubt = BLANK if all(ink.is_blank for ink in inks) else NO_DIGIT
        best = View(None, doubt, Steps(picture))
    return best


def _best(views: Iterable[View], unlike: Judge) -> View | None:
    """The first view that surely shows a digit, or several.

    If one only may, it is compared with those that follow; if none does, it is the very first.
    """
    first = likely = None
    for view in views:
        first = first or view
        if view.doubt == SEVERAL and likely is None:
            return view
        no_digit = 1.0 if view.doubt else unlike(_seen(view).reshape(1, -1))
        if no_digit < (_SURELY_LIKE if likely is None else _CLEARLY_LIKE):
            return view
        if no_digit < _LIKE:
            likely = likely or view
    return likely or first


def _is_filled(view: View) -> bool:
    """Whether ink covers more of its box than that of a digit does, unless it is a stroke."""
    ink = _seen(view) > np.iinfo(np.uint8).max / 2
    box = ink[extent(ink)]
    return bool(box.mean() > _FILLED) and min(box.shape) > _NARROW * max(box.shape)


def _seen(view: View) -> Pixels:
    """The 28x28, shape (28, 28)."""
    if view.pixels is None:
        raise AssertionError("a view shows something")
    return view.pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)


def shrunk(steps: Steps) -> Steps:
    """With a picture no larger than is shown, so that many of them can be kept."""
    scale = min(SHOWN_SIDE / max(steps.picture.size), 1)
    picture = steps.picture.copy()
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return replace(steps, picture=picture, part=steps.part and _scaled(steps.part, scale))


def _scaled(box: Box, scale: float) -> Box:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, right, bottom


def _windows(whole: Image.Image) -> list[int]:
    return [_odd(share * max(whole.size)) for share in _WHOLE_WINDOWS]


def _inks(whole: Image.Image, *, dark: bool) -> list[Ink]:
    """The ink of a picture, as windows of several sizes show it."""
    colours = _channels(whole)
    inks = [strength(colours, window, dark=dark) for window in _windows(whole)]
    if all(ink.is_blank for ink in inks):
        inks = [strength(colours, _last_resort(whole), dark=dark)]
    return inks


def _views(picture: Image.Image, inks: list[Ink], scale: float) -> Iterator[View]:
    """What can be seen on a picture, the likeliest first; ``scale`` is its to the ink's."""
    tried: list[Found] = []
    for share in MARKED:
        candidates = [find_digit(ink, share) for ink in inks]
        for found in sorted(filter(None, candidates), key=lambda found: -found.score):
            if all(_overlap(found.box, other.box) < _SAME for other in tried):
                tried.append(found)
                yield from _close_views(picture, found, inks, scale)


def _views_apart(picture: Image.Image, inks: list[Ink], scale: float) -> Iterator[View]:
    """What can be seen when a digit is parted from the box or the line that it is joined with."""
    for ink in inks:
        joined = find_digit(ink)
        if joined is None:
            continue
        left, top, right, bottom = joined.box
        width, height = right - left, bottom - top
        for lengths in ((_LINE * width, _LINE * height), (_LINE * width, np.inf)):
            level = MARKED[0] * joined.pieces.level
            parted = without_lines(ink, level, _LINE_WIDTH * stroke_width(joined), lengths)
            lines = joined.marked & (parted.levels == 0)
            if not _is_box_or_underline(lines[top:bottom, left:right]):
                continue
            found = find_digit(parted)
            rest = float(ink.levels[joined.marked & ~lines].sum())
            if found is not None and ink.levels[found.marked].sum() >= _MOST * rest:
                yield from _close_views(picture, found, inks, scale, lines=False)


def _is_box_or_underline(lines: npt.NDArray[np.bool_]) -> bool:
    """Whether lines run along all sides of what they are part of, or along the lower alone."""
    if not lines.any():
        return False
    height, width = lines.shape
    rows = lines.mean(axis=1) > _LINE / 2
    columns = lines.mean(axis=0) > _LINE / 2
    beside = round(_BESIDE * height), round(_BESIDE * width)
    below = rows[-beside[0] :].any()
    others = rows[: -beside[0]].any()
    around = rows[: beside[0]].any() and columns[: beside[1]].any() and columns[-beside[1] :].any()
    return bool(below and (around or not (others or columns.any())))


def _close_views(
    picture: Image.Image, found: Found, inks: list[Ink], scale: float, *, lines: bool = True
) -> Iterator[View]:
    """What can be seen close to where a digit was found, with or without longer lines."""
    dark, strongest = inks[0].is_dark, max(float(ink.levels.max()) for ink in inks)
    part, close, close_scale = _zoom(picture, found, scale)
    window = _CLOSE_WINDOW * stroke_width(found) * scale * close_scale
    window = min(window, _LARGEST_CLOSE_WINDOW * max(close.size))
    ink = strength(_channels(close), _odd(window), dark=dark)
    if ink.is_blank:
        ink = strength(_channels(close), _last_resort(close), dark=dark)
    expected = _in_part(found.box, part, scale, close_scale)
    for share in MARKED:
        closely = find_digit(ink, share)
        if closely is not None and not lines:
            closely = find_digit(_alone(ink, closely, expected), share)
        if closely is None:
            continue
        strokes = strokes_of(ink.levels, closely)
        alike = _overlap(expected, closely.box)
        several = closely.has_others or (found.has_others and alike >= _EXPECTED)
        is_other = _is_fleck(closely, alike, strongest) or _is_cut_off(closely, part, picture)
        yield View(
            pixels=centre(fit(strokes)).reshape(-1),
            doubt=closely.doubt or (NO_DIGIT if is_other else SEVERAL if several else None),
            steps=Steps(picture, part, ink.levels / closely.pieces.level, closely.box, strokes),
        )


def _in_part(box: Box, part: Box, scale: float, close_scale: float) -> tuple[float, ...]:
    """A box found on the whole picture, as it lies in a part of it that is looked at closely."""
    origin = (part[0], part[1], part[0], part[1])
    return tuple(
        (edge * scale - start) * close_scale for edge, start in zip(box, origin, strict=True)
    )


def _alone(ink: Ink, seen: Found, expected: tuple[float, ...]) -> Ink:
    """The ink where a digit is expected, without lines that are longer than it."""
    left, top, right, bottom = expected
    inside = np.zeros(ink.levels.shape, np.bool_)
    inside[
        max(round(top) - _SLACK, 0) : round(bottom) + _SLACK,
        max(round(left) - _SLACK, 0) : round(right) + _SLACK,
    ] = True
    lengths = (_LONGER * (right - left), _LONGER * (bottom - top))
    thickness = _LINE_WIDTH * stroke_width(seen)
    parted = without_lines(ink, MARKED[0] * seen.pieces.level, thickness, lengths)
    return replace(parted, levels=np.where(inside, parted.levels, np.float32(0)))


def _is_fleck(found: Found, alike: float, strongest: float) -> bool:
    """Whether it is too faint for what it is, so ``alike`` what was to be found there.

    ``strongest`` is the strength of the strongest ink on the whole picture.
    """
    left, top, right, bottom = found.box
    is_bar = right - left <= _BAR * (bottom - top)
    level = found.pieces.level
    faint_bar = is_bar and level < max(_FAINT_BAR, _FAINT_BESIDE * strongest)
    return faint_bar or (level < _FAINT and alike < _ANOTHER)


def _is_cut_off(found: Found, part: Box, picture: Image.Image) -> bool:
    """Whether the digit goes on beyond the part of the picture that is in view."""
    left, top, right, bottom = part
    goes_on = np.array([top > 0, bottom < picture.height, left > 0, right < picture.width])
    touched = (found.pieces.on_sides[:, found.members] > 0).any(axis=1)
    return bool((touched & goes_on).any())


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The area that two boxes share, as a share of what they cover together."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared)


def _channels(picture: Image.Image) -> Colours:
    """Shape (channels, height, width)."""
    levels = np.asarray(picture)
    return np.ascontiguousarray(np.atleast_3d(levels).transpose(2, 0, 1))


def _odd(side: float) -> int:
    """The side of a window with a pixel in its middle."""
    return max(3, round(side) | 1)


def _last_resort(view: Image.Image) -> int:
    """A window for strokes so thick that all others left nothing of them."""
    return _odd(2 * max(view.size))


def _zoom(picture: Image.Image, found: Found, scale: float) -> tuple[Box, Image.Image, float]:
    """The part of the picture around the digit, and that part scaled, with its scale."""
    left, top, right, bottom = (edge * scale for edge in found.box)
    length = max(right - left, bottom - top)
    room = _MARGIN * length
    part = (
        max(0, int(left - room)),
        max(0, int(top - room)),
        min(picture.width, int(right + room) + 1),
        min(picture.height, int(bottom + room) + 1),
    )
    close_scale = _CLOSE_LENGTH / length
    size = [max(1, round(side * close_scale)) for side in (part[2] - part[0], part[3] - part[1])]
    filter_ = Image.Resampling.BOX if close_scale < 1 else Image.Resampling.BICUBIC
    return part, picture.crop(part).resize((size[0], size[1]), filter_), close_scale
