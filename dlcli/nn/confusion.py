"""The confusion matrix: how often each label got each prediction."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.nn.types import Counts, Labels


def confusion_matrix(
    labels: Labels, predictions: npt.NDArray[np.integer[Any]], classes: int
) -> Counts:
    """Count pairs: row = label, column = prediction, shape (classes, classes)."""
    pairs = labels.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
