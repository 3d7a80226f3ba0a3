"""Ink to the pieces that make up a digit."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.vision.foreground import Ink, Levels, Marked, quantiles, spread, stroke_widths

# Ink is marked from this share of the pen's strength on: above most printed lines, below the
# thin places of a stroke; if no digit is found so, above nearly all printed lines.
MARKED = (0.4, 0.65)
_ATTEMPTS = 5
# The least size of a digit, as a share of the picture's longer side, and in pixels.
_LEAST_SIZE = 0.05
_LEAST_PIXELS = 3
# A printed line is thinner and longer than these shares of the picture's longer side.
_LINE_WIDTH = 0.06
_LINE_LENGTH = 0.8
# What is so many times as wide as high is a line, too; below a digit, if it is at least this share
# of its width.
_FLAT = 5.0
_UNDERLINE = 0.7
# What covers so much of a side of the picture is the edge of something, as is what lies along it
# so closely and is thinner than this share of its length.
_MOST_OF_SIDE = 0.9
_STRIP = 0.35
# What is drawn around something at least this share of its own length is a frame.
_LEAST_FRAMED = 0.3
# What touches the edge of the picture counts for less, and so does what is no stroke: a stroke
# is thinner than this share of its digit's length.
_TOUCHING_COUNTS = 0.25
_THICKEST = 0.3
# What belongs to the digit: not lighter than this share of its main piece, nor farther away
# than this share of its length, nor thicker by more than this factor.
_LEAST_MASS = 0.03
_REACH = 0.25
_THICKER = 2.0
# A blot is thicker than this share of its length. Around all but 0.5 % of the digits of synthetic
# photographs at least this share is paper.
_BLOT = 0.5
_ON_PAPER = 0.8
# A digit has at most so many pieces and, above this share of its box, holes, and is at most so
# many times as wide as high.
_MOST_MEMBERS = 3
_MOST_HOLES = 2
_LEAST_HOLE = 0.01
_WIDEST = 1.8
# Another digit is about as high, as thick and as heavy, and shares at most this part of the width.
_AS_LARGE = 0.6
_AS_THICK = 0.35
_AS_HEAVY = 0.25
_BESIDE = 0.25
SEVERAL = "more than one digit: show one at a time"


@dataclass(frozen=True)
class Pieces:
    """The connected pieces of marked ink: arrays have an entry for each but the first three.

    Attributes
    ----------
    darkness, gain
        Of the ink they are made of.
    labels
        The number of the piece that each pixel belongs to, from 1; 0: none.
    level
        The pen's strength.
    mass
        Sum of its ink.
    top, left, bottom, right
        The box around it; bottom and right are exclusive.
    on_sides
        Share of each of the picture's four sides that it covers, shape (4, pieces).
    thickness
        Median width of its strokes.
    """

    darkness: Levels
    gain: Levels
    labels: npt.NDArray[np.intp]
    level: float
    mass: npt.NDArray[np.float64]
    top: npt.NDArray[np.intp]
    left: npt.NDArray[np.intp]
    bottom: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    on_sides: npt.NDArray[np.float64]
    thickness: npt.NDArray[np.float64]

    @cached_property
    def height(self) -> npt.NDArray[np.intp]:
        """Height of each box."""
        return self.bottom - self.top

    @cached_property
    def width(self) -> npt.NDArray[np.intp]:
        """Width of each box."""
        return self.right - self.left

    @cached_property
    def length(self) -> npt.NDArray[np.intp]:
        """The longer side of each box."""
        return np.maximum(self.height, self.width)

    @cached_property
    def touches(self) -> Marked:
        """Whether each piece touches a side of the picture."""
        touches: Marked = self.on_sides.max(axis=0) > 0
        return touches

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """How much each piece speaks for being the digit.

        That is how far the pen went, and how strong it was: a shadow is large, but not long.
        """
        strokes = np.minimum(1, (_THICKEST * self.length / self.thickness) ** 4)
        path = self.mass / self.thickness
        return path * strokes * np.where(self.touches, _TOUCHING_COUNTS, 1)


@dataclass(frozen=True)
class Found:
    """Where the digit is.

    Attributes
    ----------
    pieces
        All that was marked.
    main
        The piece that is the digit, or most of it.
    members
        Which pieces belong to the digit, shape (pieces,).
    score
        How much speaks for it.
    """

    pieces: Pieces
    main: int
    members: Marked
    score: float

    @cached_property
    def marked(self) -> Marked:
        """The digit's pixels, shape (height, width)."""
        marked: Marked = np.concatenate([[False], self.members])[self.pieces.labels]
        return marked

    @property
    def doubt(self) -> str | None:
        """Why this is not one digit, if it is not."""
        pieces, main = self.pieces, self.main
        if pieces.thickness[main] > _BLOT * pieces.length[main] or self._on_paper() < _ON_PAPER:
            return "a blot or an edge, no strokes of a pen"
        if np.count_nonzero(self.members) > _MOST_MEMBERS or self._holes() > _MOST_HOLES:
            return "a drawing, no digit"
        if pieces.width[main] > _WIDEST * pieces.height[main]:
            return "wider than a digit: show one at a time"
        return None

    def _on_paper(self) -> float:
        """The share of the surroundings that is paper: lighter than the strokes next to it.

        On one side of the edge of a shadow, or of anything dark, it is just as dark.
        """
        reach = max(_LEAST_PIXELS, int(self.pieces.thickness[self.main] / 2))
        around = spread(self.marked, reach + 2) & ~spread(self.marked, reach)
        darkness = self.pieces.darkness
        strokes = np.where(self.marked, darkness, darkness.min())
        contrast = (spread(strokes, reach + 2) - darkness) * self.pieces.gain
        lighter = contrast > MARKED[0] * self.pieces.level
        return float(np.count_nonzero(lighter & around) / (np.count_nonzero(around) or 1))

    def _holes(self) -> int:
        """How many areas the strokes enclose, not counting tiny ones."""
        left, top, right, bottom = self.box
        open_around = np.pad(self.marked[top:bottom, left:right], 1)
        labels, count = label(~open_around)
        area = np.bincount(labels.reshape(-1), minlength=count + 1)
        area[[0, labels[0, 0]]] = 0
        return int(np.count_nonzero(area >= _LEAST_HOLE * open_around.size))

    @property
    def has_others(self) -> bool:
        """Whether other pieces look like digits beside the main one."""
        return bool(_others(self.pieces, self.main).any())

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the digit."""
        pieces, members = self.pieces, self.members
        return (
            int(pieces.left[members].min()),
            int(pieces.top[members].min()),
            int(pieces.right[members].max()),
            int(pieces.bottom[members].max()),
        )


def _others(pieces: Pieces, main: int) -> Marked:
    """Which pieces look like digits beside the main one."""
    as_large = _are_alike(pieces.height, main, _AS_LARGE)
    as_thick = _are_alike(pieces.thickness, main, _AS_THICK)
    as_heavy = pieces.mass >= _AS_HEAVY * pieces.mass[main]
    right = np.minimum(pieces.right, pieces.right[main])
    left = np.maximum(pieces.left, pieces.left[main])
    beside = right - left <= _BESIDE * np.minimum(pieces.width, pieces.width[main])
    on_line = (pieces.top < pieces.bottom[main]) & (pieces.bottom > pieces.top[main])
    # It may be cut off by the edge of the picture.
    is_edge = _is_edge(pieces) | (pieces.on_sides.max(axis=0) >= _MOST_OF_SIDE)
    others: Marked = as_large & as_thick & as_heavy & beside & on_line & ~is_edge
    return others


def _are_alike(sizes: npt.NDArray[Any], main: int, factor: float) -> Marked:
    """Which sizes are that of the main piece, but for a factor below 1."""
    alike: Marked = (sizes >= factor * sizes[main]) & (factor * sizes <= sizes[main])
    return alike


def find_digit(ink: Ink, share: float = MARKED[0]) -> Found | None:
    """Where the digit is; None if there is no ink but the edges of things.

    The strongest ink tells how strong the pen is, and so what is a line or a stain. If all of
    that cannot be a digit, as the edge of a desk, it is taken away and the rest looked at. If
    nothing can be one, the best of the strongest is taken that is at least no edge.
    """
    if ink.is_blank:
        return None
    remaining = replace(ink, levels=ink.levels.copy())
    fallback = None
    for _ in range(_ATTEMPTS):
        pieces = _mark(remaining, share)
        plausible = _plausible(pieces)
        frames = _frames(pieces, plausible)
        plausible &= ~frames
        if plausible.any():
            main = int(np.where(plausible, pieces.scores, -1).argmax())
            return _with_companions(pieces, main, frames)
        cropped = ~_is_edge(pieces)
        if fallback is None and cropped.any():
            main = int(np.where(cropped, pieces.scores, -1).argmax())
            fallback = _with_companions(pieces, main, frames)
        remaining.levels[spread(pieces.labels > 0, 2)] = 0
        if remaining.is_blank:
            break
    return fallback


def _plausible(pieces: Pieces) -> Marked:
    """Which pieces can be a digit: not too small, no line, no edge."""
    whole = max(pieces.labels.shape)
    large = pieces.length >= max(_LEAST_PIXELS, _LEAST_SIZE * whole)
    thin = np.minimum(pieces.height, pieces.width) <= _LINE_WIDTH * whole
    line = thin & (pieces.length >= _LINE_LENGTH * whole)
    flat = pieces.width >= _FLAT * pieces.height
    covers_a_side = pieces.on_sides.max(axis=0) >= _MOST_OF_SIDE
    plausible: Marked = large & ~line & ~flat & ~covers_a_side & ~_is_edge(pieces)
    return plausible


def _is_edge(pieces: Pieces) -> Marked:
    """Which pieces lie along a side of the picture as no digit does, however closely cropped.

    A seven may cover the upper side and a one both long sides, but they reach the opposite one.
    """
    height, width = pieces.labels.shape
    sides = np.array([[width], [width], [height], [height]])
    along = np.array([pieces.width, pieces.width, pieces.height, pieces.height])
    depth = np.array([pieces.height, pieces.height, pieces.width, pieces.width])
    flush = pieces.on_sides * sides >= _MOST_OF_SIDE * along
    whole = pieces.on_sides >= _MOST_OF_SIDE
    opposite = pieces.on_sides[[1, 0, 3, 2]] > 0
    strip = (whole | (flush & (depth <= _STRIP * along))) & ~opposite
    corner = flush[:2].any(axis=0) & flush[2:].any(axis=0)
    edge: Marked = strip.any(axis=0) | corner
    return edge


def _frames(pieces: Pieces, candidates: Marked) -> Marked:
    """Which pieces are drawn around another one, as the box of a form is."""
    frames = np.zeros(candidates.shape, np.bool_)
    for inner in np.flatnonzero(candidates):
        around = (
            candidates
            & (pieces.top < pieces.top[inner])
            & (pieces.left < pieces.left[inner])
            & (pieces.bottom > pieces.bottom[inner])
            & (pieces.right > pieces.right[inner])
            & (pieces.length[inner] >= _LEAST_FRAMED * pieces.length)
        )
        if around.any():
            window = pieces.labels[
                pieces.top[inner] : pieces.bottom[inner], pieces.left[inner] : pieces.right[inner]
            ]
            around[np.unique(window[window > 0]) - 1] = False
            frames |= around
    return frames


def _with_companions(pieces: Pieces, main: int, frames: Marked) -> Found:
    """Add the other pieces of a broken digit: near the main one, alike, and no mere specks."""
    reach = _REACH * pieces.length[main]
    near = (
        (pieces.top < pieces.bottom[main] + reach)
        & (pieces.bottom > pieces.top[main] - reach)
        & (pieces.left < pieces.right[main] + reach)
        & (pieces.right > pieces.left[main] - reach)
    )
    underline = (
        (pieces.width >= _FLAT * pieces.height)
        & (pieces.top >= pieces.bottom[main] - pieces.thickness[main])
        & (pieces.width >= _UNDERLINE * pieces.width[main])
    )
    alike = (
        ~underline
        & (pieces.mass >= _LEAST_MASS * pieces.mass[main])
        & (pieces.thickness <= _THICKER * pieces.thickness[main])
        & (pieces.on_sides.max(axis=0) < _MOST_OF_SIDE)
        & (~pieces.touches | pieces.touches[main])
        & ~frames
        & ~_others(pieces, main)
    )
    members = near & alike
    members[main] = True
    return Found(pieces, main, members, float(pieces.scores[main]))


def _mark(ink: Ink, share: float) -> Pieces:
    """Mark what is strong beside the pen's strength, and describe its connected pieces."""
    levels = ink.levels
    level = quantiles(levels[levels >= 0.6 * levels.max()], 0.5)[0]
    marked = levels >= share * level
    labels, count = label(marked)
    rows, columns = np.nonzero(marked)
    numbers = labels[rows, columns] - 1
    area = np.bincount(numbers, minlength=count)
    top, left = np.full(count, levels.shape[0]), np.full(count, levels.shape[1])
    bottom, right = np.zeros(count, np.intp), np.zeros(count, np.intp)
    np.minimum.at(top, numbers, rows)
    np.minimum.at(left, numbers, columns)
    np.maximum.at(bottom, numbers, rows + 1)
    np.maximum.at(right, numbers, columns + 1)
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    on_sides = [np.bincount(side, minlength=count + 1)[1:] / side.size for side in sides]
    widths = stroke_widths(marked)
    by_piece_and_width = np.lexsort((widths, numbers))
    middles = np.cumsum(area) - 1 - area // 2
    return Pieces(
        darkness=ink.darkness,
        gain=ink.gain,
        labels=labels,
        level=level,
        mass=np.bincount(numbers, levels[rows, columns], minlength=count).astype(np.float64),
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        on_sides=np.array(on_sides),
        thickness=widths[by_piece_and_width[middles]].astype(np.float64),
    )


