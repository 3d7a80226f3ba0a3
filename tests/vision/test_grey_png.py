"""Grey PNG files of 28x28 pixels are read fast, and others as Pillow reads them."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from dlcli.errors import ImageError
from dlcli.vision import decode
from dlcli.vision.grey_png import read_grey_png


def png(picture: Image.Image, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def digits(sample) -> list[Image.Image]:
    return [Image.fromarray(pixels.reshape(28, 28)) for pixels in sample.test.images[:50]]


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_images_come_back_as_they_were_written(digits, level):
    for digit in digits:
        found = read_grey_png(io.BytesIO(png(digit, compress_level=level)))
        assert found is not None
        assert (found.mode, found.size) == ("L", (28, 28))
        assert found.tobytes() == digit.tobytes()


def test_noise_comes_back_as_it_was_written():
    noise = np.random.default_rng(0).integers(256, size=(28, 28), dtype=np.uint8)
    found = read_grey_png(io.BytesIO(png(Image.fromarray(noise))))
    assert found is not None
    assert (np.asarray(found) == noise).all()


def text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("who", "me")
    return info


def upright() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    return exif


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        (Image.new("L", (27, 28)), {}),
        (Image.new("RGB", (28, 28)), {}),
        (Image.new("1", (28, 28)), {}),
        (Image.new("LA", (28, 28)), {}),
        (Image.new("L", (28, 28)), {"transparency": 0}),
        (Image.new("L", (28, 28)), {"exif": upright()}),
        (Image.new("L", (28, 28)), {"pnginfo": text()}),
        (
            Image.new("L", (28, 28)),
            {"save_all": True, "append_images": [Image.new("L", (28, 28), 9)]},
        ),
    ],
    ids=["size", "colours", "one bit", "opacity", "transparency", "EXIF", "text", "animation"],
)
def test_whatever_has_more_in_it_is_left_to_pillow(picture, options):
    content = png(picture, **options)
    assert read_grey_png(io.BytesIO(content)) is None
    found = decode.read_image(io.BytesIO(content), "x")
    assert (found.mode, found.size) == (picture.mode, picture.size)


def with_pixels(pixels: bytes) -> bytes:
    """A PNG file with a right checksum around whatever its pixels are."""
    start = png(Image.new("L", (28, 28)))[:33]
    chunk = b"IDAT" + pixels
    end = struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IEND\xaeB`\x82"
    return start + struct.pack(">I", len(pixels)) + chunk + end


def test_damaged_files_are_left_to_pillow_which_says_what_is_wrong(digits):
    whole = png(digits[0])
    middle = len(whole) // 2
    damaged = {
        "checksum": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "filter": with_pixels(zlib.compress(bytes([9]) * 29 * 28)),
        "no zlib": with_pixels(b"pixels"),
        "nothing": with_pixels(b""),
    }
    for kind, content in damaged.items():
        assert read_grey_png(io.BytesIO(content)) is None, kind
        with pytest.raises(ImageError, match=r"^x: "):
            decode.read_image(io.BytesIO(content), "x")


def test_a_file_with_more_behind_its_end_is_read_by_pillow(digits):
    content = png(digits[0]) + b"more"
    assert read_grey_png(io.BytesIO(content)) is None
    assert decode.read_image(io.BytesIO(content), "x").tobytes() == digits[0].tobytes()


def test_a_file_is_read_from_its_beginning_wherever_it_was_left(digits):
    file = io.BytesIO(png(digits[0]))
    file.seek(20)
    assert decode.read_image(file, "x").tobytes() == digits[0].tobytes()
