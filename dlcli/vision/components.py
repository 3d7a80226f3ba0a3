"""The connected components of a foreground, and groups of them that may be one digit."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box, FloatImage, Mask
from dlcli.vision.morphology import dilate, label, means, otsu_threshold

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

# Hysteresis: a component has a pixel above Otsu's threshold, and reaches as far as pixels above
# this fraction of it.
HYSTERESIS = 0.6
# What is fainter than this, of 255, is noise.
_MIN_LEVEL = 16
# The mean level above Otsu's threshold is at least so many times that below and these levels: with
# these, 195 of 200 noisy photographs of digits are read, and none of 160 of blank pages.
_MIN_SIGNAL_TO_NOISE = 3.2
_LEAST_NOISE = 3
# The least length of a digit, as a fraction of the picture's longer side.
_MIN_LENGTH = 0.05
# Parts of a digit are no farther from its main component than this fraction of its length, and have
# at least this fraction of its mass.
_MAX_GAP = 0.25
_MIN_PART_MASS = 0.02
# Of two digits beside each other, the lower one has this fraction of the other's height and mass,
# and the columns that both cover are at most this fraction of the narrower one's width.
_MIN_HEIGHT_RATIO = 0.6
_MAX_OVERLAP = 0.25
_MIN_NEIGHBOUR_MASS = 0.2
# More components than this are no strokes of one digit, but a texture.
_MAX_PARTS = 12
# A strip along the border is so many times as long as wide.
_MIN_STRIP_ASPECT = 3
# A component that touches the border counts for this fraction of its mass.
_BORDER_FACTOR = 0.25
# As many components are tried as the main one of a digit, if they have at least this fraction of
# the heaviest one's mass.
_MAX_MAIN = 2
_MIN_MAIN_MASS = 0.1
# Strokes at the first fraction of the pen's level are background, and at the second full
# foreground; grey in between, as the antialiased edges of MNIST's strokes are.
_LEVELS = (0.15, 0.65)
# Enlarged pictures are grey where a pixel is a stroke in part: 27 more of 1,797 digits of 8x8
# pixels, scikit-learn's, are read with all of their levels.
_LEVELS_OF_ENLARGED = (0.0, 1.0)
# The pen's level is the median of the levels above this fraction of the strongest.
_PEN_LEVEL_FRACTION = 0.6
# The grey edge of a stroke reaches so many pixels beyond its mask.
_SOFT_EDGE_PX = 1


@dataclass(frozen=True)
class Components:
    """The connected components of a binarised foreground; arrays have an entry for each.

    The first entry is the background.
    """

    foreground: Pixels
    labels: Integers  # the component of each pixel
    mass: Floats  # the sum of the foreground above the threshold
    left: Integers
    top: Integers
    right: Integers
    bottom: Integers

    @property
    def length(self) -> Integers:
        """The longer side of each bounding box."""
        length: Integers = np.maximum(self.right - self.left, self.bottom - self.top)
        return length

    @property
    def touches_border(self) -> Mask:
        """Whether each component reaches the border of the picture."""
        height, width = self.labels.shape
        at_start = (self.left == 0) | (self.top == 0)
        return np.asarray(at_start | (self.right == width) | (self.bottom == height), np.bool_)

    @property
    def is_strip(self) -> Mask:
        """Whether each component lies along one side of the picture, as the edge of a page does.

        A 1 that fills a close crop touches the opposite side as well.
        """
        height, width = self.labels.shape
        high, wide = self.bottom - self.top, self.right - self.left
        upright = ((self.left == 0) != (self.right == width)) & (high >= _MIN_STRIP_ASPECT * wide)
        level = ((self.top == 0) != (self.bottom == height)) & (wide >= _MIN_STRIP_ASPECT * high)
        return np.asarray(upright | level, np.bool_)

    def is_inside(self, part: int, whole: int) -> bool:
        """Whether the middle of a component lies in the bounding box of a longer one."""
        if self.length[part] > self.length[whole]:
            return False
        x, y = self.left[part] + self.right[part], self.top[part] + self.bottom[part]
        across = 2 * self.left[whole] <= x <= 2 * self.right[whole]
        return bool(across and 2 * self.top[whole] <= y <= 2 * self.bottom[whole])

    def box(self, members: list[int]) -> Box:
        """The bounding box of some components together."""
        return (
            int(self.left[members].min()),
            int(self.top[members].min()),
            int(self.right[members].max()),
            int(self.bottom[members].max()),
        )


def connected_components(foreground: Pixels) -> Components | None:
    """Binarise by Otsu's threshold (1979) with hysteresis (Canny, 1986), and label.

    None if there is nothing but noise.
    """
    if foreground.max() < _MIN_LEVEL:
        return None
    threshold = otsu_threshold(foreground)
    strong = foreground > threshold
    if strong.all() or not strong.any():
        return None
    signal, noise = means(foreground, strong)
    if signal < _MIN_SIGNAL_TO_NOISE * (noise + _LEAST_NOISE):
        return None
    weak = (foreground > HYSTERESIS * threshold).view(np.uint8)
    labels, statistics = label(weak, connectivity=8)
    left, top, width, height, _ = statistics.T
    places = np.flatnonzero(strong)
    levels = foreground.reshape(-1)[places]
    mass = np.bincount(labels.reshape(-1)[places], levels, minlength=len(statistics)).astype(float)
    mass[0] = 0
    return Components(foreground, labels, mass, left, top, left + width, top + height)


def digit_groups(components: Components) -> Iterator[list[int]]:
    """Groups of components that may be a digit, from the likeliest on; the first is the main one.

    Each main component is taken with the parts around it, and without them. Parts inside its
    bounding box always belong to it: a ring with something in it is no 0.
    """
    score = components.mass * np.where(components.touches_border, _BORDER_FACTOR, 1)
    score[components.length < _MIN_LENGTH * max(components.labels.shape)] = 0
    score[components.is_strip] = 0
    order = np.argsort(-score)[:_MAX_MAIN].tolist()
    seen = []
    for main in order:
        if score[main] > 0 and score[main] >= _MIN_MAIN_MASS * score[order[0]]:
            near = _near(components, main)
            for group in (near, [part for part in near if components.is_inside(part, main)]):
                if set(group) not in seen:
                    seen.append(set(group))
                    yield group


def has_neighbour(components: Components, members: list[int]) -> bool:
    """Whether another component as high and as heavy as a digit stands beside some components."""
    left, top, right, bottom = components.box(members)
    shared = np.minimum(components.bottom, bottom) - np.maximum(components.top, top)
    overlap = np.minimum(components.right, right) - np.maximum(components.left, left)
    heights = components.bottom - components.top
    narrower = np.minimum(components.right - components.left, right - left)
    beside = (
        (np.minimum(heights, bottom - top) >= _MIN_HEIGHT_RATIO * np.maximum(heights, bottom - top))
        & (shared > 0)
        & (overlap <= _MAX_OVERLAP * narrower)
        & (components.mass >= _MIN_NEIGHBOUR_MASS * components.mass[members].sum())
        & ~components.is_strip
    )
    beside[members] = False
    return bool(beside.any())


def all_parts(components: Components) -> list[int] | None:
    """All components that are no specks and do not touch the border, if they may be one digit."""
    mass = np.where(components.touches_border, 0, components.mass)
    parts = np.flatnonzero((mass > 0) & (mass >= _MIN_PART_MASS * mass.max())).tolist()
    return parts if 1 < len(parts) <= _MAX_PARTS else None


def _near(components: Components, main: int) -> list[int]:
    """The main component and lighter ones around it that may be parts of the same digit."""
    gap = _MAX_GAP * components.length[main]
    mass = components.mass / components.mass[main]
    touches = components.touches_border
    near = (
        (components.top < components.bottom[main] + gap)
        & (components.bottom > components.top[main] - gap)
        & (components.left < components.right[main] + gap)
        & (components.right > components.left[main] - gap)
        & (mass >= _MIN_PART_MASS)
        & (mass <= 1)
        & (~touches | touches[main])
    )
    near[0] = False
    return [main, *(part for part in np.flatnonzero(near).tolist() if part != main)]


def strokes_of(
    components: Components, members: list[int], *, is_enlarged: bool = False
) -> FloatImage:
    """The strokes of some components, 0 to 1, cut out of the foreground."""
    left, top, right, bottom = components.box(members)
    rows = slice(max(0, top - _SOFT_EDGE_PX), bottom + _SOFT_EDGE_PX)
    columns = slice(max(0, left - _SOFT_EDGE_PX), right + _SOFT_EDGE_PX)
    is_member = np.zeros(len(components.mass), np.bool_)
    is_member[members] = True
    mask = is_member[components.labels[rows, columns]]
    foreground = components.foreground[rows, columns]
    levels = foreground[mask]
    pen_level = np.median(levels[levels >= _PEN_LEVEL_FRACTION * levels.max()])
    low, high = _LEVELS_OF_ENLARGED if is_enlarged else _LEVELS
    grey = foreground.astype(np.float32) / np.float32(pen_level) - np.float32(low)
    grey /= np.float32(high - low)
    side = 2 * _SOFT_EDGE_PX + 1
    strokes: FloatImage = np.clip(grey, 0, 1) * dilate(mask.view(np.uint8), side, side)
    return strokes
