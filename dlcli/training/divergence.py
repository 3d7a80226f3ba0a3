"""Divergence: found at the step where it happens (``diagnosis`` says what to change)."""

import math
from collections.abc import Mapping

import numpy as np

from dlcli.config.schema import Config
from dlcli.errors import DivergenceError
from dlcli.nn.types import Array

# A longer gradient does not point downhill any more. Its square, which Adam sums up, still fits
# into a float32 (up to 3e38).
_MAX_GRADIENT_NORM = 1e15


def is_exploded(norm: float, config: Config) -> bool:
    """Whether a gradient with this norm, before clipping, is too long for a step."""
    longest = _MAX_GRADIENT_NORM if config.gradient_clip is None else math.inf
    return not norm < longest  # true for NaN as well


def overflowed(arrays: Mapping[str, Array]) -> str | None:
    """The name of the first array with infinite values or NaN, if there is one."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def error(epoch: int, step: int, what: str) -> DivergenceError:
    """An error with the place where training diverged, counted from 1."""
    return DivergenceError(f"training diverged in epoch {epoch}, step {step}: {what}")
