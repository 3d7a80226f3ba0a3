"""Whether a picture looks like a digit at all: a network answers whatever it is shown.

So another network is asked as well, which knows an eleventh answer: something else. It has learned
from MNIST's training digits, as they are and on photographs, and from photographs of printed
digits, letters, signs, shapes, scribbles, ruined digits and empty pages. ``make likeness`` trains
it.
"""

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from dlcli.config.dimensions import CLASSES, IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.network import Network
from dlcli.nn.types import Pixels

ACTIVATION = "gelu"
FILE = Path(__file__).with_name("rejection.npz")
SOMETHING_ELSE = CLASSES
# An answer is doubtful where the probabilities that there is no digit, and that there is another,
# add up to more; benchmarks/PHOTOGRAPHS.md counts how many are.
DOUBTFUL = 0.65

_MIDDLE = (IMAGE_SIDE - 1) / 2
_TURNS = (-10, 0, 10)
_SCALES = (0.9, 1.0, 1.1)
_SHIFTS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


def looks(pixels: Pixels) -> Pixels:
    """A picture turned, scaled and shifted a little, as the same digit could have been.

    Parameters
    ----------
    pixels
        Shape (784,).

    Returns
    -------
    ndarray
        Shape (46, 784), the picture itself first.
    """
    image = Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE))
    changed = [pixels]
    for coefficients in look_maps():
        look = image.transform(
            image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
        changed.append(np.asarray(look).reshape(-1))
    return np.stack(changed)


def look_maps() -> list[tuple[float, ...]]:
    """The affine maps of the looks but the first, six coefficients each, as Pillow takes them."""
    maps = []
    for degrees in _TURNS:
        for scale in _SCALES:
            cosine, sine = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
            for right, down in _SHIFTS:
                x = _MIDDLE * (1 - cosine - sine) + right
                y = _MIDDLE * (1 + sine - cosine) + down
                maps.append(tuple(map(float, (cosine, sine, x, -sine, cosine, y))))
    return maps


def unlikeness(pixels: Pixels) -> float:
    """The probability that pictures of one thing show no digit: the mean over them.

    Parameters
    ----------
    pixels
        Shape (pictures, 784).
    """
    _, shares = network().infer(pixels)
    return float(shares[:, SOMETHING_ELSE].mean())


@cache
def network() -> Network:
    """The network, read once."""
    with np.load(FILE, allow_pickle=False) as arrays:
        layers = range(len(arrays) // 2)
        sizes = [IMAGE_SIZE, *(arrays[f"layers.{layer}.bias"].size for layer in layers)]
        read = Network(sizes, [ACTIVATION] * (len(layers) - 1), "softmax")
        for layer in layers:
            read.weights[layer][...] = arrays[f"layers.{layer}.weight"]
            read.biases[layer][...] = arrays[f"layers.{layer}.bias"]
    return read
