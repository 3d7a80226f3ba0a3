"""The preprocessing of one picture, from the decoded image to MNIST's format.

A picture in MNIST's format already stays as it is, inverted if it is dark on light. On any other
the digit is located (``localization``), cut out, scaled and centred (``mnist_format``).
"""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dlcli.errors import ImageError
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Located, PreprocessingTrace
from dlcli.vision.decode import FULL_SIZE, to_grey_or_rgb
from dlcli.vision.mnist_format import is_mnist_like
from dlcli.vision.rejection import ood_scores

if TYPE_CHECKING:
    from dlcli.vision.localization import Scorer


def preprocess(
    image: Image.Image, name: str, scorer: "Scorer" = ood_scores, *, explain: bool = False
) -> Located:
    """The digit on a picture in MNIST's format; with ``explain``, the steps that led to it.

    The scorer says how unlikely candidates are to be a digit: see ``locate_digit``.

    Raises
    ------
    ImageError
        The picture is damaged.
    """
    picture = to_grey_or_rgb(image, name)
    if picture.size == (IMAGE_SIDE, IMAGE_SIDE):
        levels = np.asarray(picture if picture.mode == "L" else picture.convert("L"))
        for light_on_dark in (levels, ~levels):
            if is_mnist_like(light_on_dark):
                return _as_it_is(light_on_dark, explain=explain)
    from dlcli.vision.localization import locate_digit  # and OpenCV

    size = image.info.get(FULL_SIZE, image.size)
    return locate_digit(picture, scorer, size=size, explain=explain)


def take_as_is(image: Image.Image, name: str, *, explain: bool = False) -> Located:
    """The grey levels of a 28x28 picture, without preprocessing.

    Raises
    ------
    ImageError
        It has another size, or is damaged.
    """
    if image.size != (IMAGE_SIDE, IMAGE_SIDE):
        raise ImageError(
            f"{name}: {image.width}x{image.height}, expected 28x28 for use without preprocessing"
        )
    return _as_it_is(np.asarray(to_grey_or_rgb(image, name).convert("L")), explain=explain)


def _as_it_is(levels: Pixels, *, explain: bool) -> Located:
    pixels = levels.reshape(-1)
    trace = PreprocessingTrace(Image.fromarray(levels)) if explain else None
    return Located(pixels, variants=pixels[np.newaxis], trace=trace)
