"""Charts: learning curves, reliability, histograms and small bars, drawn by Matplotlib.

``dlcli plot`` writes them to files, the pages show them as SVG (see ``svg``).
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FormatStrFormatter,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from dlcli.evaluation.metrics import ReliabilityBin, wilson_interval
from dlcli.nn.types import Array
from dlcli.report.neuron_statistics import Histogram
from dlcli.report.svg import COLOURS
from dlcli.training.epoch_metrics import EpochRecord

# Charts of a page are as wide as a phone, so that their text is readable there and on a desktop.
PAGE_WIDTH, PAGE_HEIGHT = 420, 240
PIXELS_PER_INCH = 72
_STRIP_WIDTH, _STRIP_MARGIN = 140, 8
_LEGEND_ROW_PX = 18
_LETTER_PX = 7.5  # the width of a letter of 12 px, about
_LEGEND_HANDLE_LETTERS = 6  # the line before a name, and the space after it
_LONGEST_LEGEND_LETTERS = 40
_NO_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")
# Losses beyond this are left out: they would flatten everything else.
_LARGEST_VALUE = 1e12
# The axis of a fraction of neurons reaches at least so far: a single one is no mountain.
_LEAST_FRACTION_SHOWN = 0.05
# An axis is logarithmic if the largest value is this many times the smallest.
_WIDE_RANGE = 5


@dataclass(frozen=True)
class Chart:
    """A figure of a page.

    Attributes
    ----------
    note
        A line under the title.
    readings
        The values to show under the pointer, in place of the note: the epochs, their positions
        in the chart, its upper and lower end, and the values of each line.
    """

    title: str
    note: str
    figure: Markup
    id: str = ""
    readings: dict[str, Any] | None = None


@dataclass(frozen=True)
class Line:
    """A field of ``EpochRecord`` over the epochs; ``style`` has keywords of ``Axes.plot``.

    With a ``layer``, counted from 0, it is a field of that layer's ``LayerRecord``.
    """

    label: str
    records: Sequence[EpochRecord]
    field: str
    style: dict[str, Any]
    layer: int | None = None

    def values(self) -> Array:
        """The score of each epoch; NaN, which is not drawn, where there is none."""
        found = [self._value(record) for record in self.records]
        values = np.array([math.nan if value is None else value for value in found], float)
        values[~(np.abs(values) < _LARGEST_VALUE)] = math.nan
        return values

    def _value(self, record: EpochRecord) -> float | None:
        if self.layer is None:
            value: float | None = getattr(record, self.field)
        elif record.layers:
            value = getattr(record.layers[self.layer], self.field)
        else:  # an epoch of an older version
            value = None
        return value


def draw_epochs(axes: Axes, lines: Sequence[Line]) -> list[Line2D]:
    """Draw one kind of score over the epochs.

    Losses that differ by large factors have a logarithmic axis. Accuracies are drawn as error
    rates on an inverted logarithmic axis: 99.5 % is as far above 99 % as 98 % is below it.
    """
    field = lines[0].field
    accuracy = field.endswith("accuracy")
    values = [line.values() for line in lines]
    if accuracy:
        values = _positive([1 - accuracies for accuracies in values])
    drawn = []
    for line, heights in zip(lines, values, strict=True):
        epochs = [record.epoch for record in line.records]
        few = np.isfinite(heights).sum() < 3  # too few to be seen as a line
        style = {"marker": "." if few else "", **line.style}
        drawn += axes.plot(epochs, heights, label=line.label, **style)
    wide = field != "learning_rate" and _is_wide(np.concatenate(values))
    if wide or accuracy:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else round_ticks())
    axes.yaxis.set_major_formatter(_AXIS_FORMATS.get(field, FormatStrFormatter("%g")))
    axes.yaxis.set_inverted(accuracy)
    axes.xaxis.set_major_locator(round_ticks(integer=True))
    axes.set_xlabel("epoch")
    return drawn


_AS_ACCURACY = FuncFormatter(lambda error, _: f"{100 - 100 * error:.6g} %")
_AS_PERCENT = FuncFormatter(lambda fraction, _: f"{100 * fraction:.6g} %")
_AXIS_FORMATS = {
    "train_accuracy": _AS_ACCURACY,
    "validation_accuracy": _AS_ACCURACY,
    "dead": _AS_PERCENT,
    "saturated": _AS_PERCENT,
}


def _positive(errors: Sequence[Array]) -> list[Array]:
    """Error rates as a logarithmic axis needs them: half of the smallest one instead of 0."""
    known = np.concatenate(errors)
    known = known[known > 0]
    least = known.min() / 2 if known.size else 0.001
    return [np.maximum(values, least) for values in errors]


def _is_wide(values: Array) -> bool:
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > _WIDE_RANGE * values.min())


def round_ticks(*, integer: bool = False) -> MaxNLocator:
    """A few round numbers on an axis; with ``integer``, of things that are counted."""
    # Two ticks are the usual least number: on an axis around a single epoch, fractions of it.
    return MaxNLocator(6, steps=[1, 2, 5, 10], integer=integer, min_n_ticks=1 if integer else 2)


def learning_curve(
    lines: Sequence[Line], kept: int | None = None, overfitting_since: int | None = None
) -> Figure | None:
    """A chart of a page: lines over epochs, named above it; None if there is nothing to draw.

    The kept epoch is marked by a dashed line, overfitting by a shaded background.
    """
    lines = [line for line in lines if np.isfinite(line.values()).any()]
    if not lines:
        return None
    figure = page_figure(PAGE_WIDTH, PAGE_HEIGHT)
    axes = figure.subplots()
    drawn = draw_epochs(axes, lines)
    handles: list[Artist] = [*drawn] if len(drawn) > 1 else []
    if lines[0].field == "learning_rate":
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    if lines[0].field in {"dead", "saturated"}:
        axes.set_ylim(0, max(_LEAST_FRACTION_SHOWN, axes.get_ylim()[1]))
    if kept is not None:
        mark = axes.axvline(kept, label="kept epoch", color=COLOURS["soft"], linewidth=1)
        mark.set_linestyle((0, (3, 3)))
        handles.append(mark)
    if overfitting_since is not None:
        last = lines[0].records[-1].epoch
        shade = axes.axvspan(overfitting_since, last, label="overfitting", zorder=0)
        shade.set(facecolor=COLOURS["shade"], edgecolor="none")
        handles.append(shade)
    if handles:
        add_legend(figure, handles)
    return figure


def add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Names above a chart, those of its lines in their colours; the figure grows by their rows."""
    labels = [shortened(str(handle.get_label()), _LONGEST_LEGEND_LETTERS) for handle in handles]
    letters = max(map(len, labels)) + _LEGEND_HANDLE_LETTERS
    columns = max(int(PAGE_WIDTH / _LETTER_PX / letters), 1)
    rows = math.ceil(len(handles) / columns)
    figure.set_figheight((PAGE_HEIGHT + rows * _LEGEND_ROW_PX) / PIXELS_PER_INCH)
    legend = figure.legend(
        handles, labels, loc="outside upper left", ncols=columns, handlelength=1.5, columnspacing=1
    )
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        if isinstance(handle, Line2D) and handle.get_label() != "kept epoch":
            text.set(color=handle.get_color(), weight="bold")


