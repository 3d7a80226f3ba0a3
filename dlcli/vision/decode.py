"""Picture files to 8-bit grey or RGB images, upright and without transparency, by Pillow."""

import io
import os
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from dlcli.errors import ImageError
from dlcli.files import open_file
from dlcli.vision.grey_png import read_grey_png

# Pictures are reduced by an integer factor to a longer side of at least this, strips to twice this.
# JPEG files are decoded at a half, a quarter or an eighth of their size, which is much faster: a
# photograph of 1152x868 pixels takes 1.8 ms at a quarter, 3.2 at a half and 6.0 as a whole.
USEFUL_SIDE_PX = 288
_MIN_STRIP_ASPECT = 4
# The useful side of a page of many digits: those a fortieth of the page high then have 25 pixels,
# more than the 20 of MNIST's.
PAGE_SIDE_PX = 1000
# The key in ``Image.info`` of the size of an upright picture before it was reduced, in pixels.
FULL_SIZE = "dlcli_full_size"
# The orientations of EXIF that swap width and height.
_SWAPPED = (5, 6, 7, 8)
# Larger files and pictures are refused, because they could fill the memory: decoding takes up to
# 13 bytes a pixel, for some formats 20, and for JPEG, which is decoded at a reduced size, 6.
MAX_BYTES = 250_000_000
_MAX_PIXELS = 40_000_000
_MAX_PIXELS_OF_JPEG = 120_000_000
_MAX_PIXELS_BY_FORMAT = {
    "JPEG": _MAX_PIXELS_OF_JPEG,
    "MPO": _MAX_PIXELS_OF_JPEG,
    "WEBP": 20_000_000,
    "AVIF": 20_000_000,
    "JPEG2000": 20_000_000,
    "HEIF": 50_000_000,  # phones take up to 48 million
}
# Pictures above this fraction of the limit are decoded one at a time, in however many threads.
_LARGE_FRACTION = 1 / 5
_LARGE_PICTURE_LOCK = threading.Lock()
# Formats whose pages or frames are pictures of their own. In others (MPO, PSD, icons) they are
# views, layers or sizes of one picture, and the first stands for all.
_WITH_PAGES = {"TIFF", "GIF", "PNG", "WEBP", "AVIF", "HEIF", "DCX", "FLI"}
_MAX_PAGES = 1_000  # a scanned book; more are taken for a film, or an attack
# A page's kind in TIFF 6.0, section 8: bits of the tag NewSubfileType.
_NEW_SUBFILE_TYPE, _REDUCED_IMAGE, _MASK = 254, 1, 4
# What HEIC files, photographs of phones, name as their kind after "ftyp" (ISO/IEC 23008-12).
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_PDF_HEADER = b"%PDF-"
# CPU time after which decoding a page is given up; a picture of 40 million pixels takes up to 2 s.
_MAX_SECONDS = 4.0
# Only after so many seconds on the clock is the CPU time counted: asking for it is a system call,
# which can take as long as decoding a small picture.
_UNCOUNTED_SECONDS = 0.1
# White in pictures of 8, 12 and 16 bits; the first that is not below the largest value is used.
_FULL_SCALES = (255, 4095, 65535)
# The opaque part of a picture is a page with something on it, and not the strokes themselves, if it
# covers more than this fraction and its levels, of 255, differ by more than this.
_MIN_PAGE_FRACTION = 0.2
_MIN_PAGE_CONTRAST = 60
# Pictures that Pillow may read only with a library beside it; without that they are reported, and
# not passed over like other files.
_NEED_MORE_THAN_PILLOW = {".heic", ".heif", ".hif", ".avif"}


def picture_suffixes() -> set[str]:
    """The endings of picture files, such as ``.png``, in lower case."""
    Image.preinit()  # so that files are first tried as those of the usual formats
    Image.init()
    kinds = Image.registered_extensions().items()
    return {suffix for suffix, kind in kinds if kind in Image.OPEN} | _NEED_MORE_THAN_PILLOW


