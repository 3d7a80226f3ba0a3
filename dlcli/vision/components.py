"""Foreground to the connected components that make up one digit.

The foreground is binarised at a fraction of the pen's level and its 8-connected components are
described: bounding box, total foreground ("mass"), stroke width, and how much of each side of the
picture they cover. Rules on these numbers tell digits from lines, specks, frames and the edges of
things. Constants without a source were set by hand on synthetic photographs (``make
photographs``).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dlcli.vision.foreground import Foreground
from dlcli.vision.morphology import (
    Mask,
    dilate,
    label_components,
    quantiles,
    stroke_widths,
)
from dlcli.vision.rejection import RejectionReason

# Binarisation thresholds as fractions of the pen's level: above most printed lines but below the
# thin places of a stroke, and above nearly all printed lines and edges of shadows.
LOW_THRESHOLD, HIGH_THRESHOLD = 0.4, 0.65
# The pen's level is the median of the levels above this fraction of the strongest.
_PEN_LEVEL_FRACTION = 0.6

# The least length of a digit, as a fraction of the picture's longer side and in pixels.
_MIN_DIGIT_LENGTH = 0.05
_MIN_DIGIT_LENGTH_PX = 3
# A line is so many times as wide as high; an underline has at least this fraction of the digit's
# width.
_MIN_LINE_ASPECT = 5.0
_MIN_UNDERLINE_WIDTH = 0.7
# The edge of a thing covers this fraction of a side of the picture, or is in contact with the side
# for this fraction of its length and is thinner than the second fraction of it.
_MIN_SIDE_COVERAGE = 0.9
_MAX_STRIP_THICKNESS = 0.35
# What encloses something at least this fraction of its own length is a frame.
_MIN_FRAMED_LENGTH = 0.3

# Factor on the score of what touches a side of the picture.
_TOUCHING_FACTOR = 0.25
# Strokes are thinner than this fraction of the digit's length; what is thicker than the second is a
# blot: a dot, which the rejection network takes for a 0.
_MAX_STROKE_WIDTH = 0.3
_MIN_BLOT_WIDTH = 0.5
# Parts of a broken digit have at least this fraction of its mass, are not farther away than this
# fraction of its length, and at most so many times as thick.
_MIN_PART_MASS = 0.03
_MAX_PART_DISTANCE = 0.25
_MAX_PART_THICKNESS = 2.0

# Of the surroundings of 99.5 % of the digits on synthetic photographs, this fraction is background.
_MIN_BACKGROUND_AROUND = 0.8
# Two digits differ in height by at most this ratio, and overlap by at most this fraction of the
# narrower one's width.
_MIN_HEIGHT_RATIO = 0.6
_MAX_OVERLAP = 0.25


@dataclass(frozen=True)
class ConnectedComponents:
    """The connected components of a binarised foreground, described by an array entry each.

    Attributes
    ----------
    foreground
        The foreground they are part of.
    labels
        The component of each pixel, from 1; 0 for the background.
    level
        The level of the pen: the median of the strongest foreground.
    mass
        The sum of each component's foreground.
    top, left, bottom, right
        The bounding box; bottom and right are exclusive.
    on_sides
        The fraction that each component covers of the upper, lower, left and right side of the
        picture, shape (4, components).
    thickness
        The median stroke width.
    """

    foreground: Foreground
    labels: npt.NDArray[np.intp]
    level: float
    mass: npt.NDArray[np.float64]
    top: npt.NDArray[np.intp]
    left: npt.NDArray[np.intp]
    bottom: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    on_sides: npt.NDArray[np.float64]
    thickness: npt.NDArray[np.float64]

    @cached_property
    def height(self) -> npt.NDArray[np.intp]:
        """Height of each bounding box."""
        return self.bottom - self.top

    @cached_property
    def width(self) -> npt.NDArray[np.intp]:
        """Width of each bounding box."""
        return self.right - self.left

    @cached_property
    def length(self) -> npt.NDArray[np.intp]:
        """The longer side of each bounding box."""
        return np.maximum(self.height, self.width)

    @cached_property
    def touches_side(self) -> Mask:
        """Whether each component touches a side of the picture."""
        touches: Mask = self.on_sides.max(axis=0) > 0
        return touches

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """How likely each component is the digit: the length of its strokes times their level.

        Not the mass, because a shadow or a stain has a large area but no long strokes.
        """
        is_stroke = np.minimum(1, (_MAX_STROKE_WIDTH * self.length / self.thickness) ** 4)
        path = self.mass / self.thickness
        return path * is_stroke * np.where(self.touches_side, _TOUCHING_FACTOR, 1)

    @cached_property
    def is_edge(self) -> Mask:
        """Whether each component lies along a side of the picture as no digit does.

        In a close crop, a 7 covers the upper side and a 1 both long sides, but they reach the
        opposite side as well.
        """
        height, width = self.labels.shape
        sides = np.array([[width], [width], [height], [height]])
        along = np.array([self.width, self.width, self.height, self.height])
        depth = np.array([self.height, self.height, self.width, self.width])
        flush = self.on_sides * sides >= _MIN_SIDE_COVERAGE * along
        whole = self.on_sides >= _MIN_SIDE_COVERAGE
        reaches_opposite = self.on_sides[[1, 0, 3, 2]] > 0
        strip = (whole | (flush & (depth <= _MAX_STRIP_THICKNESS * along))) & ~reaches_opposite
        corner = flush[:2].any(axis=0) & flush[2:].any(axis=0)
        edge: Mask = strip.any(axis=0) | corner
        return edge

    @cached_property
    def is_line(self) -> Mask:
        """Whether each component is too flat for a digit."""
        return self.width >= _MIN_LINE_ASPECT * self.height

    def plausible(self) -> Mask:
        """Which components may be a digit: not too small, no line, no edge."""
        picture = max(self.labels.shape)
        large = self.length >= max(_MIN_DIGIT_LENGTH_PX, _MIN_DIGIT_LENGTH * picture)
        plausible: Mask = large & ~self.is_line & ~self.is_edge
        return plausible

    def frames(self, candidates: Mask) -> Mask:
        """Which of the candidates enclose another one, as the box of a form does."""
        frames = np.zeros(candidates.shape, np.bool_)
        for inner in np.flatnonzero(candidates):
            frames |= (
                candidates
                & (self.top < self.top[inner])
                & (self.left < self.left[inner])
                & (self.bottom > self.bottom[inner])
                & (self.right > self.right[inner])
                & (self.length[inner] >= _MIN_FRAMED_LENGTH * self.length)
            )
        return frames

    def others(self, main: int) -> Mask:
        """Which components look like digits beside the main one."""
        higher = np.maximum(self.height, self.height[main])
        similar = np.minimum(self.height, self.height[main]) >= _MIN_HEIGHT_RATIO * higher
        right = np.minimum(self.right, self.right[main])
        left = np.maximum(self.left, self.left[main])
        narrower = np.minimum(self.width, self.width[main])
        beside = right - left <= _MAX_OVERLAP * narrower
        in_line = (self.top < self.bottom[main]) & (self.bottom > self.top[main])
        others: Mask = similar & beside & in_line & ~self.is_edge
        return others


@dataclass(frozen=True)
class ComponentGroup:
    """The connected components that make up a digit.

    Attributes
    ----------
    components
        All components of the picture.
    main
        The component that is the digit, or the largest part of it.
    parts
        Which components belong to the digit, shape (components,).
    """

    components: ConnectedComponents
    main: int
    parts: Mask

    @property
    def score(self) -> float:
        """How likely it is the digit, compared to others."""
        return float(self.components.scores[self.main])

    @cached_property
    def mask(self) -> Mask:
        """The digit's pixels, shape (height, width)."""
        mask: Mask = np.concatenate([[False], self.parts])[self.components.labels]
        return mask

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the digit."""
        components, parts = self.components, self.parts
        return (
            int(components.left[parts].min()),
            int(components.top[parts].min()),
            int(components.right[parts].max()),
            int(components.bottom[parts].max()),
        )

    @property
    def has_others(self) -> bool:
        """Whether there are digits beside it."""
        return bool(self.components.others(self.main).any())

    @property
    def rejection(self) -> RejectionReason | None:
        """Why this is not a single digit, if it is not."""
        components, main = self.components, self.main
        is_blot = components.thickness[main] > _MIN_BLOT_WIDTH * components.length[main]
        if is_blot or self._background_around() < _MIN_BACKGROUND_AROUND:
            return RejectionReason.BLOT
        return None

    def _background_around(self) -> float:
        """The fraction of the surroundings that is lighter than the strokes next to it.

        Beyond the edge of a shadow, or of anything dark, the surroundings are as dark.
        """
        foreground, level = self.components.foreground, self.components.level
        radius = max(_MIN_DIGIT_LENGTH_PX, int(self.components.thickness[self.main] / 2))
        around = dilate(self.mask, radius + 2) & ~dilate(self.mask, radius)
        darkness = foreground.darkness
        strokes = np.where(self.mask, darkness, darkness.min())
        contrast = (dilate(strokes, radius + 2) - darkness) * foreground.gain
        lighter = contrast > LOW_THRESHOLD * level
        return float(np.count_nonzero(lighter & around) / (np.count_nonzero(around) or 1))


def find_digit(foreground: Foreground, threshold: float = LOW_THRESHOLD) -> ComponentGroup | None:
    """The components that most likely are the digit; None if there are none but edges."""
    if foreground.is_blank:
        return None
    components = describe_components(foreground, threshold)
    plausible = components.plausible()
    frames = components.frames(plausible)
    for candidates in (plausible & ~frames, ~components.is_edge):
        if candidates.any():
            return _group(components, candidates, frames)
    return None


def _group(components: ConnectedComponents, candidates: Mask, frames: Mask) -> ComponentGroup:
    """The best candidate and the other parts of a broken digit: near, similar, and no specks."""
    main = int(np.where(candidates, components.scores, -1).argmax())
    distance = _MAX_PART_DISTANCE * components.length[main]
    near = (
        (components.top < components.bottom[main] + distance)
        & (components.bottom > components.top[main] - distance)
        & (components.left < components.right[main] + distance)
        & (components.right > components.left[main] - distance)
    )
    underline = (
        components.is_line
        & (components.top >= components.bottom[main] - components.thickness[main])
        & (components.width >= _MIN_UNDERLINE_WIDTH * components.width[main])
    )
    parts = (
        near
        & ~underline
        & (components.mass >= _MIN_PART_MASS * components.mass[main])
        & (components.thickness <= _MAX_PART_THICKNESS * components.thickness[main])
        & (~components.touches_side | components.touches_side[main])
        & ~frames
    )
    parts[main] = True
    return ComponentGroup(components, main, parts)


def describe_components(foreground: Foreground, threshold: float) -> ConnectedComponents:
    """Binarise at a fraction of the pen's level and describe the connected components."""
    levels = foreground.levels
    level = quantiles(levels[levels >= _PEN_LEVEL_FRACTION * levels.max()], 0.5)[0]
    mask = levels >= threshold * level
    labels, count = label_components(mask)
    rows, columns = np.nonzero(mask)
    index = labels[rows, columns] - 1
    area = np.bincount(index, minlength=count)
    top, left = np.full(count, levels.shape[0]), np.full(count, levels.shape[1])
    bottom, right = np.zeros(count, np.intp), np.zeros(count, np.intp)
    np.minimum.at(top, index, rows)
    np.minimum.at(left, index, columns)
    np.maximum.at(bottom, index, rows + 1)
    np.maximum.at(right, index, columns + 1)
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    on_sides = [np.bincount(side, minlength=count + 1)[1:] / side.size for side in sides]
    # The median of each component, from widths sorted by component.
    widths = stroke_widths(mask)
    medians = np.cumsum(area) - 1 - area // 2
    return ConnectedComponents(
        foreground=foreground,
        labels=labels,
        level=level,
        mass=np.bincount(index, levels[rows, columns], minlength=count).astype(np.float64),
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        on_sides=np.array(on_sides),
        thickness=widths[np.lexsort((widths, index))[medians]].astype(np.float64),
    )
