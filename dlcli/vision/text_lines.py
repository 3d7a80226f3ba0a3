"""Lines of text: which components of a page stand beside each other, in reading order.

Neighbours are linked to chains, and chains that continue one another make a line, which may slant
and drift (as in Likforman-Sulem, Zahour and Taconet, "Text line segmentation of historical
documents: a survey", 2007, section 3.3).
"""

from dataclasses import dataclass

import numpy as np

from dlcli.vision.candidate import Mask
from dlcli.vision.components import Components, Floats, Integers

# The height of a digit is the median of the components' heights, weighted by their mass. What is
# lower than the first fraction of it is no digit, but may be a part of one; what is higher than the
# second, as drawings are, is no digit either.
_MIN_HEIGHT = 0.5
_MAX_HEIGHT = 2.0
# What touches the border and is longer than this fraction of the page is no digit, but an edge.
_MAX_BORDER_LENGTH = 0.3
# Neighbours on a line share this fraction of the lower one's height, and are no farther apart than
# so many heights of digits.
_MIN_SHARED_HEIGHT = 0.4
_MAX_GAP = 3.0
# Two chains are one line if they are apart by less than this fraction of a digit's height where
# they are nearest. Lines of writing are more than a digit's height apart.
_MAX_OFFSET = 0.7
# Where the number of lines is known, this is halved down to the following while they are too few.
_MIN_OFFSET = 0.05
# A line of so many digits tells its slope; shorter ones have that of the page. Writing is no
# steeper than this.
_MIN_FOR_SLOPE = 4
_MAX_SLOPE = 0.3
# A part of a digit is no farther from one than this fraction of its height, and fainter specks than
# this fraction of a digit's mass are noise.
_MAX_PART_DISTANCE = 0.3
_MIN_MASS = 0.02
# A page of more components than this is a texture. So is one where what is wider than a digit, in
# digits' heights, is wider than this in all: it would be cut in thousands of places.
_MAX_COMPONENTS = 1_000
_MAX_DIGIT_WIDTH, _MAX_TOUCHING_WIDTH = 1.5, 150.0
# Digits that touch are no longer than this in digits' heights: a ruled line is.
_MAX_WIDTH = 20.0


@dataclass(frozen=True)
class TextLine:
    """Components beside each other, from left to right, and the height of their digits."""

    members: list[int]
    height: float


@dataclass(frozen=True)
class _Layout:
    """Where components are: the middles, heights and widths of their boxes."""

    components: Components
    x: Floats
    y: Floats
    heights: Integers
    usual: float  # the height of a digit


def find_lines(components: Components, count: int | None = None) -> list[TextLine]:
    """The lines of a page, from top to bottom; so many if that is known, and the page has them."""
    is_candidate = _may_be_digits(components)
    heights: Integers = components.bottom - components.top
    usual = _weighted_median(heights, np.where(is_candidate, components.mass, 0))
    layout = _Layout(
        components,
        (components.left + components.right) / 2,
        (components.top + components.bottom) / 2,
        heights,
        usual,
    )
    widths = (components.right - components.left) / max(usual, 1)
    is_digit = is_candidate & (heights >= _MIN_HEIGHT * usual) & (heights <= _MAX_HEIGHT * usual)
    is_digit &= widths <= _MAX_WIDTH
    digits = np.flatnonzero(is_digit)
    touching = widths[is_digit & (widths > _MAX_DIGIT_WIDTH)].sum()
    if not 0 < digits.size <= _MAX_COMPONENTS or touching > _MAX_TOUCHING_WIDTH:
        return []
    return _with_parts(_lines(_chains(layout, digits), layout, count), layout, is_digit)


def _may_be_digits(components: Components) -> Mask:
    """All components but the background, strips, and long ones at the border."""
    long = components.length > _MAX_BORDER_LENGTH * max(components.labels.shape)
    candidates = (components.mass > 0) & ~components.is_strip & ~(components.touches_border & long)
    if not candidates.any():  # a digit that fills the picture
        candidates = (components.mass > 0) & ~components.is_strip
    candidates[0] = False
    return np.asarray(candidates, np.bool_)


def _weighted_median(values: Integers, weights: Floats) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]]) if total[-1] else 0.0


def _chains(layout: _Layout, digits: Integers) -> list[list[int]]:
    """Components, each linked to the nearest one on its right that stands on the same line."""
    components, x = layout.components, layout.x
    chain_of = {digit: [digit] for digit in digits.tolist()}
    for digit in digits[np.argsort(x[digits])].tolist():
        shared = np.minimum(components.bottom[digit], components.bottom[digits])
        shared = shared - np.maximum(components.top[digit], components.top[digits])
        lower = np.minimum(layout.heights[digits], layout.heights[digit])
        gap = components.left[digits] - components.right[digit]
        is_beside = (
            (x[digits] > x[digit])
            & (shared >= _MIN_SHARED_HEIGHT * lower)
            & (gap <= _MAX_GAP * layout.usual)
        )
        beside = digits[is_beside]
        if beside.size:
            _join(chain_of, digit, int(beside[np.argmin(x[beside])]))
    unique = {id(chain): chain for chain in chain_of.values()}
    return [sorted(chain, key=x.item) for chain in unique.values()]


