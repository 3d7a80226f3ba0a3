"""Picture files to colours: whatever Pillow decodes, upright, in 8 bits, on opaque paper."""

import io
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import Image, UnidentifiedImageError

from dlcli.errors import ImageError
from dlcli.files import open_file
from dlcli.vision.morphology import quantiles

# JPEG decodes to an eighth, a quarter or a half at a fraction of the cost; more detail than
# this is never used.
_ENOUGH_DETAIL = (1000, 1000)
# What is larger is no picture of a digit, or it is made to fill the memory: decoding takes up to
# 13 bytes a pixel, of some formats 20, and of a JPEG, which is decoded small, 6.
MAX_BYTES = 250_000_000
_MAX_PIXELS = 40_000_000
_MAX_PIXELS_OF_JPEG = 120_000_000
_MAX_PIXELS_OF = {
    "JPEG": _MAX_PIXELS_OF_JPEG,
    "MPO": _MAX_PIXELS_OF_JPEG,
    "WEBP": 20_000_000,
    "AVIF": 20_000_000,
    "JPEG2000": 20_000_000,
}
# Of pictures with more pixels than a fifth of that, one is decoded at a time, however many threads
# there are.
_LARGE = 5
_ONE_LARGE = threading.Lock()
# Seconds of a core, after which a picture is given up; one of 40 million pixels takes up to 2.
_MAX_SECONDS = 4.0
# Full scales of pictures with more than 8 bits a pixel: a picture has the least that holds it.
_FULL_SCALES = (255, 4095, 65535)
# What is opaque holds paper and ink if it covers more than this share of the picture and its
# levels differ by more than this.
_PAPER_SHARE = 0.5
_PAPER_SPREAD = 60


def read_image(source: Path | BinaryIO, name: str) -> Image.Image:
    """Decode a picture, upright as its EXIF data says, large ones in less than full detail.

    Raises
    ------
    ImageError
        It cannot be read, or is no picture that Pillow knows, or is absurdly large or slow.
    """
    try:
        with _opened(source, name) as file, ExitStack() as alone:
            # Some decoders, as WebP's, take their memory when they are opened.
            alone.enter_context(_ONE_LARGE)
            with Image.open(file) as image:
                _refuse_programs(image, name)
                upright = _decoded(image, name, alone)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file") from error
    except UnidentifiedImageError as error:
        if _is_empty(source):
            raise ImageError(f"{name}: an empty file") from error
        raise ImageError(f"{name}: not a picture that Pillow can read") from error
    except Image.DecompressionBombError as error:  # so large that Pillow looks no further
        raise _too_large(name, _MAX_PIXELS_OF_JPEG) from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read: {error.strerror or error}") from error
    # Pillow's decoders answer broken files with whatever their parsing stumbles over.
    except Exception as error:
        raise ImageError(f"{name}: damaged picture: {error}") from error
    if not upright.width or not upright.height:
        raise ImageError(f"{name}: an empty picture ({upright.width}x{upright.height})")
    return upright


class _Patience(io.BufferedReader):
    """A picture's file, which is read until that has taken too long.

    Pillow's decoders come back for more again and again; what keeps them busy, such as millions
    of empty lines, is stopped there.
    """

    def __init__(self, raw: io.RawIOBase, name: str) -> None:
        super().__init__(raw)
        self._name = name
        self._end = time.thread_time() + _MAX_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        self._have_patience()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._have_patience()
        return super().readline(size)

    def _have_patience(self) -> None:
        if time.thread_time() > self._end:
            raise ImageError(f"{self._name}: takes more than {_MAX_SECONDS:g} s to decode")


