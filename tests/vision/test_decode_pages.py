"""Every page and frame of a file is a picture of its own."""

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, TiffImagePlugin, features

from dlcli.errors import ImageError
from dlcli.vision import decode

COLOURS = (10, 120, 240)


def with_pages(kind: str, sizes: tuple[int, ...] = (40, 40, 40)) -> bytes:
    """A file of one page for each of the sizes, in other greys."""
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    pages = [Image.new("L", (s, s), c) for s, c in zip(sizes, COLOURS, strict=True)]
    file = io.BytesIO()
    pages[0].save(file, kind, save_all=True, append_images=pages[1:])
    return file.getvalue()


def grey_level(picture: Image.Image) -> float:
    """The level of a pixel in the middle of a page."""
    return float(np.asarray(decode.to_grey_or_rgb(picture, "x").convert("L"))[20, 20])


def pages_of(content: bytes, name: str = "x") -> list[tuple[str, Image.Image]]:
    """The pages of a file, all of which can be read."""
    pages = []
    for page_name, page in decode.read_pages(io.BytesIO(content), name):
        assert isinstance(page, Image.Image)
        pages.append((page_name, page))
    return pages


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PNG", "WEBP", "AVIF", "HEIF"])
def test_every_page_and_frame_is_a_picture_of_its_own(kind):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this build of Pillow has no AVIF")
    pages = pages_of(with_pages(kind), "a b.x")
    assert [name for name, _ in pages] == ["a b.x", "a b.x#2", "a b.x#3"]
    found = [grey_level(page) for _, page in pages]
    assert found == pytest.approx(COLOURS, abs=8)
    first = decode.read_image(io.BytesIO(with_pages(kind)), "x")
    assert grey_level(first) == pytest.approx(COLOURS[0], abs=8)


def test_pages_may_differ_in_size():
    pages = pages_of(with_pages("TIFF", (30, 500, 28)))
    assert [page.size for _, page in pages] == [(30, 30), (500, 500), (28, 28)]


def test_a_file_with_one_picture_has_one_name():
    file = io.BytesIO()
    Image.new("L", (40, 30)).save(file, "TIFF")
    assert [name for name, _ in decode.read_pages(file, "x")] == ["x"]


def test_a_photograph_with_a_preview_of_itself_is_one_picture():
    file = io.BytesIO()
    photo = Image.new("RGB", (80, 60))
    photo.save(file, "MPO", save_all=True, append_images=[photo.resize((8, 6))])
    assert [name for name, _ in decode.read_pages(file, "x")] == ["x"]


def test_a_page_that_is_a_smaller_version_of_another_is_passed_over():
    pages = [Image.new("L", size) for size in ((60, 60), (20, 20), (60, 50))]
    kind = TiffImagePlugin.ImageFileDirectory_v2()
    kind[254] = 1
    pages[1].encoderinfo = {"tiffinfo": kind}
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    found = {name: page.size for name, page in pages_of(file.getvalue())}
    assert found == {"x": (60, 60), "x#3": (60, 50)}


@pytest.mark.parametrize("kind", ["TIFF", "GIF"])
def test_a_page_that_is_cut_off_is_told_after_those_before_it(kind):
    content = with_pages(kind, (90, 90, 90))
    cut = content[: int(0.9 * len(content))]
    *whole, (name, error) = decode.read_pages(io.BytesIO(cut), "x")
    assert name == f"x#{len(whole) + 1}"
    assert isinstance(error, ImageError)
    assert str(error).startswith(f"{name}: ")
    assert all(isinstance(page, Image.Image) and page.size == (90, 90) for _, page in whole)
    assert whole


def test_pages_beyond_the_limit_are_told(monkeypatch):
    monkeypatch.setattr(decode, "_MAX_PAGES", 2)
    *_, (name, error) = pages = list(decode.read_pages(io.BytesIO(with_pages("TIFF")), "x"))
    assert len(pages) == 3
    assert (name, str(error)) == ("x#3", "x#3: the pages from here on are left out")


def test_every_page_may_take_the_whole_time(monkeypatch):
    seconds = iter(range(0, 10_000, 1))
    monkeypatch.setattr("dlcli.vision.decode.time.thread_time", lambda: next(seconds))
    monkeypatch.setattr(decode, "_MAX_SECONDS", 300)
    monkeypatch.setattr(decode, "_UNCOUNTED_SECONDS", 0)
    many = [Image.new("L", (40, 40), level) for level in range(200)]
    file = io.BytesIO()
    many[0].save(file, "TIFF", save_all=True, append_images=many[1:])
    assert len(list(decode.read_pages(file, "x"))) == 200
    assert next(seconds) > 300
