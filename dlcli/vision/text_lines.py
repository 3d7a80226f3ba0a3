"""Lines of text: which components of a page stand beside each other, in reading order."""

from dataclasses import dataclass

import numpy as np

from dlcli.vision.components import Components, Floats, Integers

# The height of a digit is the median of the components' heights, weighted by their mass. What is
# lower than the first fraction of it is no digit, but may be a part of one; what is higher than the
# second, as lines and frames are, is no digit either.
_MIN_HEIGHT = 0.5
_MAX_HEIGHT = 2.0
# Neighbours on a line share this fraction of the lower one's height, and are no farther apart than
# so many heights of digits.
_MIN_SHARED_HEIGHT = 0.4
_MAX_GAP = 3.0
# Two parts of a line, whose facing ends are apart by less than this fraction of a digit's height
# once both are continued, are one.
_MAX_OFFSET = 0.5
# A part of a digit is as far from a line's digits as this fraction of their height.
_MAX_PART_DISTANCE = 0.3
# Fainter specks than this fraction of a digit's mass are noise.
_MIN_MASS = 0.02


@dataclass(frozen=True)
class TextLine:
    """Components beside each other, from left to right, and the height of their digits."""

    members: list[int]
    height: float


def digit_height(components: Components) -> float:
    """The usual height of the components that may be digits, 0 if there are none."""
    heights = _heights(components)
    mass = np.where(components.is_strip, 0, components.mass)
    order = np.argsort(heights)
    total = np.cumsum(mass[order])
    if not total[-1]:
        return 0.0
    return float(heights[order[np.searchsorted(total, total[-1] / 2)]])


def find_lines(components: Components) -> list[TextLine]:
    """The lines of a page, from top to bottom."""
    usual = digit_height(components)
    heights = _heights(components)
    is_digit = (
        (heights >= _MIN_HEIGHT * usual)
        & (heights <= _MAX_HEIGHT * usual)
        & (components.mass > 0)
        & ~components.is_strip
    )
    is_digit[0] = False
    digits = np.flatnonzero(is_digit)
    if not digits.size:
        return []
    chains = _merged(_chains(components, digits, usual), components, usual)
    return _with_parts(chains, components, is_digit)


def _heights(components: Components) -> Integers:
    heights: Integers = components.bottom - components.top
    return heights


def _middles(components: Components) -> tuple[Floats, Floats]:
    """The middle of each component's bounding box: x and y."""
    return (
        (components.left + components.right) / 2,
        (components.top + components.bottom) / 2,
    )


def _chains(components: Components, digits: Integers, usual: float) -> list[list[int]]:
    """Components, each linked to the nearest one on its right that stands on the same line."""
    x, _ = _middles(components)
    heights = _heights(components)
    chain_of = {int(digit): [int(digit)] for digit in digits}
    for digit in digits[np.argsort(x[digits])].tolist():
        top, bottom = components.top[digit], components.bottom[digit]
        shared = np.minimum(bottom, components.bottom[digits]) - np.maximum(
            top, components.top[digits]
        )
        gap = components.left[digits] - components.right[digit]
        lower = np.minimum(heights[digits], heights[digit])
        is_beside = (
            (x[digits] > x[digit])
            & (shared >= _MIN_SHARED_HEIGHT * lower)
            & (gap <= _MAX_GAP * usual)
        )
        if is_beside.any():
            beside = digits[is_beside]
            nearest = int(beside[np.argmin(x[beside])])
            _join(chain_of, digit, nearest)
    unique = {id(chain): chain for chain in chain_of.values()}
    return [sorted(chain, key=lambda member: float(x[member])) for chain in unique.values()]


def _join(chain_of: dict[int, list[int]], first: int, second: int) -> None:
    """Make one chain of the chains of two components."""
    kept, other = chain_of[first], chain_of[second]
    if kept is not other:
        kept.extend(other)
        chain_of.update(dict.fromkeys(other, kept))


def _merged(chains: list[list[int]], components: Components, usual: float) -> list[list[int]]:
    """The chains, those that continue one another merged, from top to bottom."""
    x, y = _middles(components)
    merged: list[list[int]] = []
    for chain in sorted(chains, key=lambda members: float(y[members].mean())):
        line = next(
            (
                other
                for other in merged
                if abs(_height_at(other, x, y, x[chain].mean()) - y[chain].mean())
                < _MAX_OFFSET * usual
            ),
            None,
        )
        if line is None:
            merged.append(chain)
        else:
            line.extend(chain)
            line.sort(key=lambda member: float(x[member]))
    return merged


def _height_at(members: list[int], x: Floats, y: Floats, where: float) -> float:
    """The y of a line, continued straight on, at an x."""
    if len(members) < 3:
        return float(y[members].mean())
    slope, offset = np.polyfit(x[members], y[members], 1)
    return float(slope * where + offset)


def _with_parts(
    chains: list[list[int]], components: Components, is_digit: np.ndarray
) -> list[TextLine]:
    """The lines with the smaller components on them, which may be parts of digits."""
    lines = []
    heights = _heights(components)
    taken = is_digit.copy()
    taken[0] = True
    x, _ = _middles(components)
    for chain in chains:
        height = float(np.median(heights[chain]))
        mass = float(np.median(components.mass[chain]))
        small = np.flatnonzero(~taken & (components.mass >= _MIN_MASS * mass))
        reach = _MAX_PART_DISTANCE * height
        parts = [
            part
            for part in small.tolist()
            if heights[part] < height
            and any(
                components.left[part] < components.right[member] + reach
                and components.right[part] > components.left[member] - reach
                and components.top[part] < components.bottom[member] + reach
                and components.bottom[part] > components.top[member] - reach
                for member in chain
            )
        ]
        taken[parts] = True
        members = sorted([*chain, *parts], key=lambda member: float(x[member]))
        lines.append(TextLine(members, height))
    return lines