def _join(chain_of: dict[int, list[int]], first: int, second: int) -> None:
    """Make one chain of the chains of two components."""
    kept, other = chain_of[first], chain_of[second]
    if kept is not other:
        kept.extend(other)
        chain_of.update(dict.fromkeys(other, kept))


def _lines(chains: list[list[int]], layout: _Layout, count: int | None) -> list[list[int]]:
    """The chains, those that continue one another merged, from top to bottom."""
    page_slope = _page_slope(chains, layout)
    max_offset = _MAX_OFFSET
    lines = _merged(chains, layout, page_slope, max_offset)
    if count is not None:
        while len(lines) < min(count, len(chains)):
            max_offset = max_offset / 2 if max_offset > _MIN_OFFSET else 0.0
            lines = _merged(chains, layout, page_slope, max_offset)
        while len(lines) > count:
            lines = _with_nearest_merged(lines, layout, page_slope)
    x, y = layout.x, layout.y
    return sorted(lines, key=lambda line: float((y[line] - page_slope * x[line]).mean()))


def _merged(
    chains: list[list[int]], layout: _Layout, page_slope: float, max_offset: float
) -> list[list[int]]:
    """The chains, those merged that are apart by less than a fraction of a digit's height."""
    lines: list[list[int]] = []
    for chain in sorted(chains, key=len, reverse=True):
        offsets = [_offset(line, chain, layout, page_slope) for line in lines]
        nearest = int(np.argmin(offsets)) if offsets else -1
        if offsets and offsets[nearest] < max_offset * layout.usual:
            lines[nearest] = sorted([*lines[nearest], *chain], key=layout.x.item)
        else:
            lines.append(chain)
    return lines


def _with_nearest_merged(
    lines: list[list[int]], layout: _Layout, page_slope: float
) -> list[list[int]]:
    """The lines, the shortest one merged with that which is nearest to it."""
    *others, shortest = sorted(lines, key=len, reverse=True)
    offsets = [_offset(line, shortest, layout, page_slope) for line in others]
    nearest = int(np.argmin(offsets))
    others[nearest] = sorted([*others[nearest], *shortest], key=layout.x.item)
    return others


def _page_slope(chains: list[list[int]], layout: _Layout) -> float:
    """The median slope of the chains' links."""
    firsts = [member for chain in chains for member in chain[:-1]]
    seconds = [member for chain in chains for member in chain[1:]]
    across = layout.x[seconds] - layout.x[firsts]
    is_long = across > layout.usual / 2
    if not is_long.any():
        return 0.0
    slopes = (layout.y[seconds] - layout.y[firsts])[is_long] / across[is_long]
    return float(np.clip(np.median(slopes), -_MAX_SLOPE, _MAX_SLOPE))


def _offset(line: list[int], chain: list[int], layout: _Layout, page_slope: float) -> float:
    """How far a chain is above or below a line, where both are nearest to each other."""
    x, y = layout.x, layout.y
    between = np.abs(x[line][:, np.newaxis] - x[chain])
    near_line, near_chain = np.unravel_index(int(between.argmin()), between.shape)
    slope = page_slope
    if len(line) >= _MIN_FOR_SLOPE:
        across = x[line] - x[line].mean()
        if spread := float(across @ across):  # by least squares, unless they stand in a column
            slope = float(np.clip(across @ y[line] / spread, -_MAX_SLOPE, _MAX_SLOPE))
    # The neighbours on the line, so that one low digit does not move it.
    around = line[max(0, int(near_line) - 1) : int(near_line) + 2]
    where = x[chain[int(near_chain)]]
    expected = float(np.mean(y[around] + slope * (where - x[around])))
    return abs(float(y[chain[int(near_chain)]]) - expected)


def _with_parts(lines: list[list[int]], layout: _Layout, is_digit: Mask) -> list[TextLine]:
    """The lines with the smaller components on them, which may be parts of digits."""
    components = layout.components
    found = []
    is_free = ~is_digit
    is_free[0] = False
    for line in lines:
        height = float(np.median(layout.heights[line]))
        min_mass = _MIN_MASS * float(np.median(components.mass[line]))
        small = np.flatnonzero(is_free & (components.mass >= min_mass) & (layout.heights < height))
        reach = _MAX_PART_DISTANCE * height
        is_near = (
            (components.left[small][:, np.newaxis] < components.right[line] + reach)
            & (components.right[small][:, np.newaxis] > components.left[line] - reach)
            & (components.top[small][:, np.newaxis] < components.bottom[line] + reach)
            & (components.bottom[small][:, np.newaxis] > components.top[line] - reach)
        ).any(axis=1)
        parts = small[is_near].tolist()
        is_free[parts] = False
        found.append(TextLine(sorted([*line, *parts], key=layout.x.item), height))
    return found
