"""Any picture of a digit to the 28x28 that MNIST would have held.

MNIST's own recipe: the digit, light on dark, is scaled to fit a box of 20x20 with its aspect
ratio kept and its edges antialiased, and placed in 28x28 with its centre of mass in the
middle. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits". A picture
that is like that already passes through unchanged.
"""

import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from dlcli.dimensions import IMAGE_SIDE
from dlcli.errors import ImageError
from dlcli.files import atomic_write

Pixels = npt.NDArray[np.uint8]
_Levels = npt.NDArray[np.float32]

_DIGIT_SIDE = 20
_CENTRE = 14
# Over all 70,000 images of MNIST: the centre of mass lies within 0.52 pixels of pixel 14, the
# digit is at most 20 pixels long, and the border's mean is at most 8.4 (of 255).
_CENTRE_TOLERANCE = 0.6
_DARK_BORDER = 16.0
# What differs from the paper by less than this is no ink but noise.
_FAINTEST_INK = 24.0
# Ink is what reaches this share of the strongest ink; less is the blur of a stroke's edge.
_INK_SHARE = 0.25


def read(source: Path | BinaryIO, name: str) -> Image.Image:
    """Decode a picture, upright as its EXIF data says.

    Raises
    ------
    ImageError
        It cannot be read, or is no picture that Pillow knows, or is absurdly large.
    """
    try:
        with warnings.catch_warnings():
            # A picture above Pillow's size limit is refused, not just remarked upon; a warning
            # about a damaged EXIF block is about nothing that is used here.
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                _refuse_programs(image, name)
                image.load()
                upright = _upright(image)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name}: not a picture that Pillow can read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name}: more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels are refused"
        ) from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror or error}") from error
    # Pillow's decoders answer broken files with whatever their parsing stumbles over.
    except Exception as error:
        raise ImageError(f"{name}: damaged picture: {error}") from error
    if not upright.width or not upright.height:
        raise ImageError(f"{name}: an empty picture ({upright.width}x{upright.height})")
    return upright


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as its EXIF data says."""
    if not image.getexif():
        return image
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _refuse_programs(image: Image.Image, name: str) -> None:
    """Refuse PostScript, which Pillow would hand to Ghostscript to run."""
    if image.format == "EPS":
        raise ImageError(f"{name}: PostScript is not read; convert it to PNG first")


def prepare(image: Image.Image, name: str) -> Pixels:
    """The 28x28 that MNIST would have held, shape (784,), 0 (paper) to 255 (ink).

    Raises
    ------
    ImageError
        The picture is blank or damaged.
    """
    levels = to_levels(image, name)
    if _is_dark_on_light(levels):
        levels = 255 - levels
    if _is_like_mnist(levels):
        return levels.astype(np.uint8).reshape(-1)
    ink = _ink(levels)
    if ink is None:
        raise ImageError(f"{name}: blank: there is no ink on it")
    return _centre(_fit(_crop(ink))).reshape(-1)


def plain(image: Image.Image, name: str) -> Pixels:
    """A 28x28 picture's own grey levels, shape (784,), without any preparation.

    Raises
    ------
    ImageError
        It has another size, or is damaged.
    """
    if image.size != (IMAGE_SIDE, IMAGE_SIDE):
        raise ImageError(
            f"{name}: {image.width}x{image.height}, expected 28x28 for use without preprocessing"
        )
    return to_levels(image, name).astype(np.uint8).reshape(-1)


def write_pixels(pixels: Pixels, path: Path) -> None:
    """Write a 28x28 picture, shape (784,), as a PNG file."""
    with atomic_write(path, durable=False) as file:
        Image.fromarray(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE)).save(file, format="PNG")


def to_levels(image: Image.Image, name: str) -> _Levels:
    """Grey levels from 0 (black) to 255 (white), shape (height, width), of any kind of image.

    Raises
    ------
    ImageError
        Its colours contradict each other, as a palette without the transparent entry does.
    """
    try:
        return _grey(image)
    except ValueError as error:
        raise ImageError(f"{name}: damaged picture: {error}") from error


def _grey(image: Image.Image) -> _Levels:
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "LAB":
        image = image.getchannel("L")
    if image.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(image, dtype=np.float32), image.mode)
    if image.has_transparency_data:
        image = _on_contrasting_paper(image.convert("RGBA"))
    return np.asarray(image.convert("L"), dtype=np.float32)


def _from_deep(levels: _Levels, mode: str) -> _Levels:
    """More than 8 bits a pixel, brought to 0..255: by the mode's range, or its values'."""
    levels = np.nan_to_num(levels)
    largest = float(levels.max())
    if mode.startswith("I;16") or largest > 255:
        full_scale = 65535.0
    else:
        full_scale = 1.0 if mode == "F" and largest <= 1 else 255.0
    scaled: _Levels = np.clip(levels / full_scale * 255, 0, 255)
    return scaled


def _on_contrasting_paper(image: Image.Image) -> Image.Image:
    """Ink on transparency, laid on white if it is dark and on black if it is light."""
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32)
    levels = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32)
    weight = float(alpha.sum())
    ink_level = float((levels * alpha).sum()) / weight if weight else 0.0
    paper = (255, 255, 255, 255) if ink_level < 128 else (0, 0, 0, 255)
    return Image.alpha_composite(Image.new("RGBA", image.size, paper), image)


def _border_level(levels: _Levels) -> float:
    """The paper's level: the median along the picture's edge."""
    edge = np.sort(np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]]))
    # Not np.median, which imports numpy.ma: 5 ms of the 120 that one prediction takes.
    return float(edge[(edge.size - 1) // 2] + edge[edge.size // 2]) / 2


def _is_dark_on_light(levels: _Levels) -> bool:
    """Whether what differs most from the paper, however light that is, is darker than it."""
    paper = _border_level(levels)
    return paper - float(levels.min()) > float(levels.max()) - paper


def _is_like_mnist(levels: _Levels) -> bool:
    if levels.shape != (IMAGE_SIDE, IMAGE_SIDE) or levels.max() < _FAINTEST_INK:
        return False
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    rows, columns = _extent(levels > 0)
    row, column = _centre_of_mass(levels)
    return bool(
        border.mean() <= _DARK_BORDER
        and max(rows.stop - rows.start, columns.stop - columns.start) <= _DIGIT_SIDE
        and abs(row - _CENTRE) <= _CENTRE_TOLERANCE
        and abs(column - _CENTRE) <= _CENTRE_TOLERANCE
    )


def _ink(levels: _Levels) -> _Levels | None:
    """How much of each pixel is ink, 0 to 255, on paper darker than it; None if none is."""
    ink: _Levels = np.clip(levels - _border_level(levels), 0, None)
    strongest = float(ink.max())
    return None if strongest < _FAINTEST_INK else ink * (255 / strongest)


def _crop(ink: _Levels) -> _Levels:
    return ink[_extent(ink >= _INK_SHARE * 255)]


def _fit(digit: _Levels) -> _Levels:
    """Scale to fit 20x20, the aspect ratio kept, each pixel the mean of the area it covers."""
    height, width = digit.shape
    scale = _DIGIT_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(digit).resize(size, filter_), dtype=np.float32)
    clipped: _Levels = np.clip(resized, 0, 255)
    # Averaging thins out a fine stroke; its core must be as strong as before.
    return clipped * (255 / max(float(clipped.max()), 1.0))


def _centre(digit: _Levels) -> Pixels:
    """Place a digit of at most 20x20 in 28x28 with its centre of mass on pixel 14."""
    row, column = _centre_of_mass(digit)
    height, width = digit.shape
    top = min(max(_CENTRE - round(row), 0), IMAGE_SIDE - height)
    left = min(max(_CENTRE - round(column), 0), IMAGE_SIDE - width)
    result = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    result[top : top + height, left : left + width] = np.rint(digit)
    return result


def _extent(marked: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of the smallest box that holds everything marked."""
    rows = np.flatnonzero(marked.any(axis=1))
    columns = np.flatnonzero(marked.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _centre_of_mass(levels: npt.NDArray[Any]) -> tuple[float, float]:
    total = float(levels.sum())
    height, width = levels.shape
    row = float(levels.sum(axis=1) @ np.arange(height)) / total
    column = float(levels.sum(axis=0) @ np.arange(width)) / total
    return row, column
