"""The scores of a model, or of an ensemble of models, on labelled images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from dlcli.data.classes import are_digits
from dlcli.data.disputed import Dispute, disputes
from dlcli.data.examples import Dataset, Examples
from dlcli.errors import DatasetError
from dlcli.evaluation import metrics
from dlcli.evaluation.metrics import ClassScores, Rejection
from dlcli.nn.confusion import confusion_matrix
from dlcli.nn.losses import mean_loss
from dlcli.nn.types import Array, Counts, Labels, Pixels
from dlcli.runs import training_data
from dlcli.runs.checkpoint import Model
from dlcli.training.builders import make_splits
from dlcli.vision.test_time_augmentation import tta_variants

REJECTION_RATES = (0.01, 0.02, 0.05)
"""Fractions of the images to reject, to show how many errors that avoids."""

_TTA_BATCH = 50  # images whose variants are classified at once: some megabytes


@dataclass(frozen=True)
class PartScores:
    """The scores on the images of one dataset of a mixture; ``interval`` as for all images."""

    dataset: str
    images: int
    correct: int
    accuracy: float
    interval: tuple[float, float]

    def to_builtins(self) -> dict[str, Any]:
        """The scores as plain values for JSON."""
        return {
            "dataset": self.dataset,
            "accuracy": self.accuracy,
            "correct": self.correct,
            "images": self.images,
            "accuracy_interval_95": list(self.interval),
        }


@dataclass(frozen=True)
class TtaScores:
    """The scores of the mean prediction over variants of each image; the interval as without."""

    variants: int
    images: int
    correct: int
    interval: tuple[float, float]

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return self.correct / self.images

    def to_builtins(self) -> dict[str, Any]:
        """The scores as plain values for JSON."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "accuracy_interval_95": list(self.interval),
            "variants": self.variants,
        }


@dataclass(frozen=True)
class Evaluation:
    """The scores on a set of images, and the prediction for each image.

    Attributes
    ----------
    interval
        95 % Wilson interval of the accuracy.
    loss
        For one model, the loss it was trained with, infinite or NaN if it overflows; for an
        ensemble, the cross-entropy of its mean probabilities.
    scalars
        Each of ``metrics.METRICS``.
    class_names
        Labels and predictions are indices of these.
    confusion
        Row = label, column = prediction, shape (classes, classes).
    probabilities
        Shape (images, classes).
    parts
        The scores on each dataset of a mixture, as :func:`score_parts` gives them.
    disputed
        The images whose labels people dispute, as :func:`mark_disputed` gives them.
    tta
        The scores with test-time augmentation, if they were asked for.
    """

    images: int
    correct: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    scalars: dict[str, float]
    rejections: list[Rejection]
    class_names: tuple[str, ...]
    classes: list[ClassScores]
    confusion: Counts
    labels: Labels
    predictions: Labels
    probabilities: Array
    parts: tuple[PartScores, ...] = ()
    disputed: Mapping[int, Dispute] = field(default_factory=dict)
    tta: TtaScores | None = None

    @property
    def disputed_errors(self) -> list[int]:
        """The wrong predictions for images with a disputed label, by index."""
        return sorted(i for i in self.disputed if self.predictions[i] != self.labels[i])

    @property
    def undisputed_accuracy(self) -> float:
        """The accuracy without the images whose labels people dispute."""
        correct = self.correct - len(self.disputed) + len(self.disputed_errors)
        return correct / (self.images - len(self.disputed))

    @property
    def calibration_error(self) -> float:
        """How far probabilities are from the accuracy."""
        return self.scalars["expected_calibration_error"]

    def to_builtins(self) -> dict[str, Any]:
        """The scores as plain values for JSON, without the predictions."""
        return {
            "accuracy": self.accuracy,
            "correct": self.correct,
            "images": self.images,
            "accuracy_interval_95": list(self.interval),
            "loss": self.loss,
            **self.scalars,
            "error_at_rejection": [asdict(rejection) for rejection in self.rejections],
            **self._class_scores(),
            "confusion_matrix": self.confusion.tolist(),
            **({"parts": [part.to_builtins() for part in self.parts]} if self.parts else {}),
            **(self._disputed() if self.disputed else {}),
            **({"tta": self.tta.to_builtins()} if self.tta else {}),
        }

    def _disputed(self) -> dict[str, Any]:
        """The errors on images with a disputed label; ``agreed`` is on another label."""
        errors = [
            {
                "index": index,
                "label": self.class_names[self.labels[index]],
                "prediction": self.class_names[self.predictions[index]],
                "agreed": self.disputed[index] == "another",
            }
            for index in self.disputed_errors
        ]
        return {"disputed_errors": errors, "accuracy_undisputed": self.undisputed_accuracy}

    def _class_scores(self) -> dict[str, Any]:
        """The scores of each class, by the key ``per_digit`` where the classes are digits."""
        pairs = list(zip(self.class_names, self.classes, strict=True))
        if are_digits(self.class_names):
            return {"per_digit": [{"digit": int(name), **asdict(each)} for name, each in pairs]}
        return {"per_class": [{"label": name, **asdict(each)} for name, each in pairs]}


