"""Whatever a file holds becomes an opaque image, or an ImageError."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dlcli.errors import ImageError
from dlcli.vision import decode, pipeline


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, colour_type: int, *chunks: bytes) -> io.BytesIO:
    """A PNG file whose header says what it likes; its pixels are those of 28x28."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0))
    content = chunk(b"IDAT", zlib.compress((b"\0" + b"\1" * 28) * 28)) + chunk(b"IEND", b"")
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + content)


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded():
    with pytest.raises(ImageError, match=r"^x: more than 120,000,000 pixels; make it smaller"):
        decode.read_image(png(50_000, 50_000, 0), "x")


def test_a_picture_that_takes_too_long_is_given_up(monkeypatch):
    file = io.BytesIO()
    Image.new("L", (40, 30)).save(file, "PNG")
    monkeypatch.setattr(decode, "_MAX_SECONDS", -1)
    monkeypatch.setattr(decode, "_UNCOUNTED_SECONDS", 0)
    with pytest.raises(ImageError, match=r"^x: takes more than -1 s to decode"):
        decode.read_image(file, "x")
    assert not file.closed


@pytest.mark.parametrize("source", ["path", "stream"])
def test_an_empty_file_is_reported_as_such(tmp_path, source):
    (tmp_path / "a.png").touch()
    empty = tmp_path / "a.png" if source == "path" else io.BytesIO()
    with pytest.raises(ImageError, match=r"^x: an empty file$"):
        decode.read_image(empty, "x")


def test_a_palette_without_the_transparent_entry_is_damaged():
    colours = chunk(b"PLTE", b"\xff\xff\xff\0\0\0")
    picture = decode.read_image(png(28, 28, 3, colours, chunk(b"tRNS", b"\x80" * 500)), "x")
    for prepare in (pipeline.preprocess, pipeline.take_as_is):
        with pytest.raises(ImageError, match=r"^x: damaged picture"):
            prepare(picture, "x")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file or directory"), "x: no such file"),
        (PermissionError(13, "Permission denied"), "x: cannot be read: Permission denied"),
        (OSError("image file is truncated"), "x: cannot be read: image file is truncated"),
        (SyntaxError("broken PNG file"), "x: damaged picture: broken PNG file"),
        (ZeroDivisionError("division by zero"), "x: damaged picture: division by zero"),
        (AssertionError(), "x: damaged picture: AssertionError"),
        (MemoryError(), "x: not enough memory to decode it"),
    ],
)
def test_whatever_pillow_raises_becomes_an_image_error(monkeypatch, error, message):
    def fail(_source):
        raise error

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageError) as raised:
        decode.read_image(io.BytesIO(b"x"), "x")
    assert str(raised.value) == message


@pytest.mark.parametrize("size", [(3, 3000), (3000, 3)])
def test_a_jpeg_may_be_a_thin_strip(tmp_path, size):
    Image.new("L", size, 255).save(tmp_path / "thin.jpg")
    found = decode.read_image(tmp_path / "thin.jpg", "thin.jpg")
    assert min(found.size) >= 1


def test_a_picture_of_no_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda _source: Image.new("L", (0, 5)))
    with pytest.raises(ImageError, match=r"^x: an empty picture \(0x5\)"):
        decode.read_image(io.BytesIO(b"x"), "x")


def test_postscript_is_refused_before_it_is_executed(tmp_path):
    path = tmp_path / "digit.eps"
    Image.new("L", (28, 28), 255).save(path)
    with pytest.raises(ImageError, match="PostScript is not read"):
        decode.read_image(path, "digit.eps")


def inked(paper: tuple[int, ...], ink: tuple[int, ...]) -> Image.Image:
    """A square of ink in the middle of paper."""
    picture = Image.new("RGBA", (40, 40), paper)
    picture.paste(ink, (10, 10, 20, 20))
    return picture


def levels_of(picture: Image.Image) -> np.ndarray:
    return np.asarray(decode.to_grey_or_rgb(picture, "x").convert("L")).astype(int)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (30, 60, 200)])
def test_what_is_opaque_on_transparency_is_a_stroke(colour):
    levels = levels_of(inked((90, 90, 90, 0), (*colour, 255)))
    assert levels[15, 15] == 255
    assert levels[5, 5] == 0


def test_a_page_with_transparent_corners_keeps_its_strokes():
    sheet = inked((250, 248, 240, 255), (20, 20, 60, 255))
    sheet.paste((0, 0, 0, 0), (0, 0, 6, 6))
    levels = levels_of(sheet)
    assert levels[15, 15] < 40
    assert levels[2, 2] == levels[30, 30] > 240


