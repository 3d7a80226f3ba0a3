"""Charts and pictures as lines of text, with block characters or in ASCII."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.lessons.engine import DrawnChart, Series
from dlcli.lessons.experiments import Picture
from dlcli.nn.dimensions import IMAGE_SIDE

_ROWS = 11  # of a chart of lines
_LABEL_COLUMNS = 9  # left of it
_LEAST_PLOT_COLUMNS = 20
_PICTURE_COLUMNS = 14  # half of an image's side: a character for two columns and four rows
_GAP = 1
_PLAIN_FROM, _PLAIN_TO = 999.5, 1e6  # values written without powers of ten, though .3g has them


@dataclass(frozen=True)
class Style:
    """The characters to draw with."""

    marks: str
    bar: str
    axis: str
    corner: str
    line: str
    levels: str
    """From background to foreground."""
    negative: str
    """Weights below 0, from weak to strong."""


UNICODE = Style("●▲■◆", "█", "┤", "└", "─", " ░▒▓█", "·-=")
ASCII = Style("ox+*", "#", "|", "+", "-", " .:*#", "'-=")


def style_for(encoding: str | None) -> Style:
    """The characters that an encoding has."""
    characters = f"{UNICODE.marks}{UNICODE.levels}{UNICODE.axis}{UNICODE.negative}"
    try:
        characters.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def draw(chart: DrawnChart, width: int, style: Style) -> Iterator[str]:
    """The lines of a chart, none longer than ``width``."""
    yield from textwrap.wrap(chart.title, width)
    if chart.lines:
        yield from _curves(chart, width, style)
    elif chart.bars:
        yield from _bars(chart, width, style)
    else:
        yield from _pictures(chart.pictures, width, style)


def shown(value: float, *, is_fraction: bool) -> str:
    """A value beside a chart."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "infinite"
    if is_fraction:
        return f"{100 * value:.1f} %"
    if _PLAIN_FROM <= abs(value) < _PLAIN_TO:  # 1,410 and not 1.41e+03
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"


class _Scale:
    """Values to positions from 0 to 1."""

    def __init__(self, values: Sequence[float], *, is_log: bool, to_one: bool = False) -> None:
        known = [value for value in values if math.isfinite(value)]
        self.is_log = is_log and any(value > 0 for value in known)
        positive = [value for value in known if value > 0] if self.is_log else known
        low, high = min(positive, default=0.0), max(positive, default=1.0)
        if not self.is_log:
            low = min(low, 0.0)
            high = 1.0 if to_one else high
        self.low, self.high = self._level(low), self._level(high)
        if self.high <= self.low:
            self.high = self.low + 1

    def _level(self, value: float) -> float:
        return math.log10(value) if self.is_log else value

    def position(self, value: float) -> float:
        """Where a value is; values beyond an end are at it."""
        if math.isnan(value):
            return 0.0
        if self.is_log and value <= 0:
            return 0.0
        level = self.high if math.isinf(value) else self._level(value)
        return min(max((level - self.low) / (self.high - self.low), 0.0), 1.0)

    def value(self, position: float) -> float:
        """The value at a position."""
        level = self.low + position * (self.high - self.low)
        return 10.0**level if self.is_log else level


