"""Localisation: the digit on a picture, as the networks tell it from everything else.

No single way of finding strokes is right for all pictures. So each picture gives several
candidates: foregrounds by one threshold, where the background is even, and by windows of two sizes,
and groups of connected components in each. The rejection network scores them, from the likeliest
on, and the best is the digit; one that could not become the best is not made. Where none is
accepted, printed lines are removed, the colours in which the pen is darker than the paper tried
alone, and light strokes in place of dark ones.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from PIL import Image

from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Array, Pixels
from dlcli.vision.candidate import Box, Candidate, Located, Mask, PreprocessingTrace
from dlcli.vision.components import (
    all_parts,
    connected_components,
    digit_groups,
    has_neighbour,
    strokes_of,
)
from dlcli.vision.foreground import (
    dark_on_light_alone,
    foregrounds,
    invert,
    is_dark_on_light,
    without_lines,
    working_channels,
)
from dlcli.vision.mnist_format import bounding_box
from dlcli.vision.morphology import principal_variances
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.rejection import RejectionReason, ood_scores
from dlcli.vision.test_time_augmentation import FIRST_VARIANTS, tta_variants

Scorer = Callable[[Pixels], Array]
Size = tuple[int, int]  # width, height

# Added to a candidate's OOD score for each step down the list of a foreground's groups, and for
# each foreground after the first: of two candidates alike, the likelier one is taken.
_GROUP_PENALTY = 0.04
_FOREGROUND_PENALTY = 0.05
# And for a bar in a foreground after the first. What a window leaves of a thick 7, or of an edge,
# looks like a 1: 29 more of 1,797 digits of 8x8 pixels, scikit-learn's, are read with it.
_BAR_PENALTY = 0.3
# Up to this OOD score a candidate is the digit, and no other ways are tried.
MAX_OOD_ACCEPTED = 0.3
# Up to this mean OOD score of its first variants a candidate's others are not scored.
SURE_OOD = 0.2
# What covers more of its bounding box than MNIST's digits do, and is wider than a bar, is a page:
# 24 more of 80 digits on white pages on a dark desk are read by looking for dark strokes then.
_MAX_COVERAGE = 0.7
_MIN_PAGE_ASPECT = 0.5
# The standard deviation of a bar's pixels across it is at most this fraction of that along it.
_MAX_BAR_ASPECT = 0.35


def locate_digit(
    picture: Image.Image,
    scorer: Scorer = ood_scores,
    *,
    size: Size | None = None,
    explain: bool = False,
) -> Located:
    """The digit on a picture in mode L or RGB, or why there is none.

    Parameters
    ----------
    scorer
        Gives the OOD score of each image, shape (n, 784).
    size
        Of the picture before it was reduced, in pixels, for the digit's box.
    explain
        Keep the steps.
    """
    search = Search(picture, size)
    best = _best(search, scorer)
    if best is None:
        reason = RejectionReason.BLANK if search.is_blank else RejectionReason.NO_DIGIT
        return Located(None, reason, trace=PreprocessingTrace(picture) if explain else None)
    trace = None
    if explain:
        box = _scaled(best.box, search.size, picture.size)
        trace = PreprocessingTrace(picture, box, best.foreground)
    if best.has_neighbour:
        return Located(best.pixels, RejectionReason.SEVERAL_DIGITS, box=best.box, trace=trace)
    first, make_all = tta_variants(best.pixels, FIRST_VARIANTS), partial(tta_variants, best.pixels)
    ood_score = float(scorer(first).mean())
    if ood_score > SURE_OOD:
        ood_score = float(scorer(make_all()).mean())
    return Located(best.pixels, None, first, make_all, ood_score, best.box, trace)


def _best(search: "Search", scorer: Scorer) -> Candidate | None:
    """The candidate with the lowest sum of OOD score and penalty, the first of those alike."""
    scored: list[tuple[float, Candidate]] = []
    for candidate in search.likely_below(lambda: min(map(_total, scored), default=math.inf)):
        (score,) = scorer(candidate.pixels[np.newaxis]).tolist()
        scored.append((score, candidate))
    if all(score >= MAX_OOD_ACCEPTED for score, _ in scored):
        unlikely = search.unlikely([candidate for _, candidate in scored])
        if unlikely:
            scores = scorer(np.stack([candidate.pixels for candidate in unlikely]))
            scored += zip(scores.tolist(), unlikely, strict=True)
    return min(scored, key=_total)[1] if scored else None


def _total(scored: tuple[float, Candidate]) -> float:
    score, candidate = scored
    return score + candidate.penalty


class Search:
    """The search for candidates on one picture."""

    def __init__(self, picture: Image.Image, size: Size | None = None) -> None:
        self.size = size or picture.size
        channels = working_channels(picture)
        self._channels = channels if is_dark_on_light(channels) else invert(channels)
        self._is_enlarged = channels[0].shape[1] > picture.width
        self.is_blank = True

    def likely(self) -> list[Candidate]:
        """The candidates by the usual ways, from the likeliest on."""
        return list(self.likely_below(lambda: math.inf))

    def likely_below(self, limit: Callable[[], float]) -> Iterator[Candidate]:
        """Those whose penalty alone is below a limit, which may fall while they are asked for."""
        return self._in_windows(self._channels, 0, limit)

    def unlikely(self, likely: list[Candidate]) -> list[Candidate]:
        """More candidates, by ways that cost more and are seldom right."""
        found: list[Candidate] = []
        for number, way in foregrounds(self._channels).items():
            for foreground in without_lines(way()):
                found += self._in_foreground(foreground, number + 2)
        dark = dark_on_light_alone(self._channels)
        if 0 < len(dark) < len(self._channels):
            found += self._in_windows(dark, 2)
        if not likely or _is_page(likely[0]):
            found += self._in_windows(invert(self._channels), 2)
        # What is left of a line or an edge looks like a 1.
        return [candidate for candidate in found if not _is_bar(candidate)]

    def _in_windows(
        self, channels: Sequence[Pixels], first: int, limit: Callable[[], float] = lambda: math.inf
    ) -> Iterator[Candidate]:
        """The candidates in the foregrounds of channels, numbered from the first on."""
        for place, way in foregrounds(channels).items():
            number = first + place
            if _FOREGROUND_PENALTY * number < limit():
                yield from self._in_foreground(way(), number, limit)

    def _in_foreground(
        self, foreground: Pixels, number: int, limit: Callable[[], float] = lambda: math.inf
    ) -> Iterator[Candidate]:
        """The groups of a foreground's components, as images in MNIST's format."""
        components = connected_components(foreground)
        if components is None:
            return
        self.is_blank = False
        groups = list(digit_groups(components))
        parts = all_parts(components)
        if parts is not None:
            groups.append(parts)
        height, width = foreground.shape
        for rank, members in enumerate(groups):
            penalty = _GROUP_PENALTY * rank + _FOREGROUND_PENALTY * number
            if penalty < limit():
                strokes = strokes_of(components, members, is_enlarged=self._is_enlarged)
                candidate = Candidate(
                    normalize_digit(strokes),
                    _scaled(components.box(members), (width, height), self.size),
                    foreground,
                    penalty,
                    has_neighbour(components, members),
                )
                is_left_over = number > 0 and _is_bar(candidate)
                yield replace(candidate, penalty=penalty + _BAR_PENALTY * is_left_over)


def _scaled(box: Box, size: Size, new: Size) -> Box:
    """A box on a picture of a size on the same picture of another, rounded outwards."""
    left, top, right, bottom = box
    (width, height), (new_width, new_height) = size, new
    return (
        left * new_width // width,
        top * new_height // height,
        -(-right * new_width // width),
        -(-bottom * new_height // height),
    )


def _is_page(candidate: Candidate) -> bool:
    """Whether a candidate covers so much of its bounding box that it may be a sheet of paper."""
    box = _mask(candidate)
    return bool(box.mean() > _MAX_COVERAGE) and min(box.shape) > _MIN_PAGE_ASPECT * max(box.shape)


def _is_bar(candidate: Candidate) -> bool:
    """Whether a candidate is a bar: a single straight stroke."""
    narrow, wide = principal_variances(_mask(candidate))
    return narrow <= _MAX_BAR_ASPECT**2 * wide


def _mask(candidate: Candidate) -> Mask:
    """The pixels of a candidate's strokes in their bounding box."""
    mask = candidate.pixels.reshape(IMAGE_SIDE, IMAGE_SIDE) > np.iinfo(np.uint8).max / 2
    return mask[bounding_box(mask)]
