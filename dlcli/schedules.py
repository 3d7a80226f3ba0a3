"""Learning-rate schedules: which share of the learning rate a step gets.

Each function takes the epochs done since warm-up (a fraction within an epoch) and the config.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.config import Config


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
    return 0.5 * (1 + math.cos(math.pi * min(share_done, 1.0)))


SCHEDULES: dict[str, Callable[[float, "Config"], float]] = {
    "constant": _constant,
    "step": _step,
    "exponential": _exponential,
    "cosine": _cosine,
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
