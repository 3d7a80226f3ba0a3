"""Filters agree with their definitions, computed naively."""

import numpy as np
import pytest

from dlcli.vision import morphology
from dlcli.vision.foreground import _LINE_SLOPES


def filtered(levels: np.ndarray, extreme, height: int, width: int) -> np.ndarray:
    """The extreme of the rectangle around each pixel, of those that are in the image."""
    down, across = height // 2, width // 2
    return np.array(
        [
            [
                extreme(
                    levels[max(0, y - down) : y + down + 1, max(0, x - across) : x + across + 1]
                )
                for x in range(levels.shape[1])
            ]
            for y in range(levels.shape[0])
        ]
    )


@pytest.fixture
def levels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (15, 17), dtype=np.uint8)


@pytest.mark.parametrize("window", [3, 5, 7, 11])
def test_closing_is_a_maximum_and_then_a_minimum_filter(levels, window):
    expected = filtered(filtered(levels, np.max, window, window), np.min, window, window)
    np.testing.assert_array_equal(morphology.close(levels, window), expected)


@pytest.mark.parametrize("window", [3, 5, 7, 9])
def test_closing_adds_light_and_opening_takes_it(levels, window):
    assert (morphology.close(levels, window) >= levels).all()
    assert (morphology.opened(levels, window, 1) <= levels).all()
    assert (morphology.opened(levels, 1, window) <= levels).all()


@pytest.mark.parametrize(("height", "width"), [(1, 5), (3, 3), (7, 1)])
def test_dilation_is_a_maximum_filter(levels, height, width):
    expected = filtered(levels, np.max, height, width)
    np.testing.assert_array_equal(morphology.dilate(levels, height, width), expected)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_opening_leaves_only_runs_that_are_long_enough(length):
    mask = np.zeros((6, 20), np.uint8)
    for row in range(6):
        mask[row, 5 : 6 + row] = mask[row, 14 - row : 15] = 1
    expected = mask * (np.arange(1, 7) >= length)[:, np.newaxis]
    np.testing.assert_array_equal(morphology.opened(mask, 1, length), expected)
    columns = np.ascontiguousarray(mask.T)
    np.testing.assert_array_equal(morphology.opened(columns, length, 1), expected.T)


@pytest.mark.parametrize("by", [0, 1, 2, 5, 8])
def test_thickening_is_close_to_a_dilation_by_a_disc(by):
    point = np.zeros((3, 3), np.float32)
    point[1, 1] = 0.5
    grown = morphology.thicken(point, by)
    assert grown.shape == (3 + 2 * by, 3 + 2 * by)
    rows, columns = np.nonzero(grown)
    distances = np.hypot(rows - by - 1, columns - by - 1)
    assert set(grown[rows, columns]) == {0.5}
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (1, 1 + 2 * by)
    assert distances.max() <= 1.25 * by
    assert (grown == grown[::-1]).all()
    assert (grown == grown[:, ::-1]).all()


def test_otsus_threshold_leaves_the_least_variance_within_two_classes():
    random = np.random.default_rng(2)
    levels = np.concatenate([random.normal(60, 20, 300), random.normal(170, 30, 90)])
    levels = np.clip(levels, 0, 255).astype(np.uint8)

    def variance_within(threshold: float) -> float:
        classes = levels[levels <= threshold], levels[levels > threshold]
        return sum(part.size * part.var() for part in classes)

    least = min(variance_within(threshold) for threshold in range(levels.min(), levels.max()))
    found = morphology.otsu_threshold(levels.reshape(1, -1))
    assert variance_within(found) == pytest.approx(least)


def test_shrinking_averages_areas(levels):
    shrunk = morphology.resize(levels[:15, :15], 5, 3)
    means = levels[:15, :15].reshape(3, 5, 5, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk, means, atol=1)


@pytest.mark.parametrize("shape", [(15, 17), (15, 17, 3)])
@pytest.mark.parametrize(("width", "height"), [(34, 30), (9, 8), (1, 1)])
def test_scaling_keeps_the_type_and_what_is_even(shape, width, height):
    even = np.full(shape, 77, np.uint8)
    scaled = morphology.resize(even, width, height)
    assert scaled.dtype == np.uint8
    assert scaled.shape == (height, width, *shape[2:])
    assert (scaled == 77).all()


@pytest.mark.parametrize("slope", _LINE_SLOPES)
def test_a_line_that_falls_by_the_slope_lies_in_a_row_when_sheared(slope):
    mask = np.zeros((80, 120), np.uint8)
    columns = np.arange(120)
    mask[np.round(40 + slope * columns).astype(int), columns] = 1
    sheared = morphology.shear_rows(mask, slope)
    assert sheared[39:42].sum() == 120


@pytest.mark.parametrize("slope", _LINE_SLOPES)
@pytest.mark.parametrize("shape", [(60, 80), (240, 320), (320, 30)])
def test_shearing_back_is_exact(slope, shape):
    mask = np.random.default_rng(3).integers(0, 2, shape, dtype=np.uint8)
    sheared = morphology.shear_rows(mask, slope)
    np.testing.assert_array_equal(morphology.shear_rows(sheared, slope, back=True), mask)


def test_total_variation_sums_the_steps_between_neighbours():
    steps = np.array([[0, 10, 10], [0, 30, 10]], np.uint8)
    assert morphology.total_variation(steps) == (10 + 0) + (30 + 20) + (0 + 20 + 0)
    assert morphology.total_variation(np.full((4, 5), 9, np.uint8)) == 0


@pytest.mark.parametrize(("height", "width"), [(4, 90), (90, 6), (8, 90)])
def test_the_mean_stroke_width_of_a_bar_is_its_width(height, width):
    mask = np.zeros((100, 100), bool)
    mask[:height, 8 : 8 + width] = True
    widths = morphology.stroke_widths(mask)
    assert widths.size == height * width
    assert widths.mean() == pytest.approx(min(height, width), rel=0.06)


def test_distances_lead_to_the_nearest_pixel_outside():
    mask = np.random.default_rng(4).random((12, 15)) < 0.9
    rows, columns = np.nonzero(~mask)
    down, across = np.arange(12)[:, np.newaxis], np.arange(15)
    to_each = np.hypot(down[..., np.newaxis] - rows, across[:, np.newaxis] - columns)
    found = morphology.distances(mask)
    assert found.dtype == np.float32
    assert not found[~mask].any()
    np.testing.assert_allclose(found, to_each.min(axis=-1), atol=1e-3)


@pytest.mark.parametrize(("connectivity", "areas"), [(8, [3, 4]), (4, [1, 2, 4])])
def test_components_are_labelled_with_their_statistics(connectivity, areas):
    mask = np.zeros((6, 8), np.uint8)
    mask[0, 0] = mask[1, 1:3] = 1  # joined by a corner
    mask[3:5, 5:7] = 1
    labels, statistics = morphology.label(mask, connectivity)
    assert sorted(statistics[1:, -1]) == areas
    assert statistics[0, -1] == (labels == 0).sum() == 48 - 7
    square = labels[3, 5]
    assert (labels[3:5, 5:7] == square).all()
    assert statistics[square].tolist() == [5, 3, 2, 2, 4]
