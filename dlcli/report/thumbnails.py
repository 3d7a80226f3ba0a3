"""Small pictures as WebP in base64, for ``data:`` addresses: a page needs no other file."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array

# From weights below 0 over none to weights above 0: blue, near white, orange, which people
# who confuse red and green can tell apart.
_BELOW, _NONE, _ABOVE = (11, 84, 150), (244, 242, 238), (196, 78, 10)
_LEVELS = 15  # on either side; more are not seen, and cost bytes
_SHADES = 16  # of ink, likewise


def digit(image: npt.NDArray[np.uint8]) -> str:
    """An image of the dataset, shape (784,): dark ink on white paper."""
    shades = np.rint(image / 255 * (_SHADES - 1))
    levels = 255 - shades * (255 / (_SHADES - 1))
    return _encoded(np.repeat(levels[:, np.newaxis], 3, axis=1))


def weights(values: Array) -> str:
    """A neuron's weights, shape (784,): blue below 0, orange above.

    The largest of them has the full colour, so that the shape is seen whatever the size.
    """
    largest = float(np.abs(values).max()) or 1.0
    levels = np.rint(values / largest * _LEVELS) / _LEVELS
    strength = np.abs(levels)[:, np.newaxis]
    full = np.where(levels[:, np.newaxis] < 0, _BELOW, _ABOVE)
    return _encoded(full * strength + np.array(_NONE) * (1 - strength))


def _encoded(colours: Array) -> str:
    """Pixels of shape (784, 3), 0 to 255, without loss."""
    pixels = np.rint(colours).astype(np.uint8).reshape(IMAGE_SIDE, IMAGE_SIDE, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
