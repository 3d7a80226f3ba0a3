"""What may be the digit on a picture, and how it was found."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.rejection import RejectionReason

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class PreprocessingTrace:
    """The steps from the picture to the digit, to be shown to users.

    Attributes
    ----------
    picture
        The picture as it was decoded.
    crop_box
        The part around the digit; None, as all that follows, if the picture was in MNIST's
        format, or nothing was found.
    foreground
        The foreground of that part, 1 at the pen's level.
    digit_box
        The digit in ``foreground``.
    strokes
        The digit alone, 0 to 1, thickened if its strokes were thin.
    """

    picture: Image.Image
    crop_box: Box | None = None
    foreground: FloatImage | None = None
    digit_box: Box | None = None
    strokes: FloatImage | None = None


@dataclass(frozen=True)
class Candidate:
    """What may be the digit on a picture.

    Attributes
    ----------
    pixels
        The digit in MNIST's format, shape (784,); None if nothing was found.
    rejection
        Why it is not a single digit, if its shape tells.
    variants
        What a classifier is to average over, shape (n, 784); None if it is rejected.
    ood_score
        The mean probability of the variants that they show no digit; None if none is expected.
    trace
        How it was found.
    """

    pixels: Pixels | None
    rejection: RejectionReason | None = None
    variants: Pixels | None = None
    ood_score: float | None = None
    trace: PreprocessingTrace | None = None
