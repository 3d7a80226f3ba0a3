"""Printed lines on a page: ruled and squared paper, underlines, and the frames of forms."""

from collections.abc import Iterator

import numpy as np

from dlcli.nn.types import Pixels
from dlcli.vision.components import Components, connected_components
from dlcli.vision.morphology import dilate, opened, resize, runs_along_rows

# Lines are looked for on a mask of at most this side: a line is then a pixel or two thick, and an
# opening takes a millisecond.
_SIDE_PX = 500
# A line on a page is at least so long: this fraction of the longer side, if the page is as wide
# or, upright, but for a little, as high.
_MIN_LENGTH = 0.4
_MAX_PART_OF_WIDTH, _MAX_PART_OF_HEIGHT = 0.7, 0.97
# The sides of a frame are so many times as long as what stands in it is high.
_SIDE_TO_CONTENT = 1.2
# What stands in a frame is no speck: it has at least this fraction of the frame's shorter side.
_MIN_CONTENT = 0.2
_CONTENT_QUANTILE = 0.8
# How much lines may rise or fall, as a fraction of their length.
_SLOPES = (0.0, *(s * k for k in (0.01, 0.02, 0.03, 0.04, 0.055, 0.07, 0.09) for s in (1, -1)))
# Lines are thinner than this fraction of the page's longer side.
_MAX_THICKNESS = 0.012
# Strokes are longer along a column than so many times the usual thickness of a line along rows.
_STROKE_TO_LINE = 1.6


def without_print(components: Components) -> Components | None:
    """The components without printed lines and frames, if there are such."""
    foreground = components.foreground
    mask = (components.labels > 0).view(np.uint8)
    for printed in (frame_pixels(components, mask), page_lines(mask)):
        if printed is not None:
            foreground = _erased(foreground, printed & mask, mask)
            mask = mask & (1 - printed)
    if foreground is components.foreground:
        return components
    return connected_components(foreground)


def _erased(foreground: Pixels, lines: Pixels, mask: Pixels) -> Pixels:
    """The foreground without lines and their grey edges."""
    soft_edges = dilate(lines, 3, 3) & (1 - mask)
    return np.where(lines | soft_edges, np.uint8(0), foreground)


def page_lines(mask: Pixels) -> Pixels | None:
    """The pixels, 1 or 0, of lines across a page, ruled or squared; None if there are none.

    What crosses a line is not part of it.
    """
    height, width = mask.shape
    length = _MIN_LENGTH * max(height, width)
    return _lines(
        mask,
        round(min(length, _MAX_PART_OF_WIDTH * width)),
        round(min(length, _MAX_PART_OF_HEIGHT * height)),
        _max_thickness(mask),
    )


def frame_pixels(components: Components, mask: Pixels) -> Pixels | None:
    """The pixels, 1 or 0, of the frames of forms; None if there are none."""
    found = np.zeros_like(mask)
    for label, content in _frames(components):
        left, top, right, bottom = components.box([label])
        window = components.labels[top:bottom, left:right]
        length = round(_SIDE_TO_CONTENT * content)
        # With room around it: sheared, what leaves a picture above enters it below.
        room = 2 + round(_SLOPES[-2] * max(window.shape))
        frame = np.pad(window == label, room).view(np.uint8)
        lines = _lines(frame, length, length, _max_thickness(mask))
        if lines is not None:
            found[top:bottom, left:right] |= lines[room:-room, room:-room]
    return found if found.any() else None


def _frames(components: Components) -> Iterator[tuple[int, float]]:
    """The labels of components around others, and the height of the largest of these."""
    heights = components.bottom - components.top
    widths = components.right - components.left
    is_there = components.mass > 0
    # Sorted, so that only those that begin within a component's width are compared with it.
    contents = np.flatnonzero(is_there & (heights >= 2))
    contents = contents[np.argsort(components.left[contents], kind="stable")]
    lefts = components.left[contents]
    for label in np.flatnonzero(is_there).tolist():
        shorter = min(int(heights[label]), int(widths[label]))
        first, end = np.searchsorted(lefts, (components.left[label] + 1, components.right[label]))
        near = contents[first:end]
        inside = near[
            (components.right[near] < components.right[label])
            & (components.top[near] > components.top[label])
            & (components.bottom[near] < components.bottom[label])
            & (heights[near] >= _MIN_CONTENT * shorter)
        ]
        if inside.size:
            yield label, float(np.quantile(heights[inside], _CONTENT_QUANTILE))


def _max_thickness(page: Pixels) -> int:
    longer: int = max(page.shape)
    return max(2, round(_MAX_THICKNESS * longer))


def _lines(mask: Pixels, across: int, down: int, max_thickness: int) -> Pixels | None:
    """Lines along rows and columns that are at least so many pixels long."""
    rows, near_rows = _along_rows(mask, across, max_thickness)
    columns, near_columns = _along_rows(np.ascontiguousarray(mask.T), down, max_thickness)
    # Where lines cross, each is part of the other's stroke.
    found = rows | columns.T | (near_rows & near_columns.T)
    return found if found.any() else None


def _along_rows(mask: Pixels, min_length: int, max_thickness: int) -> tuple[Pixels, Pixels]:
    """The pixels of lines along rows, without what crosses them, and with it."""
    height, width = mask.shape
    small = _shrunk(mask)
    length = max(9, round(min_length * small.shape[1] / width)) | 1
    if length > small.shape[1]:
        return np.zeros_like(mask), np.zeros_like(mask)
    zone = runs_along_rows(small, length, _SLOPES)
    if not zone.any():
        return np.zeros_like(mask), np.zeros_like(mask)
    zone = np.asarray(resize(zone * np.uint8(255), width, height) > 127).view(np.uint8)
    inside = zone & mask
    # The zone is wider than the line, whose thickness is the usual run along a column in it.
    thickness = min(max_thickness, round(_STROKE_TO_LINE * _usual_run(inside)) + 1)
    thin: Pixels = inside & (1 - opened(mask, (thickness + 1) | 1, 1))
    return thin, inside


def _shrunk(mask: Pixels) -> Pixels:
    """A smaller mask that keeps thin lines: the maximum of each square of pixels."""
    factor = -(-max(mask.shape) // _SIDE_PX)
    if factor == 1:
        return mask
    # Of a page that is far longer than wide, also the few pixels of its width make a square.
    mask = np.pad(mask, [(0, max(factor - side, 0)) for side in mask.shape])
    height, width = (side // factor for side in mask.shape)
    whole = mask[: height * factor, : width * factor]
    shrunk: Pixels = whole.reshape(height, factor, width, factor).max(axis=(1, 3))
    return np.ascontiguousarray(shrunk)


def _usual_run(mask: Pixels) -> float:
    """The mean length of runs of ones along columns."""
    starts = int(np.count_nonzero(mask[0]) + np.count_nonzero(mask[1:] > mask[:-1]))
    return int(np.count_nonzero(mask)) / max(starts, 1)
