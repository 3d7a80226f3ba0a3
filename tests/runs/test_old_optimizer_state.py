"""Optimiser states of older checkpoints mean the same after their conversion."""

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.errors import CheckpointError
from dlcli.runs.old_optimizer_state import converted


def test_a_velocity_with_the_learning_rate_in_it_loses_it():
    old = {"velocity": np.array([0.2, -0.4]), "learning_rate": np.array([0.1])}
    state = converted(old, Config())
    assert state.keys() == {"velocity"}
    np.testing.assert_allclose(state["velocity"], [2, -4])


def test_before_the_first_step_the_velocity_is_0():
    old = {"velocity": np.zeros(2), "learning_rate": np.zeros(1)}
    assert converted(old, Config())["velocity"].tolist() == [0, 0]


def test_the_means_of_adam_become_its_moments():
    old = {"mean": np.array([10.0]), "mean_square": np.array([1000.0]), "steps": np.array([3.0])}
    state = converted(old, Config(optimizer="adam", beta1=0.9, beta2=0.999))
    np.testing.assert_allclose([state["m"][0], state["v"][0], state["steps"][0]], [1, 1, 3])


@pytest.mark.parametrize(
    ("optimizer", "state"),
    [
        ("sgd", {}),
        ("sgd", {"velocity": np.ones(2)}),
        ("adam", {"m": 1, "v": 2, "steps": 3}),
        ("another", {"mean": 1, "mean_square": 2, "steps": 3}),
    ],
)
def test_a_state_of_today_is_left_as_it_is(optimizer, state):
    assert converted(state, Config(optimizer=optimizer)) is state


def test_a_velocity_that_would_be_infinite_is_refused():
    old = {"velocity": np.ones(2, np.float32), "learning_rate": np.array([1e-300])}
    with pytest.raises(CheckpointError, match=r"optimizer\.velocity: holds values"):
        converted(old, Config())
