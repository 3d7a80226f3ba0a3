"""Filters agree with their definitions, computed naively."""

import numpy as np
import pytest

from dlcli.vision import morphology


def test_closing_is_a_maximum_and_then_a_minimum_filter():
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
        np.testing.assert_array_equal(morphology.close(levels, window), expected)


@pytest.mark.parametrize(("height", "width"), [(4, 90), (90, 6), (8, 90)])
def test_the_mean_stroke_width_of_a_bar_is_its_width(height, width):
    mask = np.zeros((100, 100), bool)
    mask[:height, 8 : 8 + width] = True
    widths = morphology.stroke_widths(mask)
    assert widths.size == height * width
    assert widths.mean() == pytest.approx(min(height, width), rel=0.06)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_opening_leaves_only_runs_that_are_long_enough(length):
    mask = np.zeros((4, 9), bool)
    for row in range(4):
        mask[row, : row + 1] = mask[row, 8 - row :] = True
    expected = mask & (np.arange(1, 5) >= length)[:, np.newaxis]
    np.testing.assert_array_equal(morphology.opened(mask, 1, length), expected)
    np.testing.assert_array_equal(morphology.opened(mask.T, length, 1), expected.T)


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


def test_dilation_sets_the_square_neighbourhood():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    np.testing.assert_array_equal(morphology.dilate(mask, 5, 5), expected)
