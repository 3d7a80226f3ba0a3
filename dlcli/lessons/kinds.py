"""Kinds of lessons: what one does besides training its experiments, and which figures it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlcli.lessons.by_hand_figures import FIGURES as BACKPROPAGATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dlcli.data.examples import Dataset


@dataclass(frozen=True)
class Kind:
    """A kind of lesson.

    Attributes
    ----------
    summary
        What it does, for ``docs/lessons.md``.
    figures
        What ``compute`` returns, by name, with its meaning.
    compute
        Computes the figures from a dataset.
    """

    summary: str
    figures: Mapping[str, str] = field(default_factory=dict)
    compute: Callable[[Dataset], dict[str, float]] | None = None


def _by_hand(dataset: Dataset) -> dict[str, float]:
    from dlcli.lessons import by_hand  # imports NumPy

    return by_hand.figures(dataset)


KINDS: dict[str, Kind] = {
    "training": Kind("Trains the experiments and measures them."),
    "backpropagation": Kind(
        "Sends one image (the mean grey levels of its quarters) through a network of two hidden "
        "neurons and two outputs, by hand, and compares the derivatives with dlcli's and with "
        "finite differences.",
        BACKPROPAGATION,
        _by_hand,
    ),
}
