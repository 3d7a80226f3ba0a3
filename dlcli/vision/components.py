"""Foreground to the connected components that make up one digit.

The foreground is binarised at a fraction of the pen's level and its 8-connected components are
described: bounding box, total foreground ("mass"), stroke width, and how much of each side of the
picture they cover. Rules on these numbers tell digits from lines, specks, frames and the edges of
things. Constants without a source were set by hand on synthetic photographs (``make
photographs``).
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from dlcli.vision.candidate import Mask
from dlcli.vision.foreground import Foreground
from dlcli.vision.morphology import dilate, stroke_widths
from dlcli.vision.rejection import RejectionReason

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]

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


# Each side of the picture with the opposite one.
_OPPOSITE = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}


@dataclass(frozen=True)
class ConnectedComponents:
    """The connected components of a binarised foreground; arrays have an entry for each."""

    foreground: Foreground
    level: float  # the pen's: the median of the strongest foreground
    labels: Integers  # the component of each pixel, from 1; 0 for the background
    mass: Floats  # the sum of the foreground
    top: Integers  # the bounding boxes
    left: Integers
    height: Integers
    width: Integers
    contact: dict[str, Integers]  # the number of pixels on each side of the picture
    thickness: Floats  # the mean stroke width in pixels

    @cached_property
    def bottom(self) -> Integers:
        """The row below each bounding box."""
        return self.top + self.height

    @cached_property
    def right(self) -> Integers:
        """The column to the right of each bounding box."""
        return self.left + self.width

    @cached_property
    def length(self) -> Integers:
        """The longer side of each bounding box."""
        return np.maximum(self.height, self.width)

    @cached_property
    def touches_side(self) -> Mask:
        """Whether each component touches a side of the picture."""
        return np.asarray(np.any(list(self.contact.values()), axis=0), np.bool_)

    @cached_property
    def scores(self) -> Floats:
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
        is_strip, is_flush = {}, {}
        for side, contact in self.contact.items():
            if side in {"top", "bottom"}:
                picture, along, depth = self.labels.shape[1], self.width, self.height
            else:
                picture, along, depth = self.labels.shape[0], self.height, self.width
            is_flush[side] = contact >= _MIN_SIDE_COVERAGE * along
            is_thin = is_flush[side] & (depth <= _MAX_STRIP_THICKNESS * along)
            is_whole = contact >= _MIN_SIDE_COVERAGE * picture
            is_strip[side] = (is_whole | is_thin) & (self.contact[_OPPOSITE[side]] == 0)
        in_corner = (is_flush["top"] | is_flush["bottom"]) & (is_flush["left"] | is_flush["right"])
        return np.asarray(np.any(list(is_strip.values()), axis=0) | in_corner, np.bool_)

    @cached_property
    def is_line(self) -> Mask:
        """Whether each component is too flat for a digit."""
        return self.width >= _MIN_LINE_ASPECT * self.height

    def plausible(self) -> Mask:
        """Which components may be a digit: not too small, no line, no edge."""
        picture = max(self.labels.shape)
        large = self.length >= max(_MIN_DIGIT_LENGTH_PX, _MIN_DIGIT_LENGTH * picture)
        return np.asarray(large & ~self.is_line & ~self.is_edge, np.bool_)

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
        return np.asarray(similar & beside & in_line & ~self.is_edge, np.bool_)


@dataclass(frozen=True)
class ComponentGroup:
    """The connected components that make up a digit."""

    components: ConnectedComponents
    main: int  # the component that is the digit, or the largest part of it
    parts: Mask  # which components belong to the digit

    @property
    def score(self) -> float:
        """How likely it is the digit, compared to others."""
        return float(self.components.scores[self.main])

    @cached_property
    def mask(self) -> Mask:
        """The digit's pixels, shape (height, width)."""
        return np.concatenate([[False], self.parts])[self.components.labels]

    @property
    def stroke_width(self) -> float:
        """The mean width of its strokes in pixels."""
        return float(self.components.thickness[self.main])

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
        is_blot = self.stroke_width > _MIN_BLOT_WIDTH * self.components.length[self.main]
        if is_blot or self._background_around() < _MIN_BACKGROUND_AROUND:
            return RejectionReason.BLOT
        return None

    def _background_around(self) -> float:
        """The fraction of the surroundings that is lighter than the strokes next to it.

        Beyond the edge of a shadow, or of anything dark, the surroundings are as dark.
        """
        foreground, level = self.components.foreground, self.components.level
        radius = max(_MIN_DIGIT_LENGTH_PX, int(self.stroke_width / 2))
        inner, outer = 2 * radius + 1, 2 * radius + 5
        around = dilate(self.mask, outer, outer) & ~dilate(self.mask, inner, inner)
        darkness = foreground.darkness
        strokes = np.where(self.mask, darkness, darkness.min())
        contrast = (dilate(strokes, outer, outer) - darkness) * foreground.gain
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
    level = float(np.median(levels[levels >= _PEN_LEVEL_FRACTION * levels.max()]))
    mask = levels >= threshold * level
    count, labelled, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    labels = labelled.astype(np.intp)
    left, top, width, height, area = stats[1:].T
    sides = {"top": labels[0], "bottom": labels[-1], "left": labels[:, 0], "right": labels[:, -1]}
    component_of = labels[mask]
    return ConnectedComponents(
        foreground=foreground,
        level=level,
        labels=labels,
        mass=np.bincount(component_of, levels[mask], minlength=count)[1:].astype(np.float64),
        top=top,
        left=left,
        height=height,
        width=width,
        contact={side: np.bincount(on, minlength=count)[1:] for side, on in sides.items()},
        thickness=np.bincount(component_of, stroke_widths(mask), minlength=count)[1:] / area,
    )
