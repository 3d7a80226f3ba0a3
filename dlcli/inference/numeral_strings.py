"""The numbers on a page's lines: candidates, scored in batches, and the best among them.

Lines are read as they are first. What is no good digit then is cut, and the line is read again.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcli.inference.numeral_lattice import Lattice, Numeral, Part, Scored
from dlcli.inference.preparation import laid_out
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision.rejection import OOD_CLASS, cut_probabilities, ood_scores
from dlcli.vision.test_time_augmentation import tta_variants

if TYPE_CHECKING:
    from dlcli.vision.line_image import LineImage
    from dlcli.vision.segmentation import Line, Page, Span

# Digits with a higher cost, at most so many of a page, are looked at again.
_MAX_SURE_COST = 0.02
_MAX_REPEATED = 24
# A component no wider than the first of a pair, a fraction of the line's height, is not cut if its
# cost is up to the second: what is narrow is seldom two digits.
_MAX_COSTS_UNCUT = ((0.7, 1.0), (1.1, 0.3), (1.4, 0.05))
_MIN_WIDTH_TO_CUT = 0.4
# Of what is cut out, what is more probably no digit than this is not looked at again. Others are
# shown to the network that judges cuts with these shifts, too, in pixels (test-time augmentation),
# and to the recogniser and the rejection network, whose probabilities and odds count with the third
# as weight (geometric means); none is taken for less than the last. Shifts and weight were tuned on
# 180 generated pages of training digits that touch.
_MAX_OOD_SCORE, _SHIFTS, _WEIGHT, _LEAST = 0.98, (-1, 1), 0.1, np.float32(1e-6)


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
        unknown = [span for labels, span in new.items() if labels not in self._known]
        for kind, recognize_all in ((False, self._recognize), (True, self._recognize_cut)):
            spans_of_kind = [span for span in unknown if span.is_cut is kind]
            if spans_of_kind:
                scored = recognize_all(spans_of_kind)
                labels = [span.labels for span in spans_of_kind]
                self._known.update(zip(labels, scored, strict=True))
        return [[Scored(span, *self._known[span.labels]) for span in line] for line in spans]

    def _recognize(self, spans: list["Span"]) -> list[tuple[Array, float]]:
        images = np.stack([self._page.pixels(span) for span in spans])
        return list(zip(*recognize(self._model, images), strict=True))

    def _recognize_cut(self, spans: list["Span"]) -> list[tuple[Array, float]]:
        """The scores of candidates of what was cut, by the network for these and the recogniser.

        Most are no digits: the recogniser is asked about the others alone.
        """
        by_line = sorted(range(len(spans)), key=lambda place: id(spans[place].image))
        spans_by_line = [spans[place] for place in by_line]
        found = np.concatenate(
            [
                _judged(image, [span.labels for span in of_line])
                for image, of_line in _grouped(spans_by_line)
            ]
        )
        ood = found[:, OOD_CLASS].astype(np.float64)
        digits = found[:, :OOD_CLASS] + _LEAST
        likely = np.flatnonzero(ood < _MAX_OOD_SCORE)
        if likely.size:
            images = np.stack([self._page.pixels(spans_by_line[place]) for place in likely])
            named, scores = recognize(self._model, images)
            digits[likely] = (named + _LEAST) ** _WEIGHT * digits[likely] ** (1 - _WEIGHT)
            odds = _odds(ood[likely]) ** (1 - _WEIGHT) * _odds(np.array(scores)) ** _WEIGHT
            ood[likely] = odds / (1 + odds)
        digits /= digits.sum(axis=1, keepdims=True)
        scored = dict(zip(by_line, zip(digits, ood.tolist(), strict=True), strict=True))
        return [scored[place] for place in range(len(spans))]

    def look_again(self, found: list[Scored]) -> list[Scored]:
        """The doubtful ones among digits with the means over variants of their images."""
        doubtful = sorted(
            (
                place
                for place, digit in enumerate(found)
                if digit.cost > _MAX_SURE_COST and not digit.is_unread and not digit.span.is_cut
            ),
            key=lambda place: -found[place].cost,
        )[:_MAX_REPEATED]
        images = [self._page.pixels(found[place].span) for place in doubtful]
        again = list(found)
        scored = recognize_surely(self._model, images)
        for place, scores in zip(doubtful, scored, strict=True):
            again[place] = Scored(found[place].span, *scores)
        return again

    def read(self, digits: int | None) -> list[list[Numeral]]:
        """The numbers of each line of the page."""
        return [
            [
                lattice.numeral(part)
                for part in path
                if part.is_number(lattice.mass) and not (digits is None and part.is_of_letters)
            ]
            for lattice, path in self.ways(digits)
        ]

    def ways(self, digits: int | None) -> list[tuple[Lattice, list[Part]]]:
        """The cheapest way through each line, as its parts between wide gaps."""
        page = self._page
        lines = page.lines
        lattices = self._lattices(lines, digits)
        paths = [lattice.best() for lattice in lattices]
        if not page.is_one_symbol or (digits or 1) > 1:
            lines = [
                page.cut(line, _to_cut(line, page, path))
                for line, path in zip(lines, paths, strict=True)
            ]
            lattices = self._lattices(lines, digits)
            paths = [lattice.best() for lattice in lattices]
        return list(zip(lattices, paths, strict=True))

    def _lattices(self, lines: list["Line"], digits: int | None) -> list["Lattice"]:
        scored = self.score(lines)
        return [
            Lattice(line, self._page, candidates, digits)
            for line, candidates in zip(lines, scored, strict=True)
        ]


def _judged(image: "LineImage", candidates: list[frozenset[int]]) -> Array:
    """The probabilities of what was cut out, of doubtful candidates as the means over shifts."""
    found = cut_probabilities(image.in_context(candidates))
    likely = np.flatnonzero(found[:, OOD_CLASS] < _MAX_OOD_SCORE)
    for shift in _SHIFTS if likely.size else ():
        shown = image.in_context([candidates[place] for place in likely], shift)
        found[likely] += cut_probabilities(shown)
    found[likely] /= 1 + len(_SHIFTS)
    return found


def _odds(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    bounded = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.asarray(bounded / (1 - bounded))


def _grouped(spans: list["Span"]) -> Iterator[tuple["LineImage", list["Span"]]]:
    """Candidates of what was cut, those of each line's image together."""
    for image, of_line in groupby(spans, key=lambda span: span.image):
        if image is not None:
            yield image, list(of_line)


def _to_cut(line: "Line", page: "Page", path: list[Part]) -> list[int]:
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
