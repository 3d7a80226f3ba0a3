"""Cuts between digits that touch: the cheapest paths through a component from top to bottom.

A cut follows the background and crosses as little of the strokes as it can (Wang and Jean,
"Segmentation of merged characters by neural networks and shortest path", 1994). Which of the cuts
separate digits is for the recogniser to say: more are made than needed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Mask
from dlcli.vision.components import Floats
from dlcli.vision.morphology import resize, stroke_widths

# Components are shrunk to this height first.
_HEIGHT_PX = 40
# All lengths below are fractions of the component's height, or of the line's if that is larger.
# Cuts start at columns this far apart, and move no farther from them than the second: digits lean.
_STEP = 0.05
_REACH = 0.25
# Two cuts are at least so far from each other, and from both ends.
_MIN_DISTANCE = 0.14
# A cut crosses no more than so many widths of a stroke.
_MAX_CROSSED_WIDTHS = 3.0
# A sideways step costs this much of a pixel of strokes, so that paths are straight where they may.
_SIDEWAYS_COST = 0.05


@dataclass(frozen=True)
class Cut:
    """A path through a component.

    Attributes
    ----------
    columns
        Where it lies in each row: pixels to the left of it belong to the left part.
    crossed
        The pixels of strokes it crosses, in widths of a stroke.
    """

    columns: npt.NDArray[np.intp]
    crossed: float


def candidate_cuts(mask: Mask, line_height: float) -> list[Cut]:
    """The cuts of a component that cross the least, from left to right."""
    full_height, full_width = mask.shape
    scale = min(1.0, _HEIGHT_PX / full_height)
    height, width = max(1, round(full_height * scale)), max(1, round(full_width * scale))
    small = mask
    if scale < 1:
        small = resize(mask.view(np.uint8) * np.uint8(255), width, height) > 127
    unit = max(height, line_height * scale)
    if width < 2 * _MIN_DISTANCE * unit or not small.any():
        return []
    stroke = max(1.0, float(stroke_widths(small).mean()))
    starts = np.arange(_MIN_DISTANCE * unit, width - _MIN_DISTANCE * unit, max(1, _STEP * unit))
    paths, costs = _cheapest_paths(small, starts.astype(int), max(1, round(_REACH * unit)))
    chosen: list[int] = []
    middles = paths.mean(axis=1)
    for index in np.argsort(costs).tolist():
        if costs[index] > _MAX_CROSSED_WIDTHS * stroke:
            break
        if all(abs(middles[index] - middles[other]) >= _MIN_DISTANCE * unit for other in chosen):
            chosen.append(index)
    rows = np.minimum((np.arange(full_height) * scale).astype(int), height - 1)
    return [
        Cut(np.rint(paths[index][rows] / scale).astype(np.intp), float(costs[index] / stroke))
        for index in sorted(chosen, key=lambda index: float(middles[index]))
    ]


def _cheapest_paths(mask: Mask, starts: Pixels, reach: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """For each start the cheapest path from top to bottom that stays near it, and its cost.

    Dynamic programming, row by row, in a strip around each start; outside the component there is
    background.
    """
    height, _ = mask.shape
    padded = np.pad(mask, ((0, 0), (reach, reach))).astype(np.float64)
    strips = np.arange(2 * reach + 1) + np.asarray(starts)[:, np.newaxis]
    cost = padded[0][strips]
    came_from = np.zeros((height, *strips.shape), np.intp)
    for row in range(1, height):
        walled = np.pad(cost, ((0, 0), (1, 1)), constant_values=np.inf)
        moves = np.stack([cost, walled[:, :-2] + _SIDEWAYS_COST, walled[:, 2:] + _SIDEWAYS_COST])
        best = moves.argmin(axis=0)
        came_from[row] = np.array([0, -1, 1])[best]
        cost = np.take_along_axis(moves, best[np.newaxis], axis=0)[0] + padded[row][strips]
    at = cost.argmin(axis=1)
    each = np.arange(len(strips))
    total = cost[each, at]
    paths = np.empty((len(strips), height), np.intp)
    for row in range(height - 1, -1, -1):
        paths[:, row] = strips[each, at] - reach
        at = at + came_from[row][each, at]
    return paths, total


def parts(cuts: list[Cut], height: int, width: int) -> npt.NDArray[np.intp]:
    """The part each pixel of a component belongs to: the number of cuts on its left."""
    found = np.zeros((height, width), np.intp)
    columns = np.arange(width)
    for cut in cuts:
        found += columns[np.newaxis] >= cut.columns[:, np.newaxis]
    return found
