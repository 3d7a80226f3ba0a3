"""Digits of any size and any pen become images like MNIST's, and loops stay open."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dlcli.vision.mnist_format import is_mnist_like
from dlcli.vision.morphology import label
from dlcli.vision.normalization import normalize_digit


def bar(height: int, width: int, level: float = 1.0) -> np.ndarray:
    return np.full((height, width), level, np.float32)


def ring(side: int, width: int, height: int | None = None) -> np.ndarray:
    """An ellipse drawn with a pen of this width."""
    image = Image.new("L", (side, height or side))
    box = (0, 0, side - 1, (height or side) - 1)
    ImageDraw.Draw(image).ellipse(box, outline=255, width=width)
    return np.asarray(image, np.float32) / np.float32(255)


def square(pixels: np.ndarray) -> np.ndarray:
    return pixels.reshape(28, 28)


def holes(pixels: np.ndarray) -> int:
    """The number of holes in a 28x28 image."""
    _, statistics = label((square(pixels) < 128).astype(np.uint8), connectivity=4)
    return len(statistics) - 2


@pytest.mark.parametrize(
    "strokes",
    [bar(200, 30), bar(30, 200), bar(5, 5), ring(60, 6), ring(400, 20), ring(20, 2, 50)],
    ids=["tall", "wide", "dot", "ring", "large ring", "narrow ring"],
)
def test_any_digit_is_brought_to_mnists_format(strokes):
    pixels = normalize_digit(strokes)
    assert pixels.shape == (784,)
    assert pixels.dtype == np.uint8
    assert is_mnist_like(square(pixels))
    assert pixels.max() == 255


@pytest.mark.parametrize("height", [30, 100, 400])
@pytest.mark.parametrize("fraction", [0.005, 0.02, 0.06, 0.12])
def test_thin_strokes_are_thickened_to_those_of_mnist(height, fraction):
    pixels = square(normalize_digit(bar(height, max(1, round(fraction * height)))))
    width = pixels.sum(axis=1)[10:18] / 255
    assert width.mean() == pytest.approx(2.6, abs=0.7)


@pytest.mark.parametrize("fraction", [0.2, 0.35, 0.6])
def test_thick_strokes_stay_as_thick_as_they_are(fraction):
    pixels = square(normalize_digit(bar(100, round(100 * fraction))))
    width = pixels.sum(axis=1)[10:18] / 255
    assert width.mean() == pytest.approx(20 * fraction, abs=0.6)


@pytest.mark.parametrize("side", [20, 50, 100, 300])
def test_a_ring_keeps_its_hole_however_thin_the_pen(side):
    assert holes(normalize_digit(ring(side, 1))) == 1


@pytest.mark.parametrize(("width", "pen"), [(16, 2), (18, 3), (20, 5), (28, 2), (40, 2)])
def test_a_narrow_loop_stays_open_though_its_strokes_stay_thin(width, pen):
    narrow = np.pad(ring(width, pen, height=100), 1)
    assert holes(normalize_digit(narrow)) == 1


@pytest.mark.parametrize(("height", "pen"), [(200, 3), (200, 4), (300, 4)])
def test_a_narrow_box_stays_open_though_it_fills_its_own_bounding_box(height, pen):
    box = bar(height, round(0.15 * height))
    box[pen:-pen, pen:-pen] = 0
    assert holes(normalize_digit(np.pad(box, 1))) == 1


def test_two_loops_stay_two():
    eight = np.vstack([ring(60, 2)[:-1], ring(60, 2)])
    assert holes(normalize_digit(eight)) == 2


def test_a_hole_smaller_than_a_pixel_does_not_keep_strokes_thin():
    pinhole = bar(100, 6)
    pinhole[50, 3] = 0
    pixels = square(normalize_digit(pinhole))
    assert pixels.sum(axis=1)[10:18].mean() / 255 > 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (1000, 3)])
@pytest.mark.parametrize("level", [0.5, 1.0])
def test_the_smallest_and_longest_strokes_have_an_image(shape, level):
    pixels = square(normalize_digit(np.full(shape, level, np.float32)))
    rows, columns = (np.flatnonzero(pixels.max(axis=axis) > 127) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 19


def test_strokes_that_shrinking_dims_are_still_seen():
    strokes = np.zeros((1000, 1000), np.float32)
    strokes[np.arange(1000), np.arange(1000)] = 1
    pixels = square(normalize_digit(strokes))
    assert pixels.diagonal()[5:23].min() > 200


def test_margins_change_nothing():
    strokes = ring(60, 8)
    np.testing.assert_array_equal(
        normalize_digit(np.pad(strokes, 5)), normalize_digit(np.pad(strokes, 1))
    )
