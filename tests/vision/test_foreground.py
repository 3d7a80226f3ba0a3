"""The foreground is found on any background, and shadows belong to the background."""

import numpy as np
import pytest

from dlcli.vision import foreground


def sheet(paper: int = 220, height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((1, height, width), paper, np.uint8)


def with_stroke(colours: np.ndarray, level: int) -> np.ndarray:
    """A horizontal stroke, 4 pixels thick and 30 long."""
    colours = colours.copy()
    colours[:, 20:24, 25:55] = level
    return colours


STROKE = np.zeros((60, 80), bool)
STROKE[20:24, 25:55] = True


@pytest.mark.parametrize(("paper", "level"), [(220, 20), (220, 180), (20, 240), (60, 100)])
def test_the_foreground_is_where_the_stroke_is(paper, level):
    colours = with_stroke(sheet(paper), level)
    dark = foreground.is_dark_on_light(colours, [11, 31])
    assert dark == (level < paper)
    found = foreground.extract_foreground(colours, 11, dark_on_light=dark)
    np.testing.assert_allclose(found.levels, STROKE * abs(paper - level), atol=1e-4)
    assert found.noise == 0
    assert found.dark_on_light == dark
    darkness = found.darkness - found.darkness[0, 0]
    np.testing.assert_allclose(darkness, STROKE * abs(paper - level), atol=1e-4)


@pytest.mark.parametrize(
    ("level", "noise", "blank"), [(0, 0, True), (15, 0, True), (17, 0, False), (50, 9, True)]
)
def test_what_hardly_differs_from_the_background_is_blank(level, noise, blank):
    levels = STROKE * np.float32(level)
    assert (
        foreground.Foreground(
            levels, noise, levels, np.ones_like(levels), dark_on_light=True
        ).is_blank
        == blank
    )


def test_a_stroke_is_as_strong_in_the_shadow_as_in_the_light():
    colours = with_stroke(sheet(), 44)
    colours[:, :, 40:] //= 2
    found = foreground.extract_foreground(colours, 11, dark_on_light=True)
    np.testing.assert_allclose(found.levels, STROKE * 176, atol=1e-3)
    assert (found.gain[:, :40] == 1).all()
    assert (found.gain[:, 40:] == 2).all()


def test_only_backgrounds_in_a_shadow_get_a_gain():
    colours = sheet()
    colours[:, :, 20:] = colours[:, :, :1] * 0.4
    assert foreground.extract_foreground(colours, 11, dark_on_light=True).gain.max() == 2
    assert foreground.extract_foreground(colours, 11, dark_on_light=False).gain.max() == 1
    colours[:, :, 20:] = colours[:, :, :1] * 0.3  # the inside of something dark
    assert foreground.extract_foreground(colours, 11, dark_on_light=True).gain.max() == 1


def test_a_shadow_with_a_hard_edge_is_background():
    shaded = sheet()
    shaded[:, :, 40:] = 110
    colours = with_stroke(shaded, 0)
    colours[:, 20:24, 40:55] = 10
    assert foreground.is_dark_on_light(colours, [11, 31])
    strength = foreground.extract_foreground(colours, 11, dark_on_light=True).levels
    assert strength[~STROKE].max() < 1
    assert strength[STROKE].min() >= 100


def test_a_gradient_of_light_is_background():
    colours = sheet(0) + np.linspace(90, 240, 80).astype(np.uint8)
    colours[:, 20:24, 25:55] //= 3
    strength = foreground.extract_foreground(colours, 11, dark_on_light=True).levels
    assert strength[STROKE].min() > 4 * strength[~STROKE].max()


@pytest.mark.parametrize("pen", [(245, 220, 40), (110, 190, 240), (250, 120, 120)])
def test_the_level_of_a_light_pen_is_the_distance_of_its_colour(pen):
    colours = np.repeat(sheet(250), 3, axis=0)
    colours[:, STROKE] = np.array(pen, np.uint8)[:, None]
    assert foreground.is_dark_on_light(colours, [11, 31])
    strength = foreground.extract_foreground(colours, 11, dark_on_light=True).levels
    assert strength[STROKE].min() == pytest.approx(np.linalg.norm(250 - np.array(pen)), abs=0.01)
    assert strength[~STROKE].max() < 0.01


def test_lines_of_another_colour_are_fainter_than_they_look():
    colours = np.repeat(sheet(250), 3, axis=0)
    colours[:, 40] = np.array((250, 250, 100), np.uint8)[:, None]  # as far from white as...
    colours[:, STROKE] = np.array((100, 250, 250), np.uint8)[:, None]  # ... the pen
    colours[:, STROKE] -= 20
    strength = foreground.extract_foreground(colours, 11, dark_on_light=True).levels
    assert strength[40].max() < 0.6 * strength[STROKE].min()


def test_noise_is_measured_and_is_not_foreground():
    noisy = np.random.default_rng(0).normal(200, 5, (1, 60, 80)).astype(np.uint8)
    found = foreground.extract_foreground(noisy, 21, dark_on_light=True)
    assert found.noise == pytest.approx(5, rel=0.3)
    assert found.levels.max() < 5 * found.noise


def cross(rows: slice, columns: slice) -> np.ndarray:
    levels = np.zeros((60, 80), np.float32)
    levels[rows] = 200
    levels[:, columns] = 200
    return levels


@pytest.mark.parametrize(
    ("lengths", "rows_left", "columns_left"),
    [((70, np.inf), False, True), ((np.inf, 50), True, False), ((np.inf, np.inf), True, True)],
)
def test_lines_are_removed_and_what_crosses_them_stays(lengths, rows_left, columns_left):
    levels = cross(slice(30, 32), slice(40, 43))
    before = foreground.Foreground(levels, 0, levels, np.ones_like(levels), dark_on_light=True)
    after = foreground.remove_lines(before, 80, thickness=4, lengths=lengths).levels
    assert (after[30:32, :30] > 0).all() == rows_left
    assert (after[:20, 40:43] > 0).all() == columns_left
    assert (after[31, 41] > 0) == (rows_left or columns_left)
    assert (before.levels == cross(slice(30, 32), slice(40, 43))).all()


def test_what_is_too_thick_or_too_short_is_not_a_line():
    levels = cross(slice(30, 36), slice(0, 0))
    levels[10:12, 20:60] = 200
    before = foreground.Foreground(levels, 0, levels, np.ones_like(levels), dark_on_light=True)
    after = foreground.remove_lines(before, 80, thickness=4, lengths=(50, np.inf)).levels
    assert (after == levels).all()


@pytest.mark.parametrize("slope", [-0.05, 0.03, 0.06])
def test_a_line_may_be_slightly_slanted(slope):
    levels = np.zeros((60, 80), np.float32)
    for column in range(80):
        row = round(30 + slope * column)
        levels[row : row + 2, column] = 200
    before = foreground.Foreground(levels, 0, levels, np.ones_like(levels), dark_on_light=True)
    assert not foreground.remove_lines(before, 80, thickness=4, lengths=(70, np.inf)).levels.any()
