"""Optimisers against PyTorch, on a parabola, and down Rosenbrock's valley."""

import doctest
import json
from pathlib import Path

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.nn import optimizers
from dlcli.nn.losses import mean_loss, one_hot
from dlcli.nn.network import Network
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.training.builders import make_backpropagation, make_optimizer

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())[
    "network"
]
IMAGES = np.array(ORACLE["images"], np.uint8)
LABELS = np.array(ORACLE["labels"], np.uint8)
CONFIGS = {
    "sgd": Config(momentum=0.0),
    "momentum": Config(momentum=0.9),
    "nesterov": Config(momentum=0.9, nesterov=True),
    "adam": Config(optimizer="adam"),
    "adamw": Config(optimizer="adamw", weight_decay=1e-4),
}
RATES = {"sgd": 1e-3, "momentum": 3e-4, "nesterov": 3e-4, "adam": 0.02, "adamw": 0.02}

each_optimizer = pytest.mark.parametrize("name", CONFIGS)


def noisy_gradients(count, size=6):
    return np.random.default_rng(0).normal(size=(count, size)).astype(np.float32)


def descend(name, parameters, gradient_at, rates):
    optimizer = make_optimizer(CONFIGS[name], parameters, len(parameters))
    for rate in rates:
        optimizer.step(gradient_at(parameters), rate)
    return parameters


def test_every_optimizer_of_the_config_is_tested_here():
    assert {config.optimizer for config in CONFIGS.values()} == set(OPTIMIZERS)


def test_the_examples_in_the_docstrings_are_true():
    failed, attempted = doctest.testmod(optimizers)
    assert failed == 0
    assert attempted > 0


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 2e-5)])
@pytest.mark.parametrize("name", ORACLE["trajectories"])
def test_twenty_steps_of_training_follow_pytorch(name, dtype, tolerance):
    record = ORACLE["trajectories"][name]
    config = Config(**record["config"])
    network = Network(ORACLE["layer_sizes"], ORACLE["trajectory_activations"], "softmax", dtype)
    network.parameters[...] = ORACLE["parameters"]
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    batch_size = max(map(len, ORACLE["batches"]))
    backpropagation = make_backpropagation(config, network, batch_size)
    random = np.random.default_rng(0)
    rate = config.learning_rate
    for number, rows in enumerate(ORACLE["batches"], start=1):
        targets = one_hot(LABELS[rows], ORACLE["layer_sizes"][-1], dtype)
        logits = backpropagation.run(IMAGES[rows], targets, random)
        loss = mean_loss("cross_entropy", "softmax", logits, LABELS[rows])
        optimizer.step(backpropagation.gradient, rate)
        assert loss == pytest.approx(record["losses"][number - 1], rel=tolerance)
        if str(number) in record["parameters_after"]:
            np.testing.assert_allclose(
                network.parameters, record["parameters_after"][str(number)], atol=tolerance
            )


@each_optimizer
def test_the_bottom_of_a_parabola_is_reached(name):
    centre, steepness = np.array([3.0, -2.0, 0.5]), np.array([1.0, 5.0, 0.5])
    rates = 0.2 * 0.99 ** np.arange(800)
    found = descend(name, np.zeros(3), lambda p: steepness * (p - centre), rates)
    np.testing.assert_allclose(found, centre, atol=1e-3)


@each_optimizer
def test_rosenbrocks_valley_is_descended_to_its_end(name):
    def gradient_at(p):
        x, y = p
        return np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])

    steps = 15_000 if name == "sgd" else 4000
    found = descend(name, np.array([-1.0, 1.0]), gradient_at, [RATES[name]] * steps)
    np.testing.assert_allclose(found, [1, 1], atol=0.02)


@each_optimizer
def test_a_step_changes_the_parameters_in_place_and_leaves_the_gradient_alone(name):
    parameters, gradient = np.ones(6, np.float32), noisy_gradients(1)[0]
    before, owner = gradient.copy(), parameters
    optimizer = make_optimizer(CONFIGS[name], parameters, 4)
    state = dict(optimizer.state)
    optimizer.step(gradient, 0.1)
    assert optimizer.parameters is owner
    assert (parameters != 1).all()
    assert parameters.dtype == np.float32
    np.testing.assert_array_equal(gradient, before)
    assert all(optimizer.state[key] is array for key, array in state.items())


