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

    All but the picture is None if it was in MNIST's format, or nothing was found.
    """

    picture: Image.Image
    crop_box: Box | None = None  # the part around the digit
    foreground: FloatImage | None = None  # of that part, 1 at the pen's level
    digit_box: Box | None = None  # in the foreground
    strokes: FloatImage | None = None  # the digit alone, 0 to 1, thickened if they were thin


@dataclass(frozen=True)
class Candidate:
    """What may be the digit on a picture."""

    pixels: Pixels | None  # in MNIST's format, shape (784,); None if nothing was found
    rejection: RejectionReason | None = None  # if its shape tells that it is not a single digit
    variants: Pixels | None = None  # to average over, shape (n, 784); None if it is rejected
    ood_score: float | None = None  # the mean over the variants; None if none is expected
    trace: PreprocessingTrace | None = None
