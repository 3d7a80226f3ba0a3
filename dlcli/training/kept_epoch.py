"""Which epoch of a run is kept: the rule of the config key ``keep``."""

import math
from collections.abc import Sequence
from typing import TypeAlias

from dlcli.training.epoch_metrics import EpochRecord

Scores: TypeAlias = tuple[float, float]
"""Validation accuracy and validation loss."""

NO_SCORES: Scores = (-1.0, math.inf)
"""Worse than those of any epoch."""


def replaces_kept(keep: str, scores: Scores | None, kept: Scores) -> bool:
    """Whether the latest epoch is kept instead of the one kept so far, at first ``NO_SCORES``.

    ``best_accuracy`` prefers the lower loss among equals, and ``best_loss`` the higher accuracy.
    Of epochs that are equal in both, the first is kept; without validation images, the last.
    """
    if keep == "last" or scores is None:
        return True
    return _rank(keep, scores) > _rank(keep, kept)


def kept_record(keep: str, records: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch that training keeps, or would keep if it ended now; None without any epoch."""
    kept, kept_scores = None, NO_SCORES
    for record in records:
        scores = validation_scores(record)
        if replaces_kept(keep, scores, kept_scores):
            kept, kept_scores = record, scores or NO_SCORES
    return kept


def validation_scores(record: EpochRecord) -> Scores | None:
    """Validation accuracy and loss of an epoch; None without validation images."""
    if record.validation_accuracy is None or record.validation_loss is None:
        return None
    return record.validation_accuracy, record.validation_loss


def _rank(keep: str, scores: Scores) -> tuple[float, float]:
    accuracy, loss = scores
    return (-loss, accuracy) if keep == "best_loss" else (accuracy, -loss)
