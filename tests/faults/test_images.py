"""Pictures from strangers: each gets a prediction or an error, in order, within limits."""

import functools
import io
import json
import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from pillow_heif import register_heif_opener

from tests.faults.hostile import MAX_MEMORY, assert_civil, run_apart

Files = dict[str, bytes]
SAVED_AS = {
    "PNG": ("L", "RGB", "RGBA", "P", "1", "I;16", "LA"),
    "JPEG": ("L", "RGB", "CMYK"),
    "MPO": ("RGB",),
    "GIF": ("L", "P"),
    "BMP": ("L", "RGB", "1"),
    "DIB": ("RGB",),
    "TIFF": ("L", "RGB", "F", "I;16", "CMYK", "LAB", "1"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB",),
    "HEIF": ("RGB", "RGBA"),
    "JPEG2000": ("L", "RGB"),
    "PPM": ("L", "RGB", "1", "F"),
    "PCX": ("L", "RGB", "P"),
    "TGA": ("L", "RGBA"),
    "SGI": ("L", "RGB"),
    "ICO": ("RGBA",),
    "ICNS": ("RGBA",),
    "DDS": ("RGBA",),
    "MSP": ("1",),
    "QOI": ("RGB",),
    "SPIDER": ("F",),
    "XBM": ("1",),
    "BLP": ("P",),
}


def drawing(mode: str) -> Image.Image:
    """A stroke on a background, in any mode."""
    picture = Image.new("L", (48, 40), 230)
    picture.paste(20, (20, 6, 26, 34))
    if mode == "LAB":
        return Image.merge("LAB", (picture,) * 3)
    if mode == "I;16":
        return picture.convert("I").convert("I;16")
    return picture.convert(mode)


def encoded(kind: str, mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    drawing(mode).save(file, kind, **options)
    # Where Pillow 12.0 has saved SPIDER without a name, it takes all such names for pictures'.
    Image.EXTENSION.pop("", None)
    return file.getvalue()


def encodings() -> Iterator[tuple[str, bytes]]:
    Image.init()
    register_heif_opener()
    for kind, modes in SAVED_AS.items():
        if kind in Image.SAVE:  # AVIF is left out of some builds of Pillow
            for mode in modes:
                yield f"{kind}-{mode.replace(';', '')}", encoded(kind, mode)
    for compression in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg"):
        yield f"TIFF-{compression}", encoded("TIFF", "L", compression=compression)
    yield "JPEG-progressive", encoded("JPEG", "RGB", progressive=True)
    yield "WEBP-lossless", encoded("WEBP", "RGB", lossless=True)
    frames = [drawing("L").rotate(angle) for angle in (0, 40, 80)]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:])
        yield f"{kind}-animated", file.getvalue()


def damaged(long: bool) -> Iterator[tuple[str, bytes]]:
    """Every format, truncated and with flipped bits, most of them near the start."""
    chance = random.Random(6)
    tries = 100 if long else 2
    for name, content in encodings():
        yield f"{name}-whole", content
        for number in range(tries):
            yield f"{name}-cut{number}", content[: chance.randrange(len(content))]
            changed = bytearray(content)
            for _ in range(chance.choice((1, 1, 2, 8))):
                place = chance.randrange(chance.choice((32, 128, len(content))))
                changed[place % len(content)] ^= 1 << chance.randrange(8)
            yield f"{name}-flip{number}", bytes(changed)


def predict_all(
    files: Files, workdir: Path, together: int = 50, command: str = "predict"
) -> tuple[list[dict[str, Any]], int]:
    """Predict files in one process, divided among the commands; each gets its line, in order."""
    folder = workdir / "pictures"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    paths = [f"pictures/{name}" for name in files]
    options = ["-q", "--format", "json", "--"]
    commands = [
        [command, *options, *paths[start : start + together]]
        for start in range(0, len(paths), together)
    ]
    outcome = run_apart(commands, workdir)
    predictions = []
    for result in outcome.results:
        assert_civil(result, {0, 4})
        predictions += [json.loads(line) for line in result.stdout.splitlines()]
    names = [prediction["path"] for prediction in predictions]
    assert [name for name in names if "#" not in name] == paths  # other pages are path#2, ...
    assert outcome.peak < MAX_MEMORY
    return predictions, sum("error" in prediction for prediction in predictions)


