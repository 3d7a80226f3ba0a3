"""Data to lines, dots and labels, whatever is missing."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st

from dlcli.evaluation import metrics
from dlcli.report import charts, scales
from dlcli.report.charts import Series


def test_what_is_no_finite_number_is_left_out():
    points = [(1, 0.5), (2, math.nan), (3, None), (4, math.inf), (5, 0.25)]
    chart = charts.line_chart([Series("loss", "training", points)], scales.linear, named=False)
    assert chart.lines[0].path.count("L") == 1
    assert list(chart.positions) == [1, 5]


def test_nothing_to_draw_is_no_chart():
    assert charts.line_chart([Series("a", "b", [(1, None)])], scales.linear, named=False) is None


def test_a_single_epoch_is_a_dot():
    chart = charts.line_chart([Series("a", "b", [(1, 2.0)])], scales.linear, named=True, kept=1)
    assert len(chart.lines[0].points) == 1
    assert chart.kept == chart.lines[0].points[0][0]


def test_many_runs_get_a_higher_chart_and_labels_that_do_not_touch():
    series = [Series(f"run {n}", "s0", [(1, 1.0), (2, 0.5)]) for n in range(30)]
    chart = charts.line_chart(series, scales.linear, named=True)
    places = sorted(line.label_y for line in chart.lines)
    assert all(b - a >= 13.9 for a, b in itertools.pairwise(places))
    assert places[-1] <= chart.frame.bottom < chart.frame.height


def test_the_reliability_diagram_has_a_point_a_bin(subject):
    bins = metrics.reliability(subject.scores.probabilities, subject.scores.labels)
    chart = charts.reliability_chart(bins)
    assert len(chart.points) == len(bins)
    for _, y, radius, low, high, _ in chart.points:
        assert high <= y <= low  # a higher share is further up
        assert 2.5 <= radius <= 7


def test_of_a_long_name_the_end_is_written():
    name = "20260101T120000Z-quickstart"
    chart = charts.line_chart([Series(name, "s0", [(1, 1.0)])], scales.linear, named=True)
    assert chart.lines[0].label == f"…{name[-15:]}"


@given(
    st.lists(st.tuples(st.integers(-5, 10**12), st.floats()), min_size=1, max_size=6),
    st.sampled_from([scales.linear, scales.logarithmic, scales.accuracy]),
)
def test_whatever_a_log_holds_is_drawn_within_the_frame(points, make_scale):
    chart = charts.line_chart([Series("a", "b", points)], make_scale, named=True)
    if chart is None:
        assert not any(abs(value) < scales.MOST for _, value in points)
        return
    frame = chart.frame
    for x, y in chart.lines[0].points:
        assert frame.left <= x <= frame.right
        assert frame.top <= y <= frame.bottom
    for ticks, low, high in (
        (chart.x_ticks, frame.left, frame.right),
        (chart.y_ticks, frame.top, frame.bottom),
    ):
        assert len(ticks) <= 20
        assert all(low <= tick.position <= high for tick in ticks)
