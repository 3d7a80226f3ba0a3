"""Segmentation of a page: its lines, where digits may begin and end on them, and candidates.

A page is over-segmented: strokes are cut wherever two digits may meet, and whatever stands between
two boundaries may be a digit. ``inference.reading`` decides among them by the recogniser's scores.
This is how numeral strings are read since Matan et al., "Multi-digit recognition using a space
displacement neural network" (1992) and Fujisawa, Nakano and Kurino, "Segmentation methods for
character recognition: from segmentation to document structure analysis" (1992); Liu, Sako and
Fujisawa, "Effects of classifier structures and training regimes on integrated segmentation and
recognition of handwritten numeral strings" (2004) compare the recognisers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box
from dlcli.vision.components import Components, connected_components, strokes_of
from dlcli.vision.cuts import MAX_LINES
from dlcli.vision.line_image import LineImage, Pieces
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.page_foreground import WINDOW, page_channels, page_foreground
from dlcli.vision.printed_lines import without_print
from dlcli.vision.text_lines import TextLine, find_lines

# Smaller pictures hold a few digits, and no printed lines that their strokes could be told from.
_MIN_SIDE_FOR_PRINT_PX = 100
# A digit of several parts is at most so many times as wide as its line is high, once upright.
_MAX_WIDTH = 1.2
# A digit is at least so high, as a fraction of its line's digits.
_MIN_HEIGHT = 0.4
# Atoms of one digit are no farther apart, as a fraction of the line's height.
_MAX_GAP_IN_DIGIT = 0.35
# Two strokes farther apart than this, each nearly as high as the line, are two digits.
_MAX_GAP_OF_STROKES = 0.1
_MIN_HEIGHT_OF_DIGIT = 0.8


# Parts lower than this fraction of the line's height belong to what they stand over, if it is cut.
_MAX_PART_HEIGHT = 0.5
# Digits do not begin or end at a gap this wide that is none: inside a component.
_NO_GAP = -1.0


@dataclass(frozen=True)
class Boundary:
    """Where a digit may begin or end on a line.

    Attributes
    ----------
    member
        The component that begins here or is cut here, by its place on the line; after the last
        component, their number.
    left
        The pieces of this component on the left of the cut; none if it begins here.
    gap
        The distance of the component from all before it, as a fraction of the line's height: below
        0 if it begins before they end, or is cut here.
    """

    member: int
    left: frozenset[int] = frozenset()
    gap: float = 0.0


@dataclass(frozen=True)
class Span:
    """A candidate: what stands on a line from one boundary to another.

    Attributes
    ----------
    labels
        Of its components and pieces.
    parts
        The gaps between its components.
    box
        In pixels of the foreground.
    height, width
        Of the box, as fractions of the height of the line's digits; the width once upright.
    is_cut
        Whether it begins or ends at a cut.
    image
        Of its line, if that is cut.
    """

    start: int
    end: int
    labels: frozenset[int]
    parts: tuple[float, ...]
    box: Box
    height: float
    width: float
    is_cut: bool
    image: LineImage | None = None


@dataclass(frozen=True)
class Line:
    """A line of a page, over-segmented.

    Attributes
    ----------
    members
        Its components, or the pieces of those that are cut, from left to right.
    boundaries
        From the left end to the right.
    height
        The usual height of its digits in pixels.
    image
        None if nothing is cut.
    """

    members: tuple[frozenset[int], ...]
    boundaries: tuple[Boundary, ...]
    height: float
    image: LineImage | None = None

    @property
    def lean(self) -> float:
        """How much the digits lean to the right, columns a row; 0 if nothing is cut."""
        return 0.0 if self.image is None else self.image.lean

    def labels(self, start: int, end: int) -> frozenset[int]:
        """The components and pieces from one boundary to another."""
        first, last = self.boundaries[start], self.boundaries[end]
        between = frozenset[int]().union(*self.members[first.member : last.member])
        return (between | last.left) - first.left


class Page:
    """The components of a page, in lines; more of them are made by cutting."""

    def __init__(
        self, components: Components | None, size: tuple[int, int], lines: int | None
    ) -> None:
        self.size = size  # of the foreground: width, height
        self._components = components
        self._whole: dict[int, int] = {}  # the component of each piece
        self._boxes: list[Box] = _boxes(components) if components is not None else []
        self.lines: list[Line] = []
        if components is not None:
            self.lines = [self._line(line) for line in find_lines(components, lines)]

    @property
    def components(self) -> Components:
        """The components; atoms are their labels."""
        if self._components is None:
            raise ValueError("a blank page has no components")
        return self._components

    def _line(self, line: TextLine) -> Line:
        components, members = self.components, line.members
        ends = np.maximum.accumulate(components.right[members])
        gaps = (components.left[members][1:] - ends[:-1]) / line.height
        boundaries = [Boundary(place, gap=gap) for place, gap in enumerate((0.0, *gaps.tolist()))]
        return Line(
            tuple(frozenset((member,)) for member in members),
            (*boundaries, Boundary(len(members))),
            line.height,
        )

    def spans(self, line: Line) -> list[Span]:
        """The candidates for digits on a line."""
        found = []
        for start in range(len(line.boundaries) - 1):
            parts: list[float] = []
            for end in range(start + 1, len(line.boundaries)):
                span = self.span(line, start, end, tuple(parts))
                if span is not None:
                    is_large = span.width > _MAX_WIDTH or span.height > MAX_LINES
                    if is_large and (parts or span.is_cut):
                        break
                    if span.height >= _MIN_HEIGHT:
                        found.append(span)
                if not line.boundaries[end].left:  # another component begins
                    parts.append(line.boundaries[end].gap)
                    if parts[-1] > _MAX_GAP_IN_DIGIT or self._are_apart(line, end):
                        break
        return found

    def _are_apart(self, line: Line, place: int) -> bool:
        """Whether two components as high as digits meet at a boundary, with a gap between them."""
        boundary, components = line.boundaries[place], self.components
        if boundary.gap <= _MAX_GAP_OF_STROKES or not 0 < boundary.member < len(line.members):
            return False
        heights = [
            box[3] - box[1]
            for labels in line.members[boundary.member - 1 : boundary.member + 1]
            for box in [components.box(list(labels))]
        ]
        return min(heights) >= _MIN_HEIGHT_OF_DIGIT * line.height

    def span(self, line: Line, start: int, end: int, parts: tuple[float, ...] = ()) -> Span | None:
        """What stands on a line from one boundary to another; None between cuts that cross."""
        labels = line.labels(start, end)
        if not labels:
            return None
        lefts, tops, rights, bottoms = zip(*(self._boxes[member] for member in labels), strict=True)
        left, top, right, bottom = box = min(lefts), min(tops), max(rights), max(bottoms)
        height = (bottom - top) / line.height
        width = (right - left) / line.height - abs(line.lean) * height
        is_cut = bool(line.boundaries[start].left or line.boundaries[end].left)
        return Span(start, end, labels, parts, box, height, max(width, 0.0), is_cut, line.image)

    def pixels(self, span: Span) -> Pixels:
        """A candidate in MNIST's format, shape (784,)."""
        if span.is_cut and span.image is not None:
            return span.image.pixels(span.labels)
        members = {self._whole.get(member, member) for member in span.labels}
        return normalize_digit(strokes_of(self.components, list(members)))

    def mass(self, line: Line) -> list[float]:
        """The mass between each two boundaries, as a fraction of a usual digit's on the line."""
        components = self.components
        heights = components.bottom - components.top
        whole = [
            float(components.mass[list(labels)].sum())
            for labels in line.members
            if max(heights[list(labels)]) >= _MIN_HEIGHT * line.height
        ]
        usual = max(float(np.median(whole)) if whole else 0.0, 1.0)
        return [
            float(components.mass[list(line.labels(start, start + 1))].sum()) / usual
            for start in range(len(line.boundaries) - 1)
        ]

    def width(self, labels: Iterable[int]) -> int:
        """The width of components together, in pixels."""
        left, _, right, _ = self.components.box(list(labels))
        return right - left

    @property
    def is_one_symbol(self) -> bool:
        """Whether there is nothing but one component, and it is not wide."""
        members = [labels for line in self.lines for labels in line.members]
        return len(members) == 1 and self.width(members[0]) <= _MAX_WIDTH * self.lines[0].height

    def fraction(self, labels: Iterable[int]) -> float:
        """The mass of components as a fraction of all but those along the border."""
        components = self.components
        total = float(components.mass[~components.is_strip].sum())
        return float(components.mass[list(labels)].sum()) / max(total, 1.0)

    def cut(self, line: Line, places: Iterable[int]) -> Line:
        """The line with the components at some places cut wherever digits may meet."""
        to_cut = [next(iter(line.members[place])) for place in places]
        if not to_cut:
            return line
        whole = [next(iter(labels)) for labels in line.members]
        for atom in to_cut:
            for part in self._parts_over(atom, whole, line.height):
                self._join(atom, part)
                whole.remove(part)
        image = LineImage(self.components, whole, line.height)
        plain = self._line(TextLine(whole, line.height))
        members, boundaries = list(plain.members), []
        for place, atom in enumerate(whole):
            boundaries.append(plain.boundaries[place])
            pieces = None
            if atom in to_cut:
                pieces = image.cut(self.components, atom, len(self.components.mass))
            if pieces is not None:
                self._add(atom, pieces)
                members[place] = frozenset(pieces.labels)
                boundaries += [Boundary(place, left, _NO_GAP) for left in pieces.on_left]
        boundaries.append(plain.boundaries[-1])
        return Line(tuple(members), tuple(boundaries), line.height, image)

    def _add(self, atom: int, pieces: Pieces) -> None:
        """Add the pieces of a component to the components."""
        self._whole.update(dict.fromkeys(pieces.labels, atom))
        self.components.mass[atom] = 0
        self._boxes += pieces.boxes
        self._components = _with_pieces(self.components, pieces.boxes, pieces.mass)

    def _parts_over(self, atom: int, others: list[int], line_height: float) -> list[int]:
        """Small components whose middle stands over or in a component."""
        components = self.components
        left, right = components.left[atom], components.right[atom]
        return [
            other
            for other in others
            if other != atom
            and 2 * left < components.left[other] + components.right[other] < 2 * right
            and components.bottom[other] - components.top[other] < _MAX_PART_HEIGHT * line_height
        ]

    def _join(self, atom: int, part: int) -> None:
        """Make a component a part of another."""
        components = self.components
        left, top, right, bottom = components.box([part])
        window = components.labels[top:bottom, left:right]
        window[window == part] = atom
        joined = components.box([atom, part])
        for array, edge in zip(
            (components.left, components.top, components.right, components.bottom),
            joined,
            strict=True,
        ):
            array[atom] = edge
        self._boxes[atom] = joined
        components.mass[atom] += components.mass[part]
        components.mass[part] = 0


def segment(picture: Image.Image, lines: int | None = None) -> Page:
    """The lines of a page in mode L or RGB, and how many there are, if that is known."""
    foreground = page_foreground(page_channels(picture), WINDOW)
    height, width = foreground.shape
    components = connected_components(foreground)
    if components is not None and max(picture.size) >= _MIN_SIDE_FOR_PRINT_PX:
        components = without_print(components)
    return Page(components, (width, height), lines)


def _boxes(components: Components) -> list[Box]:
    """The box of each component, as numbers of Python: a page has many candidates."""
    edges = components.left, components.top, components.right, components.bottom
    return list(zip(*(edge.tolist() for edge in edges), strict=True))


def _with_pieces(components: Components, boxes: Sequence[Box], mass: Sequence[float]) -> Components:
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
