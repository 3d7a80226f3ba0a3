"""All ways to divide a line into digits, and the likeliest of them.

Each candidate has a cost in nats: minus the logarithm of the probability that it is a digit and
that the recogniser names it rightly. Digits of separate parts, and strokes that are left out, cost
as well. Dynamic programming finds the cheapest way from the left end of a
line to the right (Fujisawa, Nakano and Kurino, 1992; see ``vision.segmentation``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dlcli.nn.types import Array

if TYPE_CHECKING:
    from dlcli.vision.segmentation import Line, Page, Span

# The cost of leaving out strokes with the mass of a digit. Specks cost at least the second fraction
# of it, blots at most the third.
_LEFT_OUT_COST = 5.0
_MIN_LEFT_OUT, _MAX_LEFT_OUT = 0.1, 1.5
# Strokes with this fraction of a digit's mass that are left out between digits are an unread one.
_MIN_UNREAD = 0.5
_ANY_DIGIT = np.full(10, 0.1, np.float32)
# What is less probable is as bad.
MIN_PROBABILITY = 1e-6
# The costs below were tuned, one after another, on 170 generated pages of training digits.
# The cost of a digit of separate parts, and more for each height of a digit between them.
_PARTS_COST, _PARTS_GAP_COST = 0.3, 4.0
# What stands over another part by more than this belongs to it.
_MIN_PARTS_GAP = -0.15
# Digits between cuts cost so much for each height that they are wider than this, once upright.
_USUAL_WIDTH, _WIDTH_COST = 0.7, 8.0
# Of all candidates that overlap, one is a digit and the others are none: one between cuts that is
# taken need not be none, and so costs less by this fraction of what that would cost. Otherwise ways
# with fewer digits would be cheaper: a 1 would count as a part of its neighbour. No OOD score is
# taken for less than the second.
NONE_WEIGHT, LEAST_OOD = 0.4, 1e-3
# Digits lower than this fraction of their line's height cost so much for each height they miss.
_USUAL_HEIGHT, _HEIGHT_COST = 0.7, 6.0
# A number ends at a wide gap: the narrowest one of the page that is at least so many heights of a
# digit, and so many times the next narrower one, both plus the third number.
_MIN_WORD_GAP, _WORD_GAP_RATIO, _GAP_OFFSET = 0.75, 1.7, 0.3
# Without such a jump, gaps up to so many times the usual one are within numbers, within bounds; a
# few gaps tell little, and the upper bound is lower.
_USUAL_GAPS, _GAP_BOUNDS = 1.8, (0.7, 2.0)
_FEW_GAPS, _MAX_OF_FEW = 3, 1.0
# Where the number of digits is known, ending a number at another gap costs so much for each height
# of a digit that the gap is narrower or wider, and so does each digit missing.
_GAP_COST, _MISSING_COST = 3.0, 4.0
# Digits have at least this fraction of the mass of a number: letters with a digit among them are no
# number.
_MIN_DIGITS_MASS = 0.5
# Several digits are letters if the sum of their features (see ``Part.features``), each times one of
# these, and of the last is below 0. By logistic regression on generated numbers of training digits,
# and on words in 20 fonts and strings of drawn letters: ``tools/fit_letters.py``.
_FEATURE_WEIGHTS, _OF_NUMBERS = (-8.52, -8.46, 1.86, -8.91), 5.92
# More bars than this fraction of its digits count no more, as numbers may be of ones alone; nor do
# a higher cost of a digit, or mean cost of shapes and left-out strokes: a digit may be struck out.
_MAX_BARS, _MAX_COST, _MAX_OTHERS = 0.5, 2.0, 0.6


@dataclass(frozen=True)
class Scored:
    """A candidate with the probabilities of the ten digits, and that it is no digit."""

    span: "Span"
    probabilities: Array
    ood_score: float
    is_unread: bool = False  # left out, though as large as a digit

    @property
    def cost(self) -> float:
        """Minus the logarithm of the probability that it is the digit it looks like."""
        likely = float(self.probabilities.max()) * (1 - self.ood_score)
        return -math.log(max(likely, MIN_PROBABILITY))

    @property
    def saved(self) -> float:
        """What is saved by taking it, as it need not be no digit then; 0 if it is not cut out."""
        if not self.span.is_cut:
            return 0.0
        return -NONE_WEIGHT * math.log(max(self.ood_score, LEAST_OOD))


def _name(scored: Scored) -> int:
    return int(scored.probabilities.argmax())


@dataclass(frozen=True)
class Numeral:
    """The digits of a number, and the probability that they are divided rightly."""

    digits: tuple[Scored, ...]
    certainty: float


@dataclass(frozen=True)
class Part:
    """A part of a line between two wide gaps: its digits, first and last boundary, and cost."""

    digits: tuple[Scored, ...]
    start: int
    end: int
    cost: float

    @property
    def features(self) -> tuple[float, float, float, float]:
        """What tells numbers from letters, as means over the digits.

        The cost of a digit, what shapes and left-out strokes cost, and how many digits are cut out,
        and how many of these look like a 1, as strokes of letters do.
        """
        count = len(self.digits)
        names = [_name(digit) for digit in self.digits if digit.span.is_cut]
        own = sum(min(digit.cost, _MAX_COST) for digit in self.digits)
        others = self.cost + sum(digit.saved - digit.cost for digit in self.digits)
        bars = min(names.count(1) / count, _MAX_BARS)
        return own / count, min(others / count, _MAX_OTHERS), len(names) / count, bars

    @property
    def is_of_letters(self) -> bool:
        """Whether its digits, if they are several, are more likely letters than a number."""
        if len(self.digits) < 2:
            return False
        return bool(np.dot(self.features, _FEATURE_WEIGHTS) + _OF_NUMBERS < 0)

    def is_number(self, mass: Sequence[float]) -> bool:
        """Whether its digits have most of its part of the line's mass (:meth:`Page.mass`)."""
        inside = sum(sum(mass[digit.span.start : digit.span.end]) for digit in self.digits)
        whole = sum(mass[self.start : self.end])
        return bool(self.digits) and inside >= _MIN_DIGITS_MASS * whole


