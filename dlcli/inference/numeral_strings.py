"""The numbers on a page's lines: candidates, scored in batches, and the best among them.

Lines are read as they are first. What is no good digit then is cut, and the line is read again.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcli.inference.numeral_lattice import Lattice, Numeral, Part, Scored
from dlcli.inference.preparation import laid_out
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision.rejection import cut_scores, ood_scores
from dlcli.vision.test_time_augmentation import tta_variants

if TYPE_CHECKING:
    from dlcli.vision.localization import Scorer
    from dlcli.vision.segmentation import Line, Page, Span

# Digits with a higher cost, at most so many of a page, are looked at again.
_MAX_SURE_COST = 0.02
_MAX_REPEATED = 24
# A component no wider than the first of a pair, a fraction of the line's height, is not cut if its
# cost is up to the second: what is narrow is seldom two digits.
_MAX_COSTS_UNCUT = ((0.7, 1.0), (1.1, 0.3), (1.4, 0.05))
_MIN_WIDTH_TO_CUT = 0.4


def recognize(
    model: Model, images: Pixels, scorer: "Scorer" = ood_scores
) -> tuple[Array, list[float]]:
    """The probabilities of the ten digits for images in MNIST's format, and their OOD scores."""
    probabilities = model.infer(laid_out(images, model.metadata.images))[1]
    return probabilities, scorer(images).tolist()


def recognize_surely(
    model: Model, images: Sequence[Pixels], scorer: "Scorer" = ood_scores
) -> list[tuple[Array, float]]:
    """The same for each image, as the means over its variants (test-time augmentation)."""
    if not images:
        return []
    variants = np.stack([tta_variants(pixels) for pixels in images])
    shape = variants.shape[:2]
    probabilities, scores = recognize(model, variants.reshape(-1, variants.shape[-1]), scorer)
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
        scored = _for_each_kind(unknown, self._recognize)
        self._known.update(
            {span.labels: scores for span, scores in zip(unknown, scored, strict=True)}
        )
        return [[Scored(span, *self._known[span.labels]) for span in line] for line in spans]

    def _recognize(self, spans: list["Span"], scorer: "Scorer") -> list[tuple[Array, float]]:
        images = np.stack([self._page.pixels(span) for span in spans])
        return list(zip(*recognize(self._model, images, scorer), strict=True))

    def _recognize_surely(self, spans: list["Span"], scorer: "Scorer") -> list[tuple[Array, float]]:
        images = [self._page.pixels(span) for span in spans]
        return recognize_surely(self._model, images, scorer)

    def look_again(self, found: list[Scored]) -> list[Scored]:
        """The doubtful ones among digits with the means over variants of their images."""
        doubtful = sorted(
            (
                place
                for place, digit in enumerate(found)
                if digit.cost > _MAX_SURE_COST and not digit.is_unread
            ),
            key=lambda place: -found[place].cost,
        )[:_MAX_REPEATED]
        spans = [found[place].span for place in doubtful]
        again = list(found)
        scored = _for_each_kind(spans, self._recognize_surely)
        for place, span, scores in zip(doubtful, spans, scored, strict=True):
            again[place] = Scored(span, *scores)
        return again

    def read(self, digits: int | None) -> list[list[Numeral]]:
        """The numbers of each line of the page."""
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
        return [
            [
                lattice.numeral(part)
                for part in path
                if part.is_number(page, lattice.line)
                and not (digits is None and part.is_of_letters)
            ]
            for lattice, path in zip(lattices, paths, strict=True)
        ]

    def _lattices(self, lines: list["Line"], digits: int | None) -> list["Lattice"]:
        scored = self.score(lines)
        return [
            Lattice(line, self._page, candidates, digits)
            for line, candidates in zip(lines, scored, strict=True)
        ]


def _for_each_kind(
    spans: list["Span"],
    recognizer: Callable[[list["Span"], "Scorer"], list[tuple[Array, float]]],
) -> list[tuple[Array, float]]:
    """The recogniser's scores of candidates, of those between cuts by the network for these."""
    found: list[tuple[Array, float]] = [(np.zeros(0), 0.0)] * len(spans)
    for is_cut, scorer in ((False, ood_scores), (True, cut_scores)):
        places = [place for place, span in enumerate(spans) if span.is_cut is is_cut]
        if places:
            scored = recognizer([spans[place] for place in places], scorer)
            for place, scores in zip(places, scored, strict=True):
                found[place] = scores
    return found


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
