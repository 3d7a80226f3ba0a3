"""The learning-rate range test: a short training whose learning rate rises from step to step.

The loss falls slowly while the rate is too low, then fast, and rises again when it is too high.
Source: Smith, "Cyclical learning rates for training neural networks", 2017, section 3.3; that the
rate rises exponentially and the loss is smoothed is the usual practice today.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.datasets import Examples
from dlcli.errors import ConfigError
from dlcli.nn.losses import LOSSES
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array, Pixels
from dlcli.training import class_weights
from dlcli.training.batches import Batches, Block, steps_per_epoch
from dlcli.training.builders import make_backpropagation
from dlcli.training.state import TrainingState

# An epoch, but enough steps for a smooth curve and no more than that needs.
_MIN_STEPS, _MAX_STEPS = 100, 200
# Of the optimiser's usual learning rate: good ones of all networks lie in between.
_LOWEST, _HIGHEST = 1e-4, 1e2
_SMOOTHING = 0.9  # the weight of the past in the running mean of the loss, over about ten steps
_HALF_WINDOW = 4  # steps to each side, over which the slope is measured
_STOP = 2.0  # times the first loss: the test is over
_SMALLEST_FALL = 0.05  # of the first loss; less is noise
_DECADE = 10.0


@dataclass(frozen=True)
class RangeTest:
    """The loss at each learning rate, and what follows from it.

    Attributes
    ----------
    rates, losses, smoothed
        Of each step; ``smoothed`` is the running mean of the losses.
    steepest
        The learning rate at which the loss fell fastest.
    divergence
        The one from which on the loss rose: half of what it had fallen was lost again. None if it
        did not rise so far.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float
    divergence: float | None

    @property
    def suggestion(self) -> float:
        """The steepest descent, but at most a tenth of the rate from which on the loss rose."""
        if self.divergence is None:
            return self.steepest
        return min(self.steepest, self.divergence / _DECADE)


def steps_of(config: Config, images: int) -> int:
    """How many steps the test makes."""
    return min(max(steps_per_epoch(config, images), _MIN_STEPS), _MAX_STEPS)


def find(
    config: Config,
    train: Examples,
    state: TrainingState,
    class_names: Sequence[str],
    on_step: Callable[[int], None] | None = None,
) -> RangeTest:
    """Train ``state``, which is useless afterwards, with a rising learning rate.

    ``on_step`` gets the number of steps done.

    Raises
    ------
    ConfigError
        The loss fell at no learning rate.
    """
    usual, steps = OPTIMIZERS[config.optimizer].usual_learning_rate, steps_of(config, len(train))
    rates = np.geomspace(usual * _LOWEST, usual * _HIGHEST, steps).tolist()
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for loss in _train(config, train, state, class_names, rates):
            if not math.isfinite(loss):
                break
            losses.append(loss)
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
            smoothed.append(mean / (1 - _SMOOTHING ** len(losses)))
            if on_step is not None:
                on_step(len(losses))
            if smoothed[-1] > _STOP * smoothed[0]:
                break
    return _judged(rates, losses, smoothed)


def _train(
    config: Config,
    train: Examples,
    state: TrainingState,
    class_names: Sequence[str],
    rates: Sequence[float],
) -> Iterator[float]:
    """Make a step with each learning rate; yield the loss of its batch before the step."""
    weights = class_weights.of_config(config, train.labels, class_names)
    batches = Batches(config, train, state.network, weights)
    backpropagation = make_backpropagation(config, state.network, batches.size)
    loss = LOSSES[config.loss]
    remaining = iter(rates)
    for epoch in count():
        random = random_stream(config.seed, "dropout", epoch)
        for block in batches.epoch(epoch):
            for images, targets, of_images in _split(block, batches.size):
                rate = next(remaining, None)
                if rate is None:
                    return
                logits = backpropagation.run(images, targets, random, of_images)
                values = loss.value(config.output_activation, logits, targets)
                yield float((values if of_images is None else values * of_images).mean())
                gradient = backpropagation.gradient
                norm = math.sqrt(float(gradient @ gradient))
                if config.gradient_clip is not None and norm > config.gradient_clip:
                    gradient *= config.gradient_clip / norm
                state.optimizer.step(gradient, rate)
                if config.max_norm is not None:
                    state.network.limit_norms(config.max_norm, config.freeze_layers)


def _split(block: Block, size: int) -> Iterator[tuple[Pixels | Array, Array, Array | None]]:
    for start in range(0, len(block.labels), size):
        batch = slice(start, start + size)
        weights = None if block.weights is None else block.weights[batch]
        yield block.images[block.rows[batch]], block.targets[batch], weights


def _judged(
    rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float]
) -> RangeTest:
    curve = np.array(smoothed)
    lowest = int(curve.argmin()) if len(curve) else 0
    if not len(curve) or curve[0] - curve[lowest] < _SMALLEST_FALL * abs(curve[0]):
        raise ConfigError(
            f"--find-learning-rate: the loss fell at no rate from {rates[0]:g} to {rates[-1]:g}; "
            "check the labels, the initializer and the layers"
        )
    slopes = curve[2 * _HALF_WINDOW :] - curve[: -2 * _HALF_WINDOW]
    steepest = int(slopes[: max(lowest - _HALF_WINDOW, 1)].argmin()) + _HALF_WINDOW
    lost = np.flatnonzero(curve[lowest:] > (curve[0] + curve[lowest]) / 2)
    ended = len(curve) < len(rates)  # the loss was no number any more
    rose = lowest + int(lost[0]) if len(lost) else len(curve) - 1 if ended else None
    return RangeTest(
        rates=tuple(rates[: len(curve)]),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        steepest=rates[steepest],
        divergence=None if rose is None else rates[rose],
    )
