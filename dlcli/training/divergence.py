"""Divergence: noticed at the step where it happens, and told with what to do about it."""

import math
from collections.abc import Mapping

import numpy as np

from dlcli.config.schema import Config
from dlcli.errors import DivergenceError
from dlcli.nn.types import Array

# A longer gradient has nothing to do with the slope any more. What it would leave behind can
# still be stored: float32 ends at 3e38, and Adam sums up squares.
_LONGEST_GRADIENT = 1e15

# A step multiplies each weight by 1 - learning_rate * weight_decay; from 2 on, weights grow.
_LARGEST_PULL = 2.0


def is_exploded(norm: float, config: Config) -> bool:
    """Whether a gradient of this norm, before clipping, is too long to make a step of."""
    longest = _LONGEST_GRADIENT if config.gradient_clip is None else math.inf
    return not norm < longest  # nan is below nothing


def overflowed(arrays: Mapping[str, Array]) -> str | None:
    """The name of the first array that holds values that are no finite numbers, if one does."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def error(config: Config, epoch: int, step: int, what: str) -> DivergenceError:
    """The error that says where training diverged (both counted from 1), and the remedy."""
    return DivergenceError(
        f"training diverged in epoch {epoch}, step {step}: {what}; {_remedy(config)}"
    )


def _remedy(config: Config) -> str:
    """Which hyperparameters to change, and what they are now."""
    remedy = f"lower learning_rate (now {config.learning_rate:g})"
    if config.learning_rate * config.weight_decay >= _LARGEST_PULL:
        remedy += f" or weight_decay (now {config.weight_decay:g})"
    elif config.gradient_clip is not None:
        remedy += f" or gradient_clip (now {config.gradient_clip:g})"
    else:
        remedy += " or set gradient_clip"
    return remedy
