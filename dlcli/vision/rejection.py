"""Rejection of what is not a digit: a classifier assigns a digit to whatever it is shown.

A second network has an eleventh class, "not a digit"; the probability of that class is the
out-of-distribution (OOD) score. The network was trained on MNIST's training digits, plain and on
synthetic photographs, and on photographs of letters, signs, shapes, scribbles, damaged digits and
empty pages (outlier exposure; Hendrycks, Mazeika and Dietterich, "Deep anomaly detection with
outlier exposure", 2019). ``tools/train_rejection.py`` trains it.
"""

from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcli.nn.dimensions import IMAGE_SIZE
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels

ACTIVATION = "gelu"
WEIGHTS_FILE = Path(__file__).with_name("rejection.npz")
CUTS_FILE = Path(__file__).with_name("cut_digits.npz")
OOD_CLASS = 10  # after those of the ten digits
# A picture is rejected if the probability that it shows no digit plus the probability that it
# shows another digit exceeds this; benchmarks/PHOTOGRAPHS.md counts how many are.
REJECTION_THRESHOLD = 0.75
# Scores nearer to 0 and 1 than this are no surer.
_MIN_SCORE = 1e-6


class RejectionReason(StrEnum):
    """Why a picture that could be read gets no prediction; the texts are shown to users."""

    BLANK = "the picture is blank"
    NO_DIGIT = "no digit found"
    SEVERAL_DIGITS = "more than one digit"
    NOT_A_DIGIT = "not a digit"
    AMBIGUOUS = "ambiguous"
    LOW_CONFIDENCE = "not confident enough"

    @property
    def code(self) -> str:
        """The reason in JSON, such as ``not_a_digit``."""
        return self.name.lower()


def ood_scores(images: Pixels) -> npt.NDArray[np.floating]:
    """The probability of each image, shape (n, 784), that it shows no digit: shape (n,)."""
    _, probabilities = network().infer(images)
    return probabilities[:, OOD_CLASS]


def cut_scores(images: Pixels) -> npt.NDArray[np.floating]:
    """The same for what was cut out of strokes that touch, with a network that knows such cuts.

    It has learned from strings of digits and of letters, cut in all ways that ``vision.cuts``
    knows: few of these leave a digit whole (``tools/train_cuts.py`` trains it). The two networks
    make different mistakes, and the mean of their log odds is better than either.
    """
    of_cuts = cut_network().infer(images)[1][:, OOD_CLASS]
    odds = np.sqrt(_odds(of_cuts) * _odds(ood_scores(images)))
    return np.asarray(odds / (1 + odds))


def _odds(probabilities: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    bounded = np.clip(probabilities, _MIN_SCORE, 1 - _MIN_SCORE)
    return np.asarray(bounded / (1 - bounded))


def indifferent_scores(images: Pixels) -> npt.NDArray[np.floating]:
    """OOD scores for images of other signs, which the rejection network does not know: all 0."""
    return np.zeros(len(images), np.float32)


def rejection_reason(ood_score: float, probabilities: Array) -> RejectionReason | None:
    """Why a digit is rejected, given its OOD score and the probabilities of the ten digits."""
    if ood_score > REJECTION_THRESHOLD:
        return RejectionReason.NOT_A_DIGIT
    if ood_score + 1 - float(probabilities.max()) > REJECTION_THRESHOLD:
        return RejectionReason.AMBIGUOUS
    return None


def network() -> Network:
    """The rejection network, read once."""
    return _loaded(WEIGHTS_FILE)


def cut_network() -> Network:
    """The network that knows cuts, read once."""
    return _loaded(CUTS_FILE)


@cache
def _loaded(path: Path) -> Network:
    with np.load(path, allow_pickle=False) as arrays:
        layers = range(len(arrays) // 2)
        sizes = [IMAGE_SIZE, *(arrays[f"layers.{layer}.bias"].size for layer in layers)]
        loaded = Network(sizes, [ACTIVATION] * (len(layers) - 1), "softmax")
        for layer in layers:
            loaded.weights[layer][...] = arrays[f"layers.{layer}.weight"]
            loaded.biases[layer][...] = arrays[f"layers.{layer}.bias"]
    return loaded
