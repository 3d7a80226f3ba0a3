"""Kinds of lessons: what one does besides training its experiments, and which figures it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dlcli.data.datasets import Dataset


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


KINDS: dict[str, Kind] = {
    "training": Kind("Trains the experiments and measures them."),
}