def max_gap(page: "Page") -> float:
    """The widest gap within a number, as a fraction of the digits' height."""
    gaps = sorted(edge.gap for line in page.lines for edge in line.boundaries if edge.gap > 0)
    for narrow, wide in pairwise(gaps):
        if wide >= max(_MIN_WORD_GAP, _WORD_GAP_RATIO * (narrow + _GAP_OFFSET) - _GAP_OFFSET):
            return (narrow + wide) / 2
    usual = float(np.median(gaps)) if gaps else 0.0
    low, high = _GAP_BOUNDS
    return float(np.clip(_USUAL_GAPS * usual, low, _MAX_OF_FEW if len(gaps) < _FEW_GAPS else high))


class Lattice:
    """All ways to divide a line into digits, with their costs.

    Attributes
    ----------
    mass
        Of what stands between each two boundaries, as fractions of a usual digit's.
    left_out
        What it costs to leave out what stands between each two boundaries.
    """

    def __init__(
        self, line: "Line", page: "Page", scored: list[Scored], digits: int | None
    ) -> None:
        self.line = line
        self._page = page
        self._digits = digits
        self._starting: list[list[tuple[Scored, float]]] = [[] for _ in line.boundaries]
        for candidate in scored:
            cost = candidate.cost - candidate.saved + self.shape_cost(candidate)
            self._starting[candidate.span.start].append((candidate, cost))
        self.mass = page.mass(line)
        self.left_out = [
            _LEFT_OUT_COST * min(max(mass, _MIN_LEFT_OUT), _MAX_LEFT_OUT) for mass in self.mass
        ]
        self._max_gap = max_gap(page)

    def shape_cost(self, candidate: Scored) -> float:
        """What the size of a candidate and the gaps between its parts cost."""
        cost = _HEIGHT_COST * max(0.0, _USUAL_HEIGHT - candidate.span.height)
        if candidate.span.is_cut:
            cost += _WIDTH_COST * max(0.0, candidate.span.width - _USUAL_WIDTH)
        for gap in candidate.span.parts:
            if gap > _MIN_PARTS_GAP:
                cost += _PARTS_COST + _PARTS_GAP_COST * max(0.0, gap)
        return cost

    def best(self) -> list[Part]:
        """The cheapest way, as the parts between wide gaps.

        A state is a boundary and, where the number of digits is known, the digits
        of the number so far.
        """
        end = len(self.line.boundaries) - 1
        best: list[dict[int, tuple[float, _Step | None]]] = [{} for _ in range(end + 1)]
        best[0][0] = (0.0, None)
        for place in range(end):
            for count, (cost, _) in list(best[place].items()):
                before = (place, count)
                step = _Step(before, None, ends=False)
                self._arrive(best, place + 1, count, cost + self.left_out[place], step)
                for candidate, of_digit in self._starting[place]:
                    step = _Step(before, candidate, ends=False)
                    more = count + (self._digits is not None)
                    self._arrive(best, candidate.span.end, more, cost + of_digit, step)
        return _parts_of(best, end)

    def _arrive(
        self,
        best: "list[dict[int, tuple[float, _Step | None]]]",
        place: int,
        count: int,
        cost: float,
        step: "_Step",
    ) -> None:
        """Take a step if it is the cheapest way to a state; a number may end there."""
        boundary = self.line.boundaries[place]
        missing = 0.0
        if self._digits is not None and count:
            missing = _MISSING_COST * abs(self._digits - count)
        if place == len(self.line.boundaries) - 1:
            _improve(best[place], 0, cost + missing, _Step(step.before, step.candidate, ends=True))
            return
        wider = boundary.gap - self._max_gap
        if self._digits is None:
            _improve(best[place], 0, cost, _Step(step.before, step.candidate, ends=wider > 0))
            return
        if count < self._digits or step.candidate is None:
            _improve(best[place], count, cost + _GAP_COST * max(0.0, wider), step)
        _improve(
            best[place],
            0,
            cost + missing + _GAP_COST * max(0.0, -wider),
            _Step(step.before, step.candidate, ends=True),
        )

    def numeral(self, part: Part) -> Numeral:
        """A number, with ``is_unread`` digits where something as large is left out."""
        names = [_name(digit) for digit in part.digits]
        same, all_ways = self._log_weight(part, names), self._log_weight(part, None)
        digits = list(part.digits[:1])
        for before, digit in pairwise(part.digits):
            start, end = before.span.end, digit.span.start
            if sum(self.mass[start:end]) >= _MIN_UNREAD:
                span = self._page.span(self.line, start, end)
                if span is not None:
                    digits.append(Scored(span, _ANY_DIGIT, 1.0, is_unread=True))
            digits.append(digit)
        return Numeral(tuple(digits), math.exp(min(0.0, same - all_ways)))

    def _log_weight(self, part: Part, names: list[int] | None) -> float:
        """The logarithm of the sum of exp(-cost) over all ways through a part of the line.

        With names, over those with these digits alone, however they are cut out.
        """
        counts = range(1 if names is None else len(names) + 1)
        weights = np.full((part.end - part.start + 1, len(counts)), -np.inf)
        weights[0, 0] = 0.0
        for place in range(part.start, part.end):
            here = weights[place - part.start]
            steps: list[tuple[int, float, int | None]] = [(place + 1, self.left_out[place], None)]
            steps += [(c.span.end, cost, _name(c)) for c, cost in self._starting[place]]
            for end, step_cost, name in steps:
                if end > part.end:
                    continue
                there = weights[end - part.start]
                if name is None or names is None:
                    np.logaddexp(there, here - step_cost, out=there)
                    continue
                for count, expected in enumerate(names):
                    if expected == name:
                        there[count + 1] = np.logaddexp(there[count + 1], here[count] - step_cost)
        return float(weights[-1, -1])


@dataclass(frozen=True)
class _Step:
    """From a state, a boundary and a count of digits, over a candidate or what is left out."""

    before: tuple[int, int]
    candidate: Scored | None
    ends: bool  # a number ends after it


def _improve(
    states: dict[int, tuple[float, _Step | None]], count: int, cost: float, step: _Step
) -> None:
    if cost < states.get(count, (math.inf,))[0]:
        states[count] = (cost, step)


def _parts_of(best: list[dict[int, tuple[float, _Step | None]]], end: int) -> list[Part]:
    """The cheapest way, followed back from the right end."""
    parts: list[Part] = []
    digits: list[Scored] = []
    place, count, part_end, cost_at_end = end, 0, end, best[end][0][0]
    while place:
        cost, step = best[place][count]
        if step is None:
            break
        if step.ends and place != end:
            parts.append(Part(tuple(reversed(digits)), place, part_end, cost_at_end - cost))
            digits, part_end, cost_at_end = [], place, cost
        if step.candidate is not None:
            digits.append(step.candidate)
        place, count = step.before
    parts.append(Part(tuple(reversed(digits)), 0, part_end, cost_at_end))
    return parts[::-1]
