"""Filters and labels agree with their definitions, computed naively."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcli.vision import morphology


def test_quantiles_are_values_of_the_array():
    levels = np.random.default_rng(2).permutation(100).reshape(10, 10)
    assert morphology.quantiles(levels, 0, 0.05, 0.5, 0.99) == [0, 5, 50, 99]


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


@pytest.mark.parametrize(("height", "width"), [(4, 30), (30, 4), (7, 7)])
def test_the_stroke_width_of_a_bar(height, width):
    mask = np.zeros((50, 50), bool)
    mask[5 : 5 + height, 8 : 8 + width] = True
    widths = morphology.stroke_widths(mask)
    assert widths.size == height * width
    assert (widths == min(height, width)).all()


def test_stroke_widths_are_in_row_major_order():
    mask = np.zeros((6, 9), bool)
    mask[1, 1:8] = True
    mask[1:5, 4] = True
    expected = np.minimum(
        *np.array([[7, 7, 7, 7, 7, 7, 7, 1, 1, 1], [1, 1, 1, 4, 1, 1, 1, 4, 4, 4]])
    )
    np.testing.assert_array_equal(morphology.stroke_widths(mask), expected)


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
    assert (grown == grown.T).all()


def test_dilation_sets_the_square_neighbourhood():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    expected = np.zeros((9, 9), bool)
    expected[2:7, 2:7] = True
    np.testing.assert_array_equal(morphology.dilate(mask, 2), expected)


def test_diagonal_neighbours_are_connected():
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], bool)
    labels, count = morphology.label_components(mask)
    assert count == 4
    expected = [[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [3, 3, 0, 4]]
    np.testing.assert_array_equal(labels, expected)


def test_an_empty_mask_has_no_components():
    labels, count = morphology.label_components(np.zeros((3, 4), bool))
    assert count == 0
    assert not labels.any()


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_components_are_those_a_flood_fill_finds(mask):
    labels, count = morphology.label_components(mask)
    expected = np.zeros(mask.shape, int)
    found = 0
    for start in np.argwhere(mask):
        if expected[tuple(start)]:
            continue
        found += 1
        waiting = [tuple(start)]
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]:
                is_new = mask[y, x] and not expected[y, x]
                if is_new:
                    expected[y, x] = found
                    waiting += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert count == found
    np.testing.assert_array_equal(labels, expected)
