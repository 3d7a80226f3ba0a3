"""Lines of digits, decoded: of all ways to divide a line into digits, the likeliest.

Each candidate has a cost in nats: minus the logarithm of the probability that it is a digit and
that the recogniser names it rightly. Cuts through strokes, digits of separate parts, and strokes
that are left out cost as well. Dynamic programming finds the cheapest way from the left end of a
line to the right (Fujisawa, Nakano and Kurino, 1992; see ``vision.segmentation``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcli.inference.preparation import laid_out
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision.rejection import ood_scores
from dlcli.vision.test_time_augmentation import tta_variants

if TYPE_CHECKING:
    from dlcli.vision.segmentation import Line, Page, Span

# The cost of leaving out strokes with the mass of a digit. Specks cost at least the second fraction
# of it, blots at most the third.
_LEFT_OUT_COST = 5.0
_MIN_LEFT_OUT, _MAX_LEFT_OUT = 0.1, 1.5
# What is less probable is as bad.
_MIN_PROBABILITY = 1e-6
# The costs below were tuned, one after another, on 170 generated pages of training digits.
# The cost of a cut, and more for each width of a stroke that it crosses.
_CUT_COST, _CROSSING_COST = 0.3, 0.8
# The cost of a digit of separate parts, and more for each height of a digit between them.
_PARTS_COST, _PARTS_GAP_COST = 0.3, 4.0
# What stands over another part by more than this belongs to it.
_MIN_PARTS_GAP = -0.15
# Digits between cuts cost so much for each height that they are wider than this, once upright.
_USUAL_WIDTH, _WIDTH_COST = 0.7, 8.0
# Digits lower than this fraction of their line's height cost so much for each height they miss.
_USUAL_HEIGHT, _HEIGHT_COST = 0.7, 6.0
# A number ends where the gap to what follows is more than so many times the usual one of the page,
# within bounds that are fractions of the digits' height.
_USUAL_GAPS, _GAP_BOUNDS = 1.8, (0.7, 2.0)
# Where the number of digits is known, ending a number at another gap costs so much for each height
# of a digit that the gap is narrower or wider, and so does each digit missing.
_GAP_COST, _MISSING_COST = 3.0, 4.0
# Digits have at least this fraction of the mass of a number: letters with a digit among them are no
# number.
_MIN_DIGITS_MASS = 0.5
# A number whose digits have a higher mean cost and a higher mean OOD score is one of letters: on 40
# lines of words in 20 fonts these are at least 1.2 and 0.09. Of 210 lines of digits of all kinds,
# 5 % cost so much, half of them for rests of ruled lines, which have low scores.
_MAX_COST_OF_DIGITS, _MIN_OOD_OF_LETTERS = 1.3, 0.08
# Digits with a higher cost, at most so many of a page, are looked at again.
_MAX_SURE_COST = 0.02
_MAX_LOOKS = 24
# A component no wider than the first of a pair, a fraction of the line's height, is not cut if its
# cost is up to the second: what is narrow is seldom two digits.
_MAX_COSTS_UNCUT = ((0.7, 1.0), (1.1, 0.3), (1.4, 0.05))
_MIN_WIDTH_TO_CUT = 0.4


@dataclass(frozen=True)
class Scored:
    """A candidate with the probabilities of the ten digits, and that it is no digit."""

    span: "Span"
    probabilities: Array
    ood_score: float

    @property
    def cost(self) -> float:
        """Minus the logarithm of the probability that it is the digit it looks like."""
        likely = float(self.probabilities.max()) * (1 - self.ood_score)
        return -math.log(max(likely, _MIN_PROBABILITY))


def recognize(model: Model, images: Pixels) -> tuple[Array, list[float]]:
    """The probabilities of the ten digits for images in MNIST's format, and their OOD scores."""
    probabilities = model.infer(laid_out(images, model.metadata.images))[1]
    return probabilities, ood_scores(images).tolist()


