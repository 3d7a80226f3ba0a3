"""OpenCV's filters, with types: closing, opening, dilation, Otsu's threshold, scaling.

The terms are those of Serra, "Image analysis and mathematical morphology", 1982. All structuring
elements are rectangles with odd sides, so that they have a pixel in their middle, except in
``thicken``. Only modules that are imported for pictures that
are not in MNIST's format import this one, because importing OpenCV takes time.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import cv2
import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import FloatImage, Mask

Image = TypeVar("Image", Pixels, FloatImage)

# ``predict`` preprocesses several pictures at once; more threads for each are in the way.
cv2.setNumThreads(1)


def close(image: Pixels, window: int) -> Pixels:
    """Grey-scale closing: dark details narrower than the window, in pixels, vanish."""
    return _pixels(cv2.morphologyEx(image, cv2.MORPH_CLOSE, _rectangle(window, window)))


def dilate(image: Pixels, height: int, width: int) -> Pixels:
    """Grey-scale dilation: each pixel becomes the maximum of the rectangle around it."""
    return _pixels(cv2.dilate(image, _rectangle(height, width)))


def opened(image: Pixels, height: int, width: int) -> Pixels:
    """Grey-scale opening: bright details that hold no rectangle of this size vanish."""
    rectangle = _rectangle(height, width)
    eroded = cv2.erode(image, rectangle)
    # Mostly nothing is left, and dilating that takes as long again.
    return _pixels(cv2.dilate(eroded, rectangle) if eroded.any() else eroded)


def thicken(image: FloatImage, radius: int) -> FloatImage:
    """Dilate by a disc; the image grows by the radius on every side."""
    side = 2 * radius + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(pad(image, radius), disc).astype(np.float32, copy=False)


def pad(image: Image, margin: int, value: int = 0) -> Image:
    """Add a margin to an image on every side; ``np.pad`` takes ten times as long."""
    sides = margin, margin, margin, margin
    return cast("Image", cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=value))


def level_counts(levels: Pixels, mask: Pixels) -> npt.NDArray[np.float32]:
    """How often each of the 256 levels occurs where the mask is not 0."""
    return np.asarray(cv2.calcHist([levels], [0], mask, [256], [0, 256]), np.float32).reshape(-1)


def otsu_threshold(levels: Pixels) -> float:
    """The threshold that divides levels into the two most uniform classes.

    Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    return float(cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)[0])


def resize(image: Image, width: int, height: int) -> Image:
    """Scale an image of one or three channels: by areas to smaller ones, else by cubic curves."""
    shrinks = max(width, height) < max(image.shape[:2])
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cast("Image", cv2.resize(image, (width, height), interpolation=method))


def rescale(image: Image, scale: float) -> Image:
    """Scale both sides of an image alike, to at least one pixel (see :func:`resize`)."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return resize(image, width, height)


def shear_rows(mask: Pixels, slope: float, *, back: bool = False) -> Pixels:
    """Move each column of a mask up by its number times the slope, or back down.

    What leaves it on one side enters it on the other.
    """
    # A little less prevents ties in rounding: shearing back must be exact.
    shear = np.array([[1, 0, 0], [-slope, 1, -0.003]])
    flags = cv2.INTER_NEAREST | (cv2.WARP_INVERSE_MAP if back else 0)
    size, wrap = (mask.shape[1], mask.shape[0]), cv2.BORDER_WRAP
    return _pixels(cv2.warpAffine(mask, shear, size, flags=flags, borderMode=wrap))


def runs_along_rows(mask: Pixels, length: int, slopes: Sequence[float]) -> Pixels:
    """The pixels, 1 or 0, of runs of an odd length along rows that rise by one of the slopes."""
    found = np.zeros_like(mask)
    for slope in slopes:
        # Sheared by its slope, a line lies in one row, or two where it is rounded.
        runs = opened(dilate(shear_rows(mask, slope), 3, 1), 1, length)
        if runs.any():
            found |= shear_rows(runs, slope, back=True)
    return found


def total_variation(image: Pixels) -> float:
    """The sum of the absolute differences of neighbouring pixels."""
    along_columns = cv2.norm(image[1:], image[:-1], cv2.NORM_L1)
    return along_columns + cv2.norm(image[:, 1:], image[:, :-1], cv2.NORM_L1)


def stroke_widths(mask: Mask) -> FloatImage:
    """An estimate of the stroke width from each pixel of the mask, in row-major order.

    It is four times the distance to the nearest side: the mean over a stroke is its width.
    """
    padded = pad(mask.view(np.uint8), 1).view(np.bool_)
    return 4 * (distances(padded)[1:-1, 1:-1][mask] - np.float32(0.5))


def means(levels: Pixels, mask: Mask) -> tuple[float, float]:
    """The mean level within a mask, and outside of it."""
    return float(cv2.mean(levels, mask.view(np.uint8))[0]), float(
        cv2.mean(levels, (~mask).view(np.uint8))[0]
    )


def principal_variances(mask: Mask) -> tuple[float, float]:
    """The variances of a mask's pixels across and along its main direction, in square pixels."""
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    xx, xy, yy = (moments[name] / moments["m00"] for name in ("mu20", "mu11", "mu02"))
    middle, radius = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    return middle - radius, middle + radius


def distances(mask: Mask) -> FloatImage:
    """The distance of each pixel of a mask to the nearest one outside; 0 outside."""
    found = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return found.astype(np.float32, copy=False)


def label(mask: Pixels, connectivity: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """The connected component of each pixel, 0 for those that are 0, and their statistics.

    A row for each component, the background first: left, top, width, height and area in pixels.
    """
    found = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
    return cast("npt.NDArray[np.int32]", found[1]), cast("npt.NDArray[np.int32]", found[2])


def _rectangle(height: int, width: int) -> Pixels:
    return np.ones((height, width), np.uint8)


def _pixels(image: Any) -> Pixels:
    """OpenCV's stubs know no element types; these functions keep that of their argument."""
    return cast("Pixels", image)
