"""Small pictures as WebP in base64, for ``data:`` URLs."""

import base64
import functools
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

# Weights below 0 are blue and those above 0 orange, which colour-blind people can tell apart.
_WEIGHTS = ("#0b5496", "#f4f2ee", "#c44e0a")
# Colours of a picture; more would cost bytes and not be seen.
_SHADES = 16
# In a film there are many pictures, of which each is seen for a moment.
_FILM_SHADES = 6
_GAP_PX = 1  # between the pictures of neurons

Colours = npt.NDArray[np.uint8]  # red, green, blue and opacity in the last dimension


class Sheet(NamedTuple):
    """Many small pictures in one, row by row, and its width and height in pixels."""

    content: str
    size: tuple[int, int]


def digit(image: npt.NDArray[np.uint8]) -> str:
    """An image of the dataset, shape (784,): a dark digit on white."""
    return _encoded(_grey(image))


def digit_sheet(images: npt.NDArray[np.uint8], columns: int) -> Sheet:
    """Images of the dataset, shape (n, 784), side by side."""
    return _sheet(_grey(images), columns, 0)


def _grey(images: npt.NDArray[np.uint8]) -> Colours:
    found: Colours = _grey_shades()[np.rint(images / 255 * (_SHADES - 1)).astype(int)]
    return found


@functools.cache
def _grey_shades() -> Colours:
    from matplotlib import colormaps  # here, because the page to draw on needs no Matplotlib

    found: Colours = colormaps["gray_r"].resampled(_SHADES)(range(_SHADES), bytes=True)
    return found


def weights(values: Array) -> str:
    """A neuron's weights, shape (784,): blue below 0, orange above.

    The largest of them has the full colour, so that the pattern shows at any scale.
    """
    return _encoded(_signed(values, float(np.abs(values).max()) or 1.0, _SHADES))


def weight_sheet(values: Array, limit: float, columns: int) -> Sheet:
    """The weights of several neurons, shape (n, 784), with the full colour from a limit on."""
    return _sheet(_signed(values, limit, _FILM_SHADES), columns, _GAP_PX)


def _signed(values: Array, limit: float, shades: int) -> Colours:
    from matplotlib.colors import CenteredNorm

    position = CenteredNorm(halfrange=limit, clip=True)
    found: Colours = _weight_colours(shades)(position(values), bytes=True)
    return found


@functools.cache
def _weight_colours(shades: int) -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("weights", _WEIGHTS, N=2 * shades - 1)


def _sheet(colours: Colours, columns: int, gap: int) -> Sheet:
    columns = min(columns, len(colours))
    rows = -(-len(colours) // columns)
    step = IMAGE_SIDE + gap
    sheet = np.zeros((rows * step - gap, columns * step - gap, 4), np.uint8)
    sheet[...] = 255
    for number, picture in enumerate(colours.reshape(-1, IMAGE_SIDE, IMAGE_SIDE, 4)):
        top, left = step * (number // columns), step * (number % columns)
        sheet[top : top + IMAGE_SIDE, left : left + IMAGE_SIDE] = picture
    content = _encoded(sheet)
    return Sheet(content, (sheet.shape[1], sheet.shape[0]))


def _encoded(colours: Colours) -> str:
    """RGBA pixels, shape (784, 4) or (height, width, 4), losslessly compressed."""
    if colours.ndim == 2:
        colours = colours.reshape(IMAGE_SIDE, IMAGE_SIDE, 4)
    picture = Image.fromarray(colours).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
