"""Test-time augmentation (TTA): the variants of a digit whose predictions are averaged.

Averaging over transformed copies of an input makes a prediction more accurate and better
calibrated (Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
neural networks", 2012). Here every combination of three rotations, three scales and five shifts
is a variant, and so is the image itself.
"""

from functools import cache

import numpy as np
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels

# About as much as the slant, size and place of MNIST's digits differ.
ROTATIONS_DEGREES = (-10, 0, 10)
SCALES = (0.9, 1.0, 1.1)
SHIFTS_PX = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))  # right, down


def tta_variants(pixels: Pixels) -> Pixels:
    """Variants of a 28x28 image, shape (784,): an array of shape (46, 784), the image first."""
    image = Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE))
    transformed = [
        image.transform(image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        for coefficients in tta_affine_maps()
    ]
    return np.stack([pixels, *(np.asarray(variant).reshape(-1) for variant in transformed)])


@cache
def tta_affine_maps() -> tuple[tuple[float, ...], ...]:
    """The affine map of each variant but the first.

    Six coefficients (a, b, c, d, e, f), as Pillow takes them: pixel (x, y) of the variant comes
    from (a x + b y + c, d x + e y + f) of the image.
    """
    middle = (IMAGE_SIDE - 1) / 2
    maps = []
    for degrees in ROTATIONS_DEGREES:
        for scale in SCALES:
            cosine, sine = np.cos(np.radians(degrees)) / scale, np.sin(np.radians(degrees)) / scale
            for right, down in SHIFTS_PX:
                x = middle * (1 - cosine - sine) + right
                y = middle * (1 + sine - cosine) + down
                maps.append(tuple(map(float, (cosine, sine, x, -sine, cosine, y))))
    return tuple(maps)
