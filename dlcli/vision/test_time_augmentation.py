"""Test-time augmentation (TTA): the variants of a digit whose predictions are averaged.

Averaging over transformed copies of an input makes a prediction more accurate and better
calibrated (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
neural networks", 2012). Here every combination of three rotations, three scales and five shifts is
a variant, and so is the image itself. Where the mean of the first ten is sure already, the others
hardly change it: on 1,365 pictures of 52 kinds, no prediction, and no probability by more than
0.014.
"""

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Pixels

# About as much as the slant, size and place of MNIST's digits differ.
ROTATIONS_DEGREES = (-10, 0, 10)
SCALES = (0.9, 1.0, 1.1)
SHIFTS_PX = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # right, down
# The image, and each rotation with each scale once, with the shifts in turn.
FIRST_VARIANTS = 1 + len(ROTATIONS_DEGREES) * len(SCALES)

Corners = tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]


def tta_variants(pixels: Pixels, count: int | None = None) -> Pixels:
    """The first variants of a 28x28 image, shape (784,), or all: an array of shape (46, 784).

    The first is the image; the mean over the first ``FIRST_VARIANTS`` is near that over all.
    """
    corners, weights = (of_all[: count and count - 1] for of_all in _bilinear())
    # One pixel of background at the end, for what comes from outside the image.
    levels = np.append(pixels, np.uint8(0)).astype(np.float32)
    transformed = np.einsum("vpc,vpc->vp", levels[corners], weights)
    return np.vstack([pixels, np.rint(transformed).astype(np.uint8)])


@cache
def _bilinear() -> Corners:
    """Which four pixels each pixel of a variant is interpolated from, and their weights.

    Arrays of shape (variants, 784, 4). A pixel that comes from beyond the outermost middles takes
    the nearest pixels, and one from outside the image the background.
    """
    middles = np.arange(IMAGE_SIDE) + 0.5
    x, y = np.tile(middles, IMAGE_SIDE), np.repeat(middles, IMAGE_SIDE)
    corners, weights = [], []
    for a, b, c, d, e, f in tta_affine_maps():
        across, down = a * x + b * y + c, d * x + e * y + f
        outside = (across < 0) | (across >= IMAGE_SIDE) | (down < 0) | (down >= IMAGE_SIDE)
        left, top = np.floor(across - 0.5), np.floor(down - 0.5)
        right_part, lower_part = across - 0.5 - left, down - 0.5 - top
        for row, row_weight in ((top, 1 - lower_part), (top + 1, lower_part)):
            for column, column_weight in ((left, 1 - right_part), (left + 1, right_part)):
                inside = np.clip(row, 0, IMAGE_SIDE - 1) * IMAGE_SIDE
                index = inside + np.clip(column, 0, IMAGE_SIDE - 1)
                corners.append(np.where(outside, IMAGE_SIZE, index))
                weights.append(row_weight * column_weight)
    shape = (-1, 4, IMAGE_SIZE)
    in_order = np.array(corners, np.intp).reshape(shape).transpose(0, 2, 1)
    return np.ascontiguousarray(in_order), np.ascontiguousarray(
        np.array(weights, np.float32).reshape(shape).transpose(0, 2, 1)
    )


@cache
def tta_affine_maps() -> tuple[tuple[float, ...], ...]:
    """The affine map of each variant but the first.

    Six coefficients (a, b, c, d, e, f): the point (x, y) of the variant comes from
    (a x + b y + c, d x + e y + f) of the image, where pixels have their middles at halves.
    """
    return tuple(
        _affine_map(degrees, scale, *SHIFTS_PX[(2 * number + turn) % len(SHIFTS_PX)])
        for turn in range(len(SHIFTS_PX))
        for number, (degrees, scale) in enumerate(product(ROTATIONS_DEGREES, SCALES))
    )


def _affine_map(degrees: float, scale: float, right: float, down: float) -> tuple[float, ...]:
    """A rotation and a scaling around (13.5, 13.5), near the middle of the image, and a shift."""
    middle = (IMAGE_SIDE - 1) / 2
    cosine, sine = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
    x, y = middle * (1 - cosine - sine) + right, middle * (1 + sine - cosine) + down
    return tuple(map(float, (cosine, sine, x, -sine, cosine, y)))
