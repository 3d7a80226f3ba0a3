"""The networks of a lesson: trained side by side, then measured."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.config.schema import Config, differences
from dlcli.errors import DivergenceError
from dlcli.evaluation.metrics import most_confident_errors
from dlcli.lessons.data import Data
from dlcli.lessons.formulas import FormulaError
from dlcli.lessons.predictions import Predictions
from dlcli.nn import neuron_health
from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.losses import mean_loss
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels
from dlcli.training.batches import steps_per_epoch
from dlcli.training.class_weights import of_config
from dlcli.training.loop import fit
from dlcli.training.measurements import Measurements, measure
from dlcli.training.state import TrainingState, initial_state, why_finished

# Weights that differ by less than this fraction of their length are the same.
_SAME = 1e-3
# Outputs this near to an end of a range, as a fraction of it, are at it (as in nn.neuron_health).
_NEAR_END = 0.01


@dataclass(frozen=True)
class Picture:
    """A picture of 784 values: an image, or weights, which are ``signed``."""

    caption: str
    values: Array | Pixels
    signed: bool = False


@dataclass(frozen=True)
class EpochScores:
    """What is known after an epoch; epoch 0 is before the first step."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    gradient_norm: float = math.nan


@dataclass(eq=False)
class Trained:
    """A network that is being trained, or was: the subject of every measure."""

    label: str
    config: Config
    data: Data
    parent: "Trained | None" = None
    state: TrainingState = field(init=False)
    history: list[EpochScores] = field(default_factory=list)
    divergence: str | None = None

    def __post_init__(self) -> None:
        self.state = initial_state(self.config, len(self.data.class_names))

    @property
    def network(self) -> Network:
        """The network as it is now."""
        return self.state.evaluated_network

    @property
    def progress(self) -> float:
        """The fraction of its epochs that are done."""
        return self.state.epoch / self.config.epochs

    @property
    def is_ready(self) -> bool:
        """Whether the network whose weights it starts from is trained."""
        return self.parent is None or self.parent.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether a rule of its config ended its training, or a divergence."""
        return self.has_diverged or why_finished(self.config, self.state) is not None

    def changed_settings(self) -> dict[str, Any]:
        """The keys of its config that differ from the defaults."""
        return {key: now for key, (_, now) in differences(Config(), self.config).items()}

    def train(self) -> Iterator[EpochScores]:
        """Train to the end; yield the scores after each epoch. A divergence ends it, too.

        It starts from the weights that its ``parent`` has by now.
        """
        self.state = self._start_state()
        self.history.append(self._scores_at_start())
        try:
            images = self.data.train, self.data.validation
            names = self.data.class_names
            for r in fit(self.config, *images, self.state, class_names=names):
                known = r.validation_loss, r.validation_accuracy
                loss, accuracy = (math.nan if value is None else value for value in known)
                self.history.append(
                    EpochScores(
                        r.epoch, r.train_loss, r.train_accuracy, loss, accuracy, r.gradient_norm
                    )
                )
                yield self.history[-1]
        except DivergenceError as error:
            self.divergence = str(error)

    def _start_state(self) -> TrainingState:
        """The state before the first step: with random weights, or those of the parent."""
        state = initial_state(self.config, len(self.data.class_names))
        if self.parent is not None:
            start = self.parent.network
            for network in filter(None, (state.network, state.average)):
                network.parameters[...] = start.parameters
                network.statistics[...] = start.statistics
        return state

    def _scores_at_start(self) -> EpochScores:
        weights = of_config(self.config, self.data.train.labels, self.data.class_names)
        found: list[float] = []
        for examples in (self.data.train, self.data.validation):
            logits, outputs = self.network.infer(examples.images)
            kind = self.network.output_activation
            found += [
                mean_loss(self.config.loss, kind, logits, examples.labels, weights),
                float((outputs.argmax(axis=1) == examples.labels).mean()),
            ]
        return EpochScores(0, *found)

    # Scores over the epochs.

    def scores(self, name: str) -> list[float]:
        """A score after each epoch, from 0 on."""
        return [float(getattr(scores, name)) for scores in self.history]

    def score(self, name: str, epoch: float = -1) -> float:
        """A score after an epoch; -1 is the last one.

        It is NaN for epochs that a divergence kept from being trained, so that a claim about them
        fails and the other claims can be checked.
        """
        values = self.scores(name)
        planned = self.config.epochs + 1  # with epoch 0
        if self.has_diverged and len(values) <= max(epoch, -epoch - 1) < planned:
            return math.nan
        if not -len(values) <= epoch < len(values):
            raise FormulaError(f"epoch {epoch:g}: there are {len(values) - 1} epochs")
        return values[int(epoch)]

    @property
    def lowest_loss_epoch(self) -> int:
        """The epoch of the lowest validation loss."""
        return int(np.nanargmin(self.scores("validation_loss")))

    def epochs_to(self, accuracy: float) -> float:
        """The first epoch with this validation accuracy; infinite if there is none."""
        scores = self.scores("validation_accuracy")
        return next((float(e) for e, value in enumerate(scores) if value >= accuracy), math.inf)

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(self.history) - 1

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return self.epochs * steps_per_epoch(self.config, len(self.data.train))

    @property
    def rises(self) -> int:
        """How often the training loss rose from one epoch to the next."""
        return int((np.diff(self.scores("train_loss")[1:]) > 0).sum())

    @property
    def has_diverged(self) -> bool:
        """Whether numbers became infinite."""
        return self.divergence is not None

    # The network and its layers.

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.network.parameters.size

    @cached_property
    def _at_start(self) -> Measurements:
        state = self._start_state()
        return measure(self.config, state, self.data.train, state.evaluated_network)

    @cached_property
    def _at_end(self) -> Measurements:
        start = self._start_state().evaluated_network
        return measure(self.config, self.state, self.data.train, start)

    def of_layer(self, name: str, layer: float, *, start: bool = False) -> float:
        """One of the ``Measurements`` of a layer, from 1 on; -1 is the last one."""
        values = getattr(self._at_start if start else self._at_end, name)
        return float(values[self._index(layer, len(values))])

    def by_layer(self, name: str, *, start: bool = False) -> list[float]:
        """One of the ``Measurements`` of each layer."""
        return list(getattr(self._at_start if start else self._at_end, name))

    @staticmethod
    def _index(layer: float, count: int) -> int:
        if layer == 0 or not -count <= layer <= count:
            raise FormulaError(f"layer {layer:g}: there are {count} layers, from 1 on")
        return int(layer) - 1 if layer > 0 else int(layer)

    def extreme_outputs(self, layer: float, *, start: bool = False) -> float:
        """The fraction of a layer's outputs near an end of the activation's range."""
        network = self._start_state().evaluated_network if start else self.network
        names = (*network.activations, network.output_activation)
        index = self._index(layer, len(names))
        activation = ACTIVATIONS.get(names[index])  # None for softmax
        bounds = None if activation is None else activation.bounds
        if bounds is None:
            raise FormulaError(f"{names[index]} has no ends of its range")
        outputs = network.layer_outputs(self.data.validation.images)[index]
        margin = _NEAR_END * (bounds[1] - bounds[0])
        near = (outputs < bounds[0] + margin) | (outputs > bounds[1] - margin)
        return float(near.mean())

    def different_neurons(self, layer: float) -> int:
        """How many neurons of a layer have weights that no neuron before them has."""
        weights = self.network.weights[self._index(layer, len(self.network.weights))].T
        kept: list[Array] = []
        for row in weights:
            limit = _SAME * float(np.linalg.norm(row))
            if not any(np.linalg.norm(row - other) <= limit for other in kept):
                kept.append(row)
        return len(kept)

    @property
    def same_as_one_layer(self) -> float:
        """How often one layer, the product of all, gives the same answer."""
        plain = self.network.fuse_batch_norm()
        weights, bias = plain.weights[0], plain.biases[0]
        for weight, added in zip(plain.weights[1:], plain.biases[1:], strict=True):
            weights, bias = weights @ weight, bias @ weight + added
        images = self.data.validation.images
        _, outputs = plain.infer(images)
        answers = (images / 255 @ weights + bias).argmax(axis=1)
        return float((answers == outputs.argmax(axis=1)).mean())

    @property
    def stencil_likeness(self) -> float:
        """The mean correlation of a digit's weights with its mean image, less that of all."""
        if len(self.network.weights) > 1:
            raise FormulaError("stencil_likeness is for networks without hidden layers")
        images, labels = self.data.train.images / 255, self.data.train.labels
        mean = images.mean(axis=0)
        varying = images.std(axis=0) > 0.05  # weights of pixels that are always black stay random
        found = [
            np.corrcoef(weights[varying], (images[labels == digit].mean(axis=0) - mean)[varying])
            for digit, weights in enumerate(self.network.weights[0].T)
        ]
        return float(np.mean([matrix[0, 1] for matrix in found]))

    # Predictions for unseen images.

    def digit_accuracy(self, digit: float) -> float:
        """The accuracy on the validation images of one digit."""
        chosen = self.data.validation.labels == digit
        _, outputs = self.network.infer(self.data.validation.images[chosen])
        return float((outputs.argmax(axis=1) == digit).mean())

    def accuracy_on(self, other: "Trained") -> float:
        """The accuracy on the validation images of another experiment."""
        _, outputs = self.network.infer(other.data.validation.images)
        return float((outputs.argmax(axis=1) == other.data.validation.labels).mean())

    @cached_property
    def test(self) -> Predictions:
        """The predictions for the test images."""
        return self._predict(self.network)

    def _predict(self, network: Network, temperature: float = 1.0) -> Predictions:
        logits, outputs = network.infer(self.data.test.images)
        if temperature != 1:
            shifted = (logits - logits.max(axis=1, keepdims=True)) / temperature
            outputs = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
        return Predictions(network.probabilities(outputs), self.data.test.labels)

    @cached_property
    def temperature(self) -> float:
        """The temperature that fits the validation images."""
        from dlcli.nn.temperature import fit_temperature

        if self.network.output_activation != "softmax":
            raise FormulaError("only a network with softmax has a temperature")
        logits, _ = self.network.infer(self.data.validation.images)
        return fit_temperature(logits, self.data.validation.labels)

    @cached_property
    def calibrated_test(self) -> Predictions:
        """The predictions for the test images, with the temperature."""
        return self._predict(self.network, self.temperature)

    # Hidden neurons.

    @cached_property
    def _first_outputs(self) -> Array:
        """The outputs of the first layer for the test images, shape (n, neurons)."""
        return self.network.layer_outputs(self.data.test.images)[0]

    @cached_property
    def _order(self) -> npt.NDArray[np.intp]:
        """The neurons of the first layer, the most important first."""
        weights = self.network.weights
        if len(weights) == 1:
            return np.arange(weights[0].shape[1])
        return neuron_health.by_importance(self._first_outputs, weights[1])

    def accuracy_without(self, count: float, *, important: bool) -> float:
        """The test accuracy with some neurons of the first layer switched off."""
        if len(self.network.weights) == 1:
            raise FormulaError("there is no hidden neuron to switch off")
        plain = self.network.fuse_batch_norm()
        crippled = plain.like()
        crippled.parameters[...] = plain.parameters
        order = self._order if important else self._order[::-1]
        crippled.weights[1][order[: int(count)]] = 0
        return self._predict(crippled).accuracy

    # Pictures.

    def weight_pictures(self, count: int) -> list[Picture]:
        """The weights of the first layer's most important neurons."""
        weights, names = self.network.weights[0], [f"neuron {n}" for n in self._order]
        if len(self.network.weights) == 1:
            names = list(self.data.class_names)
        chosen = zip(names, self._order[:count], strict=False)
        return [Picture(name, weights[:, neuron], signed=True) for name, neuron in chosen]

    def exciting_pictures(self, count: int) -> list[Picture]:
        """The test image that excites each of the most important neurons most."""
        best = self._first_outputs.argmax(axis=0)
        return [Picture(f"neuron {n}", self.data.test.images[best[n]]) for n in self._order[:count]]

    def training_pictures(self, count: int) -> list[Picture]:
        """The first training images."""
        examples = zip(self.data.train.images[:count], self.data.train.labels[:count], strict=True)
        return [Picture(self.data.class_names[label], image) for image, label in examples]

    def misread_pictures(self, count: int) -> list[Picture]:
        """The test images that are read wrongly with the highest probability."""
        predicted = self.test.probabilities.argmax(axis=1)
        worst = most_confident_errors(self.test.probabilities, self.test.labels, count)
        names, truth = self.data.class_names, self.data.test.labels
        return [
            Picture(f"{names[truth[i]]} read as {names[predicted[i]]}", self.data.test.images[i])
            for i in worst
        ]


def train_side_by_side(
    experiments: Sequence[Trained], on_epoch: Callable[[Trained], None] | None = None
) -> None:
    """Train all of them in turn, an epoch each, so that they come to their end together.

    Those that start from the weights of another wait for it.
    """
    running = {each: each.train() for each in experiments}
    while running:
        ready = [each for each in running if each.is_ready]
        chosen = min(ready, key=lambda each: each.progress)
        if next(running[chosen], None) is None:
            del running[chosen]
        if on_epoch is not None:
            on_epoch(chosen)