def read_image(
    source: Path | BinaryIO, name: str, useful_side: int = USEFUL_SIDE_PX
) -> Image.Image:
    """Decode a picture, the first page of a file that has several; raise as :func:`read_pages`.

    Raises
    ------
    ImageError
        It cannot be read, Pillow does not know its format, it is too large, or decoding takes
        too long.
    """
    with closing(read_pages(source, name, useful_side)) as pages:
        _, page = next(pages)
    if isinstance(page, ImageError):
        raise page
    return page


def read_pages(
    source: Path | BinaryIO, name: str, useful_side: int = USEFUL_SIDE_PX
) -> Generator[tuple[str, Image.Image | ImageError]]:
    """Decode a file's pictures, turned upright by their EXIF data; large ones are reduced in size.

    The pages of a TIFF file and the frames of an animation are pictures of their own; the second
    is named ``name#2``. One that cannot be used comes as the error that says why. No picture is
    reduced to less than the useful side, in pixels.
    """
    try:
        with open_file(source) if isinstance(source, Path) else nullcontext(source) as file:
            small = read_grey_png(file)
            if small is not None:
                yield name, small
                return
            reader = _TimeLimitedReader(file, name)
            try:
                yield from _pages_of(reader, name, useful_side)
            finally:
                reader.detach()  # so that the caller's file stays open
    except Exception as error:  # noqa: BLE001 - Pillow raises all kinds on broken files
        yield name, _as_image_error(error, name, source)


def _pages_of(
    file: "_TimeLimitedReader", name: str, useful_side: int
) -> Iterator[tuple[str, Image.Image | ImageError]]:
    """The pages of a file; raise whatever opening it raises, or decoding its only page."""
    # Some decoders, such as WebP's, allocate memory when they are opened.
    with _LARGE_PICTURE_LOCK:
        image = _open_image(file, name)
        has_pages = image.format in _WITH_PAGES and getattr(image, "is_animated", False)
    with image:
        if has_pages:
            yield from _many_pages(image, file, name, useful_side)
        else:
            yield name, _page(image, name, useful_side)


def _many_pages(
    image: Image.Image, file: "_TimeLimitedReader", name: str, useful_side: int
) -> Iterator[tuple[str, Image.Image | ImageError]]:
    """The pages of an opened file that has several."""
    for index in range(_MAX_PAGES + 1):
        page_name = f"{name}#{index + 1}" if index else name
        file.restart_clock()
        try:
            image.seek(index)
            is_picture = index == 0 or not _is_thumbnail(image)
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 - as above
            yield page_name, _as_image_error(error, page_name)
            return
        if index == _MAX_PAGES:
            yield page_name, ImageError(f"{page_name}: the pages from here on are left out")
            return
        try:
            if is_picture:
                yield page_name, _page(image, page_name, useful_side).copy()
        except Exception as error:  # noqa: BLE001 - as above
            yield page_name, _as_image_error(error, page_name)
            if image.format != "TIFF":  # a frame is drawn over the one before it
                return


def _is_thumbnail(image: Image.Image) -> bool:
    """Whether a page of a TIFF file is a smaller version or a mask of another page."""
    kind = getattr(image, "tag_v2", {}).get(_NEW_SUBFILE_TYPE)
    return isinstance(kind, int) and bool(kind & (_REDUCED_IMAGE | _MASK))


