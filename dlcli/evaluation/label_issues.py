"""Images whose labels are probably wrong, by confident learning (cleanlab, the extra ``audit``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.data.datasets import Dataset, Examples
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


def in_folds(dataset: Dataset, folds: Sequence[Fold]) -> list[LabelIssue]:
    """The issues among training images, each seen by the model of the fold that it is in."""
    labels = dataset.train.labels
    probabilities: Array = np.empty((len(labels), len(dataset.class_names)))
    for fold in folds:
        probabilities[fold.rows] = fold.evaluation.probabilities
    return find(labels, probabilities)


def unseen(examples: Examples, models: Sequence[Model]) -> list[LabelIssue]:
    """The issues among images that no model was trained on, by the mean of their probabilities."""
    probabilities: Array = np.mean([model.infer(examples.images)[1] for model in models], axis=0)
    return find(examples.labels, probabilities)


def find(labels: Labels, probabilities: Array) -> list[LabelIssue]:
    """The labels that are probably wrong, the surest first.

    ``probabilities``, shape (n, classes), must come from models that were trained without these
    images. Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in
    dataset labels", 2021.

    Raises
    ------
    ModuleNotFoundError
        cleanlab is not installed.
    """
    from cleanlab.filter import find_label_issues

    known = np.unique(labels)  # a class without images has no label that could be wrong
    given = np.searchsorted(known, labels).astype(np.int64)
    shares = probabilities[:, known].astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    # How many labels are wrong is estimated from the joint distribution of given and true labels;
    # those with the lowest probabilities are taken. Of 100 flipped labels among 10,000, cleanlab's
    # other filters found fewer, or more that were right.
    rows: npt.NDArray[np.intp] = find_label_issues(
        given,
        shares,
        filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    suggestions = probabilities.argmax(axis=1)
    return [
        LabelIssue(row, int(labels[row]), int(suggestions[row]), float(shares[row, given[row]]))
        for row in rows.tolist()
    ]
