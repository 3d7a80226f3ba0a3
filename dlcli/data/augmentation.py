"""Distorted copies of images: the same digits as another hand could have written them.

An affine map turns, scales, slants and shifts an image; an elastic one moves every pixel by
itself, but much as its neighbours. Source: Simard, Steinkraus and Platt, "Best practices for
convolutional neural networks applied to visual document analysis", 2003.
"""

import numpy as np
import numpy.typing as npt

from dlcli.config.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.config.schema import Augmentation
from dlcli.nn.types import Pixels

Floats = npt.NDArray[np.float32]

# Images distorted at once: enough to make the calls cheap, few enough to stay in the cache.
_ROWS = 256
# A margin of paper all around, so that every pixel that is asked for has four neighbours.
_SIDE = IMAGE_SIDE + 3
_MIDDLE = (IMAGE_SIDE - 1) / 2 + 1


class Distortions:
    """Distorts images as a config asks; all memory is allocated once."""

    def __init__(self, settings: Augmentation) -> None:
        self._settings = settings
        side = np.arange(IMAGE_SIDE, dtype=np.float32)
        down, across = np.meshgrid(side, side, indexing="ij")
        middle = np.float32((IMAGE_SIDE - 1) / 2)
        self._places: Floats = np.stack(
            [(across - middle).ravel(), (down - middle).ravel(), np.ones(IMAGE_SIZE, np.float32)]
        )
        self._smoothing = _smoothing(settings.elastic_sigma)
        self._padded = np.zeros((_ROWS, _SIDE, _SIDE), np.uint8)
        # Each pixel with its neighbours to the right, below, and both: one look-up finds all.
        self._squares = np.empty((_ROWS, _SIDE - 1, _SIDE - 1, 4), np.uint8)
        self._firsts = np.arange(_ROWS, dtype=np.int32)[:, np.newaxis] * (_SIDE - 1) ** 2

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:
        """Distort each image by a random map of its own.

        Parameters
        ----------
        images
            Shape (n, 784).
        random
            Draws the maps, and which images stay as they are.

        Returns
        -------
        ndarray
            Of the same shape.
        """
        result = np.empty_like(images)
        for start in range(0, len(images), _ROWS):
            block = slice(start, start + _ROWS)
            places = self._draw(len(images[block]), random)
            result[block] = self._look_up(images[block], places)
        if self._settings.probability < 1:
            kept = random.random(len(images)) >= self._settings.probability
            result[kept] = images[kept]
        return result

    def _draw(self, count: int, random: np.random.Generator) -> Floats:
        """Where each pixel comes from: across and down, shape (2, count, 784)."""
        maps = self._draw_maps(count, random)
        places: Floats = np.matmul(maps.reshape(-1, 3), self._places).reshape(2, count, -1)
        if self._settings.elastic_alpha:
            noise = random.random((2 * count * IMAGE_SIDE, IMAGE_SIDE), dtype=np.float32)
            noise -= np.float32(0.5)
            # Uniform from -1 to 1, times alpha.
            noise *= np.float32(2 * self._settings.elastic_alpha)
            # Blurred along rows, then, with rows and columns exchanged, along what are now rows.
            blurred = np.matmul(noise, self._smoothing).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
            turned = blurred.transpose(0, 2, 1).reshape(-1, IMAGE_SIDE)
            places += np.matmul(turned, self._smoothing).reshape(places.shape)
        return np.clip(places, 0, _SIDE - 2, out=places)

    def _draw_maps(self, count: int, random: np.random.Generator) -> Floats:
        """Affine maps from the distorted image to the original, shape (2, count, 3)."""
        settings = self._settings
        angle = np.radians(settings.rotation) * random.uniform(-1, 1, count)
        wider, higher = 1 + settings.scale * random.uniform(-1, 1, (2, count))
        slant = settings.shear * random.uniform(-1, 1, count)
        shift = settings.shift * random.uniform(-1, 1, (2, count))
        cosine, sine = np.cos(angle), np.sin(angle)
        maps = np.empty((2, count, 3), np.float32)
        maps[0, :, 0], maps[0, :, 1] = cosine / wider, (slant * cosine - sine) / higher
        maps[1, :, 0], maps[1, :, 1] = sine / wider, (slant * sine + cosine) / higher
        maps[:, :, 2] = _MIDDLE - shift
        return maps

    def _look_up(self, images: Pixels, places: Floats) -> Pixels:
        """The images' pixels at places between them, by bilinear interpolation."""
        count = len(images)
        padded, squares = self._padded[:count], self._squares[:count]
        padded[:, 1:-2, 1:-2] = images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
        squares[..., 0], squares[..., 1] = padded[:, :-1, :-1], padded[:, :-1, 1:]
        squares[..., 2], squares[..., 3] = padded[:, 1:, :-1], padded[:, 1:, 1:]

        corners = np.floor(places)
        right, below = (places - corners).reshape(2, -1)
        index = (corners[0] + np.float32(_SIDE - 1) * corners[1]).astype(np.int32)
        index += self._firsts[:count]
        # Four bytes are taken at once, as one number.
        found = np.take(squares.view(np.uint32).reshape(-1), index.reshape(-1), mode="clip")
        four = found.view(np.uint8).reshape(-1, 4)
        here, there, under, beyond = (four[:, i].astype(np.float32) for i in range(4))
        here += right * (there - here)
        under += right * (beyond - under)
        here += below * (under - here)
        pixels: Pixels = np.rint(here, out=here).astype(np.uint8).reshape(count, -1)
        return pixels


def _smoothing(sigma: float) -> Floats:
    """The matrix that blurs a line of pixels by a Gaussian; beyond the image nothing moves."""
    pixels = np.arange(IMAGE_SIDE)
    weights = np.exp(-np.square(pixels[:, np.newaxis] - pixels) / (2 * sigma**2))
    whole = np.exp(-np.square(np.arange(-200, 201)) / (2 * sigma**2)).sum()
    matrix: Floats = (weights / whole).astype(np.float32)
    return matrix
