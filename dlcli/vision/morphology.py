"""OpenCV's morphology, with types and with masks of bool.

The terms are those of Serra, "Image analysis and mathematical morphology", 1982. All structuring
elements are rectangles, except in ``thicken``. Only modules that are imported for pictures that
are not in MNIST's format import this one, because importing OpenCV takes time.
"""

from typing import TypeVar

import cv2
import numpy as np

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import FloatImage, Mask

Image = TypeVar("Image", FloatImage, Mask)

# ``predict`` preprocesses several pictures at once; more threads for each are in the way.
cv2.setNumThreads(1)


def close(image: Pixels, window: int) -> Pixels:
    """Grey-scale closing: dark details narrower than the window, in pixels, vanish."""
    closed = cv2.morphologyEx(image, cv2.MORPH_CLOSE, _rectangle(window, window))
    return closed.astype(np.uint8, copy=False)


def dilate(image: Image, height: int, width: int) -> Image:
    """Grey-scale dilation: each pixel becomes the maximum of the rectangle around it."""
    levels = image.astype(np.float32, copy=False)
    return cv2.dilate(levels, _rectangle(height, width)).astype(image.dtype, copy=False)


def thicken(image: FloatImage, radius: int) -> FloatImage:
    """Dilate by a disc; the image grows by the radius on every side."""
    side = 2 * radius + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(np.pad(image, radius), disc).astype(np.float32, copy=False)


def opened(mask: Mask, height: int, width: int) -> Mask:
    """Opening: the pixels of all rectangles of this size that fit in the mask."""
    kernel = _rectangle(height, width)
    outside = cv2.BORDER_CONSTANT
    fitting = cv2.erode(mask.view(np.uint8), kernel, borderType=outside, borderValue=0)
    # MORPH_OPEN would shift rectangles with an even side, which have no pixel in their middle.
    mirrored = ((width - 1) // 2, (height - 1) // 2)
    return cv2.dilate(fitting, kernel, anchor=mirrored).astype(np.bool_)


def stroke_widths(mask: Mask) -> FloatImage:
    """An estimate of the stroke width from each pixel of the mask, in row-major order.

    It is four times the distance to the nearest side: the mean over a stroke is its width.
    """
    inside = np.pad(mask, 1).view(np.uint8)
    distances = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return 4 * (distances[mask].astype(np.float32, copy=False) - np.float32(0.5))


def _rectangle(height: int, width: int) -> Pixels:
    return np.ones((height, width), np.uint8)
