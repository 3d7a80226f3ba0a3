"""Gradient descent, epoch after epoch: ``fit()`` yields a record of each and stores nothing."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.classes import numbered
from dlcli.data.examples import Examples
from dlcli.errors import DivergenceError
from dlcli.nn import compilation
from dlcli.nn.confusion import confusion_matrix
from dlcli.nn.dimensions import IMAGE_SIZE
from dlcli.nn.ema import WeightAveraging
from dlcli.nn.kernels import KERNELS
from dlcli.nn.losses import mean_loss, one_hot
from dlcli.nn.random import random_stream
from dlcli.nn.temperature import fit_temperature
from dlcli.nn.types import Array
from dlcli.training import class_weights, diagnosis, divergence
from dlcli.training.batches import Batches, Block
from dlcli.training.builders import make_backpropagation, make_learning_rates
from dlcli.training.epoch_metrics import EpochMetrics, EpochRecord
from dlcli.training.fewer_inputs import FewerInputs, fewer_inputs
from dlcli.training.kept_epoch import Scores, replaces_kept
from dlcli.training.layer_metrics import LayerMetrics
from dlcli.training.state import TrainingState, take_step, why_finished
from dlcli.training.threads import Threads


@dataclass(frozen=True)
class Progress:
    """A block of batches was trained: its images, and the means over the epoch so far."""

    epoch: int
    images: int
    loss: float
    accuracy: float


_LOG = logging.getLogger(__name__)

OnBlock = Callable[[Progress], None]

# Seconds to be saved for which it pays to import Numba and to load the kernels, in 0.5 s, or to
# compile them once, in 2 s.
_WORTH_COMPILING = 1.0


def fit(
    config: Config,
    train: Examples,
    validation: Examples,
    state: TrainingState,
    on_block: OnBlock | None = None,
    class_names: Sequence[str] | None = None,
    threads: Threads | None = None,
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
    class_names
        The names by which ``class_weights`` calls the classes; by default their numbers.
    threads
        What chooses the number of BLAS threads; by default it stays as it is.

    Yields
    ------
    EpochRecord
        After each epoch, when ``state`` is complete and may be saved.

    Raises
    ------
    DivergenceError
        The loss, the gradient or the state is no longer finite; ``state`` is then useless.
    """
    names = class_names or numbered(state.network.layer_sizes[-1])
    weights = class_weights.of_config(config, train.labels, names)
    start = state.epoch
    trainer = _start(config, train, state, on_block, weights, threads)
    while why_finished(config, state) is None:
        if state.epoch == config.half_size_epochs != start:
            trainer = _start(config, train, state, on_block, weights, threads)
        started = time.perf_counter()
        # NumPy need not warn of overflow: infinite values are looked for and raise an error.
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                metrics = trainer.train_epoch()
                training_seconds = time.perf_counter() - started
                scores = _validate(config, validation, state, trainer, weights)
                trainer.layers.observe(state.evaluated_network, validation or train)
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
            samples_per_second=len(train) / training_seconds,
            layers=trainer.layers.records(),
            threads=None if threads is None else threads.count,
        )


def _start(
    config: Config,
    train: Examples,
    state: TrainingState,
    on_block: OnBlock | None,
    weights: Array | None,
    threads: Threads | None,
) -> "_Trainer":
    """What trains the next epochs, with the fastest kernels and number of threads for them."""
    inputs = fewer_inputs(config, train.images, state.network.layer_sizes, state.epoch)
    if inputs is None:
        trainer = _Trainer(config, train, state, on_block, weights)
    else:
        fewer = FewerInputs(config, inputs, state)
        trainer = _Trainer(config, train, fewer.state, on_block, weights, fewer)
    trainer.threads = threads
    remaining_steps = trainer.steps * (config.epochs - state.epoch)
    if remaining_steps * trainer.saved_by_compiling > _WORTH_COMPILING:
        trainer.compile()
    else:
        _LOG.debug("kernels: NumPy, as the training is short")
    if threads is not None and remaining_steps > 0:
        threads.start(trainer.trial, remaining_steps)
    return trainer


