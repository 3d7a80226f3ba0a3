"""Small pictures as ``data:`` addresses, so that a page needs no other file."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.activations import Array
from dlcli.dimensions import IMAGE_SIDE

# From weights below 0 over none to weights above 0: blue, near white, orange, which people
# who confuse red and green can tell apart.
_BELOW, _NONE, _ABOVE = (11, 84, 150), (244, 242, 238), (196, 78, 10)
_LEVELS = 32  # on either side; more are not seen, and cost bytes


def digit(image: npt.NDArray[np.uint8]) -> str:
    """An image of the dataset, shape (784,), as a PNG in base64, dark ink on white paper."""
    return _png(Image.fromarray(255 - image.reshape(IMAGE_SIDE, IMAGE_SIDE)))


def weights(values: Array) -> str:
    """A neuron's weights, shape (784,), as a PNG in base64: blue below 0, orange above.

    The largest of them has the full colour, so that the shape is seen whatever the size.
    """
    largest = float(np.abs(values).max()) or 1.0
    levels = np.rint(values / largest * _LEVELS).astype(np.int64) + _LEVELS
    picture = Image.fromarray(levels.astype(np.uint8).reshape(IMAGE_SIDE, IMAGE_SIDE), "P")
    picture.putpalette(_PALETTE)
    return _png(picture)


def _palette() -> bytes:
    shares = np.linspace(0, 1, _LEVELS + 1)[:, np.newaxis]
    below = np.array(_BELOW) * (1 - shares) + np.array(_NONE) * shares
    above = np.array(_NONE) * (1 - shares) + np.array(_ABOVE) * shares
    return bytes(np.rint(np.concatenate([below, above[1:]])).astype(np.uint8))


_PALETTE = _palette()


def _png(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
