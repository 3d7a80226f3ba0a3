"""Digits and other marks as scans of few pixels, as collections of handwriting keep them.

UCI's digits have 8x8 pixels, which count the black ones of a 32x32 bitmap in blocks; those of the
United States Postal Service have 16x16. Such a scan is cropped to the digit, and often made wider.
"""

import cv2
import numpy as np
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.localization import Search
from dlcli.vision.mnist_format import bounding_box
from tools.photographs import Marks

# The longer side of the marks, in pixels: the few are as frequent as the many, by their logarithm.
SIDES_PX = (7, 16)
# How much wider the marks are made (1: not at all).
WIDENING = (0.9, 1.6)
# How many marks are written with a broad pen, and by how much at most each edge moves, as a
# fraction of the longer side. A bar, at most so wide for its height, stays a 1 with any pen.
_THICKENED, _THICKER, _THICKER_BAR = 0.15, 0.06, 0.2
_MAX_BAR_ASPECT = 0.35
# The bitmap from which the pixels of a scan are counted is so much larger.
_BLOCK_PX = 4
# Fractions of the scans: of a bitmap, with grey levels, and themselves of black and white alone.
_COUNTED, _GREY = 0.6, 0.25
# Rows and columns of background at each side, at most.
_MAX_MARGIN_PX = 2
# Where a scanner divides ink from paper, as a fraction of full ink.
_THRESHOLDS = (0.3, 0.6)


def scan(marks: Marks, random: np.random.Generator) -> Image.Image:
    """A scan of marks of any size, light on dark (0 to 255): a picture of 7 to 20 pixels."""
    marks = marks[bounding_box(marks > 0)]
    if random.random() < _THICKENED:
        marks = _thickened(marks, random)
    side = round(float(np.exp(random.uniform(*np.log(SIDES_PX)))))
    scale = side / max(marks.shape)
    height = max(2, round(marks.shape[0] * scale))
    width = min(max(2, round(marks.shape[1] * scale * random.uniform(*WIDENING))), side)
    bitmap = cv2.resize(
        marks.astype(np.float32) / 255,
        (width * _BLOCK_PX, height * _BLOCK_PX),
        interpolation=cv2.INTER_CUBIC,
    )
    way, threshold = random.random(), random.uniform(*_THRESHOLDS)
    if way < _COUNTED:
        bitmap = (bitmap > threshold).astype(np.float32)
    levels = np.clip(cv2.resize(bitmap, (width, height), interpolation=cv2.INTER_AREA), 0, 1)
    if way > _COUNTED + _GREY:
        levels = (levels > min(threshold, levels.max() / 2)).astype(np.float32)
    margins = random.integers(0, _MAX_MARGIN_PX + 1, (2, 2)).tolist()
    pixels = np.rint(np.pad(levels, margins) * 255).astype(np.uint8)
    return Image.fromarray(255 - pixels if random.random() < 0.5 else pixels)


def _thickened(marks: Marks, random: np.random.Generator) -> Marks:
    """Marks as written with a broader pen."""
    height, width = marks.shape
    largest = _THICKER_BAR if width <= _MAX_BAR_ASPECT * height else _THICKER
    radius = max(1, round(random.uniform(0, largest) * max(marks.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(np.pad(marks, radius), disc), np.uint8)


def found(marks: Marks, random: np.random.Generator) -> list[Pixels]:
    """What ``dlcli predict`` tries first on a scan, in MNIST's format, if it finds anything."""
    return [candidate.pixels for candidate in Search(scan(marks, random)).likely()[:1]]
