"""Data to the lines, bars and labels of charts; the templates draw them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlcli.evaluation.metrics import ReliabilityBin, wilson_interval
from dlcli.report import scales
from dlcli.report.activity import Histogram
from dlcli.report.scales import Scale, Tick

# A chart's own units: as wide as a phone, so that its text is readable there and on a desk.
WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 14, 20, 30
_LETTER = 6.6  # the width of a letter of a chart's text, about
_LINE = 14  # the height of a line of it
_SHADED_ROOM = 95  # for two words beside each other

MakeScale = Callable[[Sequence[float], float, float], tuple[Scale, list[Tick]]]


@dataclass(frozen=True)
class Series:
    """Values to draw as a line; ``role`` decides its colour.

    Attributes
    ----------
    points
        Epochs, and the value in each; None where there is none.
    """

    name: str
    role: str
    points: list[tuple[int, float | None]]

    def finite(self) -> list[tuple[int, float]]:
        """The points that can be drawn."""
        return [(e, v) for e, v in self.points if v is not None and abs(v) < scales.MOST]


@dataclass(frozen=True)
class Frame:
    """The place of a chart's data, and the size of the whole."""

    left: float
    right: float
    top: float
    bottom: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """One line of a chart, through ``points``, with a label at its end."""

    name: str
    label: str
    role: str
    points: list[tuple[float, float]]
    label_y: float

    @property
    def path(self) -> str:
        """The line as SVG writes it."""
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in self.points)


@dataclass(frozen=True)
class Label:
    """A place for a text, and which end of it is there."""

    x: float
    y: float
    anchor: str


@dataclass(frozen=True)
class LineChart:
    """Something over epochs.

    Attributes
    ----------
    positions
        Of each epoch from the first to the last line's, for reading values off.
    kept
        The position of the epoch that was kept.
    shaded
        From where on the network learned its images by heart.
    """

    frame: Frame
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    positions: dict[int, float]
    kept: float | None
    shaded: float | None
    shaded_label: Label | None


def line_chart(
    series: Sequence[Series],
    make_scale: MakeScale,
    *,
    named: bool,
    kept: int | None = None,
    shaded: int | None = None,
) -> LineChart | None:
    """A chart of several series over epochs; None if there is nothing to draw.

    Parameters
    ----------
    series
        What to draw.
    make_scale
        What makes the vertical axis (see ``scales``).
    named
        Write each name at the end of its line.
    kept, shaded
        An epoch to mark, and one from which on to shade.
    """
    drawn = [(line, points) for line in series if (points := line.finite())]
    if not drawn:
        return None
    labels = [_shortened(line.name) if named else "" for line, _ in drawn]
    margin = _RIGHT + max(map(len, labels)) * _LETTER
    height = max(HEIGHT, _TOP + _BOTTOM + _LINE * len(drawn) * named)
    frame = Frame(_LEFT, WIDTH - margin, _TOP, height - _BOTTOM, WIDTH, height)
    epochs = sorted({epoch for _, points in drawn for epoch, _ in points})
    x_scale, x_ticks = scales.epochs(epochs[0], epochs[-1], frame.left, frame.right)
    values = [value for _, points in drawn for _, value in points]
    y_scale, y_ticks = make_scale(values, frame.bottom, frame.top)
    placed = [[(x_scale(epoch), y_scale(value)) for epoch, value in points] for _, points in drawn]
    ends = scales.spread([points[-1][1] for points in placed], _LINE, frame.top + 4, frame.bottom)
    lines = [
        Line(line.name, label, line.role, points, end)
        for (line, _), label, points, end in zip(drawn, labels, placed, ends, strict=True)
    ]
    kept_x = None if kept is None or not epochs[0] <= kept <= epochs[-1] else x_scale(kept)
    shaded_x = None if shaded is None else x_scale(shaded)
    return LineChart(
        frame=frame,
        lines=lines,
        x_ticks=x_ticks,
        y_ticks=y_ticks,
        positions={epoch: x_scale(epoch) for epoch in epochs},
        kept=kept_x,
        shaded=shaded_x,
        shaded_label=None if shaded_x is None else _shaded_label(frame, shaded_x, kept_x),
    )


