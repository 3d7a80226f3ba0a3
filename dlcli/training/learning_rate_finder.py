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
from dlcli.data.examples import Examples
from dlcli.errors import ConfigError
from dlcli.nn.losses import LOSSES
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.random import random_stream
from dlcli.training import class_weights
from dlcli.training.batches import Batches, steps_per_epoch
from dlcli.training.builders import make_backpropagation
from dlcli.training.state import TrainingState, take_step

# An epoch, but enough steps for a smooth curve and no more than that needs.
_MIN_STEPS, _MAX_STEPS = 100, 200
# Of the optimiser's usual learning rate: good ones of all networks lie in between.
_LOWEST, _HIGHEST = 1e-4, 1e2
_SMOOTHING = 0.9  # the weight of the past in the running mean of the loss, over about ten steps
_HALF_WINDOW = 4  # steps to each side, over which the slope is measured
# The median loss of so many steps, whose learning rates are too low to matter, is the loss before
# training: that of one batch may be of a few odd images.
_FIRST_STEPS = 2 * _HALF_WINDOW + 1
_STOP = 4.0  # times the loss before training: the test is over
# The running mean has about the noise of the mean of so many batches. Of trained weights, whose
# batches hold few errors, it must exceed the loss before by so many times that noise as well.
_BATCHES_IN_MEAN, _STANDARD_ERRORS = 10, 4.0
# Of the loss before training. What is less, or less than the batches' losses differ, is noise.
_SMALLEST_FALL = 0.05
_DECADE = 10.0


@dataclass(frozen=True)
class RangeTest:
    """The loss at each learning rate, and what follows from it.

    Attributes
    ----------
    rates, losses, smoothed
        Of each step; ``smoothed`` is the running mean of the losses.
    steepest
        The learning rate at which the loss fell fastest. None if the weights were trained before,
        and the loss is about as low as it can be.
    divergence
        The one from which on the loss rose: half of what it had fallen was lost again or, if it
        did not fall, the loss rose fourfold. None if it did not rise so far.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    steepest: float | None
    divergence: float | None

    @property
    def suggestion(self) -> float:
        """The steepest descent, but at most a tenth of the rate from which on the loss rose."""
        limit = self.rates[-1] if self.divergence is None else self.divergence / _DECADE
        return limit if self.steepest is None else min(self.steepest, limit)


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
        The loss fell at no learning rate, with random initial weights.
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
            if len(losses) > _FIRST_STEPS and smoothed[-1] > _too_high(losses):
                break
    return _result(rates, losses, smoothed, is_trained=config.init_from is not None)


def _before_training(losses: Sequence[float]) -> float:
    """The loss while the learning rate is too low to change it."""
    return float(np.median(losses[:_FIRST_STEPS]))


def _too_high(losses: Sequence[float]) -> float:
    """The running mean from which on the loss rose for sure."""
    before = _before_training(losses)
    noise = float(np.std(losses)) / math.sqrt(_BATCHES_IN_MEAN)
    return max(_STOP * before, before + _STANDARD_ERRORS * noise)


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
            for _, rows, targets, of_images in block.batches(batches.size):
                rate = next(remaining, None)
                if rate is None:
                    return
                logits = backpropagation.run(block.images, targets, random, of_images, rows)
                values = loss.value(config.output_activation, logits, targets)
                yield float((values if of_images is None else values * of_images).mean())
                gradient = backpropagation.gradient
                norm = math.sqrt(float(gradient @ gradient))
                take_step(config, state, gradient, norm, rate)


def _result(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    is_trained: bool = False,
) -> RangeTest:
    curve = np.array(smoothed)
    before, lowest, fall, noise = 0.0, 0, 0.0, 0.0
    if len(curve) > _FIRST_STEPS:  # else the loss was infinite from the start
        before = _before_training(losses)
        lowest = int(curve[_FIRST_STEPS:].argmin()) + _FIRST_STEPS
        fall = before - curve[lowest]
        noise = float(np.std(curve[:lowest] - losses[:lowest]))
    is_steep = fall > max(_SMALLEST_FALL * before, noise)
    if not is_steep and not (is_trained and before):
        raise ConfigError(
            f"--find-learning-rate: the loss fell at no rate from {rates[0]:g} to {rates[-1]:g}; "
            "check the labels, the initializer and the layers, or use a larger batch_size"
        )
    steepest = None
    limit = _too_high(losses) if before else 0.0
    if is_steep:
        slopes = curve[2 * _HALF_WINDOW :] - curve[: -2 * _HALF_WINDOW]
        steepest = int(slopes[: lowest - _HALF_WINDOW].argmin()) + _HALF_WINDOW
        limit = before - fall / 2
    above = np.flatnonzero(curve[lowest:] > limit)
    ended = len(curve) < len(rates)  # the loss was no number any more
    rose = lowest + int(above[0]) if len(above) else len(curve) - 1 if ended else None
    return RangeTest(
        rates=tuple(rates[: len(curve)]),
        losses=tuple(losses),
        smoothed=tuple(smoothed),
        steepest=None if steepest is None else rates[steepest],
        divergence=None if rose is None else rates[rose],
    )