@each_optimizer
@pytest.mark.parametrize("stop", [0, 1, 7])
def test_state_is_complete_so_that_a_fresh_optimizer_goes_on_bit_by_bit(name, stop):
    gradients = noisy_gradients(12)
    parameters = np.ones(6, np.float32)
    optimizer = make_optimizer(CONFIGS[name], parameters, 4)
    for gradient in gradients[:stop]:
        optimizer.step(gradient, 0.1)
    resumed_parameters = parameters.copy()
    resumed = make_optimizer(CONFIGS[name], resumed_parameters, 4)
    assert resumed.state.keys() == optimizer.state.keys()
    for key, array in optimizer.state.items():
        resumed.state[key][...] = array
    for gradient in gradients[stop:]:
        optimizer.step(gradient, 0.1)
        resumed.step(gradient, 0.1)
    assert resumed_parameters.tobytes() == parameters.tobytes()


def test_plain_gradient_descent_remembers_nothing():
    assert make_optimizer(CONFIGS["sgd"], np.ones(3), 3).state == {}


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam"])
def test_with_a_gradient_of_0_nothing_moves(name):
    parameters = np.ones(6)
    make_optimizer(CONFIGS[name], parameters, 4).step(np.zeros(6), 0.1)
    assert (parameters == 1).all()


def test_adamw_shrinks_the_weights_without_any_gradient_and_not_the_biases():
    parameters = np.ones(6)
    config = Config(optimizer="adamw", weight_decay=0.5)
    make_optimizer(config, parameters, 4).step(np.zeros(6), 0.1)
    np.testing.assert_allclose(parameters, [0.95] * 4 + [1] * 2, rtol=1e-12)


def test_momentum_keeps_the_velocity_and_adam_both_moments_of_the_gradient():
    gradients = noisy_gradients(3).astype(np.float64)
    momentum, adam = (
        make_optimizer(CONFIGS[name], np.zeros(6), 4) for name in ("momentum", "adam")
    )
    velocity, m, v = np.zeros(6), np.zeros(6), np.zeros(6)
    for gradient in gradients:
        momentum.step(gradient, 0.1)
        adam.step(gradient, 0.1)
        velocity = 0.9 * velocity + gradient
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
    np.testing.assert_allclose(momentum.state["velocity"], velocity, rtol=1e-12)
    np.testing.assert_allclose(adam.state["m"], m, rtol=1e-12)
    np.testing.assert_allclose(adam.state["v"], v, rtol=1e-12)
    assert adam.state["steps"].tolist() == [3]


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_state_that_has_faded_becomes_0_and_no_other(name):
    optimizer = make_optimizer(CONFIGS[name], np.ones(6, np.float32), 4)
    optimizer.step(np.array([1, -1, 1e-6, -1e-6, 0, 1], np.float32), 0.1)
    before = {key: array.copy() for key, array in optimizer.state.items()}
    optimizer.flush_subnormals()
    assert all(optimizer.state[key].tolist() == before[key].tolist() for key in before)
    for key in before.keys() - {"steps"}:
        optimizer.state[key][:3] = [1e-31, -1e-40, -1e-29]
    optimizer.flush_subnormals()
    for key in before.keys() - {"steps"}:
        np.testing.assert_array_equal(
            optimizer.state[key][:3], np.array([0, 0, -1e-29], np.float32)
        )


def test_adam_takes_steps_of_the_learning_rate_for_any_gradient():
    parameters = np.zeros(3)
    make_optimizer(CONFIGS["adam"], parameters, 3).step(np.array([1e-3, -1.0, 1e4]), 0.1)
    np.testing.assert_allclose(parameters, [-0.1, 0.1, -0.1], rtol=1e-4)


def test_momentum_makes_steps_ten_times_longer_along_a_constant_gradient():
    parameters, gradient = np.zeros(1), np.ones(1)
    optimizer = make_optimizer(CONFIGS["momentum"], parameters, 1)
    for _ in range(200):
        optimizer.step(gradient, 0.01)
    before = parameters.copy()
    optimizer.step(gradient, 0.01)
    np.testing.assert_allclose(before - parameters, 0.1, rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("rates", [[0.1, 0.01, 0.3], [1e-9, 1e-13, 1e-9], [0.1, 0.0, 0.1]])
def test_a_changing_learning_rate_stays_out_of_the_velocity(name, rates):
    """As in Sutskever et al.: v is a sum of gradients, independent of the learning rates."""
    config, gradients = CONFIGS[name], noisy_gradients(len(rates)).astype(np.float64)
    expected, velocity = np.zeros(6), np.zeros(6)
    for gradient, rate in zip(gradients, rates, strict=True):
        velocity = config.momentum * velocity + gradient
        ahead = gradient + config.momentum * velocity
        expected -= rate * (ahead if config.nesterov else velocity)
    parameters = np.zeros(6)
    optimizer = make_optimizer(config, parameters, 4)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.step(gradient, rate)
    np.testing.assert_allclose(parameters, expected, rtol=1e-12)
