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

from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels

ACTIVATION = "gelu"
WEIGHTS_FILE = Path(__file__).with_name("rejection.npz")
CUTS_FILE = Path(__file__).with_name("cut_digits.npz")
OOD_CLASS = 10  # after those of the ten digits
# A picture is rejected if the probability that it shows no digit plus the probability that it
# shows another digit exceeds this; benchmarks/PHOTOGRAPHS.md counts how many are.
REJECTION_THRESHOLD = 0.75
# Where the longer side of a digit's box has so few pixels, digits look less like those that the
# network has learned, and the threshold is higher: of 1,797 scans of 8x8 pixels 1,746 are read
# instead of 1,729 and one more is misread; of 300 scans of letters and drawings 275 are rejected
# instead of 283 (``python -m tools.photograph_accuracy pretrained --count 60``).
FEW_PIXELS = 10
FEW_PIXELS_THRESHOLD = 0.95


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


def cut_probabilities(images: Pixels) -> Array:
    """The probabilities that candidates are each digit, and none: shape (n, 11).

    The images, shape (n, 1568), show each candidate and its neighbours, as
    ``vision.line_image`` makes them. The network has learned from strings of digits and of
    letters, cut in all ways that ``vision.cuts`` knows (``tools/train_cuts.py``), and then which
    way through a whole string is right (``tools/train_strings.py``).
    """
    return cut_network().infer(images)[1]


def indifferent_scores(images: Pixels) -> npt.NDArray[np.floating]:
    """OOD scores for images of other signs, which the rejection network does not know: all 0."""
    return np.zeros(len(images), np.float32)


def rejection_threshold(box: tuple[int, int, int, int] | None) -> float:
    """The threshold for a digit in this box of a picture: left, top, right, bottom, in pixels."""
    if box is None or max(box[2] - box[0], box[3] - box[1]) > FEW_PIXELS:
        return REJECTION_THRESHOLD
    return FEW_PIXELS_THRESHOLD


def rejection_reason(
    ood_score: float, probabilities: Array, threshold: float = REJECTION_THRESHOLD
) -> RejectionReason | None:
    """Why a digit is rejected, given its OOD score and the probabilities of the ten digits."""
    if ood_score > threshold:
        return RejectionReason.NOT_A_DIGIT
    if ood_score + 1 - float(probabilities.max()) > threshold:
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
        sizes = [
            len(arrays["layers.0.weight"]),
            *(arrays[f"layers.{layer}.bias"].size for layer in layers),
        ]
        loaded = Network(sizes, [ACTIVATION] * (len(layers) - 1), "softmax")
        for layer in layers:
            loaded.weights[layer][...] = arrays[f"layers.{layer}.weight"]
            loaded.biases[layer][...] = arrays[f"layers.{layer}.bias"]
    return loaded