def _shaded_label(frame: Frame, shaded: float, kept: float | None) -> Label:
    """Above the shade, where the mark of the kept epoch leaves room; else at its foot."""
    above = frame.top - 8
    if kept is None or frame.right - kept > _SHADED_ROOM:
        return Label(frame.right, above, "end")
    if kept - shaded > _SHADED_ROOM:
        return Label(shaded, above, "start")
    return Label(frame.right - 4, frame.bottom - 6, "end")


@dataclass(frozen=True)
class Bars:
    """A histogram: the left side, width and top of each bar."""

    frame: Frame
    bars: list[tuple[float, float, float, float]]
    x_ticks: list[Tick]
    low: str
    high: str


def histogram_chart(histogram: Histogram) -> Bars:
    """Bars whose heights are counts."""
    frame = Frame(4, 176, 4, 74, 180, 96)
    edges = histogram.edges.tolist()
    x_scale = Scale(float, edges[0], edges[-1], frame.left, frame.right)
    most = max(int(histogram.counts.max()), 1)
    bars = []
    for index, count in enumerate(histogram.counts.tolist()):
        if count:
            left, right = x_scale(edges[index]), x_scale(edges[index + 1])
            height = max(round(count / most * (frame.bottom - frame.top), 1), 0.8)
            bars.append((left, round(right - left, 1), round(frame.bottom - height, 1), height))
    low, high = (scales.short(float(f"{edge:.2g}")) for edge in (edges[0], edges[-1]))
    ends = [Tick(frame.left, low), Tick(frame.right, high)]
    zero = Tick(x_scale(0), "0")
    ticks = [zero, *(tick for tick in ends if abs(tick.position - zero.position) > 30)]
    return Bars(frame, bars, ticks, low, high)


@dataclass(frozen=True)
class Reliability:
    """A point a bin: its place, its size, the interval of its accuracy, and the bin itself."""

    frame: Frame
    points: list[tuple[float, float, float, float, float, ReliabilityBin]]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def reliability_chart(bins: Sequence[ReliabilityBin]) -> Reliability:
    """The accuracy of answers over their probability."""
    frame = Frame(48, 306, 12, 270, 320, 304)
    x_scale = Scale(float, 0, 1, frame.left, frame.right)
    y_scale = Scale(float, 0, 1, frame.bottom, frame.top)
    most = max(b.images for b in bins)
    points = []
    for b in bins:
        low, high = wilson_interval(b.correct, b.images)
        radius = round(2.5 + 4.5 * math.sqrt(b.images / most), 1)
        place = (x_scale(b.confidence), y_scale(b.correct / b.images))
        points.append((*place, radius, y_scale(low), y_scale(high), b))
    marks = [0, 0.2, 0.4, 0.6, 0.8, 1]
    return Reliability(
        frame,
        points,
        x_scale.ticks(marks, _percent, 20),
        y_scale.ticks(marks, _percent, 20),
    )


@dataclass(frozen=True)
class Strip:
    """A horizontal axis shared by the rows of a table."""

    scale: Scale
    ticks: list[Tick]


def strip(shares: Sequence[float]) -> Strip:
    """An axis of shares, from below the least of them to the largest."""
    low, high = min(shares), max(shares)
    step = max(0.001, 10 ** math.floor(math.log10(max(high - low, 1e-3))))
    low = max(0.0, math.floor(low / step - 0.25) * step)
    high = min(1.0, math.ceil(high / step + 0.25) * step)
    scale = Scale(float, low, high, 8, 132)
    return Strip(scale, [Tick(0, _percent(low)), Tick(140, _percent(high))])


def _percent(share: float) -> str:
    return f"{round(100 * share, 2):g} %"


def _shortened(name: str, letters: int = 16) -> str:
    """The end of a long name: runs are called by their time first and their config last."""
    return name if len(name) <= letters else f"…{name[1 - letters :]}"
