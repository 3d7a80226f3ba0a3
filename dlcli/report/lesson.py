"""The page of a lesson: what was tried, what happened, why, and what to change."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, FuncFormatter, NullLocator

from dlcli.config.schema import to_yaml
from dlcli.lessons import texts
from dlcli.lessons.engine import DrawnChart, Result
from dlcli.lessons.experiments import Picture
from dlcli.lessons.terminal import shown
from dlcli.report import charts, frame, svg, thumbnails
from dlcli.report.charts import Chart

_BAR_HEIGHT_PX = 30
_BAR_COLOUR = f"C{svg.SERIES - 1}"  # grey: the colours of lines name networks


def render(result: Result) -> bytes:
    """The page as UTF-8."""
    lesson = result.lesson
    with svg.page_style():
        drawn = [_chart(number, chart) for number, chart in enumerate(result.charts)]
    return frame.render(
        "lesson.html",
        [frame.asset("lesson.css")],
        title=lesson.file.title,
        file=lesson.file,
        idea=texts.blocks(result.opening.idea),
        asks=result.opening.asks,
        source=lesson.file.source,
        networks=[
            (name, trained.label, to_yaml(trained.config), len(trained.data.train))
            for name, trained in result.trained.items()
        ],
        descriptions=[next(iter(texts.blocks(line))) for line in lesson.descriptions()],
        caution=next(iter(texts.blocks(lesson.caution)), None),
        divergences=result.divergences,
        claims=[(next(iter(texts.blocks(each.says))), each) for each in result.claims],
        charts=drawn,
        pictures=_pictures,
        explanation=texts.blocks(result.explanation),
    )


def _chart(number: int, chart: DrawnChart) -> tuple[Chart | None, DrawnChart]:
    """A chart of lines or bars as a figure; None for pictures, which the template shows."""
    if chart.pictures:
        return None, chart
    figure = _curves(chart) if chart.lines else _bars(chart)
    name = f"chart-{number}"
    description = f"{chart.title}. {_in_words(chart)}"
    return Chart(chart.title, chart.note, svg.inline(figure, name, description), name), chart


def _in_words(chart: DrawnChart) -> str:
    values = [(line.label, line.values[-1]) for line in chart.lines if line.values]
    values += chart.bars.items()
    return "; ".join(f"{k}: {shown(v, is_fraction=chart.is_fraction)}" for k, v in values)


def _curves(chart: DrawnChart) -> Figure:
    figure = charts.page_figure(charts.PAGE_WIDTH, charts.PAGE_HEIGHT)
    axes = figure.subplots()
    drawn = []
    for line in chart.lines:
        marker = "" if len(line.epochs) > 2 else "o"
        drawn += axes.plot(line.epochs, line.values, label=line.label, marker=marker)
    _scale(axes, chart)
    axes.xaxis.set_major_locator(charts.round_ticks(integer=True))
    axes.set_xlabel("epoch")
    if len(drawn) > 1:  # the title says what a single line is
        charts.add_legend(figure, drawn)
    return figure


def _bars(chart: DrawnChart) -> Figure:
    labels, values = list(chart.bars), list(chart.bars.values())
    figure = charts.page_figure(charts.PAGE_WIDTH, 40 + _BAR_HEIGHT_PX * len(values))
    axes = figure.subplots()
    axes.grid(visible=False)
    places = range(len(values))
    longest = max(filter(math.isfinite, values), default=1.0)  # so long is an infinite one
    lengths = [value if math.isfinite(value) else longest for value in values]
    drawn = axes.barh(places, lengths, color=_BAR_COLOUR)
    words = [f" {shown(value, is_fraction=chart.is_fraction)}" for value in values]
    axes.bar_label(drawn, words)
    axes.set_yticks(places, labels)
    axes.yaxis.set_inverted(True)
    if chart.is_log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([])
    axes.margins(x=0.2)
    return figure


def _scale(axes: Axes, chart: DrawnChart) -> None:
    if chart.is_log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    elif chart.is_fraction:
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _pictures(pictures: Sequence[Picture]) -> Iterable[tuple[str, str]]:
    """Each picture's caption, and itself for a ``data:`` URL."""
    for each in pictures:
        encoded: Any = thumbnails.weights if each.signed else thumbnails.digit
        yield each.caption, encoded(each.values)