def _curves(chart: DrawnChart, width: int, style: Style) -> Iterator[str]:
    """Lines over the epochs, each with a mark of its own; named below with their last value."""
    everything = [value for line in chart.lines for value in line.values]
    scale = _Scale(everything, is_log=chart.is_log, to_one=chart.is_fraction)
    last = max((line.epochs[-1] for line in chart.lines if line.epochs), default=1) or 1
    columns = max(width - _LABEL_COLUMNS - 1, _LEAST_PLOT_COLUMNS)
    grid = [[" "] * columns for _ in range(_ROWS)]
    for line, mark in zip(chart.lines, _marks(style), strict=False):
        for column, value in _thinned(line, last, columns):
            grid[round((1 - scale.position(value)) * (_ROWS - 1))][column] = mark
    for number, row in enumerate(grid):
        label = ""
        if number % 5 == 0:
            label = shown(scale.value(1 - number / (_ROWS - 1)), is_fraction=chart.is_fraction)
        yield f"{label:>{_LABEL_COLUMNS - 1}} {style.axis}{''.join(row)}".rstrip()
    yield f"{' ' * _LABEL_COLUMNS}{style.corner}{style.line * columns}"
    end = f"epoch {last}"
    yield f"{' ' * (_LABEL_COLUMNS + 1)}0{end:>{columns - 1}}"
    for line, mark in zip(chart.lines, _marks(style), strict=False):
        final = shown(line.values[-1], is_fraction=chart.is_fraction) if line.values else "-"
        yield from textwrap.wrap(
            f"{mark} {line.label}: {final}",
            width,
            initial_indent=" " * (_LABEL_COLUMNS + 1),
            subsequent_indent=" " * (_LABEL_COLUMNS + 3),
        )


def _marks(style: Style) -> str:
    return style.marks * 3  # of more lines than marks, some share one


def _thinned(line: Series, last: int, columns: int) -> Iterator[tuple[int, float]]:
    """The column and value of each point; between two points the line goes straight on."""
    if len(line.epochs) == 1:
        yield 0, line.values[0]
    if len(line.epochs) > 1:
        for column in range(columns):
            epoch = column / (columns - 1) * last
            if epoch <= line.epochs[-1]:
                step = max(columns // 36, 1)  # not every column, so that lines stay apart
                if column % step == 0:
                    yield column, float(np.interp(epoch, line.epochs, line.values))


def _bars(chart: DrawnChart, width: int, style: Style) -> Iterator[str]:
    """A bar a line, with its label before and its value after it."""
    values = list(chart.bars.values())
    scale = _Scale([abs(value) for value in values], is_log=chart.is_log)
    if scale.is_log:  # the shortest bar has to be seen
        scale.low -= (scale.high - scale.low) / 8
    texts = [shown(value, is_fraction=chart.is_fraction) for value in values]
    label_width = min(max(map(len, chart.bars)), width // 2)
    columns = max(width - label_width - max(map(len, texts)) - 2, 4)
    for label, value, text in zip(chart.bars, values, texts, strict=True):
        bar = style.bar * round(scale.position(abs(value)) * columns)
        yield f"{label[:label_width]:<{label_width}} {bar} {text}".rstrip()


def _pictures(pictures: Sequence[Picture], width: int, style: Style) -> Iterator[str]:
    """Pictures side by side, as many in a row as fit, with their captions above them."""
    per_row = max((width + _GAP) // (_PICTURE_COLUMNS + _GAP), 1)
    for start in range(0, len(pictures), per_row):
        row = pictures[start : start + per_row]
        gap = " " * _GAP
        captions = [f"{picture.caption[:_PICTURE_COLUMNS]:^{_PICTURE_COLUMNS}}" for picture in row]
        yield gap.join(captions).rstrip()
        drawn = [_picture(picture, style) for picture in row]
        yield from (gap.join(parts).rstrip() for parts in zip(*drawn, strict=True))


def _picture(picture: Picture, style: Style) -> list[str]:
    """A picture at half its width and a quarter of its height: characters are twice as high."""
    values: npt.NDArray[np.float64] = np.asarray(picture.values, dtype=np.float64)
    rows = IMAGE_SIDE // 4
    small = values.reshape(rows, 4, _PICTURE_COLUMNS, 2).mean(axis=(1, 3))
    small /= np.abs(small).max() or 1.0
    if not picture.signed:
        levels = np.rint(small * (len(style.levels) - 1)).astype(int)
        return ["".join(style.levels[level] for level in row) for row in levels]
    return ["".join(_signed(value, style) for value in row) for row in small]


def _signed(value: float, style: Style) -> str:
    """The character of a weight, from -1 to 1."""
    levels = style.levels if value >= 0 else f" {style.negative}"
    return levels[round(abs(value) * (len(levels) - 1))]
