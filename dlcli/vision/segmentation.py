"""Segmentation of a page: its strokes as atoms in lines, and candidates, runs of atoms.

A page is over-segmented: strokes are cut wherever two digits may meet, and every run of a few atoms
may be a digit. ``inference.reading`` decides among them by the recogniser's scores. This is how
numeral strings are read since Matan et al., "Multi-digit recognition using a space displacement
neural network" (1992) and Fujisawa, Nakano and Kurino, "Segmentation methods for character
recognition: from segmentation to document structure analysis" (1992); Liu, Sako and Fujisawa,
"Effects of classifier structures and training regimes on integrated segmentation and recognition of
handwritten numeral strings" (2004) compare the recognisers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box
from dlcli.vision.components import Components, Floats, connected_components, strokes_of
from dlcli.vision.cuts import candidate_cuts, parts
from dlcli.vision.mnist_format import bounding_box
from dlcli.vision.morphology import dilate
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.page_foreground import page_channels, page_foreground
from dlcli.vision.printed_lines import frame_pixels, line_pixels
from dlcli.vision.text_lines import TextLine, find_lines

# The window of the closing, a fraction of the page's longer side.
_WINDOW = 0.12
# A digit has at most so many atoms, and is at most so many times as wide as its line is high.
_MAX_ATOMS = 6
_MAX_ASPECT = 1.5
# A digit is at least so high, as a fraction of its line's digits.
_MIN_HEIGHT = 0.4
# Atoms of one digit are no farther apart, as a fraction of the line's height.
_MAX_GAP_IN_DIGIT = 0.35


@dataclass(frozen=True)
class Span:
    """A candidate: the atoms of a line from ``start`` to before ``end``.

    Attributes
    ----------
    labels
        Of its components.
    box
        In pixels of the foreground.
    height, width
        Of the box, as fractions of the height of the line's digits.
    """

    start: int
    end: int
    labels: tuple[int, ...]
    box: Box
    height: float
    width: float


@dataclass(frozen=True)
class Line:
    """A line of a page, over-segmented.

    Attributes
    ----------
    atoms
        The labels of its components, from left to right.
    height
        The usual height of its digits in pixels.
    gaps
        Between each atom and all before it, as a fraction of the height: below 0 if it begins
        before they end. The first is 0.
    crossed
        How many widths of a stroke the cut between each atom and the one before it crosses; 0 if
        they are no parts of one component.
    """

    atoms: tuple[int, ...]
    height: float
    gaps: tuple[float, ...]
    crossed: tuple[float, ...]


class Page:
    """The components of a page, in lines; more of them are made by cutting."""

    def __init__(
        self, components: Components | None, size: tuple[int, int], lines: int | None
    ) -> None:
        self.size = size  # of the foreground: width, height
        self._components = components
        self.lines: list[Line] = []
        if components is not None:
            self.lines = [self._line(line) for line in find_lines(components, lines)]

    @property
    def components(self) -> Components:
        """The components; atoms are their labels."""
        if self._components is None:
            raise ValueError("a blank page has no components")
        return self._components

    def spans(self, line: Line) -> list[Span]:
        """The candidates for digits on a line."""
        found = []
        for start in range(len(line.atoms)):
            for end in range(start + 1, min(start + _MAX_ATOMS, len(line.atoms)) + 1):
                if end > start + 1 and line.gaps[end - 1] > _MAX_GAP_IN_DIGIT:
                    break
                span = self._span(line, start, end)
                if end > start + 1 and span.width > _MAX_ASPECT:
                    break
                if span.height >= _MIN_HEIGHT:
                    found.append(span)
        return found

    def _span(self, line: Line, start: int, end: int) -> Span:
        labels = line.atoms[start:end]
        box = self.components.box(list(labels))
        left, top, right, bottom = box
        return Span(
            start, end, labels, box, (bottom - top) / line.height, (right - left) / line.height
        )

    def pixels(self, span: Span) -> Pixels:
        """A candidate in MNIST's format, shape (784,)."""
        return normalize_digit(strokes_of(self.components, list(span.labels)))

    def mass(self, line: Line) -> Floats:
        """The mass of each atom, as a fraction of a usual digit's on the line."""
        components = self.components
        mass = components.mass[list(line.atoms)]
        heights = (components.bottom - components.top)[list(line.atoms)]
        of_digits = mass[heights >= _MIN_HEIGHT * line.height]
        usual = float(np.median(of_digits)) if of_digits.size else float(mass.max())
        return np.asarray(mass / max(usual, 1.0), np.float64)

    def width(self, line: Line, place: int) -> float:
        """The width of an atom, as a fraction of the height of the line's digits."""
        label = line.atoms[place]
        return float(self.components.right[label] - self.components.left[label]) / line.height

    def cut(self, line: Line, atoms: Iterable[int]) -> Line:
        """The line with some of its atoms, given by their places, cut wherever digits may meet."""
        to_cut = set(atoms)
        crossed = dict(zip(line.atoms, line.crossed, strict=True))
        for place in to_cut:
            pieces = self._cut(line.atoms[place], line.height)
            before = crossed.pop(line.atoms[place])
            crossed.update({label: cost or before for label, cost in pieces})
        middles = self.components.left + self.components.right
        members = sorted(crossed, key=middles.item)
        whole = self._line(TextLine(members, line.height))
        return replace(whole, crossed=tuple(crossed[member] for member in members))

    def _cut(self, atom: int, line_height: float) -> list[tuple[int, float]]:
        """The pieces of a component: their labels, and what the cut on their left crosses."""
        components = self.components
        left, top, right, bottom = components.box([atom])
        window = components.labels[top:bottom, left:right]
        mask = window == atom
        cuts = candidate_cuts(mask, line_height)
        numbers = parts(cuts, *mask.shape)
        pieces = [(part, mask & (numbers == part)) for part in range(len(cuts) + 1)]
        pieces = [(part, piece) for part, piece in pieces if piece.any()]
        if len(pieces) == 1:
            return [(atom, 0.0)]
        levels = components.foreground[top:bottom, left:right]
        density = components.mass[atom] / float(levels[mask].sum())
        boxes, mass = [], []
        first = len(components.mass)
        for label, (_, piece) in enumerate(pieces, first):
            window[piece] = label
            rows, columns = bounding_box(piece)
            boxes.append(
                (left + columns.start, top + rows.start, left + columns.stop, top + rows.stop)
            )
            mass.append(density * float(levels[piece].sum()))
        self._components = _with_pieces(components, boxes, mass)
        costs = [cuts[part - 1].crossed if part else 0.0 for part, _ in pieces]
        return list(enumerate(costs, first))

    def _line(self, line: TextLine) -> Line:
        components = self.components
        members = line.members
        ends = np.maximum.accumulate(components.right[members])
        gaps = (components.left[members][1:] - ends[:-1]) / line.height
        return Line(tuple(members), line.height, (0.0, *gaps.tolist()), (0.0,) * len(members))


