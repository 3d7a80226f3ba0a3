"""Any picture of a digit to the 28x28 that MNIST would have held.

MNIST's own recipe: the digit, light on dark, is scaled to fit a box of 20x20 with its aspect
ratio kept and its edges antialiased, and placed in 28x28 with its centre of mass in the
middle. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits". A picture
that is like that already passes through unchanged.

Any other is looked at (see ``views``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.errors import ImageError
from dlcli.files import atomic_write
from dlcli.nn.types import Pixels
from dlcli.vision import localization
from dlcli.vision.decode import to_colours
from dlcli.vision.localization import Steps
from dlcli.vision.mnist_format import CENTRE, DIGIT_SIDE, centre_of_mass, extent

# Over all 70,000 images of MNIST: the centre of mass lies within 0.52 pixels of pixel 14, the
# digit is at most 20 pixels long, and the border's mean is at most 8.4 (of 255).
_CENTRE_TOLERANCE = 0.6
_DARK_BORDER = 16.0
_FAINTEST_INK = 24.0

# In a grid of pictures.
_ENLARGED = 3
_GAP = 4


@dataclass(frozen=True)
class Prepared:
    """What became of a picture.

    Attributes
    ----------
    pixels
        The 28x28, shape (784,), 0 (paper) to 255 (ink); None: there is nothing on the picture.
    unchanged
        Whether it was like MNIST's own.
    doubt
        Why it does not show one digit, if it does not.
    steps
        What was seen on the way, if that was asked for.
    """

    pixels: Pixels | None
    unchanged: bool = False
    doubt: str | None = None
    steps: Steps | None = None


def prepare(image: Image.Image, name: str, *, explain: bool = False) -> Prepared:
    """The 28x28 that MNIST would have held.

    With ``explain``, what was seen on the way is kept.

    Raises
    ------
    ImageError
        The picture is damaged.
    """
    picture = to_colours(image, name)
    if picture.size == (IMAGE_SIDE, IMAGE_SIDE):
        levels = np.asarray(picture.convert("L"))
        for light_on_dark in (levels, 255 - levels):
            if _is_like_mnist(light_on_dark):
                return _unchanged(light_on_dark, explain=explain)
    seen = localization.look_at(picture)
    steps = localization.shrunk(seen.steps) if explain else None
    return Prepared(seen.pixels, doubt=seen.doubt, steps=steps)


def plain(image: Image.Image, name: str, *, explain: bool = False) -> Prepared:
    """A 28x28 picture's own grey levels, without any preparation.

    Raises
    ------
    ImageError
        It has another size, or is damaged.
    """
    if image.size != (IMAGE_SIDE, IMAGE_SIDE):
        raise ImageError(
            f"{name}: {image.width}x{image.height}, expected 28x28 for use without preprocessing"
        )
    return _unchanged(np.asarray(to_colours(image, name).convert("L")), explain=explain)


def _unchanged(levels: Pixels, *, explain: bool) -> Prepared:
    steps = Steps(Image.fromarray(levels)) if explain else None
    return Prepared(levels.reshape(-1), unchanged=True, steps=steps)


def write_pixels(pixels: Pixels, path: Path) -> None:
    """Write a 28x28 picture, shape (784,), as a PNG file."""
    with atomic_write(path, durable=False) as file:
        Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)).save(file, format="PNG")


def write_grid(rows: Sequence[Pixels], path: Path) -> None:
    """Write pictures as one PNG file, enlarged, a row for each array of shape (n, 784)."""
    side = _ENLARGED * IMAGE_SIDE
    width = max(len(row) for row in rows)
    grid = Image.new("L", (width * (side + _GAP) + _GAP, len(rows) * (side + _GAP) + _GAP), 90)
    for down, row in enumerate(rows):
        for across, pixels in enumerate(row):
            picture = Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE))
            place = (_GAP + across * (side + _GAP), _GAP + down * (side + _GAP))
            grid.paste(picture.resize((side, side), Image.Resampling.NEAREST), place)
    with atomic_write(path, durable=False) as file:
        grid.save(file, format="PNG")


def _is_like_mnist(levels: Pixels) -> bool:
    if levels.max() < _FAINTEST_INK:
        return False
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    if border.mean() > _DARK_BORDER:
        return False
    rows, columns = extent(levels > 0)
    row, column = centre_of_mass(levels)
    return bool(
        max(rows.stop - rows.start, columns.stop - columns.start) <= DIGIT_SIDE
        and abs(row - CENTRE) <= _CENTRE_TOLERANCE
        and abs(column - CENTRE) <= _CENTRE_TOLERANCE
    )
