"""The cells of a grid, such as a sudoku or the boxes of a form, and the strokes in each.

The outline of the grid, photographed at a slant or not, is made a rectangle by a perspective
transform (Hartley and Zisserman, "Multiple view geometry", 2004, section 4.1). Where no lines are
found, the picture is the grid.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box, Mask
from dlcli.vision.components import Components, connected_components, strokes_of
from dlcli.vision.morphology import dilate, opened
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.page_foreground import page_channels, page_foreground

Points = npt.NDArray[np.float32]
Fractions = tuple[float, float, float, float]

# The window of the background's closing, as a fraction of the page's longer side.
_WINDOW = 0.1
# A frame has strokes along this fraction of each side of its bounding box, in a band as wide as the
# second fraction of the side, which leaves room for a slant. Its box covers at least this fraction
# of that of the largest frame, and of the page.
_MIN_COVERAGE, _BAND = 0.7, 0.12
_MIN_AREA, _MIN_AREA_OF_PAGE = 0.2, 0.001
# The strokes along the sides of a grid are as near to the straight line as this fraction of the
# page's longer side, at most of so many points.
_MAX_SIDE_DISTANCE, _SIDE_SAMPLES = 0.03, 100
# The side of a cell in pixels, after the transform.
_MIN_CELL_PX, _MAX_CELL_PX = 32, 80
# All lengths below are fractions of a cell's side.
# The lines of the grid are as near to where they should be as the first, and at least as long as
# the second: longer than the bar of a 7.
_LINE_ZONE, _MIN_LINE = 0.2, 0.75
# A digit is at least so high, and the middles of its parts are not so near to a side.
_MIN_DIGIT_HEIGHT, _MIN_DISTANCE = 0.25, 0.13
# Parts of a digit have at least this fraction of its mass.
_MIN_PART_MASS = 0.03


@dataclass(frozen=True)
class Cell:
    """A cell of a grid.

    Attributes
    ----------
    pixels
        The strokes in it in MNIST's format, shape (784,); None if it is empty.
    box
        Where these lie, or the cell if it is empty: left, top, right and bottom as fractions of
        the picture's sides.
    """

    pixels: Pixels | None
    box: Fractions


def find_cells(picture: Image.Image, rows: int, columns: int) -> list[list[Cell]]:
    """The cells of the grid on a picture in mode L or RGB, row by row; none if it is blank."""
    foreground = page_foreground(page_channels(picture), _WINDOW)
    components = connected_components(foreground)
    if components is None:
        return []
    grid = _Grid(_outline(components), rows, columns)
    strokes = connected_components(grid.without_lines(grid.flattened(foreground)))
    height, width = foreground.shape
    scale = np.array([width, height, width, height], float)

    def cell(row: int, column: int) -> Cell:
        left, top = column * grid.side, row * grid.side
        members = [] if strokes is None else _members(strokes, (left, top), grid.side)
        box = (left, top, left + grid.side, top + grid.side)
        if strokes is None or not members:
            return Cell(None, _fractions(grid.box_on_page(box) / scale))
        pixels = normalize_digit(strokes_of(strokes, members))
        return Cell(pixels, _fractions(grid.box_on_page(strokes.box(members)) / scale))

    return [[cell(row, column) for column in range(columns)] for row in range(rows)]


class _Grid:
    """A grid and the transform that makes its cells squares."""

    def __init__(self, corners: Points, rows: int, columns: int) -> None:
        top, right, bottom, left = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
        sides = max(top, bottom) / columns, max(left, right) / rows
        self.side = int(np.clip(round(float(np.mean(sides))), _MIN_CELL_PX, _MAX_CELL_PX))
        self.size = columns * self.side, rows * self.side
        width, height = self.size
        flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
        self._transform = cv2.getPerspectiveTransform(corners, flat)

    def flattened(self, foreground: Pixels) -> Pixels:
        """The part of a foreground in the grid."""
        flat = cv2.warpPerspective(foreground, self._transform, self.size, flags=cv2.INTER_LINEAR)
        return flat.astype(np.uint8, copy=False)

    def box_on_page(self, box: Box) -> npt.NDArray[np.float64]:
        """The bounding box of a box in the grid on the page."""
        left, top, right, bottom = box
        around = np.array([[(left, top), (right, top), (right, bottom), (left, bottom)]], float)
        x, y = cv2.perspectiveTransform(around, np.linalg.inv(self._transform))[0].T
        return np.array([x.min(), y.min(), x.max(), y.max()])

    def without_lines(self, flat: Pixels) -> Pixels:
        """The foreground of the grid without its lines."""
        components = connected_components(flat)
        if components is None:
            return flat
        mask = (components.labels > 0).view(np.uint8)
        down = self._lines(mask.T).T
        lines = dilate(np.ascontiguousarray(self._lines(mask) | down), 3, 3)
        return np.where(lines > 0, np.uint8(0), flat)

    def _lines(self, mask: Pixels) -> Pixels:
        """The lines along rows, 1 or 0, near to where rows of cells meet."""
        distance = np.arange(len(mask)) % self.side
        is_near = np.minimum(distance, self.side - distance) <= _LINE_ZONE * self.side
        thick = dilate(np.ascontiguousarray(mask * is_near[:, np.newaxis]), 3, 1)
        return opened(thick, 1, round(_MIN_LINE * self.side) | 1) & mask


def _outline(components: Components) -> Points:
    """The corners of the grid, or of the page without one, clockwise from the top left."""
    frames = _frames(components)
    if frames:
        mask = np.isin(components.labels, frames)
        rows, columns = np.nonzero(mask)
        points = np.stack([columns, rows], axis=1).astype(np.float32)
        total, difference = points.sum(axis=1), points[:, 0] - points[:, 1]
        extremes = [total.argmin(), difference.argmax(), total.argmax(), difference.argmin()]
        corners: Points = np.ascontiguousarray(points[extremes])
        if _has_sides(mask, corners):
            return corners
    height, width = components.labels.shape
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)


def _frames(components: Components) -> list[int]:
    """The components that are frames of the grid or its cells, the largest first."""
    area = (components.right - components.left) * (components.bottom - components.top)
    area[0] = 0
    frames: list[int] = []
    for label in np.argsort(-area).tolist():
        largest = area[frames[0]] if frames else 0
        if area[label] < max(_MIN_AREA * largest, _MIN_AREA_OF_PAGE * components.labels.size):
            break
        if _is_frame(components, label):
            frames.append(label)
    return frames


def _has_sides(mask: Mask, corners: Points) -> bool:
    """Whether there are strokes along the sides between four corners."""
    reach = max(3, round(_MAX_SIDE_DISTANCE * max(mask.shape)) | 1)
    zone = dilate(mask.view(np.uint8), reach, reach)
    along = np.linspace(0, 1, _SIDE_SAMPLES)[:, np.newaxis]
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        columns, rows = np.rint(start + along * (end - start)).astype(int).T
        if zone[rows, columns].mean() < _MIN_COVERAGE:
            return False
    return True


def _is_frame(components: Components, label: int) -> bool:
    """Whether a component has strokes along all four sides of its bounding box."""
    left, top, right, bottom = components.box([label])
    mask: Mask = components.labels[top:bottom, left:right] == label
    band = max(2, round(_BAND * min(mask.shape)))
    sides = (
        mask[:band].any(axis=0),
        mask[-band:].any(axis=0),
        mask[:, :band].any(axis=1),
        mask[:, -band:].any(axis=1),
    )
    return min(float(side.mean()) for side in sides) >= _MIN_COVERAGE


def _members(strokes: Components, corner: tuple[int, int], side: int) -> list[int]:
    """The components of the digit in a cell; none if it is empty."""
    x = ((strokes.left + strokes.right) / 2 - corner[0]) / side
    y = ((strokes.top + strokes.bottom) / 2 - corner[1]) / side
    near, far = _MIN_DISTANCE, 1 - _MIN_DISTANCE
    is_inside = (x > near) & (x < far) & (y > near) & (y < far) & (strokes.mass > 0)
    inside = np.flatnonzero(is_inside)
    heights = (strokes.bottom - strokes.top)[inside]
    if not inside.size or heights.max() < _MIN_DIGIT_HEIGHT * side:
        return []
    mass = strokes.mass[inside]
    parts: list[int] = inside[mass >= _MIN_PART_MASS * mass.max()].tolist()
    return parts


def _fractions(box: npt.NDArray[np.float64]) -> Fractions:
    left, top, right, bottom = box.clip(0, 1).tolist()
    return left, top, right, bottom
