"""Any sign on a plain ground to a 28x28 image: scaled and centred by its bounding box alone.

For classes that are not the digits: nothing here knows what they look like, so nothing is judged,
split or left out. The ground is what covers most of the picture.
"""

import math

import numpy as np
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box, FloatImage, Located, PreprocessingTrace
from dlcli.vision.decode import FULL_SIZE, to_grey_or_rgb
from dlcli.vision.mnist_format import bounding_box, scale_digit
from dlcli.vision.rejection import RejectionReason

# Grey levels, of 255; a picture that differs less is blank.
_MIN_CONTRAST = 24


def prepare(image: Image.Image, name: str, *, explain: bool = False) -> Located:
    """The sign on a picture, light on dark, its longer side 20 pixels, its box in the middle.

    Raises
    ------
    ImageError
        The picture is damaged.
    """
    picture = to_grey_or_rgb(image, name)
    strokes = _strokes(np.asarray(picture.convert("L")))
    trace = PreprocessingTrace(picture) if explain else None
    if strokes is None:
        return Located(None, RejectionReason.BLANK, trace=trace)
    scaled = scale_digit(strokes)
    height, width = scaled.shape
    top, left = (IMAGE_SIDE - height) // 2, (IMAGE_SIDE - width) // 2
    square = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    square[top : top + height, left : left + width] = np.rint(scaled)
    pixels: Pixels = square.reshape(-1)
    box = _box(strokes, image.info.get(FULL_SIZE, image.size))
    if explain:
        trace = PreprocessingTrace(
            picture, _box(strokes, picture.size), np.rint(255 * strokes).astype(np.uint8)
        )
    return Located(pixels, variants=pixels[np.newaxis], box=box, trace=trace)


def _strokes(levels: Pixels) -> FloatImage | None:
    """How far each pixel is from the ground, from 0 to 1; None of a picture of one colour."""
    low, high = int(levels.min()), int(levels.max())
    if high - low < _MIN_CONTRAST:
        return None
    middle = (low + high) / 2
    is_light = levels > middle
    inside = is_light if is_light.mean() > 1 / 2 else ~is_light
    ground = np.float32(np.median(levels[inside]))
    strokes: FloatImage = levels.astype(np.float32) - ground
    if ground > middle:
        np.negative(strokes, out=strokes)
    np.clip(strokes, 0, None, out=strokes)
    strokes /= strokes.max()
    return strokes


def _box(strokes: FloatImage, size: tuple[int, int]) -> Box:
    """Where the sign lies on the picture at another size, rounded outwards."""
    rows, columns = bounding_box(strokes >= 1 / 2)
    height, width = strokes.shape
    across, down = size[0] / width, size[1] / height
    return (
        int(columns.start * across),
        int(rows.start * down),
        math.ceil(columns.stop * across),
        math.ceil(rows.stop * down),
    )
