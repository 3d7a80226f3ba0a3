"""Whether a picture looks like a digit at all: a network answers whatever it is shown.

The digits of one class fill a small part of the space of all pictures. Near their mean they lie
in a plane of a few dimensions, their principal components (Pearson, "On lines and planes of
closest fit to systems of points in space", 1901); how far a picture is from its class's plane
tells how unlike those digits it is.
"""

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.dimensions import IMAGE_SIDE

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

COMPONENTS = 24
# Of the synthetic photographs of MNIST's test digits that are read rightly, 1 % are unclear: their
# nearest look is farther from their class's plane than this, less UNSURE times the probability
# that another class has. Of letters, stars and scribbles two thirds are.
UNLIKE = 0.36
UNSURE = 0.3

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
    for degrees in _TURNS:
        for scale in _SCALES:
            cosine, sine = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
            for right, down in _SHIFTS:
                x = _MIDDLE * (1 - cosine - sine) + right
                y = _MIDDLE * (1 + sine - cosine) + down
                coefficients = (cosine, sine, x, -sine, cosine, y)
                look = image.transform(
                    image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
                )
                changed.append(np.asarray(look).reshape(-1))
    return np.stack(changed)


def unlikeness(pixels: Pixels, digit: int) -> float:
    """How far the nearest of several pictures is from the plane of a class; 0 to 1.

    Parameters
    ----------
    pixels
        Shape (pictures, 784).
    digit
        The class.
    """
    means, components = _planes()
    from_mean = smooth(pixels) - means[digit]
    along = from_mean @ components[digit].T
    squares = np.square(from_mean).sum(axis=1) - np.square(along).sum(axis=1)
    return float(np.sqrt(max(float(squares.min()), 0.0)))


def smooth(pixels: Pixels) -> Floats:
    """Pictures blurred by a pixel, so that near is alike, and of length 1; the same shape."""
    padded = np.pad(
        pixels.reshape(-1, IMAGE_SIDE, IMAGE_SIDE).astype(np.float32), ((0, 0), (1, 1), (1, 1))
    )
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    both = (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4
    flat = both.reshape(len(pixels), -1)
    lengths = np.sqrt(np.square(flat).sum(axis=1, keepdims=True))
    result: Floats = flat / np.maximum(lengths, np.float32(1e-6))
    return result


@cache
def _planes() -> tuple[Floats, Floats]:
    """Each class's mean, shape (10, 784), and components, shape (10, 24, 784)."""
    file = resources.files("dlcli") / "sample" / "planes.npz"
    with file.open("rb") as stream, np.load(stream) as planes:
        return planes["means"].astype(np.float32), planes["components"].astype(np.float32)
