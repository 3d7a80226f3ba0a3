"""Charts show the data they are given, whatever is missing."""

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch

from dlcli.evaluation import metrics
from dlcli.report import charts, svg
from dlcli.report.charts import Line
from dlcli.report.neuron_statistics import Histogram
from tests.report.conftest import RECORD


@pytest.fixture(autouse=True)
def style():
    with svg.page_style():
        warnings.simplefilter("error")
        yield


def line(field, *values, label="line", first=1):
    records = [
        replace(RECORD, epoch=epoch, **{field: value}) for epoch, value in enumerate(values, first)
    ]
    return Line(label, records, field, {})


def learning_curve(lines: list[Line], **options: Any) -> Figure:
    """The chart of lines that have values."""
    figure = charts.learning_curve(lines, **options)
    assert figure is not None
    return figure


def tick_labels(figure):
    figure.draw_without_rendering()
    low, high = sorted(figure.axes[0].get_ylim())
    axis = figure.axes[0].yaxis
    places = [place for place in axis.get_majorticklocs() if low <= place <= high]
    return [axis.get_major_formatter()(place) for place in places]


def test_values_that_are_not_finite_are_left_out():
    figure = learning_curve([line("train_loss", 0.5, math.nan, None, math.inf, 0.25)])
    drawn = figure.axes[0].lines[0]
    assert np.flatnonzero(np.isfinite(drawn.get_ydata())).tolist() == [0, 4]


def test_nothing_to_draw_is_no_chart():
    assert charts.learning_curve([line("validation_loss", None)]) is None


def test_a_single_epoch_is_a_dot():
    figure = learning_curve([line("train_loss", 2.0)], kept=1)
    assert figure.axes[0].lines[0].get_marker() == "."
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["kept epoch"]


def test_the_axis_of_a_single_epoch_has_no_fractions():
    figure = learning_curve([line("train_loss", 2.0)])
    figure.draw_without_rendering()
    low, high = figure.axes[0].get_xlim()
    ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
    assert ticks == [1]


def test_the_legend_names_lines_the_kept_epoch_and_overfitting():
    lines = [
        line("train_loss", 1, 0.5, 0.2, label="training"),
        line("validation_loss", 1, 0.5, 0.6, label="validation"),
    ]
    figure = learning_curve(lines, kept=2, overfitting_since=2)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["training", "validation", "kept epoch", "overfitting"]
    (shade,) = figure.axes[0].patches
    assert isinstance(shade, Rectangle)
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == (2, 3)


def test_the_axis_of_the_learning_rate_begins_at_0():
    """So a rate that changes little looks as if it did."""
    figure = learning_curve([line("learning_rate", 0.1, 0.099, 0.098)])
    assert figure.axes[0].get_ylim()[0] == 0
    figure = learning_curve([line("gradient_norm", 0.1, 0.099, 0.098)])
    assert figure.axes[0].get_ylim()[0] > 0


@pytest.mark.parametrize(("count", "length"), [(2, 300), (30, 8), (7, 27)])
def test_the_chart_grows_with_its_legend(count, length):
    names = [f"{'x' * 300}{number:02}"[-length:] for number in range(count)]
    figure = learning_curve([line("train_loss", 1, 0.5, 0.2, label=name) for name in names])
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= charts.PAGE_WIDTH
    assert figure.axes[0].bbox.height > 120


def test_equal_factors_of_the_error_are_equal_distances():
    figure = learning_curve([line("train_accuracy", 0.96, 0.98, 0.99)])
    heights = np.asarray(figure.axes[0].lines[0].get_ydata())
    places = figure.axes[0].transData.transform([(1, height) for height in heights])[:, 1]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert places[1] > places[0]
    assert "98 %" in tick_labels(figure)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((1.0, 0.01), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]),
        ((1.0, 0.9), ["0.9", "0.92", "0.94", "0.96", "0.98", "1"]),
        ((3e-5, 1e-5), ["1e-05", "1.5e-05", "2e-05", "2.5e-05", "3e-05"]),
    ],
)
def test_ticks_are_round_numbers(values, labels):
    assert tick_labels(charts.learning_curve([line("train_loss", *values)])) == labels


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.floats(), min_size=1, max_size=6),
    st.integers(-5, 10**12),
    st.sampled_from(["train_loss", "train_accuracy", "learning_rate"]),
)
def test_any_log_can_be_drawn(values, first, field):
    figure = charts.learning_curve([line(field, *values, first=first)], kept=first)
    if figure is None:
        assert not any(abs(value) < 1e12 for value in values)
    else:
        assert svg.inline(figure, "any")


def test_the_reliability_diagram_has_a_point_for_each_bin(entry):
    bins = metrics.reliability(entry.scores.probabilities, entry.scores.labels)
    (axes,) = charts.reliability(bins).axes
    intervals, points = axes.collections
    assert isinstance(intervals, LineCollection)
    offsets = np.asarray(points.get_offsets())
    assert len(offsets) == len(bins)
    for (x, y), (low, high) in zip(offsets, intervals.get_segments(), strict=True):
        assert low[0] == high[0] == x
        assert low[1] <= y <= high[1]


def test_a_histogram_has_the_ends_of_its_range_and_zero_below_it():
    figure = charts.histogram(Histogram(np.array([1, 5, 2]), np.array([-1.25, 0.0, 1.25, 2.5])))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "-1.2", "2.5"]
    (steps,) = axes.patches
    assert isinstance(steps, StepPatch)
    assert steps.get_data()[0].tolist() == [1, 5, 2]


def test_limits_of_a_strip_are_round_and_around_the_values():
    assert charts.strip_limits([0.93, 0.981]) == pytest.approx((0.92, 0.99))
    assert charts.strip_limits([1.0, 1.0])[1] == 1


def test_of_a_long_name_the_end_is_shown():
    assert charts.shortened("20260101T120000Z-quickstart", 16) == "…000Z-quickstart"


@pytest.mark.parametrize("character", ["\x00", "\x07", "\n", "\x7f", "\x85", "\ufffe", "\udcff"])
def test_a_name_with_a_character_that_xml_forbids_can_be_drawn(character):
    named = line("train_loss", 1, 2, 3, label=f"a{character}b")
    figure = learning_curve([named, line("train_loss", 3, 2, 1, label="other")])
    assert ">a?b</text>" in svg.inline(figure, "one")
