"""Gradient descent, epoch after epoch: ``fit()`` yields a record of each and stores nothing."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.augmentation import Distortions
from dlcli.data.datasets import Examples
from dlcli.errors import DivergenceError
from dlcli.nn.ema import WeightAveraging
from dlcli.nn.losses import mean_loss, one_hot, smooth
from dlcli.nn.random import random_stream
from dlcli.nn.temperature import fit_temperature
from dlcli.nn.types import Array, Labels, Pixels
from dlcli.training import diagnosis, divergence
from dlcli.training.builders import make_backpropagation, make_learning_rates
from dlcli.training.epoch_metrics import EpochMetrics, EpochRecord
from dlcli.training.kept_epoch import Scores, replaces_kept
from dlcli.training.state import TrainingState, why_finished


@dataclass(frozen=True)
class Progress:
    """A block of batches was trained: its images, and the means over the epoch so far."""

    epoch: int
    images: int
    loss: float
    accuracy: float


OnBlock = Callable[[Progress], None]

# Images that are gathered, distorted and scored at once: enough to make the calls of NumPy
# cheap, few enough for the pixels to stay in the cache.
_BLOCK_ROWS = 2048

# Number of steps times parameters from which it pays to compile the optimiser's step: that
# takes 0.4 s, and saves 0.7 ns a step and parameter.
_WORTH_COMPILING = 1_000_000_000


def steps_per_epoch(config: Config, images: int) -> int:
    """Batches in an epoch.

    The images left over make a smaller batch, with batch normalisation only if they fill half of
    it: the mean and variance of a few images are too noisy. Each epoch leaves out other images.
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
    validation
        Images to evaluate each epoch with; may be empty.
    state
        Where to start: ``initial_state(config, classes)``, or the state of a checkpoint.
    on_block
        Called after each block of batches, about 2,000 images.

    Yields
    ------
    EpochRecord
        After each epoch, when ``state`` is complete and may be saved.

    Raises
    ------
    DivergenceError
        The loss, the gradient or the state is no longer finite; ``state`` is then useless.
    """
    trainer = _Trainer(config, train, state, on_block)
    remaining_steps = trainer.steps * (config.epochs - state.epoch)
    if remaining_steps * state.network.parameters.size > _WORTH_COMPILING:
        state.optimizer.compile()
    while why_finished(config, state) is None:
        started = time.perf_counter()
        # NumPy need not warn of overflow: infinite values are looked for and raise an error.
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                metrics = trainer.train_epoch()
                scores = _validate(config, validation, state, trainer.steps)
        except DivergenceError as error:
            classes = state.network.layer_sizes[-1]
            raise diagnosis.explained(error, config, classes, train) from error
        seconds = time.perf_counter() - started
        accuracy, loss = scores or (None, None)
        yield EpochRecord(
            epoch=state.epoch,
            train_loss=metrics.loss,
            train_accuracy=metrics.accuracy,
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=trainer.learning_rate,
            gradient_norm=metrics.gradient_norm,
            seconds=seconds,
            samples_per_second=len(train) / seconds,
        )


@dataclass(frozen=True)
class _Block:
    """Consecutive batches of an epoch; ``first_step`` counts the batches before, from 0."""

    first_step: int
    images: Pixels
    labels: Labels
    targets: Array


class _Trainer:
    """Everything that a step needs besides the state, made once for all epochs.

    ``steps`` is the number of batches in an epoch, ``learning_rate`` that of the latest step.
    """

    def __init__(
        self, config: Config, train: Examples, state: TrainingState, on_block: OnBlock | None
    ) -> None:
        self.steps = steps_per_epoch(config, len(train))
        self.learning_rate = 0.0
        self._config, self._train, self._state, self._on_block = config, train, state, on_block
        self._batch_size = min(config.batch_size, len(train))
        self._backpropagation = make_backpropagation(config, state.network, self._batch_size)
        self._learning_rates = make_learning_rates(config, self.steps)
        self._distortions = Distortions(config.augmentation) if config.augmentation else None
        self._averaging = None
        if config.weight_averaging is not None and state.average is not None:
            self._averaging = WeightAveraging(state.network, state.average, config.weight_averaging)
        self._block_steps = max(_BLOCK_ROWS // self._batch_size, 1)
        # Stored class by class, like the logits of a network (see Buffers).
        self._gathered: Pixels = np.empty(
            (self._block_steps * self._batch_size, train.images.shape[1]), np.uint8
        )
        shape = state.network.layer_sizes[-1], self._block_steps * self._batch_size
        self._logits: Array = np.empty(shape, state.network.parameters.dtype).T

    def train_epoch(self) -> EpochMetrics:
        """One pass over the training images in random order, a step a batch."""
        config, state = self._config, self._state
        dropout_random = random_stream(config.seed, "dropout", state.epoch)
        metrics = EpochMetrics(config, state.epoch + 1, self._batch_size)
        for block in self._blocks():
            self._train_block(block, metrics, dropout_random)
            state.optimizer.flush_subnormals()
            if self._on_block is not None:
                means = metrics.loss, metrics.accuracy
                self._on_block(Progress(state.epoch + 1, len(block.images), *means))
        state.epoch += 1
        state.gradient_norm = metrics.gradient_norm
        if infinite := divergence.overflowed(state.arrays()):
            what = f"it made {infinite} infinite"
            raise divergence.error(state.epoch, self.steps, what)
        return metrics

    def _blocks(self) -> Iterator[_Block]:
        """The epoch's batches, some at a time: shuffled, distorted, with smoothed targets."""
        config, network, epoch = self._config, self._state.network, self._state.epoch
        order = random_stream(config.seed, "shuffling", epoch).permutation(len(self._train))
        augmentation_random = random_stream(config.seed, "augmentation", epoch)
        for first_step in range(0, self.steps, self._block_steps):
            last_step = min(first_step + self._block_steps, self.steps)
            rows = order[first_step * self._batch_size : last_step * self._batch_size]
            images, labels = self._gathered[: len(rows)], self._train.labels[rows]
            # With mode="raise", NumPy would first gather into a temporary array.
            np.take(self._train.images, rows, axis=0, out=images, mode="clip")
            if self._distortions is not None:
                images = self._distortions.apply(images, augmentation_random)
            targets = one_hot(labels, network.layer_sizes[-1], network.parameters.dtype)
            yield _Block(first_step, images, labels, smooth(targets, config.label_smoothing))

    def _train_block(
        self, block: _Block, metrics: EpochMetrics, dropout_random: np.random.Generator
    ) -> None:
        count = len(block.images)
        for index, start in enumerate(range(0, count, self._batch_size)):
            batch = slice(start, min(start + self._batch_size, count))
            self._logits[batch] = self._backpropagation.run(
                block.images[batch], block.targets[batch], dropout_random
            )
            gradient = self._backpropagation.gradient
            norm = math.sqrt(float(gradient @ gradient))
            statistics = self._state.network.statistics
            # The sum is finite if every value is, and takes a fraction of the time.
            is_finite = not statistics.size or math.isfinite(np.add.reduce(statistics))
            if divergence.is_exploded(norm, self._config) or not is_finite:
                self._raise_divergence(block, index, norm, metrics)
            metrics.add_norm(norm)
            self._step(block.first_step + index, gradient, norm)
        metrics.add(self._logits[:count], block.targets, block.labels)

    def _step(self, step: int, gradient: Array, norm: float) -> None:
        """Move the weights along the gradient of a batch, the epoch's ``step``th from 0."""
        config, state = self._config, self._state
        steps_before = state.epoch * self.steps + step
        self.learning_rate = self._learning_rates.at(steps_before)
        if config.gradient_clip is not None and norm > config.gradient_clip:
            gradient *= config.gradient_clip / norm
        state.optimizer.step(gradient, self.learning_rate)
        if config.max_norm is not None:
            state.network.limit_norms(config.max_norm)
        if self._averaging is not None:
            self._averaging.update(steps_before + 1, self.steps)

    def _raise_divergence(
        self, block: _Block, index: int, norm: float, metrics: EpochMetrics
    ) -> NoReturn:
        """Say where it began: in the weights, else in a loss, else in the block's batch ``index``.

        Weights that are infinite were made so by the step before; the message names that one.
        """
        epoch, network = self._state.epoch + 1, self._state.network
        step = block.first_step + index + 1
        if divergence.overflowed({"weights": network.parameters}):
            raise divergence.error(epoch, step - 1, "it made weights infinite")
        seen = slice(0, min((index + 1) * self._batch_size, len(block.images)))
        metrics.add(self._logits[seen], block.targets[seen], block.labels[seen])
        if divergence.overflowed({"statistics": network.statistics}):
            what = "it made the statistics of batch_norm infinite"
        else:
            what = f"the norm of its gradient is {norm:g}"
        raise divergence.error(epoch, step, what)


def _validate(
    config: Config, validation: Examples, state: TrainingState, steps: int
) -> Scores | None:
    """Accuracy and loss on the validation images (None without any); note the epoch to keep."""
    scores = logits = None
    network = state.evaluated_network
    if len(validation):
        logits, outputs = network.infer(validation.images)
        loss = mean_loss(config.loss, network.output_activation, logits, validation.labels)
        if not math.isfinite(loss):
            what = f"it made the validation loss {loss:g}"
            raise divergence.error(state.epoch, steps, what)
        scores = float(np.mean(outputs.argmax(axis=1) == validation.labels)), loss
    if replaces_kept(config.keep, scores, (state.best_accuracy, state.best_loss)):
        state.best_epoch = state.epoch
        if scores is not None and logits is not None:
            state.best_accuracy, state.best_loss = scores
            if network.output_activation == "softmax":
                state.temperature = fit_temperature(logits, validation.labels)
    return scores
