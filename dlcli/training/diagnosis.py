"""Why a network learned nothing or diverged, from what was measured, and what to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.errors import DivergenceError
from dlcli.nn.activations import ACTIVATIONS
from dlcli.training.measurements import (
    TINY,
    Measurements,
    StartMeasurements,
    measure,
    measure_start,
)
from dlcli.training.state import TrainingState

# All thresholds but the first two were set by training networks of one to sixteen hidden layers on
# the embedded sample with good and bad hyperparameters: they lie between those that learned and
# those that did not.

# The part of the way from guessing to no error that says little: for ten classes, up to 20 %.
_NEAR_GUESSING = 1 / 9
# Grey levels; a tenth of MNIST's standard deviation of 79. Other digits and letters have as much.
_LOW_CONTRAST = 8.0
# Networks with less noise than 18 times the signal learned, and none with more than 70.
_MUCH_DROPOUT_NOISE = 20.0
# He's and Glorot's initial weights have 1 to 1.4; after training, good networks had 0.1 to 6.
_LOW_GAIN, _HIGH_GAIN = 0.1, 20.0
# The penalty's gradient relative to the loss's: where a network has learned all it can, they are
# equal. Weights that did not become smaller than this are not those that the penalty shrank.
_STRONG_PENALTY, _SMALLER = 5.0, 0.5
# Gradients of the first layer relative to the last: in networks that learned, above 0.025.
_VANISHING_RATIO = 0.02
# Of a layer's neurons; networks that learned still had up to 0.9 dead ones.
_MANY_NEURONS = 0.9
# Of the weights' norm, in the layer that changed most: networks that learned had 0.09 or more.
_SMALL_CHANGE = 0.05
# A step multiplies each weight by 1 - learning_rate * weight_decay. From a product of 2 on, the
# weights grow.
_MAX_DECAY_PER_STEP = 2.0
# Training with a higher one seldom works, whatever else is set.
_HIGH_LEARNING_RATE = 1.0

# What to try instead: Krizhevsky et al., 2012, decay weights by 0.0005; Srivastava et al., 2014,
# drop half of the hidden neurons and a fifth of the inputs.
_USUAL_WEIGHT_DECAY, _USUAL_DROPOUT, _USUAL_INPUT_DROPOUT = 0.0005, 0.5, 0.2


@dataclass(frozen=True)
class Cause:
    """What was seen, what to do about it, and the first setting to try (as for ``--set``)."""

    seen: str
    advice: str
    setting: str = ""


def why_nothing_was_learned(
    config: Config, state: TrainingState, train: Examples, accuracy: float | None
) -> Cause | None:
    """The likely cause of an ``accuracy`` near that of guessing; None if it is not near it."""
    if accuracy is None or accuracy >= _near_guessing(state.network.layer_sizes[-1]):
        return None
    measured = measure(config, state, train)
    found = _first(_AT_START, config, measured) or _first(_AFTER_TRAINING, config, measured)
    return found or Cause(
        "none was found; gradients, weights and neurons look normal",
        "check the labels, or train for more epochs",
    )


def _near_guessing(classes: int) -> float:
    """The accuracy below which a network has learned almost nothing."""
    guessing = 1 / classes
    return guessing + (1 - guessing) * _NEAR_GUESSING


def explained(
    error: DivergenceError, config: Config, classes: int, train: Examples
) -> DivergenceError:
    """The same error with what to change."""
    cause = why_it_diverged(config, classes, train)
    seen = f"{cause.seen}: " if cause.seen else ""
    return DivergenceError(f"{error}; {seen}{cause.advice}", cause.setting)


def why_it_diverged(config: Config, classes: int, train: Examples) -> Cause:
    """The likely cause of a divergence, from the network before its first step."""
    measured = measure_start(config, classes, train)
    return _first(_AT_START, config, measured) or _too_long_steps(config)


def _low_contrast(_config: Config, measured: StartMeasurements) -> Cause | None:
    if measured.contrast >= _LOW_CONTRAST:
        return None
    seen = f"pixels hardly differ (standard deviation {measured.contrast:.2g} of 255)"
    return Cause(seen, "scale the images from 0 to 255")


def _dropout_noise(config: Config, measured: StartMeasurements) -> Cause | None:
    if not measured.dropout_noise >= _MUCH_DROPOUT_NOISE:  # also if it is NaN
        return None
    usual = {"dropout": _USUAL_DROPOUT, "input_dropout": _USUAL_INPUT_DROPOUT}
    now = {key: getattr(config, key) for key in usual if getattr(config, key)}
    key = max(now, key=lambda key: now[key] - usual[key])
    less = usual[key] if now[key] > usual[key] else 0
    seen = f"dropout's noise is {_times(measured.dropout_noise)} the signal"
    return Cause(seen, f"lower {_now(config, key)}", f"{key}={less:g}")


def _initial_weights(config: Config, measured: StartMeasurements) -> Cause | None:
    small, large = min(measured.gains) < _LOW_GAIN, max(measured.gains) > _HIGH_GAIN
    are_drawn = config.init_from is None and config.initializer != "auto"
    if config.batch_norm or not are_drawn or not (small or large):
        return None
    size, change = ("small", "raise") if small else ("large", "lower")
    advice = "set initializer=auto"
    if config.initializer == "normal":
        advice = f"{change} {_now(config, 'initializer_stddev')} or {advice}"
    return Cause(f"the initial weights are too {size}", advice, "initializer=auto")


def _shrunken_weights(config: Config, measured: Measurements) -> Cause | None:
    shrunk = min(_growth(measured))
    are_tiny = min(measured.final_gains) < _LOW_GAIN and shrunk < _LOW_GAIN
    if not are_tiny and (measured.penalty < _STRONG_PENALTY or shrunk > _SMALLER):
        return None
    seen = f"weights shrank to {_part(shrunk)} of their size"
    if config.max_norm is not None and config.max_norm <= _LOW_GAIN:
        return Cause(seen, f"raise {_now(config, 'max_norm')}")
    return _lower_decay(config, seen) if config.weight_decay else None


def _grown_weights(config: Config, measured: Measurements) -> Cause | None:
    if max(measured.final_gains) <= _HIGH_GAIN:
        return None
    return _lower_rate(config, f"weights grew to {_times(max(_growth(measured)))} their size")


def _vanishing_gradient(config: Config, measured: Measurements) -> Cause | None:
    first, last = measured.gradients[0], measured.gradients[-1]
    if first >= _VANISHING_RATIO * last:
        return None
    seen = f"the first layer's gradient is {_part(first / last)} of the last's"
    changes = [] if config.batch_norm else ["batch_norm=true"]
    if not all(ACTIVATIONS[name].rectifies for name in config.activations):
        changes.insert(0, "activation=relu")
    if not changes:
        return Cause(seen, "use fewer layers")
    return Cause(seen, f"set {' or '.join(changes)}, or use fewer layers", changes[0])


def _dead_neurons(config: Config, measured: Measurements) -> Cause | None:
    """Others than rectifiers are constant only if they are saturated, or their inputs are."""
    layers = zip(config.activations, measured.dead, strict=True)
    most = max((part for name, part in layers if ACTIVATIONS[name].rectifies), default=0.0)
    return _lazy_neurons(config, most, "dead")


def _saturated_neurons(config: Config, measured: Measurements) -> Cause | None:
    return _lazy_neurons(config, max(measured.saturated, default=0.0), "saturated")


def _lazy_neurons(config: Config, fraction: float, how: str) -> Cause | None:
    if fraction < _MANY_NEURONS:
        return None
    seen = f"{100 * fraction:.0f} % of a layer's neurons are {how}"
    return _lower_rate(config, seen, "" if config.batch_norm else "or set batch_norm=true")


def _small_change(config: Config, measured: Measurements) -> Cause | None:
    change = max(measured.changes)
    if change >= _SMALL_CHANGE:
        return None
    seen, clip = f"weights changed by only {100 * change:.2g} %", config.gradient_clip
    if clip is not None and measured.gradient_norm > 10 * clip:
        return Cause(seen, f"raise {_now(config, 'gradient_clip')}")
    rate = config.learning_rate * 10
    return Cause(seen, f"raise {_now(config, 'learning_rate')}", f"learning_rate={rate:g}")


def _too_long_steps(config: Config) -> Cause:
    """What is left when training diverges and all was well before its first step."""
    rate, decay = config.learning_rate, config.weight_decay
    if rate * decay >= _MAX_DECAY_PER_STEP:
        if rate <= _HIGH_LEARNING_RATE:
            return _lower_decay(config, f"each step subtracts {rate * decay:g} times the weights")
        return _lower_rate(config, "", f"or {_now(config, 'weight_decay')}")
    if config.gradient_clip is not None:
        return _lower_rate(config, "", f"or {_now(config, 'gradient_clip')}")
    return _lower_rate(config, "", "or set gradient_clip")


_AT_START: Sequence[Callable[[Config, StartMeasurements], Cause | None]] = (
    _low_contrast,
    _dropout_noise,
    _initial_weights,
)
# An early one causes later ones: weights that shrank to nothing have vanishing gradients too.
_AFTER_TRAINING: Sequence[Callable[[Config, Measurements], Cause | None]] = (
    _shrunken_weights,
    _grown_weights,
    _dead_neurons,
    _saturated_neurons,
    _vanishing_gradient,
    _small_change,
)

_M = TypeVar("_M", bound=StartMeasurements)


def _first(
    symptoms: Sequence[Callable[[Config, _M], Cause | None]], config: Config, measured: _M
) -> Cause | None:
    return next((cause for symptom in symptoms if (cause := symptom(config, measured))), None)


def _growth(measured: Measurements) -> list[float]:
    """How many times as large each layer's weights are as at the start."""
    pairs = zip(measured.gains, measured.final_gains, strict=True)
    return [after / max(before, TINY) for before, after in pairs]


def _lower_rate(config: Config, seen: str, otherwise: str = "") -> Cause:
    setting = f"learning_rate={config.learning_rate / 10:g}"
    return Cause(seen, f"lower {_now(config, 'learning_rate')} {otherwise}".rstrip(), setting)


def _lower_decay(config: Config, seen: str) -> Cause:
    setting = f"weight_decay={_USUAL_WEIGHT_DECAY:g}"
    return Cause(seen, f"lower {_now(config, 'weight_decay')}", setting)


def _now(config: Config, key: str) -> str:
    return f"{key} (now {getattr(config, key):g})"


def _times(factor: float) -> str:
    return f"{factor:,.0f} times" if factor < 1e6 else f"{factor:.0e} times"


def _part(fraction: float) -> str:
    """A fraction to two digits: 1/1,800 and not 1/1,793."""
    if fraction < 1e-6:
        return "almost nothing"
    return f"{fraction:.2g}" if fraction > 0.1 else f"1/{float(f'{1 / fraction:.2g}'):,.0f}"
