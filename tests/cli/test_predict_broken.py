"""Pictures that cannot be read, and blank ones: ``dlcli predict`` says so and does the others."""

import csv
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.predictions import drawing, lines_of, objects_of


def encoded(kind: str, **options) -> bytes:
    file = io.BytesIO()
    drawing("RGB").save(file, kind, **options)
    return file.getvalue()


def truncated(kind: str, share: float = 0.5, **options) -> Callable[[Path], object]:
    content = encoded(kind, **options)
    return lambda path: path.write_bytes(content[: int(share * len(content))])


def without_palette(path: Path) -> None:
    """A picture of entries of a palette that is not there."""
    file = io.BytesIO()
    drawing("L").convert("P").save(file, "PNG")
    content = file.getvalue()
    start = content.index(b"PLTE") - 4
    (length,) = struct.unpack(">I", content[start : start + 4])
    path.write_bytes(content[:start] + content[start + 12 + length :])


def flipped(kind: str, offset: int) -> Callable[[Path], object]:
    content = bytearray(encoded(kind))
    content[offset] ^= 0x10
    return lambda path: path.write_bytes(content)


def holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def flat(mode: str, colour: float | str | tuple[int, ...]) -> Callable[[Path], object]:
    return lambda path: Image.new(mode, (60, 50), colour).save(path, "PNG")


def png(width: int, height: int) -> bytes:
    """A PNG file of a few bytes whose header promises any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = zlib.compress(b"\0" * 1000)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    image = b"," + bytes(4) + size + b"\0" + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + size + b"\x80\0\0" + b"\xff\xff\xff\0\0\0" + image + b";"


def text_only_folder(path: Path) -> None:
    path.mkdir()
    (path / "readme.txt").write_text("no picture")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def locked(path: Path) -> None:
    drawing().save(path, "PNG")
    path.chmod(0)


PILLOW = "not a picture that Pillow can read"
UNREADABLE = "cannot be read: "
DAMAGED = ""  # Pillow's words differ
LARGE = "more than 120,000,000 pixels; make it smaller"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _path: None, "no such file"),
    "empty folder": (Path.mkdir, "holds no pictures"),
    "folder of texts": (text_only_folder, "holds no pictures"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "no such file"),
    "link to itself": (link_to_itself, UNREADABLE),
    "empty": (Path.touch, "an empty file"),
    "text": (holding(b"a digit: 7\n"), PILLOW),
    "web page": (holding(b"<!doctype html><title>404</title>"), PILLOW),
    "pdf": (holding(b"%PDF-1.7\n1 0 obj\n"), "a PDF; make pictures of its pages first, as in: pdf"),
    "zeros": (holding(bytes(5000)), PILLOW),
    "PNG signature alone": (holding(b"\x89PNG\r\n\x1a\n"), DAMAGED),
    "PNG truncated": (truncated("PNG"), UNREADABLE),
    "PNG almost whole": (truncated("PNG", 0.98), UNREADABLE),
    "JPEG truncated": (truncated("JPEG"), UNREADABLE),
    "JPEG header alone": (truncated("JPEG", 0.01), DAMAGED),
    "GIF truncated": (truncated("GIF"), DAMAGED),
    "BMP truncated": (truncated("BMP"), UNREADABLE),
    "TIFF truncated": (truncated("TIFF"), DAMAGED),
    "TIFF with LZW truncated": (truncated("TIFF", compression="tiff_lzw"), DAMAGED),
    "WEBP truncated": (truncated("WEBP"), DAMAGED),
    "WEBP without loss truncated": (truncated("WEBP", lossless=True), DAMAGED),
    "PPM truncated": (truncated("PPM"), DAMAGED),
    "PNG with a flipped bit in its pixels": (flipped("PNG", 1000), DAMAGED),
    "PNG with a flipped bit in its header": (flipped("PNG", 18), DAMAGED),
    "PNG that promises too much": (holding(png(50_000, 50_000)), LARGE),
    "PNG that promises far too much": (holding(png(2**31 - 1, 2**31 - 1)), LARGE),
    "GIF that promises too much": (holding(gif(65535, 65535)), LARGE),
    "PNG without width": (holding(png(0, 50)), DAMAGED),
    "PNG without height": (holding(png(50, 0)), DAMAGED),
    "GIF without width": (holding(gif(0, 5)), DAMAGED),
    "PNG without its palette": (without_palette, DAMAGED),
    "PNG of too few rows": (holding(png(5000, 5000)), DAMAGED),
    **({"locked": (locked, UNREADABLE)} if os.geteuid() else {}),  # nothing is locked for root
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_picture_is_told_and_the_others_are_predicted(predict, digit, kind):
    make, fault = BROKEN[kind]
    make(Path("bad.png"))
    digit("a.png", 0)
    digit("b.png", 1)
    result = predict("a.png", "bad.png", "b.png", "-q")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["a.png", "b.png"]
    assert result.stderr.startswith("Error: bad.png: ")
    assert fault in result.stderr
    assert result.stderr.count("\n") == 1
    first, bad, second = objects_of(predict("a.png", "bad.png", "b.png", "--format", "json"))
    assert (first["path"], second["path"]) == ("a.png", "b.png")
    assert bad == {"path": "bad.png", "error": result.stderr[len("Error: ") : -1]}


EMPTY = {
    "white": flat("L", 255),
    "black": flat("L", 0),
    "grey": flat("L", 128),
    "one colour": flat("RGB", (250, 240, 215)),
    "transparent": flat("RGBA", (0, 0, 0, 0)),
    "black and white, all white": flat("1", 1),
}


@pytest.mark.parametrize("kind", EMPTY)
def test_a_blank_picture_gets_a_question_mark_and_a_reason(predict, digit, kind):
    EMPTY[kind](Path("blank.png"))
    digit("a.png", 0)
    result = predict("blank.png", "a.png")
    assert result.code == 0
    assert result.stdout.startswith("?\t-\tblank.png\n")
    assert "Warning: blank.png: the picture is blank\n" in result.stderr
    assert [cells[-1] for cells in lines_of(predict("blank.png", "a.png", "--top", 3))] == [
        "blank.png",
        "a.png",
    ]
    blank, _ = objects_of(predict("blank.png", "a.png", "--format", "json"))
    assert blank == {
        "path": "blank.png",
        "label": None,
        "digit": None,
        "probability": None,
        "probabilities": None,
        "reason": "blank",
        "message": "the picture is blank",
        "box": None,
        "model": "model.npz",
    }
    rows = list(csv.DictReader(io.StringIO(predict("blank.png", "--format", "csv").stdout)))
    assert rows[0]["digit"] == "?"
    assert rows[0]["probability"] == rows[0]["p0"] == ""


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a.png/below.png", "/dev/null"])
def test_a_path_that_cannot_be_followed_is_told_and_the_others_are_predicted(predict, digit, name):
    digit("a.png")
    result = predict(name, "a.png", "-q")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["a.png"]
    assert result.stderr.startswith(f"Error: {name}: ")
    assert result.stderr.count("\n") == 1


def test_csv_leaves_broken_pictures_out(predict, digit):
    digit("a.png")
    result = predict("bad.png", "a.png", "--format", "csv")
    assert result.code == 4
    assert [row["path"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["a.png"]


def test_what_the_network_saw_is_numbered_as_its_answers_are(predict, digit):
    digit("a.png")
    predict("bad.png", "a.png", "--show-preprocessed", "seen")
    assert [path.name for path in Path("seen").iterdir()] == ["00000-a.png"]
