"""Ink is found whatever the paper's light and colour, and shadows are no ink."""

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
def test_ink_is_where_the_stroke_is(paper, level):
    colours = with_stroke(sheet(paper), level)
    dark = foreground.is_dark(colours, [11, 31])
    assert dark == (level < paper)
    found = foreground.strength(colours, 11, dark=dark)
    np.testing.assert_allclose(found.levels, STROKE * abs(paper - level), atol=1e-4)
    assert found.noise == 0
    assert found.is_dark == dark
    darkness = found.darkness - found.darkness[0, 0]
    np.testing.assert_allclose(darkness, STROKE * abs(paper - level), atol=1e-4)


@pytest.mark.parametrize(
    ("level", "noise", "blank"), [(0, 0, True), (15, 0, True), (17, 0, False), (50, 9, True)]
)
def test_what_hardly_differs_from_the_paper_is_no_ink(level, noise, blank):
    levels = STROKE * np.float32(level)
    assert (
        foreground.Ink(levels, noise, levels, np.ones_like(levels), is_dark=True).is_blank == blank
    )


def test_quantiles_are_levels_that_occur():
    levels = np.random.default_rng(2).permutation(100).reshape(10, 10)
    assert foreground.quantiles(levels, 0, 0.05, 0.5, 0.99) == [0, 5, 50, 99]


def test_a_stroke_is_as_strong_in_the_shadow_as_in_the_light():
    colours = with_stroke(sheet(), 44)
    colours[:, :, 40:] //= 2
    found = foreground.strength(colours, 11, dark=True)
    np.testing.assert_allclose(found.levels, STROKE * 176, atol=1e-3)
    assert (found.gain[:, :40] == 1).all()
    assert (found.gain[:, 40:] == 2).all()


def test_only_paper_in_a_shadow_is_made_lighter():
    colours = sheet()
    colours[:, :, 20:] = colours[:, :, :1] * 0.4
    assert foreground.strength(colours, 11, dark=True).gain.max() == 2
    assert foreground.strength(colours, 11, dark=False).gain.max() == 1
    colours[:, :, 20:] = colours[:, :, :1] * 0.3  # the inside of something dark
    assert foreground.strength(colours, 11, dark=True).gain.max() == 1


def test_a_shadow_with_a_hard_edge_is_paper():
    shaded = sheet()
    shaded[:, :, 40:] = 110
    colours = with_stroke(shaded, 0)
    colours[:, 20:24, 40:55] = 10
    assert foreground.is_dark(colours, [11, 31])
    strength = foreground.strength(colours, 11, dark=True).levels
    assert strength[~STROKE].max() < 1
    assert strength[STROKE].min() >= 100


def test_a_gradient_of_light_is_paper():
    colours = sheet(0) + np.linspace(90, 240, 80).astype(np.uint8)
    colours[:, 20:24, 25:55] //= 3
    strength = foreground.strength(colours, 11, dark=True).levels
    assert strength[STROKE].min() > 4 * strength[~STROKE].max()


@pytest.mark.parametrize("pen", [(245, 220, 40), (110, 190, 240), (250, 120, 120)])
def test_a_light_pen_counts_by_its_colour(pen):
    colours = np.repeat(sheet(250), 3, axis=0)
    colours[:, STROKE] = np.array(pen, np.uint8)[:, None]
    assert foreground.is_dark(colours, [11, 31])
    strength = foreground.strength(colours, 11, dark=True).levels
    assert strength[STROKE].min() == pytest.approx(np.linalg.norm(250 - np.array(pen)), abs=0.01)
    assert strength[~STROKE].max() < 0.01


def test_lines_of_another_colour_are_fainter_than_they_look():
    colours = np.repeat(sheet(250), 3, axis=0)
    colours[:, 40] = np.array((250, 250, 100), np.uint8)[:, None]  # as far from white as...
    colours[:, STROKE] = np.array((100, 250, 250), np.uint8)[:, None]  # ... the pen
    colours[:, STROKE] -= 20
    strength = foreground.strength(colours, 11, dark=True).levels
    assert strength[40].max() < 0.6 * strength[STROKE].min()


def test_noise_is_measured_and_not_taken_for_ink():
    noisy = np.random.default_rng(0).normal(200, 5, (1, 60, 80)).astype(np.uint8)
    found = foreground.strength(noisy, 21, dark=True)
    assert found.noise == pytest.approx(5, rel=0.3)
    assert found.levels.max() < 5 * found.noise


