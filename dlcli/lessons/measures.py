"""What can be measured of a trained network, by the names that lesson files use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dlcli.lessons.experiments import Trained


@dataclass(frozen=True)
class Measure:
    """A measure ``value(experiment, *others, *numbers)``.

    Attributes
    ----------
    summary
        What it is, for ``docs/lessons.md``.
    numbers
        The names of the numbers that follow the experiments.
    optional
        How many of these, from the last one on, may be left out.
    others
        What more experiments are called, that follow the first.
    """

    summary: str
    value: Callable[..., float]
    numbers: tuple[str, ...] = ()
    optional: int = 0
    others: tuple[str, ...] = ()

    def usage(self, name: str) -> str:
        """How it is written: ``loss(experiment, epoch)``."""
        return f"{name}({', '.join(('experiment', *self.others, *self.numbers))})"

    def accepts(self, arguments: Sequence[object]) -> bool:
        """Whether it can be called with these: experiments by name, then numbers."""
        experiments = 1 + len(self.others)
        count = len(arguments) - experiments
        named = [isinstance(each, str) for each in arguments]
        return (
            len(self.numbers) - self.optional <= count <= len(self.numbers)
            and named == [True] * experiments + [False] * count
        )


def _score(field: str) -> Callable[..., float]:
    return lambda trained, epoch=-1: trained.score(field, epoch)


SCORES = {
    "train_loss": "the mean cost J of the training images in the epoch's steps",
    "train_accuracy": "the fraction of training images read correctly in the epoch's steps",
    "validation_loss": "the mean cost J of images that were not trained on",
    "validation_accuracy": "the fraction of unseen images read correctly",
    "gradient_norm": "the length of the gradient, a mean over the epoch's steps",
}
"""What is known after each epoch, which a chart can draw as a curve.

