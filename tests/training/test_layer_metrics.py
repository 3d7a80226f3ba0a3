"""What is measured of each layer, and that measuring changes nothing."""

from typing import Any

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.nn import neuron_health
from dlcli.training import loop
from dlcli.training.builders import make_backpropagation, make_network
from dlcli.training.layer_metrics import LayerMetrics
from dlcli.training.state import initial_state

LAYERS: dict[str, Any] = {"hidden_layers": (20, 12), "activation": "tanh", "batch_size": 300}


@pytest.fixture(scope="module")
def some(sample) -> Examples:
    return Examples(sample.train.images[:300], sample.train.labels[:300])


@pytest.fixture(scope="module")
def none(some) -> Examples:
    return Examples(some.images[:0], some.labels[:0])


def after_one_epoch(config, train, validation):
    state = initial_state(config, 10)
    (record,) = loop.fit(config, train, validation, state)
    return record, state


def test_gradients_and_updates_are_those_of_each_layers_weights(some, none):
    """With one step of plain descent, the update is the gradient times the learning rate.

    The weights of pixels that are 0 in all images are not trained, and not counted.
    """
    config = Config(epochs=1, optimizer="sgd", learning_rate=0.5, momentum=0.0, **LAYERS)
    record, state = after_one_epoch(config, some, none)
    start = make_network(config, 10)
    for layer, old, new in zip(record.layers, start.weights, state.network.weights, strict=True):
        step, is_trained = np.linalg.norm(new - old), (new != old).any(axis=1)
        assert layer.gradient_norm == pytest.approx(step / 0.5, rel=1e-3)
        assert layer.update_ratio == pytest.approx(step / np.linalg.norm(old[is_trained]), rel=1e-3)
    squares = sum(layer.gradient_norm**2 for layer in record.layers)
    assert squares < record.gradient_norm**2  # which is of the biases, too


def test_neurons_are_watched_over_the_validation_images(some):
    config = Config(epochs=1, learning_rate=20.0, gradient_clip=30.0, **LAYERS)
    record, state = after_one_epoch(config, some, some)
    *hidden, _ = state.network.layer_outputs(some.images)
    for layer, outputs in zip(record.layers, hidden, strict=False):
        assert layer.dead == neuron_health.dead("tanh", outputs).mean()
        saturated = neuron_health.saturated("tanh", outputs)
        assert saturated is not None
        assert layer.saturated == saturated.mean()
    assert record.layers[0].saturated > 0
    assert (record.layers[-1].dead, record.layers[-1].saturated) == (None, None)


def test_without_validation_images_neurons_are_watched_over_training_images(some, none):
    config = Config(epochs=1, **{**LAYERS, "activation": "relu"})
    state = initial_state(config, 10)
    state.network.biases[0][:5] = -1e6
    (record,) = loop.fit(config, some, none, state)
    dead = record.layers[0].dead
    assert dead is not None
    assert dead >= 5 / 20
    assert record.layers[0].saturated is None


def test_neurons_are_watched_over_images_from_all_over_the_dataset(some):
    """Some datasets are sorted by class."""
    config = Config(epochs=1, learning_rate=20.0, gradient_clip=30.0, **LAYERS)
    rows = np.argsort(np.tile(some.labels, 10), kind="stable")
    many = Examples(np.tile(some.images, (10, 1))[rows], np.tile(some.labels, 10)[rows])
    record, state = after_one_epoch(config, some, many)
    *hidden, _ = state.network.layer_outputs(many.evenly_spaced(500).images)
    for layer, outputs in zip(record.layers, hidden, strict=False):
        saturated = neuron_health.saturated("tanh", outputs)
        assert saturated is not None
        assert layer.saturated == saturated.mean()


def test_weights_of_zero_have_no_ratio(some, none):
    config = Config(epochs=1, **LAYERS)
    state = initial_state(config, 10)
    state.network.parameters[...] = 0
    (record,) = loop.fit(config, some, none, state)
    assert [layer.update_ratio for layer in record.layers] == [None, None, None]


@pytest.mark.parametrize("shape", [(300, 100), (128, 256), (2, 40_000)])
def test_of_a_large_layer_some_weights_of_every_neuron_stand_for_all(shape):
    inputs, neurons = shape
    config = Config(hidden_layers=(inputs, neurons))
    network = make_network(config, 10)
    gradient = make_backpropagation(config, network, 1).gradient
    metrics = LayerMetrics(network, gradient, 1)
    metrics.before_step(0)
    network.weights[1][...] *= np.linspace(0.9, 1, neurons)
    metrics.after_step()
    metrics.observe(network, Examples(np.zeros((1, 784), np.uint8), np.zeros(1, np.uint8)))
    change = np.sqrt(np.square(np.linspace(0.1, 0, neurons)).mean())
    assert metrics.records()[1].update_ratio == pytest.approx(change, rel=0.05)


@pytest.mark.parametrize(("steps", "measured"), [(1, 1), (2, 1), (63, 1), (64, 1), (2000, 8)])
def test_a_few_steps_of_an_epoch_are_measured(steps, measured):
    config = Config(hidden_layers=(3,))
    network = make_network(config, 10)
    metrics = LayerMetrics(network, make_backpropagation(config, network, 1).gradient, steps)
    copied = 0
    for step in range(steps):
        metrics.before_step(step)
        copied += bool(metrics._before)
        metrics.after_step()
    assert copied == measured


def test_measuring_changes_no_bit_of_the_training(some, monkeypatch):
    config = Config(epochs=2, dropout=0.3, batch_norm=True, **{**LAYERS, "batch_size": 32})
    state = initial_state(config, 10)
    records = list(loop.fit(config, some, some, state))
    for method in ("before_step", "after_step", "observe"):
        monkeypatch.setattr(LayerMetrics, method, lambda *_: None)
    monkeypatch.setattr(LayerMetrics, "records", lambda _: ())
    unmeasured = initial_state(config, 10)
    others = list(loop.fit(config, some, some, unmeasured))
    assert all(record.layers for record in records)
    assert not any(record.layers for record in others)
    assert state.network.parameters.tobytes() == unmeasured.network.parameters.tobytes()