def test_a_closing_is_a_largest_and_then_a_least_value():
    levels = np.random.default_rng(1).integers(0, 256, (15, 17), dtype=np.uint8)
    for window in (3, 5, 7, 11):
        half = window // 2

        def extreme(values, of, half=half):
            padded = np.pad(values, half, mode="edge")
            return np.array(
                [
                    [of(padded[y : y + 2 * half + 1, x : x + 2 * half + 1]) for x in range(17)]
                    for y in range(15)
                ]
            )

        expected = extreme(extreme(levels, np.max), np.min)
        np.testing.assert_array_equal(foreground._paper(levels, window), expected)


@pytest.mark.parametrize(("height", "width"), [(4, 30), (30, 4), (7, 7)])
def test_the_width_of_a_bar(height, width):
    marked = np.zeros((50, 50), bool)
    marked[5 : 5 + height, 8 : 8 + width] = True
    widths = foreground.stroke_widths(marked)
    assert widths.size == height * width
    assert (widths == min(height, width)).all()


def test_the_width_at_each_pixel_is_in_order_of_rows():
    marked = np.zeros((6, 9), bool)
    marked[1, 1:8] = True
    marked[1:5, 4] = True
    expected = np.minimum(
        *np.array([[7, 7, 7, 7, 7, 7, 7, 1, 1, 1], [1, 1, 1, 4, 1, 1, 1, 4, 4, 4]])
    )
    np.testing.assert_array_equal(foreground.stroke_widths(marked), expected)


@pytest.mark.parametrize("by", [0, 1, 2, 5, 8])
def test_strokes_grow_to_all_sides_like_a_disc(by):
    point = np.zeros((3, 3), np.float32)
    point[1, 1] = 0.5
    grown = foreground.thicken(point, by)
    assert grown.shape == (3 + 2 * by, 3 + 2 * by)
    rows, columns = np.nonzero(grown)
    distances = np.hypot(rows - by - 1, columns - by - 1)
    assert set(grown[rows, columns]) == {0.5}
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (1, 1 + 2 * by)
    assert distances.max() <= 1.25 * by
    assert (grown == grown.T).all()


def test_spreading_marks_the_neighbours():
    marked = np.zeros((9, 9), bool)
    marked[4, 4] = True
    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    np.testing.assert_array_equal(foreground.spread(marked, 2), expected)


def cross(rows: slice, columns: slice) -> np.ndarray:
    levels = np.zeros((60, 80), np.float32)
    levels[rows] = 200
    levels[:, columns] = 200
    return levels


@pytest.mark.parametrize(
    ("lengths", "rows_left", "columns_left"),
    [((70, np.inf), False, True), ((np.inf, 50), True, False), ((np.inf, np.inf), True, True)],
)
def test_lines_are_taken_away_and_what_crosses_them_stays(lengths, rows_left, columns_left):
    levels = cross(slice(30, 32), slice(40, 43))
    before = foreground.Ink(levels, 0, levels, np.ones_like(levels), is_dark=True)
    after = foreground.without_lines(before, 80, thickness=4, lengths=lengths).levels
    assert (after[30:32, :30] > 0).all() == rows_left
    assert (after[:20, 40:43] > 0).all() == columns_left
    assert (after[31, 41] > 0) == (rows_left or columns_left)
    assert (before.levels == cross(slice(30, 32), slice(40, 43))).all()


def test_what_is_too_thick_or_too_short_is_no_line():
    levels = cross(slice(30, 36), slice(0, 0))
    levels[10:12, 20:60] = 200
    before = foreground.Ink(levels, 0, levels, np.ones_like(levels), is_dark=True)
    after = foreground.without_lines(before, 80, thickness=4, lengths=(50, np.inf)).levels
    assert (after == levels).all()


@pytest.mark.parametrize("slope", [-0.05, 0.03, 0.06])
def test_a_line_may_be_somewhat_askew(slope):
    levels = np.zeros((60, 80), np.float32)
    for column in range(80):
        row = round(30 + slope * column)
        levels[row : row + 2, column] = 200
    before = foreground.Ink(levels, 0, levels, np.ones_like(levels), is_dark=True)
    assert not foreground.without_lines(before, 80, thickness=4, lengths=(70, np.inf)).levels.any()
