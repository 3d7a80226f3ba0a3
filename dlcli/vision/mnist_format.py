"""A digit cut out of a picture to 28x28 pixels in MNIST's format.

MNIST's own recipe: the digit, light on dark, is scaled to fit 20x20 pixels with its aspect ratio
kept and its edges antialiased, and placed in 28x28 with its centre of mass in the middle (LeCun,
Cortes and Burges, "The MNIST database of handwritten digits").
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.candidate import FloatImage, Mask

DIGIT_SIDE_PX = 20
CENTRE_PX = 14

# Over all 70,000 images of MNIST, the centre of mass is within 0.52 pixels of pixel 14, the digit
# is at most 20 pixels long, and the border's mean is at most 8.4 of 255.
_MAX_OFF_CENTRE_PX = 0.6
_MAX_BORDER_LEVEL = 16.0
# Anything fainter, of 255, is noise.
_MIN_LEVEL = 24.0


def _moments() -> npt.NDArray[np.float64]:
    """The weights of an image's pixels in four sums, shape (784, 4).

    The sums are those of its levels, of level times row, of level times column, and of the levels
    of its four edges.
    """
    rows, columns = np.indices((IMAGE_SIDE, IMAGE_SIDE))
    edges = sum((index % (IMAGE_SIDE - 1) == 0).astype(float) for index in (rows, columns))
    return np.stack([np.ones(rows.shape), rows, columns, edges], axis=-1).reshape(-1, 4)


_MOMENTS = _moments()


def is_mnist_like(image: Pixels) -> bool:
    """Whether an image of shape (28, 28), light on dark, is in MNIST's format already."""
    if image.max() < _MIN_LEVEL:
        return False
    total, row, column, edges = (image.reshape(-1).astype(np.float64) @ _MOMENTS).tolist()
    if edges / (4 * IMAGE_SIDE) > _MAX_BORDER_LEVEL:
        return False
    if max(abs(row / total - CENTRE_PX), abs(column / total - CENTRE_PX)) > _MAX_OFF_CENTRE_PX:
        return False
    rows, columns = bounding_box(image > 0)
    return bool(max(rows.stop - rows.start, columns.stop - columns.start) <= DIGIT_SIDE_PX)


def to_mnist_format(strokes: FloatImage) -> Pixels:
    """Scale and centre a digit with levels from 0 to 1: an image of shape (784,)."""
    return centre_digit(scale_digit(strokes)).reshape(-1)


def scale_digit(strokes: FloatImage) -> FloatImage:
    """Crop to the digit and scale it to fit 20x20, its aspect ratio kept; levels 0 to 255."""
    digit = strokes[bounding_box(strokes >= strokes.max() / 2)]
    height, width = digit.shape
    scale = DIGIT_SIDE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    resized: FloatImage = np.clip(np.asarray(Image.fromarray(digit).resize(size, method)), 0, 1)
    # Averaging dims fine strokes; stretch the levels so that the strongest is 255 again.
    resized *= np.float32(255 / max(float(resized.max()), 1e-6))
    return resized


def centre_digit(digit: FloatImage) -> Pixels:
    """Place a digit of at most 20x20 in 28x28 with its centre of mass on pixel 14."""
    row, column = centre_of_mass(digit)
    height, width = digit.shape
    top = min(max(CENTRE_PX - round(row), 0), IMAGE_SIDE - height)
    left = min(max(CENTRE_PX - round(column), 0), IMAGE_SIDE - width)
    image = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    image[top : top + height, left : left + width] = np.rint(digit)
    return image


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns of the smallest box around a mask; some value must be true."""
    rows, columns = (np.logical_or.reduce(mask, axis=axis) for axis in (1, 0))
    return _extent(rows), _extent(columns)


def _extent(mask: Mask) -> slice:
    """From the first to the last of a line that is true; argmax stops at the first."""
    return slice(int(mask.argmax()), len(mask) - int(mask[::-1].argmax()))


def centre_of_mass(levels: npt.NDArray[Any]) -> tuple[float, float]:
    """The row and the column of the centre of mass."""
    total = float(levels.sum())
    height, width = levels.shape
    row = float(levels.sum(axis=1) @ np.arange(height)) / total
    column = float(levels.sum(axis=0) @ np.arange(width)) / total
    return row, column
