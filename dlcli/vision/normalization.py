"""The strokes of a digit, of any size and width, to a 28x28 image as MNIST's are."""

import math

import numpy as np

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import FloatImage, Mask
from dlcli.vision.mnist_format import DIGIT_SIDE_PX, bounding_box, to_mnist_format
from dlcli.vision.morphology import distances, label, pad, rescale, stroke_widths, thicken

# 95 % of MNIST's digits, scaled to 20x20, have strokes wider than 1.9 pixels; the median is 2.7.
# Thinner strokes are thickened to this.
MIN_STROKE_WIDTH_PX = 2.6
# Longer digits are shrunk to this first: it is enough for 28x28, and much faster.
_MAX_LENGTH_PX = 100
# Levels, of 1, from which on a pixel counts as part of a stroke.
STROKE_LEVEL = 0.5


def normalize_digit(strokes: FloatImage) -> Pixels:
    """Thicken thin strokes, scale and centre the digit: an image of shape (784,).

    The strokes have levels from 0 to 1; some must reach 0.5. A loop stays open: strokes that would
    fill it are thickened less.
    """
    scale = _MAX_LENGTH_PX / max(strokes.shape)
    if scale < 1:
        strokes = rescale(strokes, scale)
    mask = strokes >= STROKE_LEVEL
    if not mask.any():  # so thin that shrinking dimmed them
        strokes = strokes / strokes.max()
        mask = strokes >= STROKE_LEVEL
    rows, columns = bounding_box(mask)
    pixel = max(rows.stop - rows.start, columns.stop - columns.start) / DIGIT_SIDE_PX
    missing = round((MIN_STROKE_WIDTH_PX * pixel - float(stroke_widths(mask).mean())) / 2)
    holes = count_holes(mask, pixel) if missing > 0 else 0
    while missing > 0:
        thick = thicken(strokes, missing)
        if count_holes(thick >= STROKE_LEVEL, pixel) >= holes:
            return to_mnist_format(thick)
        missing //= 2
    return to_mnist_format(strokes)


def count_holes(mask: Mask, pixel: float) -> int:
    """The number of holes in the strokes as wide as a pixel of MNIST's."""
    # The background around the strokes is as wide as a pixel, too, and so counts everywhere.
    background = pad((~mask).view(np.uint8), math.ceil(pixel), 1)
    labels, _ = label(background, connectivity=4)
    is_wide = distances(background.view(np.bool_)) > pixel / 2  # elsewhere it is 0
    return int(np.count_nonzero(np.bincount(labels[is_wide]))) - 1