def recognize_surely(model: Model, images: Sequence[Pixels]) -> list[tuple[Array, float]]:
    """The same for each image, as the means over its variants (test-time augmentation)."""
    if not images:
        return []
    variants = np.stack([tta_variants(pixels) for pixels in images])
    shape = variants.shape[:2]
    probabilities, scores = recognize(model, variants.reshape(-1, variants.shape[-1]))
    means = probabilities.reshape(*shape, -1).mean(axis=1)
    return list(zip(means, np.reshape(scores, shape).mean(axis=1).tolist(), strict=True))


class Recognizer:
    """The recogniser and the rejection network on the candidates of a page."""

    def __init__(self, model: Model, page: "Page") -> None:
        self._model = model
        self._page = page
        self._known: dict[frozenset[int], tuple[Array, float]] = {}

    def score(self, lines: Sequence["Line"]) -> list[list[Scored]]:
        """The candidates of each line, all that are new in one batch."""
        spans = [self._page.spans(line) for line in lines]
        new = {span.labels: span for line in spans for span in line}
        new = {labels: span for labels, span in new.items() if labels not in self._known}
        if new:
            images = np.stack([self._page.pixels(span) for span in new.values()])
            probabilities, scores = recognize(self._model, images)
            self._known.update(zip(new, zip(probabilities, scores, strict=True), strict=True))
        return [[Scored(span, *self._known[span.labels]) for span in line] for line in spans]

    def look_again(self, found: list[Scored]) -> list[Scored]:
        """The doubtful ones among digits with the means over variants of their images."""
        doubtful = sorted(
            (place for place, digit in enumerate(found) if digit.cost > _MAX_SURE_COST),
            key=lambda place: -found[place].cost,
        )[:_MAX_LOOKS]
        if not doubtful:
            return found
        images = [self._page.pixels(found[place].span) for place in doubtful]
        again = list(found)
        for place, scores in zip(doubtful, recognize_surely(self._model, images), strict=True):
            again[place] = Scored(found[place].span, *scores)
        return again

    def read(self, digits: int | None) -> list[list[list[Scored]]]:
        """The numbers of each line of the page, each as its digits."""
        page = self._page
        lines = page.lines
        paths = [
            _Lattice(line, page, scored, digits).best()
            for line, scored in zip(lines, self.score(lines), strict=True)
        ]
        if not page.is_one_symbol or (digits or 1) > 1:
            lines = [
                page.cut(line, _to_cut(line, page, path))
                for line, path in zip(lines, paths, strict=True)
            ]
            paths = [
                path if line is before else _Lattice(line, page, scored, digits).best()
                for line, before, path, scored in zip(
                    lines, page.lines, paths, self.score(lines), strict=True
                )
            ]
        numbers = [
            [
                part
                for part in path
                if part.is_number(page, line) and not (digits is None and part.is_of_letters)
            ]
            for line, path in zip(lines, paths, strict=True)
        ]
        return [[list(part.digits) for part in parts] for parts in numbers]


@dataclass(frozen=True)
class _Part:
    """A part of a line between two wide gaps: its digits, first and last boundary, and cost."""

    digits: tuple[Scored, ...]
    start: int
    end: int
    cost: float

    @property
    def is_of_letters(self) -> bool:
        """Whether so much had to be cut or left out, of such shapes, that it is hardly a number."""
        count = len(self.digits)
        ood_score = sum(digit.ood_score for digit in self.digits)
        is_costly = self.cost > _MAX_COST_OF_DIGITS * count
        return count > 1 and is_costly and ood_score > _MIN_OOD_OF_LETTERS * count

    def is_number(self, page: "Page", line: "Line") -> bool:
        """Whether its digits have most of its mass."""
        mass = page.mass(line)
        inside = sum(sum(mass[digit.span.start : digit.span.end]) for digit in self.digits)
        whole = sum(mass[self.start : self.end])
        return bool(self.digits) and inside >= _MIN_DIGITS_MASS * whole


