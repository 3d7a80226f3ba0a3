"""What goes wrong with strokes on paper and screens: gaps, uneven grey, streaks, few pixels, blur.

Each function takes a square canvas with levels from 0 to 1 and a generator, and returns another.
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Random = np.random.Generator
Levels = npt.NDArray[np.float32]  # of a canvas, 0 to 1

# The side in pixels of a canvas in which each pixel can be seen: a digit is 7 to 25 pixels long.
# Pictures so small are enlarged by squares, straight lines or curves, as ``predict`` does.
COARSE_SIDES_PX = (11, 40)
COARSE_METHODS = (cv2.INTER_NEAREST, cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def with_gaps(levels: Levels, random: Random) -> Levels:
    """The pen leaves the paper: one to three narrow gaps in the strokes."""
    rows, columns = np.nonzero(levels > 0.5)
    damaged = levels.copy()
    for _ in range(random.integers(1, 4)):
        place = random.integers(len(rows))
        y, x = int(rows[place]), int(columns[place])
        angle, half = random.uniform(0, np.pi), 30
        across = (round(half * np.cos(angle)), round(half * np.sin(angle)))
        # Only the stroke at this place is cut, and not one that passes 30 pixels away.
        cut = np.zeros(levels.shape, np.uint8)
        width = int(random.integers(2, 6))
        cv2.line(cut, (x - across[0], y - across[1]), (x + across[0], y + across[1]), 1, width)
        near = np.zeros(levels.shape, np.uint8)
        cv2.circle(near, (x, y), 14, 1, -1)
        damaged[(cut & near) > 0] = 0
    return damaged


def uneven(levels: Levels, random: Random) -> Levels:
    """Strokes of uneven grey, as of a pencil or a brush on a screen."""
    coarse = random.uniform(0.3, 1, (int(random.integers(2, 8)),) * 2).astype(np.float32)
    field = cv2.resize(coarse, levels.shape[::-1], interpolation=cv2.INTER_CUBIC)
    grey: Levels = levels * np.clip(field, 0.25, 1)
    return grey


def streaky(levels: Levels, random: Random) -> Levels:
    """The streaks of a dry brush, along one direction."""
    side = len(levels)
    noise = random.uniform(0, 1, (side // 3, side // 24)).astype(np.float32)
    streaks = cv2.resize(noise, levels.shape[::-1], interpolation=cv2.INTER_LINEAR)
    middle = (side / 2, side / 2)
    turn = cv2.getRotationMatrix2D(middle, random.uniform(0, 180), 1.5)
    streaks = cv2.warpAffine(streaks, turn, levels.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    dry: Levels = levels * np.clip((streaks - random.uniform(0.05, 0.3)) * 4, 0.2, 1)
    return dry


def coarse(levels: Levels, random: Random) -> Levels:
    """Drawn in so few pixels that each can be seen, with or without grey edges."""
    side = round(float(np.exp(random.uniform(*np.log(COARSE_SIDES_PX)))))
    small = cv2.resize(levels, (side, side), interpolation=cv2.INTER_AREA)
    if random.random() < 0.6:
        small = (small > min(0.4, small.max() / 2)).astype(np.float32)
    method = COARSE_METHODS[random.integers(len(COARSE_METHODS))]
    enlarged = cv2.resize(small, levels.shape[::-1], interpolation=method)
    return np.clip(enlarged, 0, 1).astype(np.float32)


def blurred(levels: Levels, random: Random) -> Levels:
    """Out of focus."""
    return cv2.GaussianBlur(levels, (0, 0), random.uniform(1, 6)).astype(np.float32)


DAMAGES: tuple[Callable[[Levels, Random], Levels], ...] = (
    with_gaps,
    uneven,
    streaky,
    coarse,
    blurred,
)