def segment(picture: Image.Image, lines: int | None = None) -> Page:
    """The lines of a page in mode L or RGB, and how many these are if that is known."""
    foreground = page_foreground(page_channels(picture), _WINDOW)
    height, width = foreground.shape
    components = connected_components(foreground)
    if components is not None:
        components = _without_print(components)
    return Page(components, (width, height), lines)


def _without_print(components: Components) -> Components | None:
    """The components without printed lines and frames, if there are such."""
    foreground = components.foreground
    mask = (components.labels > 0).view(np.uint8)
    lines = line_pixels(mask)
    if lines is not None:
        foreground = _erased(foreground, lines, mask)
        mask = mask & (1 - lines)
        without_lines = connected_components(foreground)
        if without_lines is None:
            return None
        components = without_lines
    frames = frame_pixels(components, mask)
    if frames is not None:
        return connected_components(_erased(foreground, frames, mask))
    return components


def _erased(foreground: Pixels, lines: Pixels, mask: Pixels) -> Pixels:
    """The foreground without lines and their grey edges."""
    soft_edges = dilate(lines, 3, 3) & (1 - mask)
    return np.where(lines | soft_edges, np.uint8(0), foreground)


def _with_pieces(components: Components, boxes: list[Box], mass: list[float]) -> Components:
    """The components and pieces of them, which have the labels that follow."""
    left, top, right, bottom = np.array(boxes, components.left.dtype).T
    return replace(
        components,
        mass=np.append(components.mass, mass),
        left=np.append(components.left, left),
        top=np.append(components.top, top),
        right=np.append(components.right, right),
        bottom=np.append(components.bottom, bottom),
    )
