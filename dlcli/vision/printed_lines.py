"""Printed lines on a page: ruled and squared paper, underlines, and the frames of forms."""

from collections.abc import Iterator

import numpy as np

from dlcli.nn.types import Pixels
from dlcli.vision.components import Components
from dlcli.vision.morphology import dilate, opened, resize, shear_rows

# Lines are looked for on a mask of at most this side: a line is then a pixel or two thick, and an
# opening takes a millisecond.
_SIDE_PX = 500
# A line is at least this fraction of the page's width long, or of a frame's side.
_MIN_LENGTH = 0.4
_MIN_LENGTH_IN_FRAME = 0.6
# How much lines may rise or fall, as a fraction of their length.
_SLOPES = (0.0, *(s * k for k in (0.01, 0.02, 0.03, 0.04, 0.055, 0.07, 0.09) for s in (1, -1)))
# Lines are thinner than this fraction of the longer side.
_MAX_THICKNESS = 0.012
# Strokes are longer along a column than so many times the usual thickness of a line along rows.
_STROKE_TO_LINE = 1.6
# A frame has ink along this fraction of each side, and at three corners; sides and corners are as
# wide as this fraction of the box.
_MIN_SIDE_COVERAGE = 0.7
_MARGIN = 0.15
_MIN_CORNERS = 3


def line_pixels(mask: Pixels, min_length: float = _MIN_LENGTH) -> Pixels | None:
    """The pixels, 1 or 0, of lines along rows and columns; None if there are none.

    What crosses a line is not part of it.
    """
    along_rows = _along_rows(mask, min_length)
    along_columns = _along_rows(np.ascontiguousarray(mask.T), min_length).T
    found = along_rows | along_columns
    return found if found.any() else None


def frame_pixels(components: Components, mask: Pixels) -> Pixels | None:
    """The pixels, 1 or 0, of the frames of forms; None if there are none."""
    found = np.zeros_like(mask)
    for rows, columns in _frames(components, mask):
        lines = line_pixels(mask[rows, columns], _MIN_LENGTH_IN_FRAME)
        if lines is not None:
            found[rows, columns] |= lines
    return found if found.any() else None


def _along_rows(mask: Pixels, min_length: float) -> Pixels:
    height, width = mask.shape
    small = _shrunk(mask)
    length = max(9, round(min_length * small.shape[1])) | 1
    zone = np.zeros_like(small)
    for slope in _SLOPES:
        # Sheared by its slope, a line lies in one row, or two where it is rounded.
        runs = opened(dilate(shear_rows(small, slope), 3, 1), 1, length)
        if runs.any():
            zone |= shear_rows(runs, slope, back=True)
    if not zone.any():
        return np.zeros_like(mask)
    zone = np.asarray(resize(zone * np.uint8(255), width, height) > 127).view(np.uint8)
    inside = zone & mask
    max_thickness = max(2, round(_MAX_THICKNESS * max(height, width)))
    # The zone of a line of pixels is wider than the line: the usual run along a column in it.
    thickness = min(max_thickness, round(_STROKE_TO_LINE * _usual_run(inside)) + 1)
    thin: Pixels = inside & (1 - opened(mask, (thickness + 1) | 1, 1))
    return thin


def _shrunk(mask: Pixels) -> Pixels:
    """A smaller mask that keeps thin lines: the maximum of each square of pixels."""
    factor = -(-max(mask.shape) // _SIDE_PX)
    if factor == 1:
        return mask
    height, width = (side // factor for side in mask.shape)
    if not height or not width:
        return mask
    whole = mask[: height * factor, : width * factor]
    shrunk: Pixels = whole.reshape(height, factor, width, factor).max(axis=(1, 3))
    return np.ascontiguousarray(shrunk)


def _usual_run(mask: Pixels) -> float:
    """The mean length of runs of ones along columns."""
    starts = int(np.count_nonzero(mask[0]) + np.count_nonzero(mask[1:] > mask[:-1]))
    return int(np.count_nonzero(mask)) / max(starts, 1)


def _frames(components: Components, mask: Pixels) -> Iterator[tuple[slice, slice]]:
    """The rows and columns of components that are frames."""
    margin = 2  # pixels, for grey edges
    for left, top, right, bottom in zip(
        components.left[1:].tolist(),
        components.top[1:].tolist(),
        components.right[1:].tolist(),
        components.bottom[1:].tolist(),
        strict=True,
    ):
        if min(right - left, bottom - top) < 12:  # too small to hold a digit
            continue
        if _is_frame(mask[top:bottom, left:right]):
            yield (
                slice(max(0, top - margin), bottom + margin),
                slice(max(0, left - margin), right + margin),
            )


def _is_frame(mask: Pixels) -> bool:
    """Whether there is ink along all sides of a box, and at its corners."""
    height, width = mask.shape
    band = max(2, round(_MARGIN * min(height, width)))
    sides = (
        mask[:band].any(axis=0),
        mask[-band:].any(axis=0),
        mask[:, :band].any(axis=1),
        mask[:, -band:].any(axis=1),
    )
    if min(float(side.mean()) for side in sides) < _MIN_SIDE_COVERAGE:
        return False
    corners = [
        mask[rows, columns].any()
        for rows in (slice(band), slice(-band, None))
        for columns in (slice(band), slice(-band, None))
    ]
    return sum(map(bool, corners)) >= _MIN_CORNERS
