"""Training ends by the rules of the config, or by an error that says what to do."""

import itertools
import math

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.errors import DivergenceError
from dlcli.nn.network import Network
from dlcli.training.builders import make_optimizer
from dlcli.training.loop import fit
from dlcli.training.state import TrainingState, initial_state, why_finished
from tests.training.trainings import (
    NOTHING,
    small,
    train,
)


@pytest.mark.parametrize(
    ("settings", "state", "reason"),
    [
        ({}, {"epoch": 0}, None),
        ({}, {"epoch": 9, "best_epoch": 1}, None),
        ({}, {"epoch": 10}, "epochs"),
        ({}, {"epoch": 11}, "epochs"),
        ({"early_stopping": 3}, {"epoch": 7, "best_epoch": 5}, None),
        ({"early_stopping": 3}, {"epoch": 8, "best_epoch": 5}, "early_stopping"),
        ({"early_stopping": 3}, {"epoch": 10, "best_epoch": 5}, "epochs"),
        ({"min_gradient_norm": 0.1}, {"epoch": 0}, None),
        ({"min_gradient_norm": 0.1}, {"epoch": 3, "gradient_norm": 0.1}, None),
        ({"min_gradient_norm": 0.1}, {"epoch": 3, "gradient_norm": 0.09}, "min_gradient_norm"),
        ({}, {"epoch": 3, "gradient_norm": 0.0}, None),
    ],
    ids=str,
)
def test_the_rule_that_ends_training_is_named(settings, state, reason):
    config = Config(epochs=10, **settings)
    network = Network([2, 2], [], "softmax")
    optimizer = make_optimizer(config, network.parameters, 4)
    assert why_finished(config, TrainingState(network, optimizer, **state)) == reason


def test_early_stopping_waits_its_patience_after_the_best_epoch(data):
    wrong = Examples(data.test.images, (data.test.labels + 1) % 10)
    config = small(epochs=200, early_stopping=4)
    records, state = train(config, data, validation=wrong)
    assert why_finished(config, state) == "early_stopping"
    assert state.epoch == len(records) == state.best_epoch + 4 < 200


def test_training_stops_where_the_gradient_is_small(data):
    config = small(hidden_layers=(), epochs=500, min_gradient_norm=0.05)
    records, state = train(config, data)
    assert why_finished(config, state) == "min_gradient_norm"
    assert records[-1].gradient_norm < 0.05 <= min(r.gradient_norm for r in records[:-1])


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "mse", "output_activation": "linear", "learning_rate": 1000.0},
        {"loss": "mse", "output_activation": "linear", "hidden_layers": (), "learning_rate": 1.0},
        {"hidden_layers": (20, 20, 20), "learning_rate": 1000.0, "epochs": 100},
        {"weight_decay": 10.0, "learning_rate": 100.0, "epochs": 100},
        {"optimizer": "adamw", "weight_decay": 10.0, "learning_rate": 1000.0, "epochs": 100},
    ],
    ids=str,
)
def test_absurd_learning_rates_end_in_an_error_that_says_what_to_do(settings, data):
    with pytest.raises(DivergenceError, match=r"diverged.* lower learning_rate \(now [0-9.]+\)"):
        train(small(**settings), data)


def test_divergence_seen_by_the_validation_images_alone_is_an_error_too(data):
    config = small(hidden_layers=(5, 5), epochs=1)
    state = initial_state(config, 10)
    state.network.parameters[: state.network.weight_count] = 1e20
    blank = Examples(np.zeros((10, 784), np.uint8), np.arange(10, dtype=np.uint8))
    with pytest.raises(DivergenceError, match="epoch 1, step 1: it made the validation loss"):
        list(fit(config, blank, data.test, state))


def test_a_last_step_that_makes_weights_infinite_is_an_error_too(data, monkeypatch):
    config = small(hidden_layers=(), epochs=1, batch_size=1000)
    state = initial_state(config, 10)

    def explode(_gradient, _learning_rate):
        state.network.parameters[0] = np.inf

    monkeypatch.setattr(state.optimizer, "step", explode)
    with pytest.raises(DivergenceError, match="epoch 1, step 1: it made weights infinite"):
        list(fit(config, data.train, Examples(data.test.images[:0], data.test.labels[:0]), state))