def label(marked: Marked) -> tuple[npt.NDArray[np.intp], int]:
    """Number the connected pieces of what is marked; diagonal neighbours are connected.

    Runs along rows are the vertices of a graph, with an edge where two of neighbouring rows
    touch; each takes the least number of those it can reach.

    Returns
    -------
    tuple
        Numbers from 1, 0 where nothing is marked, shape (height, width); how many pieces.
    """
    height, width = marked.shape
    stride = width + 2  # an unmarked column on either side parts the rows
    padded = np.zeros((height, stride), np.int8)
    padded[:, 1:-1] = marked
    edges = np.diff(padded.reshape(-1), prepend=np.int8(0))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    # A run touches those of the row above that end at its start or later and start at its end
    # or earlier.
    first = np.searchsorted(ends, starts - stride, side="left")
    counts = np.searchsorted(starts, ends - stride, side="right") - first
    below = np.repeat(np.arange(starts.size), counts)
    offsets = np.arange(below.size) - np.repeat(np.cumsum(counts) - counts, counts)
    above = np.repeat(first, counts) + offsets
    least = np.arange(starts.size)
    changed = True
    while changed:
        before = least.copy()
        lesser = np.minimum(least[below], least[above])
        np.minimum.at(least, least[below], lesser)
        np.minimum.at(least, least[above], lesser)
        while (least[least] != least).any():
            least = least[least]
        changed = bool((least != before).any())
    roots, numbers = np.unique(least, return_inverse=True)
    steps = np.zeros(height * stride + 1, np.intp)
    steps[starts] = numbers + 1
    steps[ends] -= numbers + 1
    labels = np.cumsum(steps[:-1]).reshape(height, stride)[:, 1:-1]
    return labels, roots.size
