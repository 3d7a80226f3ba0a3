"""Charts and pictures as text: they fit, and show what they are given."""

import numpy as np
import pytest

from dlcli.lessons import terminal
from dlcli.lessons.engine import DrawnChart, Series
from dlcli.lessons.experiments import Picture

LONG = "A title that is so long that it does not fit a narrow terminal"
RISING = Series("rising", list(range(11)), [n / 10 for n in range(11)])
FALLING = Series("falling", list(range(11)), [1 - n / 10 for n in range(11)])
LINES = DrawnChart("Lines", "", lines=[RISING, FALLING], is_fraction=True)
BARS = DrawnChart("Bars", "", bars={"short": 0.001, "a long label of a bar": 0.1})
INK = np.zeros((28, 28), np.uint8)
INK[:, 10:18] = 255
PICTURES = DrawnChart("Pictures", "", pictures=[Picture(f"n {n}", INK.reshape(-1)) for n in "abc"])


def draw(chart, width=80, style=terminal.UNICODE):
    return list(terminal.draw(chart, width, style))


@pytest.mark.parametrize("style", [terminal.UNICODE, terminal.ASCII])
@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize(
    "chart",
    [LINES, BARS, PICTURES, DrawnChart(LONG, "", lines=[Series(LONG, [0, 1], [0.5, 1])])],
    ids=lambda chart: chart.title,
)
def test_no_line_is_wider_than_the_terminal(chart, width, style):
    assert max(map(len, draw(chart, width, style))) <= width


def test_a_rising_line_ends_at_the_top_and_a_falling_one_at_the_bottom():
    rows = [line[10:] for line in draw(LINES)[1:12]]
    assert rows[0].rstrip().endswith(terminal.UNICODE.marks[0])
    assert rows[0].startswith(terminal.UNICODE.marks[1])
    assert rows[-1].startswith(terminal.UNICODE.marks[0])
    assert rows[-1].rstrip().endswith(terminal.UNICODE.marks[1])


def test_each_line_is_named_with_its_last_value():
    text = "\n".join(draw(LINES))
    assert "● rising: 100.0 %" in text
    assert "▲ falling: 0.0 %" in text
    assert "epoch 10" in text


def test_bars_are_as_long_as_their_values_and_on_a_log_scale_as_their_logarithms():
    def lengths(**changes):
        chart = DrawnChart("Bars", "", bars={"a": 1.0, "b": 10.0, "c": 100.0}, **changes)
        return [line.count("█") for line in draw(chart)[1:]]

    small, middle, large = lengths()
    assert small <= 1
    assert 9 <= large / middle <= 11
    small, middle, large = lengths(is_log=True)
    assert abs((large - middle) - (middle - small)) <= 1
    assert small > 0


def test_bars_begin_at_zero_on_either_side_of_it():
    chart = DrawnChart("Bars", "", bars={"below": -10.0, "zero": 0.0, "above": 10.0})
    below, zero, above = (line.count("█") for line in draw(chart)[1:])
    assert (below, zero) == (above, 0)
    assert above > 10


def test_values_that_are_no_numbers_are_said_and_not_drawn():
    chart = DrawnChart("Bars", "", bars={"lost": float("inf"), "none": float("nan"), "one": 1.0})
    lost, none, _ = draw(chart)[1:]
    assert lost.endswith("infinite")
    assert none.endswith("undefined")
    single = DrawnChart("Line", "", lines=[Series("a", [], [])])
    assert draw(single)[-1].endswith("a: -")


def test_a_picture_shows_its_strokes_under_its_caption():
    captions, *rows = draw(PICTURES)[1:]
    assert captions.split() == ["n", "a", "n", "b", "n", "c"]
    assert len(rows) == 7
    assert all(row.startswith("     ████") for row in rows)


def test_weights_below_zero_have_other_characters_than_those_above():
    weights = np.concatenate([np.full(392, 1.0), np.full(392, -1.0)])
    chart = DrawnChart("Weights", "", pictures=[Picture("n", weights, signed=True)])
    rows = draw(chart)[2:]
    assert rows[0] == "█" * 14
    assert rows[-1] == terminal.UNICODE.negative[-1] * 14


@pytest.mark.parametrize(
    ("encoding", "style"),
    [
        ("utf-8", terminal.UNICODE),
        ("ascii", terminal.ASCII),
        ("latin-1", terminal.ASCII),
        (None, terminal.ASCII),
        ("no-such-encoding", terminal.ASCII),
    ],
)
def test_an_encoding_without_blocks_gets_ascii(encoding, style):
    assert terminal.style_for(encoding) is style
    for chart in (LINES, BARS, PICTURES):
        if style is terminal.ASCII:
            "\n".join(draw(chart, style=style)).encode("ascii")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1410.3, "1,410"),
        (999.7, "1,000"),
        (0.0685, "0.0685"),
        (7.87e-6, "7.87e-06"),
        (2e7, "2e+07"),
    ],
)
def test_values_are_short_and_those_of_thousands_without_powers_of_ten(value, text):
    assert terminal.shown(value, is_fraction=False) == text
