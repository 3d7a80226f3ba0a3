"""Background subtraction: how much each pixel is darker, or lighter, than its background.

The background is estimated by grey-scale closing of each channel: a maximum filter followed by a
minimum filter removes strokes, which are narrower than the window, and keeps shadows, which are
wider (Serra, "Image analysis and mathematical morphology", 1982). The foreground is the
difference, projected on the colour of the pen and corrected for illumination.
"""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import FloatImage, Mask
from dlcli.vision.morphology import close, dilate, opened

# How much the brightness of the picture's edge weighs against the variation of the background
# when the polarity is decided; with it, none of 2,460 synthetic photographs is inverted wrongly.
_EDGE_WEIGHT = 0.2
# The quartile of a normal distribution is so many standard deviations below its median.
_QUARTILE_TO_MEDIAN = 0.67
# Differences below this, of 255, or below so many standard deviations of the noise, are not
# foreground.
_MIN_CONTRAST = 16.0
_MIN_SIGNAL_TO_NOISE = 6.0
# Illumination is relative to this quantile of the background's brightness. Shadows are corrected
# up to a factor, because the correction amplifies noise as well. What has less than a fraction of
# the light is no shadow but dark itself, as the inside of a thick stroke: without this limit, 93
# instead of 62 of 400 pictures of a few thick strokes were taken for a digit.
_FULL_LIGHT_QUANTILE = 0.9
_MAX_GAIN = 2.0
_MIN_ILLUMINATION = 0.35
# Rise per pixel of the lines that are looked for along rows: a page may be rotated by 4 degrees.
_LINE_SLOPES = (-0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.06)


