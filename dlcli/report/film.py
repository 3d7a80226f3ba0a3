"""How the first layer and the confusion matrix changed from epoch to epoch, as pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.report import thumbnails
from dlcli.runs.film import Frame
from dlcli.training.epoch_metrics import EpochRecord

_COLUMNS = 4  # neurons side by side
# Weights reach their full colour at this quantile, so that outliers do not dim the rest.
_FULL_COLOUR_QUANTILE = 0.998


@dataclass(frozen=True)
class Film:
    """The film of a run.

    Attributes
    ----------
    neurons
        How many neurons are shown.
    side
        The width of a picture in pixels.
    frames
        For each epoch what the script shows: its number, a picture of the weights, the confusion
        matrix and the validation accuracy; the last two may be None.
    most_errors
        The largest number of one matrix off its diagonal.
    """

    neurons: int
    side: int
    frames: list[dict[str, Any]]
    most_errors: int

    @property
    def epochs(self) -> int:
        """How many epochs are shown; the start is none."""
        return sum(frame["epoch"] > 0 for frame in self.frames)

    @property
    def has_confusion(self) -> bool:
        """Whether the film shows how the validation images were read."""
        return any(frame["confusion"] is not None for frame in self.frames)

    @property
    def kilobytes(self) -> int:
        """What the film adds to a page."""
        size = sum(len(frame["picture"]) + len(str(frame["confusion"])) for frame in self.frames)
        return math.ceil(size / 1000)


def of_run(frames: Sequence[Frame], records: Sequence[EpochRecord]) -> Film | None:
    """The film of a run; None if it has fewer than two frames."""
    if len(frames) < 2:
        return None
    weights = [frame.weights.astype(np.float32) for frame in frames]
    limit = float(np.quantile(np.abs(weights), _FULL_COLOUR_QUANTILE)) or 1.0
    accuracies = {record.epoch: record.validation_accuracy for record in records}
    pictures = [thumbnails.weight_sheet(values, limit, _COLUMNS) for values in weights]
    shown = [
        {
            "epoch": frame.epoch,
            "picture": picture.content,
            "confusion": None if frame.confusion is None else frame.confusion.tolist(),
            "accuracy": accuracies.get(frame.epoch),
        }
        for frame, picture in zip(frames, pictures, strict=True)
    ]
    return Film(len(weights[0]), pictures[0].size[0], shown, _most_errors(frames))


def _most_errors(frames: Sequence[Frame]) -> int:
    most = 0
    for frame in frames:
        if frame.confusion is not None:
            errors = frame.confusion * (1 - np.eye(len(frame.confusion), dtype=np.int64))
            most = max(most, int(errors.max()))
    return most