def test_damaged_pictures_of_every_format_are_predicted_or_refused(workdir, long, tally):
    files = dict(damaged(long))
    predictions, refused = predict_all(files, workdir)
    whole = [prediction for prediction in predictions if prediction["path"].endswith("-whole")]
    for prediction in whole:
        assert "error" not in prediction, prediction
    assert 0.2 * len(files) < refused < 0.9 * len(files)
    tally("hostile pictures", len(files))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file (https://www.w3.org/TR/png, 5.3)."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width: int, height: int, *chunks: bytes, colour: int = 0, rows: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows, 1))
    start = b"\x89PNG\r\n\x1a\n" + header
    return start + b"".join(chunks) + pixels + chunk(b"IEND", b"")


def tiff(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A TIFF file of one directory, with entries of tag, type, count and value."""
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", *entry) for entry in entries
    )
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following)


GREY_28 = tuple(
    (tag, 4, 1, value)
    for tag, value in ((256, 28), (257, 28), (258, 8), (259, 1), (262, 1), (273, 8), (279, 784))
)


@functools.cache
def much() -> bytes:
    return zlib.compress(bytes(60_000_000), 9)


DIGIT = encoded("PNG", "L")
EXIF = b"Exif\0\0II*\0\x08\0\0\0"


def icon(content: bytes, side: int = 0) -> bytes:
    """An ICO file around another file."""
    entry = struct.pack("<BBBBHHII", side, side, 0, 0, 1, 32, len(content), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + content


def with_exif(block: bytes) -> bytes:
    file = io.BytesIO()
    drawing("L").save(file, "JPEG", exif=block)
    return file.getvalue()


REFUSED: dict[str, Callable[[], bytes]] = {
    "png-0x0": lambda: png(0, 0),
    "png-0x28": lambda: png(0, 28),
    "png-larger-than-the-limit": lambda: png(6_400, 6_400, rows=bytes(100)),
    "png-of-terapixels": lambda: png(2**31 - 1, 2**31 - 1),
    "png-with-a-text-bomb": lambda: png(
        28, 28, chunk(b"zTXt", b"a\0\0" + much()), rows=bytes(29 * 28)
    ),
    "png-with-many-text-bombs": lambda: png(
        28, 28, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6))) * 100, rows=bytes(29 * 28)
    ),
    "png-with-an-international-text-bomb": lambda: png(
        28, 28, chunk(b"iTXt", b"a\0\1\0\0\0" + much()), rows=bytes(29 * 28)
    ),
    "png-with-a-colour-profile-bomb": lambda: png(
        28, 28, chunk(b"iCCP", b"a\0\0" + much()), rows=bytes(29 * 28)
    ),
    "jpeg-larger-than-the-limit": lambda: (
        struct.pack(">HHHBHHB", 0xFFD8, 0xFFC0, 17, 8, 12000, 12000, 3)
        + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
        + b"\xff\xd9"
    ),
    "tiff-of-0-pixels": lambda: tiff((256, 4, 1, 0), *GREY_28[1:]) + bytes(784),
    "tiff-of-a-million-strips": lambda: tiff(
        *GREY_28[:5], (273, 4, 1 << 20, 8), (279, 4, 1 << 20, 8)
    ),
    "tiff-with-tags-of-gigabytes": lambda: tiff((315, 2, 2**32 - 1, 8), *GREY_28),
    "tiff-without-anything": tiff,
    "ppm-of-endless-comments": lambda: b"P5 28 28 #" + b"x" * 10**6,
    "ppm-with-sizes-of-a-thousand-digits": lambda: b"P5 " + b"9" * 1000 + b" 28 255\n",
    "ppm-of-gigapixels": lambda: b"P5 100000 100000 255\n",
    "icon-around-itself": lambda: icon(icon(icon(b""))),
    "zip": lambda: b"PK\x03\x04" + bytes(1000),
    "svg-of-a-billion-laughs": lambda: b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'x'>]><svg/>",
    "postscript-program": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    ),
    "pdf-around-a-picture": lambda: b"%PDF-1.7\n" + DIGIT,
    "html": lambda: b"<img src=x onerror=alert(1)>",
    "x-bitmap-of-gigapixels": lambda: b"#define x_width 99999\n#define x_height 99999\n",
}
PREDICTED: dict[str, Callable[[], bytes]] = {
    "png-named-jpeg.jpg": lambda: DIGIT,
    "jpeg-named-png.png": lambda: encoded("JPEG", "L"),
    "webp-named-text.txt": lambda: encoded("WEBP", "RGB"),
    "png-100000x1": lambda: png(100_000, 1, rows=bytes(100_001)),
    "png-1x100000": lambda: png(1, 100_000, rows=bytes(200_000)),
    "png-1x1": lambda: png(1, 1, rows=bytes(2)),
    "png-followed-by-a-zip": lambda: DIGIT + b"PK\x03\x04" + bytes(1000),
    "png-in-an-icon": lambda: icon(encoded("PNG", "RGBA")),
    "jpeg-whose-exif-is-junk": lambda: with_exif(EXIF + os.urandom(60_000)),
    "jpeg-whose-exif-goes-in-circles": lambda: with_exif(
        EXIF + struct.pack("<HHHIII", 1, 0x8769, 4, 1, 8, 8)
    ),
    "jpeg-turned-in-no-known-way": lambda: with_exif(
        EXIF + struct.pack("<HHHIII", 1, 0x0112, 3, 1, 77, 0)
    ),
    "tiff-that-goes-in-circles": lambda: tiff(*GREY_28, following=8) + bytes(784),
}
BOMBS: dict[str, Callable[[], bytes]] = {
    "png": lambda: png(6_300, 6_300, colour=6, rows=bytes(4 * 6_300 * 6_300 + 6_300)),
    "webp": lambda: saved(Image.new("RGBA", (4_400, 4_400)), "WEBP", lossless=True, method=0),
    "tiff": lambda: saved(Image.new("F", (6_300, 6_300)), "TIFF", compression="tiff_deflate"),
    "jpeg": lambda: saved(Image.new("RGB", (10_900, 10_900)), "JPEG", progressive=True),
    "gif": lambda: saved(Image.new("P", (6_300, 6_300)), "GIF"),
    "jpeg2000": lambda: saved(Image.new("RGB", (4_400, 4_400)), "JPEG2000"),
    "qoi": lambda: b"qoif" + struct.pack(">II", 6_300, 6_300) + b"\4\0" + b"\xfd" * 660_000,
    "tiff of 16 bits": lambda: saved(
        Image.new("I;16", (6_300, 6_300)), "TIFF", compression="tiff_deflate"
    ),
    "xpm of empty lines": lambda: b"/* XPM */\n" + b"\n" * 100_000_000,
    "plain ppm": lambda: b"P3 6300 6300 255\n" + b"0 " * 20_000_000,
    "bmp of runs": lambda: (
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 1078, 40, 6300, 6300, 1, 8, 1, 0, 0, 0, 256, 0)
        + bytes(1024)
        + b"\xff\0" * 160_000
    ),
}


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("command", ["predict", "read"])
def test_impossible_pictures_are_refused_and_unusual_ones_predicted(workdir, tally, command):
    files = {name: make() for name, make in (REFUSED | PREDICTED).items()}
    predictions, _ = predict_all(files, workdir, command=command)
    refused = {
        prediction["path"].partition("/")[2] for prediction in predictions if "error" in prediction
    }
    assert refused == set(REFUSED)
    tally("hostile pictures", len(files))


def rows_of(draw_row: Callable[[ImageDraw.ImageDraw, int], None]) -> bytes:
    """A page of many rows, 40 pixels apart."""
    page = Image.new("L", (1900, 1900), 255)
    for y in range(20, 1880, 40):
        draw_row(ImageDraw.Draw(page), y)
    return saved(page, "PNG")


def scribble(draw: ImageDraw.ImageDraw, y: int) -> None:
    """Strokes up and down, as of hundreds of digits that touch."""
    for x in range(10, 1880, 420):
        draw.line([(x + k, y + (k // 5 % 2) * 26) for k in range(0, 400, 5)], fill=0, width=3)


def specks(draw: ImageDraw.ImageDraw, y: int) -> None:
    for x in range(0, 1900, 8):
        draw.rectangle((x, y, x + 1, y + 4), fill=0)


PAGES: dict[str, Callable[[], bytes]] = {
    "ruled": lambda: rows_of(lambda draw, y: draw.line((0, y, 1900, y), fill=0, width=2)),
    "scribbled": lambda: rows_of(scribble),
    "specks": lambda: rows_of(specks),
    "noise": lambda: saved(Image.effect_noise((1500, 1500), 100), "PNG"),
}


def test_pages_of_anything_but_digits_have_no_numbers_and_take_no_minutes(workdir, tally):
    readings, refused = predict_all(
        {name: make() for name, make in PAGES.items()}, workdir, command="read"
    )
    assert refused == 0
    assert [reading["numbers"] for reading in readings] == [[]] * len(PAGES)
    tally("hostile pictures", len(PAGES))


def test_decompression_bombs_use_limited_memory_and_time(workdir, long, tally):
    """Each twice: with several threads only one large picture is decoded at a time."""
    kinds = BOMBS if long else {"png": BOMBS["png"]}
    made = {kind: make() for kind, make in kinds.items()}
    files = {f"{kind}{again}": made[kind] for kind in made for again in ("", " again")}
    predictions, _ = predict_all(files, workdir, together=2)
    faults = {
        prediction["path"]: prediction.get("error", prediction.get("message"))
        for prediction in predictions
    }
    assert faults["pictures/png"] == faults["pictures/png again"] == "the picture is blank"
    if long:
        assert "takes more than 4 s" in str(faults["pictures/plain ppm"])
    tally("decompression bombs", len(files))


def test_a_file_of_gigabytes_is_not_read(workdir, dlcli):
    for name, start in (("a.webp", b"RIFF\xff\xff\xff\x7fWEBPVP8 "), ("b.png", DIGIT)):
        with Path(name).open("wb") as file:
            file.write(start)
            file.truncate(10**10)
    result = dlcli("predict", "-q", "a.webp", "b.png")
    assert_civil(result, {4})
    assert result.stderr.count("more than 250,000,000 bytes") == 2
