"""Small pictures as WebP in base64, for ``data:`` URLs."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array

# Weights below 0 are blue and those above 0 orange, which colour-blind people can tell apart.
_NEGATIVE, _ZERO, _POSITIVE = (11, 84, 150), (244, 242, 238), (196, 78, 10)
# Shades on either side of 0, and of a digit; more would cost bytes and not be seen.
_LEVELS, _SHADES = 15, 16


def digit(image: npt.NDArray[np.uint8]) -> str:
    """An image of the dataset, shape (784,): a dark digit on white."""
    shades = np.rint(image / 255 * (_SHADES - 1))
    levels = 255 - shades * (255 / (_SHADES - 1))
    return _encoded(np.repeat(levels[:, np.newaxis], 3, axis=1))


def weights(values: Array) -> str:
    """A neuron's weights, shape (784,): blue below 0, orange above.

    The largest of them has the full colour, so that the pattern shows at any scale.
    """
    largest = float(np.abs(values).max()) or 1.0
    levels = np.rint(values / largest * _LEVELS) / _LEVELS
    strength = np.abs(levels)[:, np.newaxis]
    full = np.where(levels[:, np.newaxis] < 0, _NEGATIVE, _POSITIVE)
    return _encoded(full * strength + np.array(_ZERO) * (1 - strength))


def _encoded(colours: Array) -> str:
    """Pixels of shape (784, 3), 0 to 255, losslessly compressed."""
    pixels = np.rint(colours).astype(np.uint8).reshape(IMAGE_SIDE, IMAGE_SIDE, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
