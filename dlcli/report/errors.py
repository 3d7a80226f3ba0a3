"""The images in each cell of the confusion matrix, and the most confident errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.evaluation.evaluate import Evaluation
from dlcli.nn.types import Array, Counts

# Images of a cell that are in the page; with all correct predictions a page of MNIST would hold
# 10,000.
MAX_CELL_IMAGES = 24
_SHADES = 4
# More classes than these, or longer names, do not fit beside the images of a cell.
_NARROW_CLASSES, _NARROW_LETTERS = 10, 2


@dataclass(frozen=True)
class Cell:
    """The images of one label that got the same prediction.

    Attributes
    ----------
    shown
        Indices of at most ``MAX_CELL_IMAGES`` of them: the most confident errors, or the least
        confident correct predictions.
    """

    label: int
    prediction: int
    count: int
    shown: list[int]


def cells(evaluation: Evaluation) -> list[Cell]:
    """Every cell of the confusion matrix that has images, row by row."""
    confidence = evaluation.probabilities.max(axis=1)
    found = []
    for label, prediction in np.argwhere(evaluation.confusion).tolist():
        inside = np.flatnonzero(
            (evaluation.labels == label) & (evaluation.predictions == prediction)
        )
        order = np.argsort(-confidence[inside], kind="stable")
        if label == prediction:
            order = order[::-1]
        shown = inside[order][:MAX_CELL_IMAGES].tolist()
        found.append(Cell(label, prediction, len(inside), shown))
    return found


def needs_wide_matrix(names: Sequence[str]) -> bool:
    """Whether a matrix with these headings needs the whole width of the page."""
    return len(names) > _NARROW_CLASSES or max(map(len, names)) > _NARROW_LETTERS


def most_frequent(found: list[Cell], limit: int) -> list[Cell]:
    """The cells with the most errors, the fullest first."""
    wrong = [cell for cell in found if cell.label != cell.prediction]
    return sorted(wrong, key=lambda cell: -cell.count)[:limit]


def most_probable(probabilities: Array, label: int) -> list[tuple[int, float]]:
    """The three most probable classes and the label, each with its probability."""
    chosen = np.argsort(-probabilities, kind="stable")[:3].tolist()
    return [(c, float(probabilities[c])) for c in dict.fromkeys([*chosen, label])]


def shades(confusion: Counts) -> dict[tuple[int, int], str]:
    """The CSS class of each cell: ``correct``, ``none``, or by its errors ``h1`` to ``h4``."""
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    most = math.log1p(int(errors.max())) or 1.0
    found = {}
    for (label, prediction), count in np.ndenumerate(confusion):
        level = math.ceil(_SHADES * math.log1p(int(count)) / most)
        shade = f"h{level}" if count else "none"
        found[label, prediction] = "correct" if label == prediction else shade
    return found