def in_step(number, change, settings, data, validation=None):
    """Train, changing the state after one of the steps; return the error that this ends in."""
    config = small(**{"batch_size": 10, **settings})
    state = initial_state(config, 10)
    step, steps = state.optimizer.step, itertools.count(1)

    def step_or_change(gradient, learning_rate):
        step(gradient, learning_rate)
        if next(steps) == number:
            change(state)

    state.optimizer.step = step_or_change  # type: ignore[method-assign]
    with pytest.raises(DivergenceError) as raised:
        list(fit(config, data.train, data.test if validation is None else validation, state))
    return str(raised.value)


def let_weights(value):
    def change(state):
        state.network.parameters[: state.network.weight_count] = value

    return change


LINEAR = {"loss": "mse", "output_activation": "linear"}


@pytest.mark.parametrize(
    ("change", "settings", "place"),
    [
        # 6 steps an epoch: 8 is the second of epoch 2.
        (let_weights(np.inf), {}, "epoch 2, step 2: it made weights infinite"),
        (let_weights(np.nan), {"batch_norm": True}, "epoch 2, step 2: it made weights infinite"),
        (let_weights(1e4), LINEAR, "epoch 2, step 3: the norm of its gradient is "),
        (let_weights(1e30), LINEAR, "epoch 2, step 3: its loss is inf"),
        (let_weights(3e38), {"hidden_layers": ()}, "epoch 2, step 3: its loss is "),
        (
            let_weights(1e20),
            {"batch_norm": True},
            "epoch 2, step 3: it made the statistics of batch_norm infinite",
        ),
    ],
)
def test_the_message_of_divergence_names_the_step(change, settings, place, data):
    message = in_step(8, change, settings, data)
    assert message.startswith(f"training diverged in {place}")
    assert message.endswith("; lower learning_rate (now 0.1) or set gradient_clip")


@pytest.mark.parametrize(("optimizer", "name"), [("sgd", "velocity"), ("adam", "m"), ("adam", "v")])
def test_an_optimizer_that_overflows_is_never_saved(optimizer, name, data):
    def overflow(state):
        state.optimizer.state[name][...] = np.inf
        state.optimizer.step = lambda *_: None

    message = in_step(6, overflow, {"optimizer": optimizer}, data)
    assert f"epoch 1, step 6: it made the optimiser's {name} infinite" in message


def test_statistics_that_overflow_are_never_saved(data):
    """Gradient and loss stay finite, for the outputs fade; it is the last step of an epoch."""
    message = in_step(11, let_weights(1e20), {"batch_norm": True}, data, NOTHING)
    assert "epoch 2, step 6: it made the statistics of batch_norm infinite" in message


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({}, "lower learning_rate (now 0.1) or set gradient_clip"),
        ({"gradient_clip": 5.0}, "lower learning_rate (now 0.1) or gradient_clip (now 5)"),
        ({"weight_decay": 1.0}, "lower learning_rate (now 0.1) or set gradient_clip"),
        (
            {"weight_decay": 10.0, "learning_rate": 0.2},
            "each step subtracts 2 times the weights: lower weight_decay (now 10)",
        ),
    ],
)
def test_the_remedy_names_what_may_have_been_the_cause(settings, remedy, data):
    assert in_step(2, let_weights(np.inf), settings, data).endswith(f"; {remedy}")


def test_a_long_gradient_is_clipped_where_that_was_asked_for(data):
    softmax = {**LINEAR, "hidden_layers": (), "epochs": 2}
    assert "step 2: the norm of its gradient" in in_step(1, let_weights(1e14), softmax, data)
    config = small(**softmax, gradient_clip=1.0)
    state = initial_state(config, 10)
    let_weights(1e14)(state)
    assert all(1e15 < r.gradient_norm < math.inf for r in fit(config, data.train, NOTHING, state))
