"""Scores as text."""

import math

import pytest

from dlcli.evaluation.formatting import duration, loss, percent


def test_percentages_have_two_digits_or_a_dash():
    assert percent(0.98765) == "98.77 %"
    assert percent(0.5, digits=0) == "50 %"
    assert percent(None) == "-"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.30161, "0.3016"),
        (12.5, "12.5000"),
        (9999.99, "9999.9900"),
        (12267.79, "1.227e+04"),
        (4132816794649018.5, "4.133e+15"),
        (math.inf, "inf"),
        (None, "-"),
    ],
)
def test_a_loss_has_four_decimals_as_long_as_they_mean_something(value, text):
    assert loss(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (1.7, "1.7 s"), (54, "54 s"), (600, "10 min"), (7500, "2 h 5 min")],
)
def test_a_time_has_a_suitable_unit(seconds, text):
    assert duration(seconds) == text