def _page(image: Image.Image, name: str, useful_side: int) -> Image.Image:
    """Decode the page that an opened file is at, and turn it upright; a large one alone."""
    size, pixels = image.size, image.width * image.height
    max_pixels = _MAX_PIXELS_BY_FORMAT.get(image.format or "", _MAX_PIXELS)
    if pixels > max_pixels:
        raise _too_large(name, max_pixels)
    if not pixels:
        raise ImageError(f"{name}: an empty picture ({image.width}x{image.height})")
    if image.format in {"JPEG", "MPO"}:
        factor = _reduction(image.size, useful_side)
        image.draft("", (max(1, image.width // factor), max(1, image.height // factor)))
    is_large = pixels > max_pixels * _LARGE_FRACTION
    with _LARGE_PICTURE_LOCK if is_large else nullcontext():
        image.load()
        orientation = _orientation(image)
        image = upright(image)
        if is_large:  # reduce it while no other is in memory
            image = to_grey_or_rgb(image, name, useful_side)
    image.info[FULL_SIZE] = size[::-1] if orientation in _SWAPPED else size
    return image


def _orientation(image: Image.Image) -> int:
    """How a picture is turned, as its EXIF data say; 1, which is upright, if these are damaged."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's parser raises all kinds; the pixels are fine
        return 1


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(image: Image.Image) -> Image.Image:
    """A picture turned as its EXIF data say; Pillow's function fails where others are damaged."""
    if (turn := _TURNS.get(_orientation(image))) is None:
        return image
    turned = image.transpose(turn)
    for key in ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"):
        turned.info.pop(key, None)
    return turned


def _as_image_error(
    error: Exception, name: str, source: Path | BinaryIO | None = None
) -> ImageError:
    """What opening or decoding raised, for users."""
    if isinstance(error, ImageError):
        return error
    if isinstance(error, FileNotFoundError):
        return ImageError(f"{name}: no such file")
    if isinstance(error, UnidentifiedImageError):
        return ImageError(f"{name}: {_unidentified(source)}")
    if isinstance(error, Image.DecompressionBombError):  # Pillow's own limit
        return _too_large(name, _MAX_PIXELS_OF_JPEG)
    if isinstance(error, OSError):
        return ImageError(f"{name}: cannot be read: {error.strerror or error}")
    if isinstance(error, MemoryError):
        return ImageError(f"{name}: not enough memory to decode it")
    return ImageError(f"{name}: damaged picture: {str(error) or type(error).__name__}")


def _open_image(file: BinaryIO, name: str) -> Image.Image:
    """Open a picture with Pillow, or with pillow-heif, which it is told of where it is needed."""
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        file.seek(0)
        header = file.read(12)
        if header[4:8] != b"ftyp" or header[8:] not in _HEIF_BRANDS:
            raise
    else:
        if image.format == "EPS":  # Pillow would let Ghostscript execute it
            raise ImageError(f"{name}: PostScript is not read; convert it to PNG first")
        return image
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif; get it with: pip install 'dlcli[heif]'"
        ) from error
    register_heif_opener()
    file.seek(0)
    return Image.open(file)


class _TimeLimitedReader(io.BufferedReader):
    """A file that can be read for a limited CPU time.

    Pillow's decoders read in small pieces, so this stops a file that keeps one busy, for example
    with millions of empty lines.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        if file.seek(0, os.SEEK_END) > MAX_BYTES:
            raise ImageError(f"{name}: more than {MAX_BYTES:,} bytes; make it smaller")
        file.seek(0)
        super().__init__(cast("io.RawIOBase", file))
        self._name = name
        self.restart_clock()

    def restart_clock(self) -> None:
        """Give the next page the whole time."""
        self._start = time.monotonic()
        self._end: float | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_time()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        self._check_time()
        return super().readline(size)

    def _check_time(self) -> None:
        if time.monotonic() - self._start < _UNCOUNTED_SECONDS:
            return
        now = time.thread_time()
        if self._end is None:
            self._end = now + _MAX_SECONDS
        if now > self._end:
            raise ImageError(f"{self._name}: takes more than {_MAX_SECONDS:g} s to decode")


def _unidentified(source: Path | BinaryIO | None) -> str:
    """What a file is that Pillow does not know."""
    header = b"unknown"
    if isinstance(source, Path) and source.is_file():
        with source.open("rb") as file:
            header = file.read(len(_PDF_HEADER))
    elif source is not None and not isinstance(source, Path):
        source.seek(0)
        header = source.read(len(_PDF_HEADER))
    if header == _PDF_HEADER:
        return "a PDF; make pictures of its pages first, as in: pdftoppm -png scan.pdf page"
    return "not a picture that Pillow can read" if header else "an empty file"


def _too_large(name: str, max_pixels: int) -> ImageError:
    return ImageError(f"{name}: more than {max_pixels:,} pixels; make it smaller")


@contextmanager
def ignore_warnings() -> Iterator[None]:
    """Ignore Pillow's warnings, for example of damaged EXIF data that is not needed.

    The filters of warnings are shared by all threads, so enter this before starting them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def to_grey_or_rgb(image: Image.Image, name: str, useful_side: int = USEFUL_SIDE_PX) -> Image.Image:
    """Convert to mode L or RGB without transparency, below twice the useful side in pixels.

    Raises
    ------
    ImageError
        Its colours are inconsistent: the transparent entry is missing in the palette.
    """
    try:
        if image.mode == "LAB":
            return _reduced(image.getchannel("L"), useful_side)
        if image.mode.startswith(("I", "F")):
            return _reduced(_from_deep(image, useful_side), useful_side)
        if image.has_transparency_data:
            return _without_transparency(image.convert("RGBA"), useful_side)
        if image.mode not in {"L", "RGB"}:
            image = image.convert("L" if image.mode == "1" else "RGB")
        return _reduced(image, useful_side)
    except Exception as error:  # Pillow raises all kinds, as AssertionError without a palette
        raise _as_image_error(error, name) from error


def _reduced(image: Image.Image, useful_side: int) -> Image.Image:
    factor = _reduction(image.size, useful_side)
    return image.reduce(factor) if factor > 1 else image


def _reduction(size: tuple[int, int], useful_side: int) -> int:
    """The integer factor by which a picture is reduced."""
    shorter, longer = sorted(size)
    is_strip = longer >= _MIN_STRIP_ASPECT * shorter
    return max(1, longer // (2 * useful_side if is_strip else useful_side))


def _from_deep(image: Image.Image, useful_side: int) -> Image.Image:
    """Scale more than 8 bits a pixel to 0..255."""
    if image.mode in {"I", "F"}:
        image = _reduced(image, useful_side)
    levels = np.array(image, dtype=np.float32)
    np.nan_to_num(levels, copy=False, posinf=0, neginf=0)
    if levels.max() <= 0:  # all of it is below 0
        levels -= levels.min()
    largest = float(levels.max())
    if image.mode == "F" and largest <= 1:
        full_scale = 1.0
    else:
        full_scale = next((scale for scale in _FULL_SCALES if largest <= scale), largest)
    levels /= full_scale
    np.clip(levels, 0, 1, out=levels)
    levels *= 255
    return Image.fromarray(levels.astype(np.uint8))


def _without_transparency(image: Image.Image, useful_side: int) -> Image.Image:
    """Take the opaque part as the strokes, whatever its colour, unless it is a page."""
    if image.getchannel("A").getextrema() == (255, 255):
        return _reduced(image.convert("RGB"), useful_side)
    # Premultiplied, so that transparent pixels do not add their colour to a mean.
    image = _reduced(image.convert("RGBa"), useful_side).convert("RGBA")
    opacity, colours = image.getchannel("A"), image.convert("RGB")
    opaque = np.asarray(opacity) >= 128
    if opaque.mean() > _MIN_PAGE_FRACTION:
        low, page, high = np.quantile(np.asarray(colours)[opaque], (0.01, 0.5, 0.99), axis=0)
        if (high - low).max() > _MIN_PAGE_CONTRAST:
            filled = Image.new("RGB", image.size, tuple(page.astype(int).tolist()))
            filled.paste(colours, mask=opacity)
            return filled
    return opacity