@contextmanager
def _opened(source: Path | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A picture's file, if it is one and not absurdly large."""
    with ExitStack() as stack:
        file = stack.enter_context(open_file(source)) if isinstance(source, Path) else source
        if file.seek(0, os.SEEK_END) > MAX_BYTES:
            raise ImageError(f"{name}: more than {MAX_BYTES:,} bytes; make it smaller")
        file.seek(0)
        patience = _Patience(cast("io.RawIOBase", file), name)
        stack.callback(patience.detach)  # or it would close what the caller has opened
        yield patience


def _is_empty(source: Path | BinaryIO) -> bool:
    if isinstance(source, Path):
        return not source.stat().st_size and source.is_file()
    return not source.seek(0, os.SEEK_END)


def _too_large(name: str, most: int) -> ImageError:
    return ImageError(f"{name}: more than {most:,} pixels; make it smaller")


def _decoded(image: Image.Image, name: str, alone: ExitStack) -> Image.Image:
    """A picture's pixels, upright; of a large one, read ``alone``, no more than will be used."""
    size, most = image.width * image.height, _MAX_PIXELS_OF.get(image.format or "", _MAX_PIXELS)
    if size > most:
        raise _too_large(name, most)
    if image.format in {"JPEG", "MPO"}:
        image.draft("", _ENOUGH_DETAIL)
    if size > most / _LARGE:
        image.load()
        return to_grey_or_rgb(_upright(image), name)
    alone.close()
    image.load()
    return _upright(image)


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


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """Hear nothing of what Pillow remarks upon, such as a damaged EXIF block that is not used.

    All threads share what warnings are heard; so this goes around them, not into each.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_grey_or_rgb(image: Image.Image, name: str) -> Image.Image:
    """The picture in mode L or RGB, without transparency, its longest side below 2,000 pixels.

    Raises
    ------
    ImageError
        Its colours contradict each other, as a palette without the transparent entry does.
    """
    try:
        if image.mode == "LAB":
            return _shrunk(image.getchannel("L"))
        if image.mode.startswith(("I", "F")):
            return _shrunk(_from_deep(image))
        if image.has_transparency_data:
            return _without_transparency(image.convert("RGBA"))
        return _shrunk(image.convert("L" if image.mode in {"1", "L"} else "RGB"))
    except ValueError as error:
        raise ImageError(f"{name}: damaged picture: {error}") from error


def _shrunk(image: Image.Image) -> Image.Image:
    """At most twice as long as there is detail that is used."""
    factor = max(image.size) // _ENOUGH_DETAIL[0]
    return image.reduce(factor) if factor > 1 else image


def _from_deep(image: Image.Image) -> Image.Image:
    """More than 8 bits a pixel, brought to 0..255."""
    if image.mode in {"I", "F"}:
        image = _shrunk(image)
    levels = np.array(image, dtype=np.float32)
    np.nan_to_num(levels, copy=False, posinf=0, neginf=0)
    largest = float(levels.max())
    if image.mode == "F" and largest <= 1:
        full_scale = 1.0
    else:
        full_scale = next((scale for scale in _FULL_SCALES if largest <= scale), largest)
    levels /= full_scale
    np.clip(levels, 0, 1, out=levels)
    levels *= 255
    return Image.fromarray(levels.astype(np.uint8))


def _without_transparency(image: Image.Image) -> Image.Image:
    """What is opaque is ink, whatever its colour; unless it is paper with ink on it."""
    if image.getchannel("A").getextrema() == (255, 255):
        return _shrunk(image.convert("RGB"))
    # With colours multiplied by their opacity, what is transparent adds none to a mean.
    image = _shrunk(image.convert("RGBa")).convert("RGBA")
    opacity, colours = image.getchannel("A"), image.convert("RGB")
    opaque = np.asarray(opacity) >= 128
    if opaque.mean() > _PAPER_SHARE:
        channels = np.asarray(colours)[opaque].T
        low, paper, high = np.array([quantiles(c, 0.01, 0.5, 0.99) for c in channels]).T
        if (high - low).max() > _PAPER_SPREAD:
            filled = Image.new("RGB", image.size, tuple(paper.astype(int).tolist()))
            filled.paste(colours, mask=opacity)
            return filled
    return opacity
