"""What may be the digit on a picture, and how it was found."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.rejection import RejectionReason

FloatImage = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True, eq=False)
class Candidate:
    """What may be the digit on a picture.

    Attributes
    ----------
    pixels
        In MNIST's format, shape (784,).
    box
        Where it lies, in pixels of the picture.
    foreground
        In which it was found: the distance from the background, 0 to 255, of the scaled picture.
    penalty
        Added to the OOD score where candidates are compared: the less likely it is before its
        pixels are seen, the more.
    has_neighbour
        Whether something that may be another digit stands beside it.
    """

    pixels: Pixels
    box: Box
    foreground: Pixels
    penalty: float = 0.0
    has_neighbour: bool = False


@dataclass(frozen=True, eq=False)
class PreprocessingTrace:
    """The steps from the picture to the digit, to be shown to users.

    All but the picture is None if it was in MNIST's format, or nothing was found.
    """

    picture: Image.Image
    box: Box | None = None  # the digit
    foreground: Pixels | None = None  # the distance from the background, 0 to 255


@dataclass(frozen=True, eq=False)
class Located:
    """The digit on a picture, ready for the networks, or why there is none.

    Attributes
    ----------
    pixels
        In MNIST's format, shape (784,); None if nothing was found.
    rejection
        Why it is no single digit, as far as its shape tells.
    variants
        The first to average over, shape (n, 784); None if it is rejected.
    make_variants
        Makes all of them, for a digit that the first leave in doubt; None if there are no others.
    ood_score
        The mean over all variants, or over the first ones if that is sure; None if none is
        expected.
    box
        Where it lies, in pixels of the picture; None if nothing was found.
    """

    pixels: Pixels | None
    rejection: RejectionReason | None = None
    variants: Pixels | None = None
    make_variants: Callable[[], Pixels] | None = None
    ood_score: float | None = None
    box: Box | None = None
    trace: PreprocessingTrace | None = None

    @property
    def all_variants(self) -> Pixels | None:
        """All variants to average over; None if it is rejected."""
        return self.variants if self.make_variants is None else self.make_variants()
