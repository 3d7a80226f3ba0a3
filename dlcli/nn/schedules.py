"""Learning-rate schedules: how the learning rate changes from step to step.

Each schedule is a function of the epochs done since warm-up (a fraction within an epoch) and of
all epochs after warm-up. It returns the factor of the config's learning rate.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule.

    Attributes
    ----------
    summary
        How the learning rate changes, for the reference of the config.
    factor
        ``factor(epochs_done, epochs, **hyperparameters)``, from 0 to 1.
    hyperparameters
        The config keys that ``factor`` takes as keywords.
    depends_on_epochs
        Whether another number of epochs changes the learning rate of the first ones as well.
    """

    summary: str
    factor: Callable[..., float]
    hyperparameters: tuple[str, ...] = ()
    depends_on_epochs: bool = False
    has_warmup: bool = False


def _constant(_epochs_done: float, _epochs: float) -> float:
    return 1.0


def _step(epochs_done: float, _epochs: float, *, decay_factor: float, step_epochs: int) -> float:
    """decay_factor to the power of the number of steps so far."""
    return math.pow(decay_factor, math.floor(epochs_done / step_epochs))


def _exponential(epochs_done: float, _epochs: float, *, decay_factor: float) -> float:
    """decay_factor to the power of the epochs so far."""
    return math.pow(decay_factor, epochs_done)


def _cosine(epochs_done: float, epochs: float) -> float:
    """Half a cosine from 1 down to 0. Source: Loshchilov and Hutter, "SGDR", 2017."""
    return _half_cosine(min(epochs_done / epochs, 1.0), 1.0, 0.0)


# PyTorch's defaults for OneCycleLR.
_ONE_CYCLE_START, _ONE_CYCLE_END = 1 / 25, 1 / 250_000
_ONE_CYCLE_RISE = 0.3  # of the training


def _one_cycle(epochs_done: float, epochs: float) -> float:
    """Up from 1/25 for three tenths of the training, then down to 1/250,000, by half cosines.

    Source: Smith and Topin, "Super-convergence", 2018.
    """
    done = min(epochs_done / epochs, 1.0)
    if done < _ONE_CYCLE_RISE:
        return _half_cosine(done / _ONE_CYCLE_RISE, _ONE_CYCLE_START, 1.0)
    return _half_cosine((done - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE), 1.0, _ONE_CYCLE_END)


def _half_cosine(done: float, start: float, end: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule("not at all", _constant),
    "step": Schedule(
        "times decay_factor every step_epochs epochs", _step, ("decay_factor", "step_epochs")
    ),
    "exponential": Schedule("times decay_factor every epoch", _exponential, ("decay_factor",)),
    "cosine": Schedule("down towards 0", _cosine, depends_on_epochs=True),
    "one_cycle": Schedule(
        "up from a 25th of it during the first three tenths of the steps, then down towards 0",
        _one_cycle,
        depends_on_epochs=True,
        has_warmup=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class LearningRates:
    """The learning rate of every step of a training.

    During warm-up it rises in equal steps and reaches the full rate with the last of them
    (Goyal et al., "Accurate, large minibatch SGD", 2017). The schedule starts after that.

    Attributes
    ----------
    learning_rate
        The full rate.
    epochs, warmup_epochs
        All epochs of the training, and those of the warm-up among them.
    hyperparameters
        Those of the schedule.

    >>> rates = LearningRates(
    ...     learning_rate=0.1, schedule="cosine", epochs=3, warmup_epochs=1, steps_per_epoch=2
    ... )
    >>> [round(rates.at(step), 3) for step in range(6)]
    [0.05, 0.1, 0.1, 0.085, 0.05, 0.015]
    """

    learning_rate: float
    schedule: str
    epochs: int
    steps_per_epoch: int
    warmup_epochs: float = 0.0
    hyperparameters: Mapping[str, float] = field(default_factory=dict)

    def at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over the whole training."""
        warmup_steps = self.warmup_epochs * self.steps_per_epoch
        if step < warmup_steps:
            return self.learning_rate * min((step + 1) / warmup_steps, 1.0)
        epochs_done = (step - warmup_steps) / self.steps_per_epoch
        epochs = max(self.epochs - self.warmup_epochs, 1e-9)
        factor = SCHEDULES[self.schedule].factor
        return self.learning_rate * factor(epochs_done, epochs, **self.hyperparameters)
