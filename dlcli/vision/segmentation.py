"""Segmentation of a page: its strokes as atoms in lines, and candidates, runs of atoms.

A page is over-segmented: strokes are split wherever two digits may meet, and every run of a few
atoms may be a digit. ``inference.reading`` decides among them by the recogniser's scores. This is
how numeral strings are read since Matan et al., "Multi-digit recognition using a space displacement
neural network" (1992) and Fujisawa, Nakano and Kurino, "Segmentation methods for character
recognition: from segmentation to document structure analysis" (1992); Liu, Sako and Fujisawa,
"Effects of classifier structures and training regimes on integrated segmentation and recognition of
handwritten numeral strings" (2004) compare the recognisers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.vision.candidate import Box
from dlcli.vision.components import Components, connected_components, strokes_of
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.page_foreground import page_channels, page_foreground
from dlcli.vision.text_lines import find_lines

# The window of the closing, a fraction of the page's longer side.
_WINDOW = 0.12
# A digit has at most so many atoms, and is at most so many times as wide as its line is high.
_MAX_ATOMS = 4
_MAX_ASPECT = 1.6
# Digits of a number are at most this many line heights apart.
_MAX_GAP = 1.0


@dataclass(frozen=True)
class Span:
    """A candidate: the atoms of a word from ``start`` to before ``end``.

    Attributes
    ----------
    pixels
        In MNIST's format, shape (784,).
    box
        In pixels of the foreground.
    height
        Of the line's digits.
    """

    start: int
    end: int
    pixels: Pixels
    box: Box
    height: float


@dataclass(frozen=True)
class Word:
    """What may be one number: its line, from 0, its number of atoms, and its candidates."""

    line: int
    atoms: int
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Segmentation:
    """The words of a page in reading order, and the size of the foreground they lie in."""

    words: tuple[Word, ...] = ()
    size: tuple[int, int] = (1, 1)  # width, height


def segment(page: Image.Image) -> Segmentation:
    """The words of a page in mode L or RGB."""
    foreground = page_foreground(page_channels(page), _WINDOW)
    components = connected_components(foreground)
    height, width = foreground.shape
    if components is None:
        return Segmentation(size=(width, height))
    words = tuple(_words(components))
    return Segmentation(words, (width, height))


def _words(components: Components) -> Iterator[Word]:
    for number, line in enumerate(find_lines(components)):
        for members in _split_at_gaps(components, line.members, _MAX_GAP * line.height):
            yield Word(number, len(members), tuple(_spans(components, members, line.height)))


def _split_at_gaps(
    components: Components, members: list[int], max_gap: float
) -> Iterator[list[int]]:
    """The components of a line, divided where the gap is too wide for one number."""
    word: list[int] = []
    right = 0
    for member in members:
        if word and components.left[member] - right > max_gap:
            yield word
            word = []
        right = max(right, int(components.right[member])) if word else int(components.right[member])
        word.append(member)
    if word:
        yield word


def _spans(components: Components, members: list[int], height: float) -> Iterator[Span]:
    for start in range(len(members)):
        for end in range(start + 1, min(start + _MAX_ATOMS, len(members)) + 1):
            atoms = members[start:end]
            box = components.box(atoms)
            if end > start + 1 and box[2] - box[0] > _MAX_ASPECT * height:
                break
            strokes = strokes_of(components, atoms)
            if np.isfinite(strokes).all() and strokes.any():
                yield Span(start, end, normalize_digit(strokes), box, height)
