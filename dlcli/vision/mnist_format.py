"""A digit that was found, placed in 28x28 pixels as MNIST's are: scaled, and centred by mass."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.components import Found
from dlcli.vision.foreground import Levels, quantiles, spread, stroke_widths, thicken

DIGIT_SIDE = 20
CENTRE = 14

# Ink from the first share of the pen's strength on is grey, from the second on full.
_GREY, _FULL = 0.2, 0.7
# Strokes of a 20x20 digit are 2.8 pixels wide in the median over MNIST, and wider than 1.8 in
# 95 % of its digits; thinner ones are thickened to this.
_THINNEST_STROKE = 2.6


def stroke_width(found: Found) -> float:
    """The median width of the digit's strokes in pixels."""
    return quantiles(stroke_widths(found.marked), 0.5)[0]


def strokes_of(ink: Levels, found: Found) -> Levels:
    """The digit alone, 0 to 1, its strokes at least as thick as MNIST's thin ones."""
    strokes = np.clip((ink / found.pieces.level - _GREY) / (_FULL - _GREY), 0, 1)
    strokes *= spread(found.marked, 2)  # with the grey of the edges
    left, top, right, bottom = found.box
    pixel = max(right - left, bottom - top) / DIGIT_SIDE
    missing = round((_THINNEST_STROKE * pixel - stroke_width(found)) / 2)
    return thicken(strokes, max(missing, 0))


def fit(strokes: Levels) -> Levels:
    """Scale to fit 20x20, the aspect ratio kept, each pixel the mean of the area it covers."""
    digit = strokes[extent(strokes >= strokes.max() / 2)]
    height, width = digit.shape
    scale = DIGIT_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    resized: Levels = np.clip(np.asarray(Image.fromarray(digit).resize(size, filter_)), 0, 1)
    # Averaging thins out a fine stroke; its core must be as strong as before.
    resized *= np.float32(255 / max(float(resized.max()), 1e-6))
    return resized


def centre(digit: Levels) -> Pixels:
    """Place a digit of at most 20x20 in 28x28 with its centre of mass on pixel 14."""
    row, column = centre_of_mass(digit)
    height, width = digit.shape
    top = min(max(CENTRE - round(row), 0), IMAGE_SIDE - height)
    left = min(max(CENTRE - round(column), 0), IMAGE_SIDE - width)
    result = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    result[top : top + height, left : left + width] = np.rint(digit)
    return result


def extent(marked: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of the smallest box that holds everything marked."""
    rows = np.flatnonzero(marked.any(axis=1))
    columns = np.flatnonzero(marked.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def centre_of_mass(levels: npt.NDArray[Any]) -> tuple[float, float]:
    """The row and the column where levels balance."""
    total = float(levels.sum())
    height, width = levels.shape
    row = float(levels.sum(axis=1) @ np.arange(height)) / total
    column = float(levels.sum(axis=0) @ np.arange(width)) / total
    return row, column