Those of the training images are means over the epoch, in which the network changes.
Epoch 0 is before the first step, where no gradient is known yet.
"""

MEASURES: dict[str, Measure] = {
    **{
        name: Measure(f"{summary}; of the last epoch or another", _score(name), ("epoch",), 1)
        for name, summary in SCORES.items()
    },
    "best_accuracy": Measure(
        "the highest validation accuracy of all epochs",
        lambda trained: max(trained.scores("validation_accuracy")),
    ),
    "lowest_loss": Measure(
        "the lowest validation loss of all epochs",
        lambda trained: min(trained.scores("validation_loss")),
    ),
    "lowest_loss_epoch": Measure(
        "the epoch of the lowest validation loss",
        lambda trained: float(trained.lowest_loss_epoch),
    ),
    "epochs_to": Measure(
        "the first epoch with this validation accuracy; never is infinite",
        lambda trained, accuracy: trained.epochs_to(accuracy),
        ("accuracy",),
    ),
    "epochs": Measure("epochs that were trained", lambda trained: float(trained.epochs)),
    "steps": Measure("steps that were made", lambda trained: float(trained.steps)),
    "rises": Measure(
        "how often the training loss was higher after an epoch than before it",
        lambda trained: float(trained.rises),
    ),
    "diverged": Measure(
        "1 if the numbers became infinite, else 0", lambda trained: float(trained.has_diverged)
    ),
    "parameters": Measure(
        "weights and biases of the network", lambda trained: float(trained.parameters)
    ),
    "start_gradient": Measure(
        "before the first step: how much the cost reacts to a weight of a layer (root mean square)",
        lambda trained, layer: trained.of_layer("gradients", layer, start=True),
        ("layer",),
    ),
    "end_gradient": Measure(
        "the same after the last step",
        lambda trained, layer: trained.of_layer("gradients", layer),
        ("layer",),
    ),
    "start_extreme": Measure(
        "before the first step: the fraction of a layer's outputs that are within 1 % of an end of "
        "their range, over neurons and images (sigmoid and tanh)",
        lambda trained, layer: trained.extreme_outputs(layer, start=True),
        ("layer",),
    ),
    "end_extreme": Measure(
        "the same after the last step",
        lambda trained, layer: trained.extreme_outputs(layer),
        ("layer",),
    ),
    "start_saturated": Measure(
        "before the first step: the fraction of a layer's neurons that are at an end of their "
        "range for 95 % of the images",
        lambda trained, layer: trained.of_layer("saturated", layer, start=True),
        ("layer",),
    ),
    "end_saturated": Measure(
        "the same after the last step",
        lambda trained, layer: trained.of_layer("saturated", layer),
        ("layer",),
    ),
    "end_dead": Measure(
        "the fraction of a layer's neurons that no image excites",
        lambda trained, layer: trained.of_layer("dead", layer),
        ("layer",),
    ),
    "weight_change": Measure(
        "how far a layer's weights moved, relative to their length at the start",
        lambda trained, layer: trained.of_layer("changes", layer),
        ("layer",),
    ),
    "different_neurons": Measure(
        "how many neurons of a layer have weights of their own",
        lambda trained, layer: float(trained.different_neurons(layer)),
        ("layer",),
    ),
    "same_as_one_layer": Measure(
        "the fraction of unseen images that get the same answer from a single layer whose weights "
        "are those of all layers multiplied",
        lambda trained: trained.same_as_one_layer,
    ),
    "stencil_likeness": Measure(
        "how much the weights of each digit look like the digit, from -1 to 1: the correlation "
        "with the mean of its images less that of all (networks without hidden layers)",
        lambda trained: trained.stencil_likeness,
    ),
    "digit_accuracy": Measure(
        "the fraction of the unseen images of one digit read correctly",
        lambda trained, digit: trained.digit_accuracy(digit),
        ("digit",),
    ),
    "accuracy_on": Measure(
        "the fraction of another experiment's unseen images read correctly",
        lambda trained, other: trained.accuracy_on(other),
        others=("other",),
    ),
    "test_accuracy": Measure(
        "the fraction of the test images read correctly", lambda trained: trained.test.accuracy
    ),
    "confidence": Measure(
        "the mean probability of the predictions for the test images",
        lambda trained: trained.test.confidence,
    ),
    "calibration_error": Measure(
        "the mean difference between the probability of a prediction and how often it is right, "
        "on the test images",
        lambda trained: trained.test.calibration_error,
    ),
    "temperature": Measure(
        "the number to divide the last sums by that fits the probabilities best to the validation "
        "images",
        lambda trained: trained.temperature,
    ),
    "calibrated_confidence": Measure(
        "the mean probability after dividing by the temperature",
        lambda trained: trained.calibrated_test.confidence,
    ),
    "calibrated_error": Measure(
        "the calibration error after dividing by the temperature",
        lambda trained: trained.calibrated_test.calibration_error,
    ),
    "right_when_sure": Measure(
        "the accuracy of the predictions with at least this probability",
        lambda trained, probability: trained.test.right_from(probability),
        ("probability",),
    ),
    "without_best": Measure(
        "the test accuracy with the most important neurons of the first layer switched off",
        lambda trained, count: trained.accuracy_without(count, important=True),
        ("count",),
    ),
    "without_least": Measure(
        "the test accuracy with the least important neurons of the first layer switched off",
        lambda trained, count: trained.accuracy_without(count, important=False),
        ("count",),
    ),
}
"""Every measure of a formula."""

PICTURES: dict[str, Measure] = {
    "weights": Measure(
        "the weights of the first layer's most important neurons (of each digit without hidden "
        "layers): strokes on what is positive raise the neuron's sum",
        lambda trained, count=10: trained.weight_pictures(int(count)),
        ("count",),
        1,
    ),
    "exciting": Measure(
        "the test images that excite each of the most important neurons most, one a neuron",
        lambda trained, count=10: trained.exciting_pictures(int(count)),
        ("count",),
        1,
    ),
    "training": Measure(
        "the first training images, as the network sees them",
        lambda trained, count=10: trained.training_pictures(int(count)),
        ("count",),
        1,
    ),
    "misread": Measure(
        "test images that are read wrongly with the highest probability",
        lambda trained, count=10: trained.misread_pictures(int(count)),
        ("count",),
        1,
    ),
}
"""What ``pictures`` of a chart can show."""


def measure(name: str, arguments: Sequence[Trained | float]) -> Any:
    """The value of a measure, or its pictures."""
    return (MEASURES | PICTURES)[name].value(*arguments)
