"""Scores: pure functions of labels, predictions and probabilities."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist, fmean

import numpy as np

from dlcli.evaluation.formatting import percent
from dlcli.nn.confusion import confusion_matrix
from dlcli.nn.types import Array, Counts, Labels


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognised; a ratio of 0/0 counts as 0."""

    precision: float
    recall: float
    f1: float
    images: int

    def known(self) -> tuple[float | None, float | None, float | None]:
        """Precision, recall and F1 to show: None for a class without images."""
        return (self.precision, self.recall, self.f1) if self.images else (None, None, None)


@dataclass(frozen=True)
class Rejection:
    """The error rate that is left when the least certain predictions are rejected.

    ``threshold`` is the lowest probability of a prediction that is kept.
    """

    rejected: float
    threshold: float
    error: float


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions with a probability from ``low`` to below ``high`` (in the last bin, to 1).

    ``confidence`` is the mean of their probabilities, ``correct`` the number of correct ones.
    """

    low: float
    high: float
    images: int
    confidence: float
    correct: int


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The confidence interval of a success rate.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference",
    1927.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / trials
    centre = rate + z * z / (2 * trials)
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    low = (centre - spread) / scale if successes else 0.0
    high = (centre + spread) / scale if successes < trials else 1.0
    return low, high  # exactly 0 and 1 at the ends, in spite of rounding


def most_confused(confusion: Counts, limit: int) -> list[tuple[int, int, int]]:
    """The most frequent errors: label, prediction and how many, the most first."""
    errors = confusion.copy()
    np.fill_diagonal(errors, 0)
    found = [(a, b, int(errors[a, b])) for a, b in np.argwhere(errors).tolist()]
    return sorted(found, key=lambda error: -error[2])[:limit]


def class_scores(confusion: Counts) -> list[ClassScores]:
    """Precision, recall and F1 of each class of a confusion matrix."""
    counts = np.stack([confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)], axis=1)
    return [
        ClassScores(
            precision=hits / predicted if predicted else 0.0,
            recall=hits / labelled if labelled else 0.0,
            f1=2 * hits / (labelled + predicted) if labelled + predicted else 0.0,
            images=labelled,
        )
        for hits, labelled, predicted in counts.tolist()
    ]


def reliability(probabilities: Array, labels: Labels, bins: int = 15) -> list[ReliabilityBin]:
    """Predictions binned by their probability, in ascending order, without empty bins."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    totals = np.bincount(bin_of, weights=confidence, minlength=bins)
    correct = np.bincount(bin_of, weights=right, minlength=bins)
    return [
        ReliabilityBin(index / bins, (index + 1) / bins, images, total / images, int(hits))
        for index, (images, total, hits) in enumerate(
            zip(counts.tolist(), totals.tolist(), correct.tolist(), strict=True)
        )
        if images
    ]


def expected_calibration_error(probabilities: Array, labels: Labels, bins: int = 15) -> float:
    """The mean difference between the probability of predictions and their accuracy.

    Both are compared within the bins of :func:`reliability`. Source: Guo et al., "On calibration
    of modern neural networks", 2017.
    """
    gaps = [
        abs(b.images * b.confidence - b.correct) for b in reliability(probabilities, labels, bins)
    ]
    return math.fsum(gaps) / len(labels)


def balanced_accuracy(probabilities: Array, labels: Labels) -> float:
    """The mean recall of the classes that have images: each class counts alike."""
    return _mean_over_classes(probabilities, labels, lambda scores: scores.recall)


def macro_f1(probabilities: Array, labels: Labels) -> float:
    """The mean F1 of the classes that have images."""
    return _mean_over_classes(probabilities, labels, lambda scores: scores.f1)


def _mean_over_classes(
    probabilities: Array, labels: Labels, score: Callable[[ClassScores], float]
) -> float:
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), probabilities.shape[1])
    return fmean(score(scores) for scores in class_scores(confusion) if scores.images)


def log_loss(probabilities: Array, labels: Labels) -> float:
    """The mean negative logarithm of the label's probability.

    A probability that was rounded to 0 counts as the smallest normal float32, 1.2e-38.
    """
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(given, np.finfo(np.float32).tiny)).mean())


def most_confident_errors(probabilities: Array, labels: Labels, limit: int) -> list[int]:
    """Indices of the errors with the highest probability, the most confident first."""
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    confidence = probabilities[wrong].max(axis=1)
    chosen: list[int] = wrong[np.argsort(-confidence, kind="stable")][:limit].tolist()
    return chosen


def reject(probabilities: Array, labels: Labels, fraction: float) -> Rejection:
    """Reject the least certain ``fraction`` of the predictions; count the errors of the rest."""
    confidence = probabilities.max(axis=1)
    kept = np.argsort(-confidence, kind="stable")[: len(labels) - round(fraction * len(labels))]
    wrong = probabilities[kept].argmax(axis=1) != labels[kept]
    return Rejection(fraction, float(confidence[kept].min()), float(wrong.mean()))


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """McNemar's test: the p-value of the hypothesis that both models are equally good.

    Exact and two-sided, over the images that only one of the models got right. Source:
    McNemar, "Note on the sampling error of the difference between correlated proportions",
    1947.
    """
    discordant = only_first_right + only_second_right
    smaller = min(only_first_right, only_second_right)
    tail = ways = 1  # ways to choose k of the discordant images, for k from 0 on
    for k in range(smaller):
        ways = ways * (discordant - k) // (k + 1)
        tail += ways
    return float(min(1.0, 2 * tail / 2**discordant))


@dataclass(frozen=True)
class Metric:
    """A score in one number, ``value(probabilities, labels)``; its name and itself as text."""

    title: str
    value: Callable[[Array, Labels], float]
    text: Callable[[float], str]


# What ``dlcli eval`` prints beside accuracy and loss; the keys are those of its JSON.
METRICS = {
    "expected_calibration_error": Metric("calibration error", expected_calibration_error, percent),
    "balanced_accuracy": Metric("balanced accuracy", balanced_accuracy, percent),
    "macro_f1": Metric("macro F1", macro_f1, percent),
}
