"""Previews show what was found and what the network was shown."""

import numpy as np
import pytest
from PIL import Image

from dlcli.vision import pipeline, preview
from dlcli.vision.candidate import PreprocessingTrace


def drawn(path, picture: Image.Image) -> np.ndarray:
    prepared = pipeline.preprocess(picture, "x", explain=True)
    assert prepared.trace is not None
    preview.write_preview(prepared.trace, prepared.pixels, "1 0.9876", path)
    with Image.open(path) as written:
        assert written.format == "PNG"
        return np.asarray(written.convert("RGB")).astype(int)


def test_four_tiles_show_the_way_from_the_picture_to_the_28x28(tmp_path):
    page = Image.new("L", (560, 280), 255)
    page.paste(0, (400, 100, 410, 200))
    row = drawn(tmp_path / "a.png", page)
    assert row.shape == (296, 4 * 288 - 8, 3)
    tiles = [row[16:, left : left + 280] for left in range(0, 4 * 288, 288)]
    picture, foreground, digit, seen = tiles
    is_red = (picture == (220, 40, 40)).all(axis=2)
    rows, columns = np.nonzero(is_red)
    scale = 280 / 560
    assert columns.min() <= 400 * scale < 410 * scale < columns.max()
    assert rows.min() <= 100 * scale < 200 * scale < rows.max()
    for tile in (foreground, digit):
        assert tile.max() > 240
    assert (foreground == (220, 40, 40)).all(axis=2).any()
    assert not (digit == (220, 40, 40)).all(axis=2).any()
    pixels = pipeline.preprocess(page, "x").pixels
    assert pixels is not None
    np.testing.assert_array_equal(seen[5::10, 5::10, 0], pixels.reshape(28, 28))


def test_a_picture_in_mnists_format_is_shown_beside_the_28x28(tmp_path, sample):
    pixels = sample.test.images[0].reshape(28, 28)
    row = drawn(tmp_path / "a.png", Image.fromarray(255 - pixels))
    assert row.shape == (296, 2 * 288 - 8, 3)
    np.testing.assert_array_equal(row[16 + 5 :: 10, 288 + 5 :: 10, 0], pixels)


def test_a_blank_picture_is_shown_alone(tmp_path):
    assert drawn(tmp_path / "a.png", Image.new("L", (50, 90), 240)).shape == (296, 280, 3)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0, 0, 2000, 1), (1999, 0, 2000, 900)])
@pytest.mark.parametrize("foreground_shape", [(45, 100), (900, 2000), (1, 2)])
def test_a_box_at_the_edge_of_a_picture_can_be_shown(tmp_path, box, foreground_shape):
    trace = PreprocessingTrace(
        Image.new("L", (2000, 900)), box, np.full(foreground_shape, 200, np.uint8)
    )
    preview.write_preview(trace, np.zeros(784, np.uint8), "?", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as written:
        assert written.size == (4 * 288 - 8, 296)