class _Trainer:
    """Everything that a step needs besides the state, made once for all epochs of a size.

    ``steps`` is the number of batches in an epoch, ``learning_rate`` that of the latest step;
    ``layers`` has the measurements of the latest epoch.
    """

    def __init__(
        self,
        config: Config,
        train: Examples,
        state: TrainingState,
        on_block: OnBlock | None,
        weights: Array | None,
        fewer: FewerInputs | None = None,
    ) -> None:
        self._fewer = fewer
        images = train.images if fewer is None else fewer.images
        self._batches = Batches(config, train, state.network, weights, images)
        self.steps = self._batches.steps
        self.learning_rate = 0.0
        self._config, self._state, self._on_block = config, state, on_block
        self._batch_size = self._batches.size
        self._backpropagation = make_backpropagation(config, state.network, self._batch_size)
        self._learning_rates = make_learning_rates(config, self.steps)
        self.layers = self._new_layer_metrics()
        self._averaging = None
        self.threads: Threads | None = None
        self._images, self._labels = images, train.labels
        if config.weight_averaging is not None and state.average is not None:
            self._averaging = WeightAveraging(state.network, state.average, config.weight_averaging)
        # Stored class by class, like the logits of a network (see Buffers).
        shape = state.network.layer_sizes[-1], self._batches.rows
        self._logits: Array = np.empty(shape, state.network.parameters.dtype).T

    def _new_layer_metrics(self) -> LayerMetrics:
        return LayerMetrics(self._state.network, self._backpropagation.gradient, self.steps)

    def train_epoch(self) -> EpochMetrics:
        """One pass over the training images in random order, a step a batch."""
        config, state = self._config, self._state
        dropout_random = random_stream(config.seed, "dropout", state.epoch)
        self.layers = self._new_layer_metrics()
        metrics = EpochMetrics(config, state.epoch + 1, self._batch_size)
        for block in self._batches.epoch(state.epoch):
            started = time.perf_counter()
            self._train_block(block, metrics, dropout_random)
            state.optimizer.flush_subnormals()
            if self.threads is not None:
                seconds = time.perf_counter() - started
                self.threads.watch(self.trial, seconds, len(block.labels))
            if self._on_block is not None:
                means = metrics.loss, metrics.accuracy
                self._on_block(Progress(state.epoch + 1, len(block.labels), *means))
        state.epoch += 1
        state.gradient_norm = metrics.gradient_norm
        if self._fewer is not None:
            self._fewer.finish_epoch()
        if infinite := divergence.overflowed(state.arrays()):
            what = f"it made {infinite} infinite"
            raise divergence.error(state.epoch, self.steps, what)
        return metrics

    @property
    def saved_by_compiling(self) -> float:
        """About how many seconds compiled kernels save in a step, at least."""
        network, optimizer = self._state.network, self._state.optimizer
        saved = 0.0
        if optimizer.kernel is not None:
            saved += KERNELS[optimizer.kernel].saves * network.parameters.size
        if self._config.augmentation is not None:
            pixels = self._batch_size * IMAGE_SIZE
            saved += KERNELS["interpolate"].saves * pixels
        for name, width in zip(
            ("scale_pixels", *network.activations), network.layer_sizes[:-1], strict=True
        ):
            saved += KERNELS[name].saves * self._batch_size * width
        return 1e-9 * saved

    def compile(self) -> None:
        """Have Numba compile what is no matrix product, if it is installed; no bit changes."""
        found = compilation.compiled()
        if found is not None:
            self._backpropagation.kernels = self._state.optimizer.kernels = found
            self._batches.use(found)

    @contextmanager
    def trial(self) -> Iterator[Callable[[], None]]:
        """Give a step of training that can be repeated, to time it; at the end, undo all of them.

        Only whole steps show which number of threads is fastest. What two cores have computed of
        a gradient lies in the caches of both, and the core that moves the weights waits for it.
        """
        before = [(array, array.copy()) for array in self._state.arrays().values()]
        learning_rate, random = self.learning_rate, np.random.default_rng(0)
        rows = random.integers(len(self._images), size=self._batch_size)
        targets = one_hot(self._labels[rows], self._state.network.layer_sizes[-1])

        def step() -> None:
            self._backpropagation.run(self._images, targets, random, rows=rows)
            gradient = self._backpropagation.gradient
            self._step(0, gradient, math.sqrt(float(gradient @ gradient)))

        try:
            with np.errstate(over="ignore", invalid="ignore"):
                yield step
        finally:
            for array, values in before:
                array[...] = values
            self.learning_rate = learning_rate

    def _train_block(
        self, block: Block, metrics: EpochMetrics, dropout_random: np.random.Generator
    ) -> None:
        for index, (batch, rows, targets, weights) in enumerate(block.batches(self._batch_size)):
            self._logits[batch] = self._backpropagation.run(
                block.images, targets, dropout_random, weights, rows
            )
            gradient = self._backpropagation.gradient
            norm = math.sqrt(float(gradient @ gradient))
            statistics = self._state.network.statistics
            # The sum is finite if every value is, and takes a fraction of the time.
            is_finite = not statistics.size or math.isfinite(np.add.reduce(statistics))
            if divergence.is_exploded(norm, self._config) or not is_finite:
                self._raise_divergence(block, index, norm, metrics)
            metrics.add_norm(norm)
            self.layers.before_step(block.first_step + index)
            self._step(block.first_step + index, gradient, norm)
            self.layers.after_step()
        metrics.add(self._logits[: len(block.labels)], block.targets, block.labels, block.weights)

    def _step(self, step: int, gradient: Array, norm: float) -> None:
        """Move the weights along the gradient of a batch, the epoch's ``step``th from 0."""
        steps_before = self._state.epoch * self.steps + step
        self.learning_rate = self._learning_rates.at(steps_before)
        take_step(self._config, self._state, gradient, norm, self.learning_rate)
        if self._averaging is not None:
            self._averaging.update(steps_before + 1, self.steps)

    def _raise_divergence(
        self, block: Block, index: int, norm: float, metrics: EpochMetrics
    ) -> NoReturn:
        """Say where it began: in the weights, else in a loss, else in the block's batch ``index``.

        Weights that are infinite were made so by the step before; the message names that one.
        """
        epoch, network = self._state.epoch + 1, self._state.network
        step = block.first_step + index + 1
        if divergence.overflowed({"weights": network.parameters}):
            raise divergence.error(epoch, step - 1, "it made weights infinite")
        seen = slice(0, min((index + 1) * self._batch_size, len(block.labels)))
        weights = None if block.weights is None else block.weights[seen]
        metrics.add(self._logits[seen], block.targets[seen], block.labels[seen], weights)
        if divergence.overflowed({"statistics": network.statistics}):
            what = "it made the statistics of batch_norm infinite"
        else:
            what = f"the norm of its gradient is {norm:g}"
        raise divergence.error(epoch, step, what)


def _validate(
    config: Config,
    validation: Examples,
    state: TrainingState,
    trainer: _Trainer,
    weights: Array | None,
) -> Scores | None:
    """Accuracy and loss on the validation images (None without any); note the epoch to keep."""
    scores = logits = None
    network = state.evaluated_network
    if len(validation):
        logits, outputs = network.infer(validation.images)
        labels, output_activation = validation.labels, network.output_activation
        loss = mean_loss(config.loss, output_activation, logits, labels, weights)
        if not math.isfinite(loss):
            what = f"it made the validation loss {loss:g}"
            raise divergence.error(state.epoch, trainer.steps, what)
        predictions = outputs.argmax(axis=1)
        state.confusion = confusion_matrix(labels, predictions, outputs.shape[1])
        scores = float(np.mean(predictions == labels)), loss
    if replaces_kept(config.keep, scores, (state.best_accuracy, state.best_loss)):
        state.best_epoch = state.epoch
        if scores is not None and logits is not None:
            state.best_accuracy, state.best_loss = scores
            if network.output_activation == "softmax":
                state.temperature = fit_temperature(logits, validation.labels)
    return scores
