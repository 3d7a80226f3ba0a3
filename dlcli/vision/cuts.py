"""Cuts between digits that touch: the cheapest paths through a component from top to bottom.

A cut follows the background and crosses as little of the strokes as it can (Wang and Jean,
"Segmentation of merged characters by neural networks and shortest path", 1994). Which of the cuts
separate digits is for the recogniser to say: more are made than needed.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from dlcli.vision.candidate import Mask
from dlcli.vision.components import Floats
from dlcli.vision.morphology import label, stroke_widths

# All lengths below are fractions of the component's height, or of the line's if that is larger.
# Cuts start at columns this far apart. Once the component is upright, a cut moves no farther from
# its start than one of these: straight ones part digits that overlap, free ones follow the gaps.
_STEP = 0.03
_REACHES = (0.04, 0.12, 0.25, 0.45)
_FREE = 0.2
# How much writing may lean to the right: columns a row. So many pixels tell by how much.
_SLANTS = np.linspace(-0.3, 0.9, 13)
_MAX_PIXELS_FOR_SLANT = 3_000
# Two cuts of a reach are at least so far apart, in the mean over the rows, and any two so far.
_MIN_DISTANCE = 0.06
_MIN_DIFFERENCE = 0.025
# What has wider strokes than this is a blot.
_MAX_STROKE = 0.35
MAX_LINES = 3.0
"""What is higher than so many lines is neither cut nor a digit of several parts.