@dataclass(frozen=True)
class Foreground:
    """What differs from the background; all images have the shape of the picture."""

    levels: FloatImage  # its strength, 0 or more
    noise: float  # the standard deviation of the levels where there is only background
    darkness: FloatImage  # the picture itself, projected on the pen's colour
    gain: FloatImage  # the factor that corrects for the illumination; 1 outside shadows
    dark_on_light: bool

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands out from the noise."""
        return float(self.levels.max()) < max(_MIN_CONTRAST, _MIN_SIGNAL_TO_NOISE * self.noise)


def is_dark_on_light(channels: Pixels, windows: list[int]) -> bool:
    """Whether the foreground is darker than the background.

    With the right polarity, closing removes the strokes and leaves a smooth background; with
    the wrong one it thickens them. So the smoother of the two results decides, together with
    the brightness of the picture's edge, which is usually background.

    The channels have shape (channels, height, width); the variation is summed over the windows of
    the closing, in pixels.
    """
    dark = sum(_background_variation(channels, window) for window in windows)
    light = sum(_background_variation(255 - channels, window) for window in windows)
    grey = channels.mean(axis=0)
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    bright_edge = float(np.mean(edge > (grey.min() + grey.max()) / 2))
    return float(np.log((light + 1) / (dark + 1))) + _EDGE_WEIGHT * (2 * bright_edge - 1) > 0


def extract_foreground(channels: Pixels, window: int, *, dark_on_light: bool) -> Foreground:
    """Subtract the background.

    The pen's colour is the mean difference of the pixels that differ most. Projected on it, a
    yellow pen is as strong as a black one, and printed lines of another colour are weaker.

    Parameters
    ----------
    channels
        Shape (channels, height, width).
    window
        Side of the closing's window in pixels; strokes must be narrower.
    dark_on_light
        Whether the foreground is darker than the background.
    """
    if not dark_on_light:
        channels = 255 - channels
    background = np.stack([close(channel, window) for channel in channels])
    if dark_on_light:
        gain = _illumination_gain(background)
    else:
        gain = np.ones(channels.shape[1:], np.float32)
    differences = np.subtract(background, channels, dtype=np.float32) * gain
    quartile, noise = _background_level(differences, axis=(1, 2))
    differences -= quartile + np.float32(_QUARTILE_TO_MEDIAN) * noise
    energy = np.einsum("chw,chw->hw", differences, differences)
    pen = differences[:, energy >= energy.max() / 2].mean(axis=1)
    pen /= max(float(np.linalg.norm(pen)), 1e-6)
    levels = np.tensordot(pen, differences, 1)
    _, noise = _background_level(levels, axis=(0, 1))
    darkness = -np.tensordot(pen, channels.astype(np.float32), 1)
    return Foreground(np.maximum(levels, 0), float(noise.item()), darkness, gain, dark_on_light)


def remove_lines(
    foreground: Foreground, threshold: float, thickness: float, lengths: tuple[float, float]
) -> Foreground:
    """Remove straight lines along rows and columns, but not the strokes that cross them.

    A line has at least the threshold's level, at most the thickness, and at least one of the
    lengths, along rows and along columns; an infinite length removes none.
    """
    mask = foreground.levels >= threshold
    lines = _line_mask(mask, thickness, lengths[0], _LINE_SLOPES)
    # Digits have upright strokes more often than level ones: only exact columns are lines.
    lines |= _line_mask(mask.T, thickness, lengths[1], (0.0,)).T
    soft_edges = dilate(lines, 3, 3) & ~mask
    levels = np.where(lines | soft_edges, np.float32(0), foreground.levels)
    return replace(foreground, levels=levels)


def _line_mask(mask: Mask, thickness: float, length: float, slopes: tuple[float, ...]) -> Mask:
    """The pixels of lines along rows that have one of the slopes."""
    lines = np.zeros_like(mask)
    if length > mask.shape[1]:
        return lines
    for slope in slopes:
        # Sheared by its slope, a line lies in one row, or two where it is rounded.
        # The hundredth prevents ties in rounding: shearing back must be exact.
        shear = np.array([[1, 0, 0], [-slope, 1, -0.01]])
        aligned = _sheared(mask, shear)
        tolerant = dilate(aligned, 3, 1)  # of a pixel up or down
        runs = opened(tolerant, 1, math.ceil(length))
        lines |= _sheared(runs, shear, cv2.WARP_INVERSE_MAP)
    thick = opened(mask, int(thickness) + 1, 1)
    return lines & mask & ~thick


def _sheared(mask: Mask, shear: npt.NDArray[np.float64], flags: int = 0) -> Mask:
    """A mask under an affine map; what leaves it above enters it below."""
    flags |= cv2.INTER_NEAREST
    size = (mask.shape[1], mask.shape[0])
    wrapped = cv2.BORDER_WRAP
    sheared = cv2.warpAffine(mask.view(np.uint8), shear, size, flags=flags, borderMode=wrapped)
    return sheared.astype(np.bool_)


def _illumination_gain(background: Pixels) -> FloatImage:
    """How much brighter the fully lit background is than the background at each pixel."""
    brightness = np.maximum(background.mean(axis=0, dtype=np.float32), 1)
    illumination = brightness / float(np.quantile(brightness, _FULL_LIGHT_QUANTILE))
    gain: FloatImage = np.clip(1 / illumination, 1, _MAX_GAIN)
    gain[illumination < _MIN_ILLUMINATION] = 1
    return gain


def _background_level(levels: FloatImage, axis: tuple[int, int]) -> tuple[FloatImage, FloatImage]:
    """The first quartile of the levels, and the standard deviation of the background.

    The quartile and not the median, because a digit may cover more than half of a picture. It
    is 0.97 standard deviations above the 5 % quantile if the background is normal.
    """
    lowest, quartile = np.quantile(levels, (0.05, 0.25), axis=axis, keepdims=True)
    return quartile, quartile - lowest


def _background_variation(channels: Pixels, window: int) -> float:
    """The total variation of the background (the sum of absolute differences of neighbours)."""
    backgrounds = [close(channel, window) for channel in channels]
    return sum(
        cv2.norm(near[1:], near[:-1], cv2.NORM_L1)
        for background in backgrounds
        for near in (background, np.ascontiguousarray(background.T))
    )