def shortened(name: str, letters: int) -> str:
    """The end of a long name: runs are named by their time first and their config last.

    Bytes of a file name that are no text become question marks, as Matplotlib draws only text, and
    so do control characters: XML forbids most of them, and an SVG with one cannot be read.
    """
    name = _NO_XML.sub("?", name.encode("utf-8", "replace").decode())
    return name if len(name) <= letters else f"…{name[1 - letters :]}"


def page_figure(width: float, height: float, **options: Any) -> Figure:
    """An empty figure of a page; its size is in pixels."""
    size = (width / PIXELS_PER_INCH, height / PIXELS_PER_INCH)
    return Figure(figsize=size, **{"layout": "constrained", **options})


def reliability(bins: Sequence[ReliabilityBin]) -> Figure:
    """The accuracy of predictions over their probability, with 95 % intervals."""
    figure = page_figure(320, 304)
    axes = figure.subplots()
    axes.axline((0, 0), slope=1, color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 4)))
    confidence = [100 * b.confidence for b in bins]
    intervals = np.array([wilson_interval(b.correct, b.images) for b in bins])
    axes.vlines(confidence, *(100 * intervals.T), color=COLOURS["soft"], linewidth=1.25)
    images = np.array([b.images for b in bins])
    axes.scatter(
        confidence,
        [100 * b.correct / b.images for b in bins],
        s=(5 + 9 * np.sqrt(images / images.max())) ** 2,
        color="C0",
        zorder=3,
        clip_on=False,
    )
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel="probability of the prediction")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FormatStrFormatter("%g %%"))
    return figure


def histogram(counts: Histogram) -> Figure:
    """Bars whose heights are counts, with the ends of the range and 0 below them."""
    figure = page_figure(180, 96)
    axes = figure.subplots()
    axes.grid(visible=False)
    axes.stairs(counts.counts, counts.edges, fill=True, color="C0")
    low, high = float(counts.edges[0]), float(counts.edges[-1])
    apart = [end for end in (low, high) if abs(end) > 0.2 * (high - low)]
    axes.set_xticks([0, *apart], ["0", *(f"{end:.2g}" for end in apart)])
    axes.set_yticks([])
    axes.margins(x=0)
    return figure


def strip(
    limits: tuple[float, float],
    interval: tuple[float, float],
    colour: str,
    marks: Sequence[tuple[float, str, str]],
) -> Figure:
    """A cell of a table: an interval between two limits, and marks: value, marker and colour."""
    figure = page_figure(_STRIP_WIDTH, 16, layout="none")
    low, high = limits

    def draw(*values: float, **style: Any) -> None:
        inner = _STRIP_WIDTH - 2 * _STRIP_MARGIN
        places = [_STRIP_MARGIN + inner * (value - low) / (high - low) for value in values]
        # A line of the figure: axes would take ten times as long as all the rest.
        line = Line2D([place / _STRIP_WIDTH for place in places], [0.5] * len(places), **style)
        figure.add_artist(line)

    draw(*limits, color=COLOURS["grid"], linewidth=1, solid_capstyle="butt")
    draw(*interval, color=colour, solid_capstyle="butt")
    for value, marker, mark_colour in marks:
        draw(value, color=mark_colour, marker=marker, markersize=8, linestyle="none")
    return figure


def strip_limits(fractions: Sequence[float]) -> tuple[float, float]:
    """Round ends of an axis for these fractions."""
    low, high = min(fractions), max(fractions)
    step = max(0.001, 10 ** math.floor(math.log10(max(high - low, 1e-3))))
    low = max(0.0, math.floor(low / step - 0.25) * step)
    return low, min(1.0, math.ceil(high / step + 0.25) * step)
