"""Small pictures as WebP in base64, for ``data:`` URLs."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array

# Weights below 0 are blue and those above 0 orange, which colour-blind people can tell apart.
_WEIGHTS = ("#0b5496", "#f4f2ee", "#c44e0a")
# Colours of a picture; more would cost bytes and not be seen.
_SHADES = 16


def digit(image: npt.NDArray[np.uint8]) -> str:
    """An image of the dataset, shape (784,): a dark digit on white."""
    from matplotlib import colormaps  # here, because the page to draw on needs no Matplotlib

    shades = np.rint(image / 255 * (_SHADES - 1)).astype(int)
    return _encoded(colormaps["gray_r"].resampled(_SHADES)(shades, bytes=True))


def weights(values: Array) -> str:
    """A neuron's weights, shape (784,): blue below 0, orange above.

    The largest of them has the full colour, so that the pattern shows at any scale.
    """
    from matplotlib.colors import CenteredNorm, LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("weights", _WEIGHTS, N=2 * _SHADES - 1)
    largest = float(np.abs(values).max()) or 1.0
    return _encoded(colours(CenteredNorm(halfrange=largest)(values), bytes=True))


def _encoded(colours: npt.NDArray[np.uint8]) -> str:
    """RGBA pixels, shape (784, 4), losslessly compressed."""
    picture = Image.fromarray(colours.reshape(IMAGE_SIDE, IMAGE_SIDE, 4)).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "webp", lossless=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
