"""Learning-rate schedules: which share of the learning rate a step gets.

Each function takes the epochs done since warm-up (a fraction within an epoch) and the config.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.config.schema import Config


def _constant(_epochs_done: float, _config: "Config") -> float:
    return 1.0


def _step(epochs_done: float, config: "Config") -> float:
    """decay_factor to the power of the number of steps so far."""
    return math.pow(config.decay_factor, math.floor(epochs_done / config.step_epochs))


def _exponential(epochs_done: float, config: "Config") -> float:
    """decay_factor to the power of the epochs so far."""
    return math.pow(config.decay_factor, epochs_done)


def _cosine(epochs_done: float, config: "Config") -> float:
    """Half a cosine from 1 down to 0. Source: Loshchilov and Hutter, "SGDR", 2017."""
    share_done = epochs_done / max(config.epochs - config.warmup_epochs, 1e-9)
    return _half_cosine(min(share_done, 1.0), 1.0, 0.0)


def _one_cycle(epochs_done: float, config: "Config") -> float:
    """Up from 1/25 for three tenths of the training, then down to 1/250,000, by half cosines.

    Source: Smith and Topin, "Super-convergence", 2018; these shares are the usual ones.
    """
    share_done = min(epochs_done / config.epochs, 1.0)
    if share_done < _RISE:
        return _half_cosine(share_done / _RISE, 1 / 25, 1.0)
    return _half_cosine((share_done - _RISE) / (1 - _RISE), 1.0, 1 / 250_000)


_RISE = 0.3


def _half_cosine(share_done: float, start: float, end: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share_done))


SCHEDULES: dict[str, Callable[[float, "Config"], float]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}


def learning_rate_at(step: int, steps_per_epoch: int, config: "Config") -> float:
    """The learning rate of a step, counted from 0 over the whole training.

    During warm-up it rises in equal steps and reaches the full rate with the last of them
    (Goyal et al., "Accurate, large minibatch SGD", 2017); only then does the schedule start.
    """
    warmup_steps = config.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return config.learning_rate * min((step + 1) / warmup_steps, 1.0)
    epochs_done = (step - warmup_steps) / steps_per_epoch
    return config.learning_rate * SCHEDULES[config.schedule](epochs_done, config)