def evaluate(models: Sequence[Model], examples: Examples) -> Evaluation:
    """Score a model on examples; several models are an ensemble, with the mean probabilities."""
    inferred = [model.infer(examples.images) for model in models]
    probabilities: Array = np.mean([each for _, each in inferred], axis=0)
    if len(models) == 1:
        (model,), ((logits, _),) = models, inferred
        # Of weights that are just not too large for the outputs, the loss may overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            loss = mean_loss(model.loss, model.network.output_activation, logits, examples.labels)
    else:
        loss = metrics.log_loss(probabilities, examples.labels)
    predictions = probabilities.argmax(axis=1).astype(examples.labels.dtype)
    confusion = confusion_matrix(examples.labels, predictions, probabilities.shape[1])
    correct = int(confusion.trace())
    return Evaluation(
        images=len(examples),
        correct=correct,
        accuracy=correct / len(examples),
        interval=metrics.wilson_interval(correct, len(examples)),
        loss=loss,
        scalars={
            name: metric.value(probabilities, examples.labels)
            for name, metric in metrics.METRICS.items()
        },
        rejections=[metrics.reject(probabilities, examples.labels, r) for r in REJECTION_RATES],
        class_names=models[0].class_names,
        classes=metrics.class_scores(confusion),
        confusion=confusion,
        labels=examples.labels,
        predictions=predictions,
        probabilities=probabilities,
    )


def score_parts(result: Evaluation, examples: Examples, dataset: Dataset) -> Evaluation:
    """Add the scores on each dataset of a mixture that has images among the examples."""
    if examples.parts is None:
        return result
    is_correct = result.predictions == result.labels
    found = []
    for number, part in enumerate(dataset.parts):
        inside = is_correct[examples.parts == number]
        if inside.size:
            images, correct = len(inside), int(np.count_nonzero(inside))
            interval = metrics.wilson_interval(correct, images)
            found.append(PartScores(part.name, images, correct, correct / images, interval))
    return replace(result, parts=tuple(found))


def mark_disputed(result: Evaluation, dataset: Dataset) -> Evaluation:
    """Add which of the dataset's test images have labels that people dispute."""
    return replace(result, disputed=disputes(dataset))


def score_tta(
    result: Evaluation,
    models: Sequence[Model],
    images: Pixels,
    progress: Callable[[float], object] = lambda _: None,
) -> Evaluation:
    """Add the scores with test-time augmentation, by the variants of ``dlcli predict``.

    ``progress`` is called with the number of images that were done since the last call.
    """
    trained = models[0].metadata.images
    is_inverted = trained is not None and trained.polarity == "dark_on_light"
    correct = variants = 0
    for start in range(0, len(images), _TTA_BATCH):
        batch = images[start : start + _TTA_BATCH]
        if is_inverted:  # the variants have a dark background
            batch = 255 - batch
        shown = np.concatenate([tta_variants(image.reshape(-1)) for image in batch])
        variants = len(shown) // len(batch)
        if is_inverted:
            shown = 255 - shown
        outputs = np.mean([model.infer(shown)[1] for model in models], axis=0)
        means = outputs.reshape(len(batch), variants, -1).mean(axis=1)
        labels = result.labels[start : start + _TTA_BATCH]
        correct += int(np.count_nonzero(means.argmax(axis=1) == labels))
        progress(len(batch))
    interval = metrics.wilson_interval(correct, result.images)
    return replace(result, tta=TtaScores(variants, result.images, correct, interval))


def common_split(models: Sequence[Model], dataset: Dataset, split: str) -> Examples:
    """The examples of a split, as :func:`select_split`, if it is the same for all models."""
    first, *others = (select_split(model, dataset, split) for model in models)
    if any(not np.array_equal(first.images, other.images) for other in others):
        raise DatasetError(
            f"--split {split}: the models' trainings divided the images differently; "
            "only --split test can be used with all of them"
        )
    return first


def select_split(model: Model, dataset: Dataset, split: str) -> Examples:
    """The examples of a split, as in the training of the model.

    Raises
    ------
    DatasetError
        The model was trained on another dataset, or without validation images.
    CheckpointError
        The model's config is not valid.
    """
    if split == "test":
        return dataset.test
    if model.metadata.dataset.checksum != dataset.checksum:
        raise DatasetError(
            f"--split {split}: the model was trained on other data than {dataset.name}; "
            "only --split test can be used with it"
        )
    then, how = model.metadata.dataset, model.config.validation_split
    problem = training_data.other_writers(how, then, dataset)
    if problem is not None:
        raise DatasetError(f"--split {split}: {problem}")
    train, validation = make_splits(model.config, dataset.train)
    if split == "train":
        return train
    if not len(validation):
        raise DatasetError("--split validation: the model was trained with validation_size 0")
    return validation