def _to_cut(line: "Line", page: "Page", path: list[_Part]) -> list[int]:
    """The places of the components that may be more than one digit."""
    good: set[int] = set()
    for part in path:
        for digit in part.digits:
            if digit.cost <= _max_cost_uncut(digit.span.width):
                good.update(range(digit.span.start, digit.span.end))
    min_width = _MIN_WIDTH_TO_CUT * line.height
    return [
        place
        for place, labels in enumerate(line.members)
        if place not in good and page.width(labels) >= min_width
    ]


def _max_cost_uncut(width: float) -> float:
    """How bad a candidate of a width may be that is not cut; less than 0 if it is too wide."""
    return next((cost for limit, cost in _MAX_COSTS_UNCUT if width <= limit), -1.0)


def max_gap(page: "Page") -> float:
    """The widest gap within a number, as a fraction of the digits' height."""
    gaps = [edge.gap for line in page.lines for edge in line.boundaries if edge.gap > 0]
    usual = float(np.median(gaps)) if gaps else 0.0
    return float(np.clip(_USUAL_GAPS * usual, *_GAP_BOUNDS))


class _Lattice:
    """All ways to divide a line into digits, with their costs."""

    def __init__(
        self, line: "Line", page: "Page", scored: list[Scored], digits: int | None
    ) -> None:
        self._line = line
        self._digits = digits
        self._starting: list[list[tuple[Scored, float]]] = [[] for _ in line.boundaries]
        for candidate in scored:
            cost = candidate.cost + self._shape_cost(candidate)
            self._starting[candidate.span.start].append((candidate, cost))
        self._left_out = [
            _LEFT_OUT_COST * min(max(mass, _MIN_LEFT_OUT), _MAX_LEFT_OUT)
            for mass in page.mass(line)
        ]
        self._max_gap = max_gap(page)

    def _shape_cost(self, candidate: Scored) -> float:
        cost = _HEIGHT_COST * max(0.0, _USUAL_HEIGHT - candidate.span.height)
        if candidate.span.is_cut:
            cost += _WIDTH_COST * max(0.0, candidate.span.width - _USUAL_WIDTH)
        for gap in candidate.span.parts:
            if gap > _MIN_PARTS_GAP:
                cost += _PARTS_COST + _PARTS_GAP_COST * max(0.0, gap)
        return cost

    def best(self) -> list[_Part]:
        """The cheapest way, as the parts between wide gaps.

        A state is a boundary and, where the number of digits is known, the digits
        of the number so far.
        """
        end = len(self._line.boundaries) - 1
        best: list[dict[int, tuple[float, _Step | None]]] = [{} for _ in range(end + 1)]
        best[0][0] = (0.0, None)
        for place in range(end):
            for count, (cost, _) in list(best[place].items()):
                before = (place, count)
                step = _Step(before, None, ends=False)
                self._arrive(best, place + 1, count, cost + self._left_out[place], step)
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
        boundary = self._line.boundaries[place]
        missing = 0.0
        if self._digits is not None and count:
            missing = _MISSING_COST * abs(self._digits - count)
        if place == len(self._line.boundaries) - 1:
            _improve(best[place], 0, cost + missing, _Step(step.before, step.candidate, ends=True))
            return
        if boundary.crossed:
            cost += _CUT_COST + _CROSSING_COST * boundary.crossed
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


def _parts_of(best: list[dict[int, tuple[float, _Step | None]]], end: int) -> list[_Part]:
    """The cheapest way, followed back from the right end."""
    parts: list[_Part] = []
    digits: list[Scored] = []
    place, count, part_end, cost_at_end = end, 0, end, best[end][0][0]
    while place:
        cost, step = best[place][count]
        if step is None:
            break
        if step.ends and place != end:
            parts.append(_Part(tuple(reversed(digits)), place, part_end, cost_at_end - cost))
            digits, part_end, cost_at_end = [], place, cost
        if step.candidate is not None:
            digits.append(step.candidate)
        place, count = step.before
    parts.append(_Part(tuple(reversed(digits)), 0, part_end, cost_at_end))
    return parts[::-1]
