"""Images whose labels are probably wrong, by confident learning (cleanlab, the extra ``audit``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.data.classes import MIN_CLASSES
from dlcli.data.examples import Dataset, Examples
from dlcli.errors import DatasetError
from dlcli.evaluation.cross_validation import Fold
from dlcli.nn.types import Array, Labels
from dlcli.runs.checkpoint import Model


@dataclass(frozen=True)
class LabelIssue:
    """An image whose label is probably wrong.

    Attributes
    ----------
    index
        Its place among the images of its split, from 0.
    label, suggestion
        The class that it is given, and the one that the models see.
    score
        The probability of the label: the lower, the surer it is wrong.
    """

    index: int
    label: int
    suggestion: int
    score: float


@dataclass(frozen=True)
class LabelIssues:
    """The labels that the models contradict, the surest first; the first ``count`` are wrong.

    ``images`` is the number of all images.
    """

    images: int
    count: int
    ranking: list[LabelIssue]

    def first(self, limit: int | None) -> list[LabelIssue]:
        """The surest ``limit``, or for None those that are probably wrong."""
        return self.ranking[: self.count if limit is None else limit]


def in_folds(dataset: Dataset, folds: Sequence[Fold]) -> LabelIssues:
    """The issues among training images, each seen by the model of the fold that it is in."""
    labels = dataset.train.labels
    probabilities: Array = np.empty((len(labels), len(dataset.class_names)))
    for fold in folds:
        probabilities[fold.rows] = fold.evaluation.probabilities
    return find(labels, probabilities)


def unseen(examples: Examples, models: Sequence[Model]) -> LabelIssues:
    """The issues among images that no model was trained on, by the mean of their probabilities."""
    probabilities: Array = np.mean([model.infer(examples.images)[1] for model in models], axis=0)
    return find(examples.labels, probabilities)


def find(labels: Labels, probabilities: Array) -> LabelIssues:
    """Rank the labels by how probably they are wrong, and estimate how many are.

    ``probabilities``, shape (n, classes), must come from models that were trained without these
    images. Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in
    dataset labels", 2021.

    Raises
    ------
    DatasetError
        All labels are the same.
    ModuleNotFoundError
        cleanlab is not installed.
    """
    from cleanlab.filter import find_label_issues

    known = np.unique(labels)  # a class without images has no label that could be wrong
    if len(known) < MIN_CLASSES:
        raise DatasetError("all images have the same label; confident learning compares several")
    given = np.searchsorted(known, labels).astype(np.int64)
    shares = probabilities[:, known].astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    # How many labels are wrong is estimated from the joint distribution of given and true labels;
    # they are taken to be those with the lowest probabilities. Of 100 flipped labels among 10,000,
    # cleanlab's other filters found fewer, or more that were right.
    count = int(find_label_issues(given, shares, filter_by="low_self_confidence", n_jobs=1).sum())
    suggestions = probabilities.argmax(axis=1)
    scores = shares[np.arange(len(labels)), given]
    ranking = [
        LabelIssue(row, int(labels[row]), int(suggestions[row]), float(scores[row]))
        for row in np.argsort(scores, kind="stable").tolist()
        if labels[row] != suggestions[row]
    ]
    return LabelIssues(len(labels), min(count, len(ranking)), ranking)
