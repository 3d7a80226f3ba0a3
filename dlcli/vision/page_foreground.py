"""The foreground of a whole page: strokes, without its shadows, and its printed lines if asked for.

The background is estimated as in ``foreground``, by grey-scale closing, but on a small copy of the
page: it is smooth, and a page has many more pixels than a picture of one digit.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.foreground import dark_on_light_alone, invert, is_dark_on_light
from dlcli.vision.morphology import close, rescale

# Smaller pictures are enlarged to at least these sides, so that all filters have room.
_MIN_SIDE_PX = 200
_MIN_SHORT_SIDE_PX = 64
# The window of the closing, a fraction of the page's longer side: strokes are narrower.
WINDOW = 0.12
# The size at which the background is estimated.
_BACKGROUND_SIDE_PX = 250
# A page is coloured if the difference of two channels varies by so many levels, of 255, at a size.
_MIN_COLOUR, _COLOUR_SIDE_PX = 40, 250
# Darker backgrounds, of 255, hold more noise than light.
_MIN_BACKGROUND = 64


def page_channels(page: Image.Image) -> Sequence[Pixels]:
    """The colour channels of a page in mode L or RGB, dark on light, small ones enlarged.

    A pen may be lighter than the paper in some channels, as a yellow one on grey paper is in red
    and green. There the closing would fill the gaps between strokes: these channels are left out.
    """
    levels = np.asarray(page)
    height, width = levels.shape[:2]
    scale = max(
        1,
        -(-_MIN_SIDE_PX // max(height, width)),
        -(-_MIN_SHORT_SIDE_PX // min(height, width)),
    )
    if scale > 1:
        levels = rescale(levels, scale)
    channels: Sequence[Pixels] = [
        np.ascontiguousarray(channel) for channel in np.atleast_3d(levels).transpose(2, 0, 1)
    ]
    if not is_dark_on_light(channels):
        channels = invert(channels)
    if not _is_coloured(channels):
        return channels
    return dark_on_light_alone(channels) or channels


def _is_coloured(channels: Sequence[Pixels]) -> bool:
    """Whether the channels differ by more than noise; then one may be the inverse of another."""
    scale = min(1.0, _COLOUR_SIDE_PX / max(channels[0].shape))
    first, *others = (rescale(channel, scale).astype(np.int16) for channel in channels)
    return any(np.ptp(other - first) >= _MIN_COLOUR for other in others)


def page_foreground(channels: Sequence[Pixels], window: float) -> Pixels:
    """The part of the background's light that is missing at each pixel, 0 to 255.

    The window is a fraction of the longer side.
    """
    height, width = channels[0].shape
    scale = min(1.0, _BACKGROUND_SIDE_PX / max(height, width))
    side = max(3, round(window * round(scale * max(height, width))) | 1)
    strongest = np.zeros_like(channels[0])
    for channel in channels:
        closed = close(rescale(channel, scale) if scale < 1 else channel, side)
        background = cv2.resize(closed, (width, height), interpolation=cv2.INTER_LINEAR)
        missing = cv2.subtract(background, channel)
        light = np.maximum(background, _MIN_BACKGROUND)
        np.maximum(strongest, cv2.divide(missing, light, scale=255), out=strongest)
    return strongest
