"""The images in each cell of the confusion matrix, and the most confidently wrong answers."""

import math
from dataclasses import dataclass

import numpy as np

from dlcli.evaluation.evaluate import Evaluation
from dlcli.nn.types import Counts

# How many images of a cell are in the page; of all its right answers, a page of MNIST would
# hold 10,000.
CELL_LIMIT = 24
WORST_LIMIT = 24


@dataclass(frozen=True)
class Cell:
    """All images with one label that were given one answer.

    Attributes
    ----------
    shown
        Indices of at most ``CELL_LIMIT`` of them: of wrong answers the surest, of right ones the
        least sure.
    """

    label: int
    answer: int
    count: int
    shown: list[int]


def cells(evaluation: Evaluation) -> list[Cell]:
    """Every cell of the confusion matrix that has images, row by row."""
    confidence = evaluation.probabilities.max(axis=1)
    found = []
    for label, answer in np.argwhere(evaluation.confusion).tolist():
        inside = np.flatnonzero((evaluation.labels == label) & (evaluation.predictions == answer))
        surest_first = np.argsort(-confidence[inside], kind="stable")
        order = surest_first[::-1] if label == answer else surest_first
        shown = inside[order][:CELL_LIMIT].tolist()
        found.append(Cell(label, answer, len(inside), shown))
    return found


def most_frequent(found: list[Cell], limit: int) -> list[Cell]:
    """The cells with the most wrong answers, the fullest first."""
    wrong = [cell for cell in found if cell.label != cell.answer]
    return sorted(wrong, key=lambda cell: -cell.count)[:limit]


def worst(evaluation: Evaluation) -> list[int]:
    """Indices of the wrong answers that were given with the highest probability, surest first."""
    wrong = np.flatnonzero(evaluation.predictions != evaluation.labels)
    confidence = evaluation.probabilities[wrong].max(axis=1)
    chosen: list[int] = wrong[np.argsort(-confidence, kind="stable")][:WORST_LIMIT].tolist()
    return chosen


def shades(confusion: Counts) -> dict[tuple[int, int], str]:
    """Each cell's colour: ``right``, ``none``, or by its errors ``h1`` to ``h4``."""
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    most = math.log1p(int(errors.max())) or 1.0
    found = {}
    for (label, answer), count in np.ndenumerate(confusion):
        level = math.ceil(4 * math.log1p(int(count)) / most)
        found[label, answer] = "right" if label == answer else f"h{level}" if count else "none"
    return found
