"""Scores as text."""

from dlcli.evaluation.formatting import percent


def test_percentages_have_two_digits_or_a_dash():
    assert percent(0.98765) == "98.77 %"
    assert percent(0.5, digits=0) == "50 %"
    assert percent(None) == "-"
