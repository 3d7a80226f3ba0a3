"""Values to positions on an axis, and where its ticks are."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# Shares of right answers that are worth a tick.
_ROUND_SHARES = (
    *(0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99),
    *(0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999),
)
# What is less is 0 on an axis; what is more is beyond any.
_LEAST, MOST = 1e-12, 1e12


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    position: float
    label: str


@dataclass(frozen=True)
class Scale:
    """Where a value lies between ``start`` and ``end``, in the chart's units.

    Attributes
    ----------
    transform
        What is proportional to the distance on the axis: the value itself, its logarithm, ...
    low, high
        The values at the ends.
    """

    transform: Callable[[float], float]
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The position of a value."""
        low, high = self.transform(self.low), self.transform(self.high)
        share = (self.transform(value) - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(
        self, values: Iterable[float], label: Callable[[float], str], gap: float
    ) -> list[Tick]:
        """Those of the values that lie on the axis, at least ``gap`` from each other."""
        found: list[Tick] = []
        for value in values:
            if self.low <= value <= self.high:
                tick = Tick(self(value), label(value))
                if not found or abs(tick.position - found[-1].position) >= gap:
                    found.append(tick)
        return found


def linear(values: Sequence[float], start: float, end: float) -> tuple[Scale, list[Tick]]:
    """An axis from 0, or from below the least value, to above the largest."""
    low, high = min(0.0, *values), max(values)
    if high - low < _LEAST:
        high = low + 1
    step = _round_step(high - low, 5)
    low, high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
    scale = Scale(float, low, high, start, end)
    marks = [low + step * index for index in range(round((high - low) / step) + 1)]
    return scale, scale.ticks(marks, short, 14)


def logarithmic(values: Sequence[float], start: float, end: float) -> tuple[Scale, list[Tick]]:
    """An axis on which equal distances are equal factors (linear if a value is not above 0)."""
    if min(values) < _LEAST:
        return linear(values, start, end)
    low, high = min(values) / 1.1, max(values) * 1.1
    scale = Scale(math.log, low, high, start, end)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        marks = [factor * 10.0**decade for decade in decades for factor in factors]
        inside = [mark for mark in marks if low <= mark <= high]
        if len(inside) <= 7:
            break
    if len(inside) < 3:
        inside = _steps(low, high)
    return scale, scale.ticks(inside, short, 18)


def accuracy(values: Sequence[float], start: float, end: float) -> tuple[Scale, list[Tick]]:
    """An axis on which equal distances are equal factors of the error.

    So that 99.5 % is as far above 99 % as 98 % is below it. Where nothing is wrong, the end of
    the axis is meant. A linear one for values that are no shares.
    """
    if not 0 <= min(values) <= max(values) <= 1:
        return linear(values, start, end)
    errors = [1 - value for value in values if 1 - value > _LEAST]
    least = min(errors, default=0.01) / (1.1 if len(errors) == len(values) else 2)
    low = 1 - min(max(errors, default=0.1) * 1.1, 1.0)
    scale = Scale(lambda share: -math.log(max(1 - share, least)), low, 1 - least, start, end)
    marks: Sequence[float] = [share for share in _ROUND_SHARES if low <= share <= 1 - least]
    if len(marks) < 3:
        marks = _steps(low, 1 - least)
    return scale, scale.ticks(marks, lambda share: f"{100 * share:.6g} %", 18)


def epochs(first: int, last: int, start: float, end: float) -> tuple[Scale, list[Tick]]:
    """An axis of whole numbers."""
    scale = Scale(float, first, max(last, first + 1), start, end)
    step = max(1, round(_round_step(last - first, 6)))
    marks = [first, *range(step * (first // step + 1), last + 1, step)]
    if len(marks) > 1 and last - marks[-1] >= step / 2:
        marks.append(last)
    return scale, scale.ticks(marks, str, 24)


def short(value: float) -> str:
    """A number with as few digits as tell it from its neighbours on an axis."""
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The positions moved as little as keeps them ``gap`` apart, between ``low`` and ``high``."""
    order = sorted(range(len(positions)), key=positions.__getitem__)
    placed = list(positions)
    least = low
    for index in order:
        placed[index] = max(placed[index], least)
        least = placed[index] + gap
    most = high
    for index in reversed(order):
        placed[index] = min(placed[index], most)
        most = placed[index] - gap
    return placed


def _steps(low: float, high: float) -> list[float]:
    """At most four or five round numbers, equally far apart."""
    step = _round_step(high - low, 4)
    return [step * index for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_step(span: float, count: int) -> float:
    """1, 2 or 5 times a power of ten: the least of which at most ``count`` fit the span."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / count))
    return next(power * f for f in (1, 2, 5, 10) if span / (power * f) <= count * (1 + 1e-9))
