"""Values are placed on axes, and ticks and labels keep their distance."""

import itertools

import pytest

from dlcli.report import scales


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (scales.linear, [0.1, 0.04, 0.0]),
        (scales.linear, [5.0]),
        (scales.linear, [-2.0, 7.0]),
        (scales.linear, [0.0]),
        (scales.logarithmic, [0.6, 0.03]),
        (scales.logarithmic, [1e-9, 1e9]),
        (scales.logarithmic, [0.13, 0.14]),
        (scales.logarithmic, [0.5]),
        (scales.logarithmic, [0.0, 1.0]),
        (scales.accuracy, [0.8, 0.985]),
        (scales.accuracy, [0.1, 1.0]),
        (scales.accuracy, [1.0]),
        (scales.accuracy, [0.0]),
        (scales.accuracy, [-1.0, 3.0]),
    ],
)
def test_all_values_and_ticks_are_on_the_axis(make, values):
    scale, ticks = make(values, 200.0, 20.0)
    for position in [*map(scale, values), *(tick.position for tick in ticks)]:
        assert 20 <= position <= 200
    places = sorted(tick.position for tick in ticks)
    assert all(b - a >= 14 for a, b in itertools.pairwise(places))
    assert 1 <= len(ticks) <= 10


def test_equal_factors_of_the_error_are_equal_distances():
    scale, _ = scales.accuracy([0.9, 0.999], 0.0, 1000.0)
    first, second, third = scale(0.96), scale(0.98), scale(0.99)
    assert second - first == pytest.approx(third - second, abs=0.3)


def test_labels_are_moved_apart_and_stay_within_bounds():
    placed = scales.spread([50.0, 52.0, 199.0], 14, 10, 200)
    assert placed == [50, 64, 199]
    placed = scales.spread([198.0, 199.0, 200.0], 14, 10, 200)
    assert placed == [172, 186, 200]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1"),
        (0.30000000000000004, "0.3"),
        (0, "0"),
        (2e-5, "2e-5"),
        (5e7, "5e7"),
        (12000, "12,000"),
    ],
)
def test_numbers_are_short(value, text):
    assert scales.short(value) == text
