"""Strokes are found on any background; shadows and printed lines are background."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from dlcli.vision import foreground
from dlcli.vision.foreground import WINDOWS

HEIGHT, WIDTH = 120, 160
STROKE = np.zeros((HEIGHT, WIDTH), bool)
STROKE[50:58, 50:110] = True


def sheet(level: int = 220, channels: int = 1) -> list[np.ndarray]:
    return [np.full((HEIGHT, WIDTH), level, np.uint8) for _ in range(channels)]


def with_stroke(level: int, paper: int = 220) -> list[np.ndarray]:
    """An even sheet with a stroke along a row, 8 pixels thick and 60 long."""
    return [np.where(STROKE, level, paper).astype(np.uint8)]


def shaded(channels: Sequence[np.ndarray], light: np.ndarray) -> list[np.ndarray]:
    return [(channel * light).astype(np.uint8) for channel in channels]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((640, 320), (160, 320)),
        ((1500, 100), (64, 960)),  # a strip stays wide enough for its digits
        ((60, 900), (900, 60)),
        ((3, 1500), (1500, 3)),
        ((320, 100), (100, 320)),
        ((200, 150), (150, 200)),
        ((28, 28), (112, 112)),
        ((30, 20), (80, 120)),
        ((1, 1), (112, 112)),
    ],
)
@pytest.mark.parametrize(("mode", "count"), [("L", 1), ("RGB", 3)])
def test_pictures_are_scaled_to_a_usual_size(size, shape, mode, count):
    channels = foreground.working_channels(Image.new(mode, size, "white"))
    assert [channel.shape for channel in channels] == [shape] * count
    assert all((channel == 255).all() for channel in channels)


def test_the_channels_are_red_green_and_blue():
    red, green, blue = foreground.working_channels(Image.new("RGB", (200, 200), (250, 130, 10)))
    assert (red.max(), green.max(), blue.max()) == (250, 130, 10)


def test_inverting_twice_changes_nothing():
    channels = [np.arange(256, dtype=np.uint8).reshape(16, 16)]
    (inverted,) = foreground.invert(channels)
    assert (inverted[0, 0], inverted[-1, -1]) == (255, 0)
    assert (foreground.invert([inverted])[0] == channels[0]).all()


@pytest.mark.parametrize(("paper", "pen"), [(220, 20), (220, 180), (20, 240), (60, 100)])
def test_the_polarity_is_that_of_the_stroke(paper, pen):
    assert foreground.is_dark_on_light(with_stroke(pen, paper)) == (pen < paper)


@pytest.mark.parametrize("paper", [30, 230])
def test_a_digit_that_fills_the_picture_does_not_hide_its_polarity(paper):
    (channel,) = sheet(paper)
    for box in ((0, 12, 0, 160), (108, 120, 0, 160), (0, 120, 0, 12), (0, 120, 148, 160)):
        top, bottom, left, right = box
        channel[top:bottom, left:right] = 260 - paper  # a 0 along all four sides
    assert foreground.is_dark_on_light([channel]) == (paper > 128)


def test_a_hard_shadow_does_not_change_the_polarity():
    light = np.where(np.arange(WIDTH) < 80, 1, 0.5)
    assert foreground.is_dark_on_light(shaded(with_stroke(20), light))


@pytest.mark.parametrize("window", WINDOWS)
def test_the_foreground_is_the_light_that_is_missing(window):
    found = foreground.local_foreground(with_stroke(55), window)
    assert found.dtype == np.uint8
    assert (found[~STROKE] == 0).all()
    np.testing.assert_allclose(found[STROKE], 255 * 0.75, atol=1)


@pytest.mark.parametrize("window", WINDOWS)
def test_an_even_sheet_has_no_foreground(window):
    for level in (0, 128, 255):
        assert not foreground.local_foreground(sheet(level, 3), window).any()


@pytest.mark.parametrize("window", WINDOWS)
def test_a_shadow_twice_as_wide_as_the_window_vanishes_and_a_stroke_stays(window):
    channels = with_stroke(20)
    width = round(2 * window * WIDTH)
    start = (WIDTH - width) // 2
    light = np.ones(WIDTH)
    light[start : start + width] = 0.5
    found = foreground.local_foreground(shaded(channels, light), window)
    assert found[~STROKE].max() == 0
    assert found[STROKE].min() > 200


def test_a_stroke_counts_as_much_in_the_shadow_as_in_the_light():
    light = np.where(np.arange(WIDTH) < 80, 1, 0.5)
    found = foreground.local_foreground(shaded(with_stroke(44), light), WINDOWS[1])
    lit, dark = found[54, 60], found[54, 100]
    assert lit > 200
    assert int(lit) == pytest.approx(int(dark), abs=3)


def test_an_even_background_needs_no_window_first():
    """A stroke wider than each window is whole, as it is nowhere else."""
    (wide,) = sheet(220, 1)
    wide[20:100, 20:140] = 40
    ways = foreground.foregrounds([wide])
    assert list(ways) == [0, 6, 7]
    found = ways[0]()
    assert (found[wide == 220] == 0).all()
    assert (found[wide == 40] == round(255 * 180 / 220)).all()
    assert (ways[6]()[55:65, 75:85] == 0).all()


@pytest.mark.parametrize("levels", [(235, 205), (90, 200)], ids=["gradient", "shadow"])
def test_windows_come_first_on_an_uneven_background(levels):
    low, high = levels
    ramp = np.clip(np.linspace(low, high, WIDTH), 0, 255)
    channels = shaded(with_stroke(40, 255), np.tile(ramp, (HEIGHT, 1)) / 255)
    assert list(foreground.foregrounds(channels)) == [0, 1]


def test_a_blank_picture_is_searched_by_windows():
    assert list(foreground.foregrounds(sheet(0, 3))) == [0, 1]


def test_a_gradient_of_light_is_background():
    light = np.linspace(0.4, 1, WIDTH)
    found = foreground.local_foreground(shaded(with_stroke(70), light), WINDOWS[1])
    assert found[STROKE].min() > 4 * found[~STROKE].max()


def test_noise_on_a_dark_background_is_not_made_stronger_than_on_a_light_one():
    (dark,) = sheet(8)
    dark[STROKE] = 0
    assert foreground.local_foreground([dark], WINDOWS[0]).max() <= round(255 * 8 / 64)


@pytest.mark.parametrize("window", WINDOWS)
def test_noise_is_as_weak_in_the_foreground_as_on_the_paper(window):
    noisy = np.random.default_rng(0).normal(200, 4, (240, 320)).astype(np.uint8)
    found = foreground.local_foreground([noisy], window)
    assert found.max() <= 255 * int(np.ptp(noisy)) / 200


@pytest.mark.parametrize("pen", [(245, 220, 40), (110, 190, 240), (250, 120, 120)])
def test_a_light_pen_counts_by_its_strongest_colour(pen):
    channels = [np.where(STROKE, level, 250).astype(np.uint8) for level in pen]
    expected = 250 - min(pen)
    local = foreground.local_foreground(channels, WINDOWS[0])
    np.testing.assert_allclose(local[STROKE], 255 * expected / 250, atol=1)


def crossed(*, row: int = 60, slope: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A printed line along a row and an upright stroke across it, and which pixels are strokes."""
    lines = np.zeros((HEIGHT, WIDTH), np.uint8)
    columns = np.arange(WIDTH)
    for offset in (0, 1):
        lines[np.round(row + offset + slope * columns).astype(int), columns] = 200
    stroke = np.zeros((HEIGHT, WIDTH), bool)
    stroke[20:100, 70:82] = True
    return np.where(stroke, 200, lines).astype(np.uint8), stroke


