"""Divergence: what counts as too long or infinite."""

import math

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.training import divergence


@pytest.mark.parametrize(
    ("norm", "settings", "exploded"),
    [
        (0.0, {}, False),
        (1e14, {}, False),
        (1e16, {}, True),
        (1e16, {"gradient_clip": 1.0}, False),  # it will be clipped
        (math.inf, {"gradient_clip": 1.0}, True),
        (math.inf, {}, True),
        (math.nan, {}, True),
        (math.nan, {"gradient_clip": 1.0}, True),
    ],
)
def test_a_gradient_is_too_long_for_a_step_or_not(norm, settings, exploded):
    assert divergence.is_exploded(norm, Config(**settings)) is exploded


def test_the_first_array_that_overflowed_is_named():
    good, bad = np.ones(3, np.float32), np.array([1, np.inf], np.float32)
    assert divergence.overflowed({"a": good, "b": bad, "c": bad}) == "b"
    assert divergence.overflowed({"a": good}) is None
    assert divergence.overflowed({"a": np.array([np.nan])}) == "a"


def test_the_error_says_where_and_why():
    error = divergence.error(4, 17, "its loss is nan")
    assert str(error) == "training diverged in epoch 4, step 17: its loss is nan"
    assert error.exit_code == 1
