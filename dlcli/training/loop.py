"""Gradient descent, epoch after epoch: ``fit()`` yields a record of each and stores nothing."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from dlcli.config.dimensions import CLASSES
from dlcli.config.schema import Config
from dlcli.data.augmentation import Distortions
from dlcli.data.datasets import Examples
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.ema import WeightAveraging
from dlcli.nn.losses import mean_loss, one_hot, smooth
from dlcli.nn.network import Network
from dlcli.nn.optimizers import Optimizer
from dlcli.nn.random import random_stream
from dlcli.nn.temperature import fit_temperature
from dlcli.nn.types import Array, Labels
from dlcli.training import divergence
from dlcli.training.builders import (
    make_backpropagation,
    make_learning_rates,
    make_network,
    make_optimizer,
)
from dlcli.training.epoch_metrics import RunningScores


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did; a line of ``metrics.jsonl``.

    The training scores are means over the epoch's batches, taken while the weights changed,
    with dropout on, images distorted and targets smoothed. ``gradient_norm`` is the mean over its
    batches, before clipping.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    gradient_norm: float
    seconds: float
    samples_per_second: float


@dataclass
class TrainingState:
    """Everything that training changes: with the config, all that going on needs.

    Attributes
    ----------
    average
        The running mean of the network's weights, where the config asks for one.
    temperature
        Makes the best epoch's probabilities mean what they say (see ``calibration``).
    """

    network: Network
    optimizer: Optimizer
    average: Network | None = None
    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = -1.0
    best_loss: float = math.inf
    gradient_norm: float = math.inf
    temperature: float = 1.0

    @property
    def judged(self) -> Network:
        """The network to judge and to keep: the running mean, if there is one."""
        return self.network if self.average is None else self.average

    @property
    def is_best(self) -> bool:
        """Whether the latest epoch is the one to keep."""
        return self.epoch == self.best_epoch

    def arrays(self) -> dict[str, Array]:
        """All that the checkpoints hold, by what it is called in messages."""
        arrays = {
            "weights": self.network.parameters,
            "the statistics of batch_norm": self.network.statistics,
            **{f"the optimiser's {name}": array for name, array in self.optimizer.state.items()},
        }
        if self.average is not None:
            arrays["averaged weights"] = self.average.parameters
            arrays["averaged statistics of batch_norm"] = self.average.statistics
        return arrays | {"weights with batch_norm folded in": self.judged.folded().parameters}


@dataclass(frozen=True)
class Progress:
    """Where training stands after a block of batches; scores are means over the epoch so far."""

    epoch: int
    images: int
    loss: float
    accuracy: float


# Batches whose images are gathered, and whose scores are taken, at once: enough to make the
# calls cheap, few enough for their pixels to stay in the cache.
_BLOCK_ROWS = 2048

# Steps times parameters from which compiling the optimiser's step pays: it takes 0.4 s, and
# saves 0.7 ns each.
_WORTH_COMPILING = 1_000_000_000

OnBlock = Callable[[Progress], None]


def initial_state(config: Config, classes: int = CLASSES) -> TrainingState:
    """The state before the first epoch."""
    network = make_network(config, classes)
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    average = None
    if config.weight_averaging is not None:
        average = network.like()
        average.parameters[...] = network.parameters
        average.statistics[...] = network.statistics
    return TrainingState(network, optimizer, average)


def why_finished(config: Config, state: TrainingState) -> str | None:
    """The rule that ends training now (a config key), or None to go on."""
    if state.epoch >= config.epochs:
        return "epochs"
    patience = config.early_stopping
    if patience is not None and state.epoch - state.best_epoch >= patience:
        return "early_stopping"
    flat = config.min_gradient_norm
    if flat is not None and state.gradient_norm < flat:
        return "min_gradient_norm"
    return None


def steps_per_epoch(config: Config, images: int) -> int:
    """Batches in an epoch.

    What is left over makes a smaller one; with batch normalisation, only if it is half as large
    at least: mean and variance of a few images are chance. In another order, other images are
    left out the next time.
    """
    whole, rest = divmod(images, config.batch_size)
    left_out = config.batch_norm and whole and rest < config.batch_size / 2
    return whole + (0 if left_out or not rest else 1)


def fit(
    config: Config,
    train: Examples,
    validation: Examples,
    state: TrainingState,
    on_block: OnBlock | None = None,
) -> Iterator[EpochRecord]:
    """Train until a rule of the config ends it, changing ``state`` in place.

    Parameters
    ----------
    config
        The hyperparameters.
    train
        Images to learn from.
    validation
        Images to judge each epoch by; may be empty.
    state
        Where to start: :func:`initial_state`, or what a checkpoint held.
    on_block
        Told of each block of batches, about 2,000 images.

    Yields
    ------
    EpochRecord
        After each epoch, when ``state`` is whole and may be saved.

    Raises
    ------
    DivergenceError
        The loss, the gradient or what they leave behind is no longer a finite number. ``state``
        is of no use then; what was saved after the last epoch still is.
    """
    batch_size = min(config.batch_size, len(train))
    backpropagation = make_backpropagation(config, state.network, batch_size)
    distortions = Distortions(config.augmentation) if config.augmentation is not None else None
    averaging = None
    if config.weight_averaging is not None and state.average is not None:
        averaging = WeightAveraging(state.network, state.average, config.weight_averaging)
    steps = steps_per_epoch(config, len(train))
    if steps * (config.epochs - state.epoch) * state.network.parameters.size > _WORTH_COMPILING:
        state.optimizer.compile()
    while why_finished(config, state) is None:
        started = time.perf_counter()
        # Overflow is not hidden: what it makes infinite is looked for, and that raises.
        with np.errstate(over="ignore", invalid="ignore"):
            loss, accuracy, gradient_norm, learning_rate = _descend(
                config, train, state, backpropagation, distortions, averaging, on_block
            )
            state.epoch += 1
            state.gradient_norm = gradient_norm
            infinite = divergence.overflowed(state.arrays())
            if infinite is not None:
                raise divergence.error(config, state.epoch, steps, f"it made {infinite} infinite")
            validation_loss, validation_accuracy = _judge(config, validation, state)
            if validation_loss is not None and not math.isfinite(validation_loss):
                what = f"it made the validation loss {validation_loss:g}"
                raise divergence.error(config, state.epoch, steps, what)
        seconds = time.perf_counter() - started
        yield EpochRecord(
            epoch=state.epoch,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
            learning_rate=learning_rate,
            gradient_norm=gradient_norm,
            seconds=seconds,
            samples_per_second=len(train) / seconds,
        )


def rank(keep: str, accuracy: float, loss: float) -> tuple[float, float]:
    """What the epoch to keep has most of, for a ``keep`` that is not the last."""
    return (-loss, accuracy) if keep == "best_loss" else (accuracy, -loss)


def overfitting_since(records: Sequence[EpochRecord]) -> int | None:
    """The epoch after which the network learned its training images by heart, if it did.

    That is the epoch of the lowest validation loss, when at least two followed it, the
    validation loss ended at least 1 % higher and the training loss lower.
    """
    judged = [r for r in records if r.validation_loss is not None]
    if not judged:
        return None
    best = min(judged, key=lambda r: r.validation_loss or 0.0)
    last = judged[-1]
    rose = (last.validation_loss or 0.0) > 1.01 * (best.validation_loss or 0.0)
    fell = last.train_loss < best.train_loss
    return best.epoch if last.epoch - best.epoch >= 2 and rose and fell else None


def _descend(
    config: Config,
    train: Examples,
    state: TrainingState,
    backpropagation: Backpropagation,
    distortions: Distortions | None,
    averaging: WeightAveraging | None,
    on_block: OnBlock | None,
) -> tuple[float, float, float, float]:
    """One pass over the training images in random order, a step a batch.

    Returns the mean loss, the accuracy, the mean gradient norm and the last learning rate.
    """
    count = len(train)
    batch_size = min(config.batch_size, count)
    steps = steps_per_epoch(config, count)
    learning_rates = make_learning_rates(config, steps)
    order = random_stream(config.seed, "shuffling", state.epoch).permutation(count)
    dropout_random = random_stream(config.seed, "dropout", state.epoch)
    augmentation_random = random_stream(config.seed, "augmentation", state.epoch)
    block_steps = max(_BLOCK_ROWS // batch_size, 1)
    classes, dtype = state.network.layer_sizes[-1], state.network.parameters.dtype
    gathered = np.empty((block_steps * batch_size, train.images.shape[1]), np.uint8)
    epoch, statistics = state.epoch + 1, state.network.statistics
    scores = RunningScores(config, state.network, epoch, batch_size, block_steps)
    total_norm = learning_rate = 0.0
    for first_step in range(0, steps, block_steps):
        last_step = min(first_step + block_steps, steps)
        block = order[first_step * batch_size : last_step * batch_size]
        # mode="clip" spares a copy that take() makes to be able to undo a bad index.
        images = np.take(train.images, block, axis=0, out=gathered[: len(block)], mode="clip")
        if distortions is not None:
            images = distortions.apply(images, augmentation_random)
        labels = train.labels[block]
        targets = smooth(one_hot(labels, classes, dtype), config.label_smoothing)
        for step in range(first_step, last_step):
            start = (step - first_step) * batch_size
            rows = slice(start, min(start + batch_size, len(block)))
            steps_before = state.epoch * steps + step
            learning_rate = learning_rates.at(steps_before)
            logits = backpropagation.run(images[rows], targets[rows], dropout_random)
            scores.logits[rows] = logits
            gradient = backpropagation.gradient
            norm = math.sqrt(float(gradient @ gradient))
            # The sum is finite if every one is, and takes a fraction of the time.
            finite = not statistics.size or math.isfinite(np.add.reduce(statistics))
            if divergence.is_exploded(norm, config) or not finite:
                seen = targets[: rows.stop], labels[: rows.stop]
                _raise_divergence(config, state, scores, seen, step, norm)
            if config.gradient_clip is not None and norm > config.gradient_clip:
                gradient *= config.gradient_clip / norm
            state.optimizer.step(gradient, learning_rate)
            if config.max_norm is not None:
                state.network.limit_norms(config.max_norm)
            if averaging is not None:
                averaging.update(steps_before + 1, steps)
            total_norm += norm
        scores.add(targets, labels)
        if on_block is not None:
            on_block(Progress(epoch, len(block), scores.loss, scores.accuracy))
    return scores.loss, scores.accuracy, total_norm / steps, learning_rate


def _raise_divergence(
    config: Config,
    state: TrainingState,
    scores: RunningScores,
    seen: tuple[Array, Labels],
    step: int,
    norm: float,
) -> NoReturn:
    """Say where it began: with weights, else with a loss, else with this step (from 0)."""
    epoch, network = state.epoch + 1, state.network
    if divergence.overflowed({"weights": network.parameters}):
        raise divergence.error(config, epoch, step, "it made weights infinite")
    scores.add(*seen)
    if divergence.overflowed({"statistics": network.statistics}):
        what = "it made the statistics of batch_norm infinite"
        raise divergence.error(config, epoch, step + 1, what)
    what = f"the norm of its gradient is {norm:g}"
    raise divergence.error(config, epoch, step + 1, what)


def _judge(
    config: Config, validation: Examples, state: TrainingState
) -> tuple[float | None, float | None]:
    """Loss and accuracy on the validation images (None without any); note the best epoch."""
    if not len(validation):
        state.best_epoch = state.epoch
        return None, None
    network = state.judged
    logits, outputs = network.infer(validation.images)
    loss = mean_loss(config.loss, network.output_activation, logits, validation.labels)
    accuracy = float(np.mean(outputs.argmax(axis=1) == validation.labels))
    if not math.isfinite(loss):
        return loss, accuracy
    best = rank(config.keep, state.best_accuracy, state.best_loss)
    if config.keep == "last" or rank(config.keep, accuracy, loss) > best:
        state.best_epoch, state.best_accuracy, state.best_loss = state.epoch, accuracy, loss
        if network.output_activation == "softmax":
            state.temperature = fit_temperature(logits, validation.labels)
    return loss, accuracy