@pytest.mark.parametrize("slope", [0.0, 0.02, -0.04, 0.09])
def test_a_printed_line_is_removed_and_a_stroke_across_it_stays(slope):
    levels, stroke = crossed(slope=slope)
    (found,) = foreground.without_lines(levels)
    assert (found[stroke] > 0).mean() > 0.97
    assert not found[:, :60].any()
    assert not found[:, 92:].any()


def test_lines_along_columns_are_removed_as_well():
    levels, stroke = (np.ascontiguousarray(array.T) for array in crossed())
    (found,) = foreground.without_lines(levels)
    assert (found[stroke] > 0).mean() > 0.97
    assert not found[:60].any()


def test_lines_along_rows_are_removed_alone_and_with_those_along_columns():
    levels, _ = crossed()
    levels[:, 20:22] = 200
    rows, both = foreground.without_lines(levels)
    assert rows[:50, 20:22].all()
    assert not rows[:, 30:60].any()
    assert (both[:, :60] > 0).mean() < 0.01  # but for a crossing


def test_the_grey_edges_of_a_line_go_with_it():
    levels, _ = crossed()
    levels[59, :60] = levels[62, :60] = 30
    (found,) = foreground.without_lines(levels)
    assert not found[:, :60].any()


def test_what_is_too_thick_too_short_or_too_steep_is_no_line():
    levels = np.zeros((HEIGHT, WIDTH), np.uint8)
    levels[10:22, :] = 200  # thick, as a marker's stroke
    levels[40:42, 20:70] = 200  # short, as the bar of a 7
    columns = np.arange(WIDTH)
    levels[60 + columns // 4, columns] = 200
    assert not list(foreground.without_lines(levels))


@pytest.mark.parametrize("shape", [(1, 1), (1, 320), (320, 1), (2, 3)])
def test_the_smallest_images_have_a_foreground(shape):
    channels = [np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)] * 3
    foreground.is_dark_on_light(channels)
    for window in WINDOWS:
        assert foreground.local_foreground(channels, window).shape == shape
    assert all(found.shape == shape for found in foreground.without_lines(channels[0]))


def test_channels_in_which_the_pen_is_lighter_are_known():
    yellow_on_grey = [with_stroke(level, 200)[0] for level in (230, 215, 40)]
    (dark,) = foreground.dark_on_light_alone(yellow_on_grey)
    assert dark is yellow_on_grey[2]