def test_a_transparent_digit_in_an_opaque_picture_is_a_digit():
    levels = levels_of(inked((10, 10, 10, 255), (10, 10, 10, 0)))
    assert levels[15, 15] == 0
    assert levels[5, 5] == 255


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (np.uint16, (0, 65535), (0, 255)),
        (np.uint16, (0, 4095), (0, 255)),
        (np.uint16, (7, 255), (7, 255)),
        (np.int32, (0, 65535), (0, 255)),
        (np.int32, (0, 200_000), (0, 255)),
        (np.float32, (0.0, 1.0), (0, 255)),
        (np.float32, (0.0, 0.5), (0, 127)),
        (np.float32, (-3.0, 255.0), (0, 255)),
    ],
)
def test_more_than_8_bits_are_scaled_to_8(kind, values, expected):
    picture = Image.fromarray(np.array([values], kind))
    assert tuple(levels_of(picture)[0]) == expected


def test_a_large_jpeg_is_decoded_at_a_reduced_size():
    file = io.BytesIO()
    Image.new("L", (4000, 3000), 200).save(file, "JPEG")
    file.seek(0)
    reduced = decode.read_image(file, "x")
    assert reduced.size == (500, 375)
    assert reduced.info[decode.FULL_SIZE] == (4000, 3000)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, -1e38])
def test_infinities_and_nan_do_not_change_other_pixels(odd):
    numbers = np.full((20, 20), 100, np.float32)
    numbers[5:15, 9:11] = 250
    numbers[0, 0] = odd
    levels = np.asarray(decode.to_grey_or_rgb(Image.fromarray(numbers), "x"))
    assert (levels[8, 9], levels[8, 3]) == (250, 100)


def test_levels_may_lie_below_zero():
    numbers = np.full((30, 30), -300, np.float32)
    numbers[10:20, 10:20] = -45
    levels = np.asarray(decode.to_grey_or_rgb(Image.fromarray(numbers), "x"))
    assert (levels[3, 3], levels[15, 15]) == (0, 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "F", "I;16", "LA", "LAB"])
def test_large_pictures_are_reduced(mode):
    for size, expected in (((4100, 3000), (293, 215)), ((4100, 30), (586, 5))):
        assert decode.to_grey_or_rgb(Image.new(mode, size), "x").size == expected


def test_an_opaque_picture_keeps_its_colours():
    picture = Image.new("RGBA", (30, 30), (200, 100, 50, 255))
    assert decode.to_grey_or_rgb(picture, "x").getpixel((3, 3)) == (200, 100, 50)


def preprocessed(picture: Image.Image) -> np.ndarray:
    pixels = pipeline.preprocess(picture, "x").pixels
    assert pixels is not None
    return pixels


def through_file(picture: Image.Image, kind: str, **options) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return decode.read_image(file, "x")


@pytest.fixture(scope="module")
def page(sample) -> Image.Image:
    """A page with a 7 of pure black on pure white: every kind of picture can hold it exactly."""
    digit = Image.fromarray(sample.test.images[0].reshape(28, 28)).resize((140, 140))
    white = Image.new("L", (200, 180), 255)
    white.paste(0, (20, 30), digit.point(lambda level: 255 * (level > 127)))
    return white


def layers(page, level: int, alpha) -> tuple[Image.Image, Image.Image]:
    """A single grey level and the transparency that makes the digit visible."""
    return Image.new("L", page.size, level), page.point(alpha)


def palette(page, colours: list[int], **options) -> Image.Image:
    picture = Image.fromarray((np.asarray(page) == 0).astype(np.uint8))
    picture.putpalette(colours)
    return through_file(picture, "PNG", **options)


