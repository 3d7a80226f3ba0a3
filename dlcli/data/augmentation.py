"""Distorted copies of images: the same digits as if written by another hand.

An affine map rotates, scales, shears and shifts an image. An elastic distortion then displaces
each pixel by a smooth random field. Source: Simard, Steinkraus and Platt, "Best practices for
convolutional neural networks applied to visual document analysis", 2003. At last a power of the
levels (gamma correction) makes the soft edges of the strokes darker or brighter, and so the strokes
thinner or thicker.
"""

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.kernels import NUMPY
from dlcli.nn.types import Pixels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlcli.nn.kernels import Pass

Floats = npt.NDArray[np.float32]

# Images distorted at once: enough to make the NumPy calls cheap, few enough to fit the CPU cache.
_BLOCK_IMAGES = 256
# The image with a margin of background, so that every point looked up has four neighbours.
_PADDED_SIDE = IMAGE_SIDE + 3
_PADDED_CENTRE = (IMAGE_SIDE - 1) / 2 + 1
# Powers of the levels, evenly spaced by their logarithms; neighbours differ by a level or two.
_POWERS = 65


class Ranges(Protocol):
    """How far images are distorted: the section ``augmentation`` of a config, for one."""

    @property
    def rotation(self) -> float:
        """Largest rotation in either direction, in degrees."""

    @property
    def scale(self) -> float:
        """Largest change of width and of height, as a fraction."""

    @property
    def shear(self) -> float:
        """Largest slant: pixels sideways for each pixel down."""

    @property
    def shift(self) -> float:
        """Largest shift in either direction, in pixels."""

    @property
    def elastic_alpha(self) -> float:
        """Strength of the elastic distortion."""

    @property
    def elastic_sigma(self) -> float:
        """Distance within which pixels move alike, in pixels."""

    @property
    def gamma(self) -> float:
        """Logarithm of the largest power of the levels."""

    @property
    def probability(self) -> float:
        """Fraction of the images that are distorted."""


class Distortions:
    """Distorts images at random.

    Attributes
    ----------
    kernels
        The passes over pixels (see ``nn.kernels``); compiled ones change no bit.
    """

    def __init__(self, settings: Ranges) -> None:
        self.kernels: Mapping[str, Pass] = NUMPY
        self._settings = settings
        side = np.arange(IMAGE_SIDE, dtype=np.float32)
        rows, columns = np.meshgrid(side, side, indexing="ij")
        centre = np.float32((IMAGE_SIDE - 1) / 2)
        # Homogeneous coordinates (x, y, 1) of each pixel, from the centre.
        self._grid: Floats = np.stack(
            [(columns - centre).ravel(), (rows - centre).ravel(), np.ones(IMAGE_SIZE, np.float32)]
        )
        self._blur = _blur_matrix(settings.elastic_sigma)
        powers = np.exp(settings.gamma * np.linspace(-1, 1, _POWERS))
        levels = np.arange(256) / 255
        self._raised = np.rint(255 * levels ** powers[:, np.newaxis]).astype(np.uint8)
        self._padded = np.zeros((_BLOCK_IMAGES, _PADDED_SIDE, _PADDED_SIDE), np.uint8)
        self._quads = np.empty((_BLOCK_IMAGES, _PADDED_SIDE - 1, _PADDED_SIDE - 1, 4), np.uint8)

    def apply(self, images: Pixels, random: np.random.Generator) -> Pixels:
        """Distort each image by a random map of its own.

        Parameters
        ----------
        images
            Shape (n, 784).
        random
            Draws the maps, and which images stay unchanged.

        Returns
        -------
        ndarray
            Of the same shape.
        """
        result = np.empty_like(images)
        for start in range(0, len(images), _BLOCK_IMAGES):
            block = slice(start, start + _BLOCK_IMAGES)
            points = self._draw_points(len(images[block]), random)
            result[block] = self._interpolate(images[block], points)
            if self._settings.gamma:
                self._raise_levels(result[block], random)
        if self._settings.probability < 1:
            unchanged = random.random(len(images)) >= self._settings.probability
            result[unchanged] = images[unchanged]
        return result

    def _draw_points(self, count: int, random: np.random.Generator) -> Floats:
        """Where in the original each pixel comes from: x and y, shape (2, count, 784)."""
        maps = self._draw_maps(count, random)
        points: Floats = np.matmul(maps.reshape(-1, 3), self._grid).reshape(2, count, -1)
        if self._settings.elastic_alpha:
            noise = random.random((2 * count * IMAGE_SIDE, IMAGE_SIDE), dtype=np.float32)
            noise -= np.float32(0.5)
            # Uniform from -1 to 1, times alpha.
            noise *= np.float32(2 * self._settings.elastic_alpha)
            # The blur is separable: along the rows, then transposed, along the columns.
            blurred = np.matmul(noise, self._blur).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
            transposed = blurred.transpose(0, 2, 1).reshape(-1, IMAGE_SIDE)
            points += np.matmul(transposed, self._blur).reshape(points.shape)
        return np.clip(points, 0, _PADDED_SIDE - 2, out=points)

    def _draw_maps(self, count: int, random: np.random.Generator) -> Floats:
        """Affine maps from the distorted image to the original, shape (2, count, 3)."""
        settings = self._settings
        angle = np.radians(settings.rotation) * random.uniform(-1, 1, count)
        width, height = 1 + settings.scale * random.uniform(-1, 1, (2, count))
        shear = settings.shear * random.uniform(-1, 1, count)
        shift = settings.shift * random.uniform(-1, 1, (2, count))
        cosine, sine = np.cos(angle), np.sin(angle)
        maps = np.empty((2, count, 3), np.float32)
        maps[0, :, 0], maps[0, :, 1] = cosine / width, (shear * cosine - sine) / height
        maps[1, :, 0], maps[1, :, 1] = sine / width, (shear * sine + cosine) / height
        maps[:, :, 2] = _PADDED_CENTRE - shift
        return maps

    def _interpolate(self, images: Pixels, points: Floats) -> Pixels:
        """The images' levels at points between the pixels."""
        count = len(images)
        padded, quads = self._padded[:count], self._quads[:count]
        padded[:, 1:-2, 1:-2] = images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
        pixels = np.empty((count, IMAGE_SIZE), np.uint8)
        self.kernels["interpolate"](padded, quads, points, pixels)
        return pixels

    def _raise_levels(self, images: Pixels, random: np.random.Generator) -> None:
        """Raise the levels of each image to a random power of its own, in place."""
        power = np.rint((random.uniform(-1, 1, len(images)) + 1) / 2 * (_POWERS - 1))
        self.kernels["look_up"](self._raised, power.astype(np.intp), images)


def _blur_matrix(sigma: float) -> Floats:
    """The matrix that blurs a line of pixels by a Gaussian; outside the image the field is 0."""
    pixels = np.arange(IMAGE_SIDE)
    sigma = max(sigma, 0.05)  # it blurs nothing, as less would, whose square could be 0
    weights = np.exp(-np.square(pixels[:, np.newaxis] - pixels) / (2 * sigma**2))
    total = np.exp(-np.square(np.arange(-200, 201)) / (2 * sigma**2)).sum()
    matrix: Floats = (weights / total).astype(np.float32)
    return matrix
