"""What a network of a lesson says of images, and how often it is right."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.evaluation import metrics
from dlcli.nn.types import Array, Labels


@dataclass(frozen=True)
class Predictions:
    """The probabilities of each class for images, shape (n, classes), and their labels."""

    probabilities: Array
    labels: Labels

    @property
    def accuracy(self) -> float:
        """The fraction that is right."""
        return float(self._is_right.mean())

    @property
    def confidence(self) -> float:
        """The mean probability of the predictions."""
        return float(self.probabilities.max(axis=1).mean())

    @property
    def calibration_error(self) -> float:
        """How far the probabilities are from how often the predictions are right."""
        return metrics.expected_calibration_error(self.probabilities, self.labels)

    def right_from(self, probability: float) -> float:
        """The accuracy of the predictions with at least this probability; NaN without any."""
        chosen = self._is_right[self.probabilities.max(axis=1) >= probability]
        return float(chosen.mean()) if chosen.size else math.nan

    @property
    def _is_right(self) -> npt.NDArray[np.bool_]:
        right: npt.NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.labels
        return right