def tinted(page, ink: tuple[int, int, int], paper: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", page.size, paper)
    picture.paste(ink, mask=page.point(lambda level: 255 - level))
    return picture


def rgba(page, ink: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", page.size, ink)
    picture.putalpha(page.point(lambda level: 255 - level))
    return picture


def deep(page, kind: type | np.dtype, ink: float, paper: float) -> Image.Image:
    return Image.fromarray(np.where(np.asarray(page) == 0, ink, paper).astype(kind))


KINDS = {
    "1": lambda page: page.convert("1"),
    "1 inverted": lambda page: page.point(lambda level: 255 - level).convert("1"),
    "L": lambda page: page,
    "LA opaque": lambda page: page.convert("LA"),
    "LA dark ink": lambda page: Image.merge("LA", layers(page, 30, lambda level: 255 - level)),
    "LA light ink": lambda page: Image.merge("LA", layers(page, 240, lambda level: 255 - level)),
    "L with a transparent level": lambda page: through_file(page, "PNG", transparency=255),
    "P": lambda page: palette(page, [255, 255, 255, 0, 0, 0]),
    "P light on dark": lambda page: palette(page, [0, 0, 80, 250, 255, 240]),
    "P dark ink on a transparent entry": lambda page: palette(
        page, [9, 9, 9, 0, 0, 40], transparency=0
    ),
    "P light ink on a transparent entry": lambda page: palette(
        page, [200, 200, 200, 255, 255, 255], transparency=0
    ),
    "P with an alpha for each entry": lambda page: palette(
        page, [80, 80, 80, 0, 0, 0], transparency=b"\x00\xff"
    ),
    "GIF": lambda page: through_file(page, "GIF"),
    "RGB": lambda page: page.convert("RGB"),
    "RGB blue on cream": lambda page: tinted(page, (20, 30, 140), (250, 240, 215)),
    "RGB yellow on navy": lambda page: tinted(page, (250, 230, 90), (10, 10, 60)),
    "RGB with a transparent colour": lambda page: through_file(
        page.convert("RGB"), "PNG", transparency=(255, 255, 255)
    ),
    "RGBA opaque": lambda page: page.convert("RGBA"),
    "RGBA dark ink": lambda page: rgba(page, (40, 0, 60)),
    "RGBA light ink": lambda page: rgba(page, (250, 255, 200)),
    "CMYK": lambda page: page.convert("CMYK"),
    "YCbCr": lambda page: page.convert("YCbCr"),
    "HSV": lambda page: page.convert("HSV"),
    "LAB": lambda page: Image.merge("LAB", [page, *[Image.new("L", page.size, 128)] * 2]),
    "I;16": lambda page: deep(page, np.uint16, 1000, 65000),
    "I;16 PNG": lambda page: through_file(deep(page, np.uint16, 64000, 300), "PNG"),
    "I;16B TIFF": lambda page: through_file(deep(page, np.dtype(">u2"), 0, 65535), "TIFF"),
    "I to 255": lambda page: deep(page, np.int32, 10, 250),
    "I to 65535": lambda page: deep(page, np.int32, 60000, 0),
    "F to 1": lambda page: deep(page, np.float32, 0.1, 0.9),
    "F to 255": lambda page: deep(page, np.float32, 240.0, 5.0),
    "F to 65535": lambda page: deep(page, np.float32, 0.0, 65535.0),
    "F with not-a-number for ink": lambda page: deep(page, np.float32, np.nan, 1.0),
    "BMP": lambda page: through_file(page, "BMP"),
    "JPEG": lambda page: through_file(page, "JPEG", quality=100),
    "WEBP": lambda page: through_file(page, "WEBP", lossless=True),
    "TIFF": lambda page: through_file(page.convert("CMYK"), "TIFF", compression="tiff_lzw"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_gives_the_same_pixels(page, kind):
    difference = np.abs(preprocessed(KINDS[kind](page)) - preprocessed(page).astype(int))
    assert difference.max() <= 80  # of the grey edges, which JPEG changes
    assert difference.mean() <= 2


def test_the_first_frame_of_an_animation_is_used(page):
    moving = through_file(
        page, "GIF", save_all=True, append_images=[Image.new("L", page.size, 255)] * 2
    )
    assert (preprocessed(moving) == preprocessed(page)).all()


# The transposition of an upright picture that a camera's orientation tag undoes, by EXIF 2.3,
# 4.6.4: 6 is "row 0 is the right-hand side, column 0 the top".
UNDOING = {
    1: [],
    2: [Image.Transpose.FLIP_LEFT_RIGHT],
    3: [Image.Transpose.ROTATE_180],
    4: [Image.Transpose.FLIP_TOP_BOTTOM],
    5: [Image.Transpose.TRANSPOSE],
    6: [Image.Transpose.ROTATE_90],
    7: [Image.Transpose.TRANSVERSE],
    8: [Image.Transpose.ROTATE_270],
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", UNDOING)
def test_pictures_are_turned_upright_by_their_exif_data(page, orientation, kind):
    turned = page
    for step in UNDOING[orientation]:
        turned = turned.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert (preprocessed(through_file(turned, kind, exif=exif)) == preprocessed(page)).all()


@pytest.mark.parametrize("exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"])
def test_damaged_exif_data_is_ignored(page, exif):
    with decode.ignore_warnings():
        found = preprocessed(through_file(page, "JPEG", quality=100, exif=exif))
    assert np.abs(found - preprocessed(page).astype(int)).mean() <= 2


def test_a_picture_is_turned_also_if_its_other_exif_data_are_damaged(page):
    """The make of the camera (0x010F) is a text; here it is a fraction, which cannot be written."""
    entries = struct.pack(">HHIIHHIHH", 0x010F, 5, 1, 38, 0x0112, 3, 1, 6, 0)
    exif = (
        b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4) + struct.pack(">II", 1, 1)
    )
    turned = page.transpose(Image.Transpose.ROTATE_90)
    with decode.ignore_warnings():
        found = preprocessed(through_file(turned, "PNG", exif=exif))
    assert (found == preprocessed(page)).all()
