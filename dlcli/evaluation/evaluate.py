"""A model, or several together, judged on labelled images."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlcli.data.datasets import Dataset, Examples
from dlcli.data.splits import split_validation
from dlcli.errors import ConfigError, DatasetError
from dlcli.evaluation import metrics
from dlcli.evaluation.metrics import ClassScores, Rejection
from dlcli.nn.losses import mean_loss
from dlcli.nn.types import Array, Counts, Labels
from dlcli.runs.checkpoint import Model

SPLITS = ("test", "validation", "train")
# Shares of the answers that are left out to see what that wins.
REJECTED = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Evaluation:
    """A model's scores on a set of images, and its answer to each.

    Attributes
    ----------
    interval
        95 % Wilson interval of the accuracy.
    loss
        One model's own cost J; that of several, the cross-entropy of their mean.
    rejections
        The errors left when the least sure answers are not given.
    confusion
        Row = label, column = answer, shape (10, 10).
    probabilities
        Shape (images, 10).
    """

    images: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    calibration_error: float
    rejections: list[Rejection]
    classes: list[ClassScores]
    confusion: Counts
    labels: Labels
    answers: Labels
    probabilities: Array

    def to_builtins(self) -> dict[str, Any]:
        """The scores as plain values for JSON (without the answers)."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "images": self.images,
            "accuracy_interval_95": list(self.interval),
            "loss": self.loss,
            "expected_calibration_error": self.calibration_error,
            "error_at_rejection": [asdict(rejection) for rejection in self.rejections],
            "per_digit": [
                {"digit": digit, **asdict(scores)} for digit, scores in enumerate(self.classes)
            ],
            "confusion_matrix": self.confusion.tolist(),
        }


@dataclass(frozen=True)
class Comparison:
    """Two models on the same images; ``p_value`` is McNemar's."""

    images: int
    both_right: int
    only_first_right: int
    only_second_right: int
    both_wrong: int
    p_value: float


def evaluate(models: Sequence[Model], examples: Examples) -> Evaluation:
    """Score a model on examples; of several, the mean of their probabilities (a committee)."""
    members = [model.infer(examples.images) for model in models]
    probabilities: Array = np.mean([shares for _, shares in members], axis=0)
    if len(models) == 1:
        (model,), ((logits, _),) = models, members
        loss = mean_loss(model.loss, model.network.output_activation, logits, examples.labels)
    else:
        loss = metrics.log_loss(probabilities, examples.labels)
    answers = probabilities.argmax(axis=1).astype(np.uint8)
    confusion = metrics.confusion_matrix(examples.labels, answers, probabilities.shape[1])
    correct = int(confusion.trace())
    return Evaluation(
        images=len(examples),
        correct=correct,
        accuracy=correct / len(examples),
        interval=metrics.wilson_interval(correct, len(examples)),
        loss=loss,
        calibration_error=metrics.expected_calibration_error(probabilities, examples.labels),
        rejections=[metrics.reject(probabilities, examples.labels, share) for share in REJECTED],
        classes=metrics.class_scores(confusion),
        confusion=confusion,
        labels=examples.labels,
        answers=answers,
        probabilities=probabilities,
    )


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Set two evaluations of the same examples against each other."""
    first_right = first.answers == first.labels
    second_right = second.answers == second.labels
    only_first = int(np.count_nonzero(first_right & ~second_right))
    only_second = int(np.count_nonzero(~first_right & second_right))
    return Comparison(
        images=first.images,
        both_right=int(np.count_nonzero(first_right & second_right)),
        only_first_right=only_first,
        only_second_right=only_second,
        both_wrong=int(np.count_nonzero(~first_right & ~second_right)),
        p_value=metrics.mcnemar(only_first, only_second),
    )


def common_dataset(models: Sequence[Model]) -> str:
    """The name of the dataset that all models were trained on.

    Raises
    ------
    ConfigError
        They were trained on different ones.
    """
    names: set[str] = {model.metadata.dataset.name for model in models}
    if len(names) > 1:
        listed = ", ".join(sorted(names))
        raise ConfigError(f"the models were trained on different data ({listed}); use --dataset")
    return names.pop()


def common_split(models: Sequence[Model], dataset: Dataset, split: str) -> Examples:
    """The examples of a split, if all models' trainings divided them alike.

    Raises
    ------
    DatasetError
        They did not; or as :func:`select_split`.
    CheckpointError
        As :func:`select_split`.
    """
    first, *others = (select_split(model, dataset, split) for model in models)
    if any(not np.array_equal(first.images, other.images) for other in others):
        raise DatasetError(
            f"--split {split}: the models' trainings divided the images differently; "
            "only --split test can be used with all of them"
        )
    return first


def select_split(model: Model, dataset: Dataset, split: str) -> Examples:
    """The examples of a split, as the model's own training divided them.

    Raises
    ------
    DatasetError
        The training images of another dataset were divided otherwise, or not at all.
    CheckpointError
        The model's config does not tell how they were divided.
    """
    if split == "test":
        return dataset.test
    if model.metadata.dataset.checksum != dataset.checksum:
        raise DatasetError(
            f"--split {split}: the model was trained on other data than {dataset.name}; "
            "only --split test can be used with it"
        )
    config = model.config
    train, validation = split_validation(dataset.train, config.validation_size, config.seed)
    if split == "train":
        return train
    if not len(validation):
        raise DatasetError("--split validation: the model was trained with validation_size 0")
    return validation