Without a limit, a strip of dots that is said to be one line takes minutes. With this one, the pages
of ``make numbers`` are read as before.
"""
# A cut crosses no more than so many widths of a stroke.
_MAX_CROSSED_WIDTHS = 5.0
# A sideways step costs this much of a pixel of strokes, so that paths are straight where they may.
_SIDEWAYS_COST = 0.05

# A part of strokes that a cut leaves on one side is a stub of the other side's if it is this small,
# as a fraction of the line's height, in both directions.
_MAX_STUB_SIDE = 0.35

Coordinates = npt.NDArray[np.intp]
Labelled = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


# A path through a component: where it lies in each row. Pixels to the left of it belong to the left
# part.
Cut = npt.NDArray[np.intp]


def slant(components: Iterable[tuple[Coordinates, Coordinates]]) -> float:
    """How much digits lean to the right, in columns a row, by the rows and columns of their pixels.

    Sheared back by it, their strokes stand upright, and the squares of the columns' sums are
    largest (Vinciarelli and Luettin, "A new normalization technique for cursive handwritten words",
    2001).
    """
    scores = np.zeros(len(_SLANTS))
    for all_rows, all_columns in components:
        if not all_rows.size:
            continue
        every = -(-all_rows.size // _MAX_PIXELS_FOR_SLANT)
        rows, columns = all_rows[::every], all_columns[::every]
        for index, lean in enumerate(_SLANTS):
            upright = np.rint(columns + lean * rows).astype(np.intp)
            scores[index] += float(np.square(np.bincount(upright - upright.min())).sum())
    return float(_SLANTS[scores.argmax()]) if scores.any() else 0.0


def candidate_cuts(mask: Mask, line_height: float, lean: float) -> list[Cut]:
    """The cuts of a component that cross the least, from left to right."""
    unit = max(float(mask.shape[0]), line_height)
    if not mask.any() or unit > MAX_LINES * line_height:
        return []
    upright, shifts = _upright(mask, lean)
    inner = np.flatnonzero(upright.any(axis=0))
    stroke = max(1.0, float(stroke_widths(mask).mean()))
    if stroke > _MAX_STROKE * unit:
        return []
    starts = np.arange(inner[0] + stroke, inner[-1] - stroke, max(1, _STEP * unit)).astype(int)
    if not starts.size:
        return []
    paths, costs = [], []
    for reach in _REACHES:
        # Free cuts find their way from anywhere.
        some = starts if reach < _FREE else starts[::2]
        found, crossed = _cheapest_paths(upright, some, max(1, round(reach * unit)))
        for index in _best(found, crossed, _MAX_CROSSED_WIDTHS * stroke, _MIN_DISTANCE * unit):
            paths.append(found[index])
            costs.append(crossed[index])
    chosen = _best(np.array(paths), np.array(costs), np.inf, _MIN_DIFFERENCE * unit)
    chosen.sort(key=lambda index: float(paths[index].mean()))
    return [paths[index] - shifts for index in chosen]


def side_of_cut(mask: Mask, cut: Cut, line_height: float, parts: Labelled) -> Mask:
    """What of a component is on the right of a cut.

    Stubs, which a cut leaves of strokes that it crosses twice, are on the side that they came from.
    The parts are those of the mask that are connected.
    """
    is_right = np.arange(mask.shape[1]) >= cut[:, np.newaxis]
    max_side = _MAX_STUB_SIDE * line_height
    stubs = [_stubs(mask & side, parts, max_side) for side in (is_right, ~is_right)]
    return (is_right & ~stubs[0]) | stubs[1]


def _stubs(side: Mask, whole: Labelled, max_side: float) -> Mask:
    """The small parts on one side of a cut that continue on the other."""
    labels, statistics = label(side.view(np.uint8), connectivity=8)
    is_small = np.all(statistics[:, 2:4] <= max_side, axis=1)
    is_small[[0, int(statistics[1:, -1].argmax()) + 1 if len(statistics) > 1 else 0]] = False
    if not is_small.any():
        return np.zeros(side.shape, np.bool_)
    numbers = np.flatnonzero(is_small)
    # Any pixel of a part tells which component it is of; parts that are whole ones stay.
    where = np.array([np.flatnonzero((labels == number).reshape(-1))[0] for number in numbers])
    areas = whole[1][whole[0].reshape(-1)[where], -1]
    return np.isin(labels, numbers[areas > statistics[numbers, -1]])


def _best(
    paths: npt.NDArray[np.intp], costs: Floats, max_cost: float, min_distance: float
) -> list[int]:
    """The paths that cost the least and are some distance from each other."""
    chosen: list[int] = []
    is_free = (costs >= 1) & (costs <= max_cost)  # less than a pixel: it goes around
    for index in np.argsort(costs).tolist():
        if is_free[index]:
            chosen.append(index)
            is_free &= np.abs(paths - paths[index]).mean(axis=1) >= min_distance
    return chosen


def _upright(mask: Mask, lean: float) -> tuple[Mask, npt.NDArray[np.intp]]:
    """A mask sheared so that its digits stand upright, and by how much each row is shifted."""
    height, width = mask.shape
    shifts = np.rint(lean * np.arange(height)).astype(np.intp)
    shifts -= shifts.min()
    upright = np.zeros((height, width + int(shifts.max())), np.bool_)
    rows = np.arange(height)[:, np.newaxis]
    upright[rows, np.arange(width) + shifts[:, np.newaxis]] = mask
    return upright, shifts


def _cheapest_paths(
    mask: Mask, starts: npt.NDArray[np.intp], reach: int
) -> tuple[npt.NDArray[np.intp], Floats]:
    """For each start the cheapest path from top to bottom that stays near it, and its cost.

    Dynamic programming, row by row, in a strip around each start; outside the component there is
    background. In each row, a path may go sideways as far as the strip is wide.
    """
    height, _ = mask.shape
    padded = np.pad(mask, ((0, 0), (reach, reach))).astype(np.float32)
    # The cost of a walk along a row is the difference of these sums: to the right from the column
    # where it begins, and to the left.
    to_left = np.cumsum(padded + _SIDEWAYS_COST, axis=1, dtype=np.float32)
    to_right = to_left - (padded + np.float32(_SIDEWAYS_COST))
    strips = np.arange(2 * reach + 1) + starts[:, np.newaxis]
    costs = np.zeros((height + 1, *strips.shape), np.float32)
    for row in range(height):
        right, left, before = to_right[row][strips], to_left[row][strips], costs[row]
        from_left = np.minimum.accumulate(before - right, axis=1) + right
        from_right = np.minimum.accumulate((before + left)[:, ::-1], axis=1)[:, ::-1] - left
        costs[row + 1] = np.minimum(from_left, from_right) + padded[row][strips]
    at = costs[-1].argmin(axis=1)
    each = np.arange(len(strips))
    total = costs[-1, each, at].astype(np.float64)
    paths = np.empty((len(strips), height), np.intp)
    for row in range(height - 1, -1, -1):
        columns = strips[each, at]
        paths[:, row] = columns - reach
        right, left = to_right[row], to_left[row]
        walked = np.maximum(
            right[columns][:, np.newaxis] - right[strips],
            left[strips] - left[columns][:, np.newaxis],
        )
        at = (costs[row] + walked).argmin(axis=1)
    return paths, total
