"""Fewer inputs than pixels train the same network, in less time."""

from types import SimpleNamespace

import numpy as np
import pytest

from dlcli.config.augmentation import Augmentation
from dlcli.data.examples import Examples
from dlcli.training import fewer_inputs
from dlcli.training.fewer_inputs import halved, pooled_weights, spread_weights
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from tests.training.trainings import NOTHING, accuracy, small, train


@pytest.fixture
def data(sample) -> SimpleNamespace:
    """A few of MNIST's images, of which some pixels are always 0."""
    parts = (sample.train.take(np.arange(200)), sample.test.take(np.arange(100)))
    return SimpleNamespace(train=parts[0], test=parts[1])


def blurred(images: np.ndarray) -> np.ndarray:
    """Images that are even in each block of 2x2 pixels: each pixel becomes the top left one."""
    corners = images.reshape(-1, 14, 2, 14, 2)[:, :, :1, :, :1]
    return np.broadcast_to(corners, (len(images), 14, 2, 14, 2)).reshape(-1, 784).copy()


def test_an_input_is_half_the_sum_of_four_pixels():
    images = np.zeros((1, 784), np.uint8)
    images.reshape(28, 28)[2:4, 6:8] = [[255, 255], [255, 51]]
    inputs = halved(images).reshape(14, 14)
    assert inputs.dtype == np.float32
    assert inputs[1, 3] == pytest.approx(3.2 / 2)
    assert np.count_nonzero(inputs) == 1


def test_spread_weights_are_pooled_to_the_same_bits():
    weights = np.random.default_rng(0).normal(size=(196, 5)).astype(np.float32)
    assert (pooled_weights(spread_weights(weights)) == weights).all()


def test_spread_weights_give_the_same_sums():
    random = np.random.default_rng(0)
    images = random.integers(256, size=(3, 784)).astype(np.uint8)
    weights = random.normal(size=(196, 5)).astype(np.float32)
    sums = images / np.float32(255) @ spread_weights(weights)
    np.testing.assert_allclose(halved(images) @ weights, sums, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"momentum": 0.9, "nesterov": True, "schedule": "cosine", "warmup_epochs": 1},
        {"weight_decay": 0.1, "gradient_clip": 0.5, "max_norm": 0.5, "momentum": 0.0},
        {"batch_norm": True, "weight_averaging": 0.9, "hidden_layers": (12, 8)},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_it_is_the_descent_of_the_whole_network_on_images_even_in_blocks(settings, data):
    train_images = Examples(blurred(data.train.images), data.train.labels)
    states = []
    for epochs in (0, 2):
        config = small(epochs=2, half_size_epochs=epochs, **settings)
        state = initial_state(config, 10)
        for network in filter(None, (state.network, state.average)):
            first = network.weights[0]
            first[...] = spread_weights(pooled_weights(first))
        list(fit(config, train_images, NOTHING, state))
        states.append(state.arrays())
    for name, expected in states[0].items():
        np.testing.assert_allclose(states[1][name], expected, atol=2e-4, err_msg=name)


def test_whole_images_follow_and_the_kept_network_has_784_inputs(data):
    config = small(half_size_epochs=3, epochs=5)
    records, state = train(config, data)
    first = state.network.weights[0]
    assert state.network.layer_sizes[0] == 784
    assert state.epoch == 5
    assert [record.epoch for record in records] == [1, 2, 3, 4, 5]
    assert not np.allclose(first, spread_weights(pooled_weights(first)))
    assert records[-1].train_loss < records[0].train_loss
    assert records[-1].validation_accuracy == accuracy(state.network, data.test)


def test_each_epoch_of_half_size_leaves_equal_weights_in_each_block(data):
    config = small(half_size_epochs=2, epochs=2, momentum=0.9)
    state = initial_state(config, 10)
    for record in fit(config, data.train, data.test, state):
        first = state.network.weights[0]
        assert (first == spread_weights(pooled_weights(first))).all()
        assert record.validation_accuracy == accuracy(state.network, data.test)
        assert record.gradient_norm == state.gradient_norm


@pytest.mark.parametrize(
    "settings",
    [
        {"nesterov": True, "schedule": "cosine"},
        {"optimizer": "adam", "learning_rate": 0.005, "weight_averaging": 0.9},
        {"batch_norm": True, "dropout": 0.3, "gradient_clip": 0.5, "weight_averaging": 0.9},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_pixels_that_are_always_0_are_left_out_with_the_same_result(settings, data, monkeypatch):
    states = []
    for threshold in (0.0, 1.0):
        monkeypatch.setattr(fewer_inputs, "_WORTH_LEAVING_OUT", threshold)
        config = small(epochs=2, **settings)
        state = initial_state(config, 10)
        before = state.network.weights[0].copy()
        list(fit(config, data.train, data.test, state))
        states.append(state.arrays())
        is_varying = data.train.images.any(axis=0)
        assert (state.network.weights[0][~is_varying] == before[~is_varying]).all()
        assert (state.network.weights[0][is_varying] != before[is_varying]).any(axis=1).all()
    for name, expected in states[1].items():
        np.testing.assert_allclose(states[0][name], expected, atol=1e-3, err_msg=name)


def test_after_half_size_epochs_the_mean_of_weights_that_stay_is_what_they_are(data):
    config = small(half_size_epochs=2, epochs=3, weight_averaging=0.9)
    state = initial_state(config, 10)
    is_still = ~data.train.images.any(axis=0)
    differs = []
    for _ in fit(config, data.train, data.test, state):
        assert state.average is not None
        mean, weights = state.average.weights[0], state.network.weights[0]
        differs.append((mean[is_still] != weights[is_still]).any())
        assert (mean[~is_still] != weights[~is_still]).any()
    assert differs == [True, True, False]


def test_left_out_pixels_are_not_shown_to_the_network(data):
    inputs = fewer_inputs.fewer_inputs(small(), data.train.images, (784, 12, 10), 0)
    assert inputs is not None
    assert inputs.images.shape == (len(data.train), np.count_nonzero(data.train.images.any(axis=0)))


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_decay": 0.01},
        {"max_norm": 2.0},
        {"input_dropout": 0.2},
        {"augmentation": Augmentation(shift=1)},
    ],
    ids=str,
)
def test_all_pixels_are_inputs_where_their_weights_change_or_they_vary(settings, data):
    config = small(**settings)
    assert fewer_inputs.fewer_inputs(config, data.train.images, (784, 12, 10), 0) is None


def test_all_pixels_are_inputs_where_other_products_take_the_time():
    images = np.ones((1, 784), np.uint8)
    images[:, :67] = 0
    inputs = fewer_inputs.fewer_inputs(small(), images, (784, 2000, 1500, 10), 0)
    assert inputs is None
    inputs = fewer_inputs.fewer_inputs(small(), images, (784, 128, 10), 0)
    assert inputs is not None
