"""Classes that count differently, and layers that stay as they are."""

import numpy as np
import pytest

from dlcli.data.classes import DIGITS
from dlcli.data.examples import Examples
from dlcli.errors import ConfigError
from dlcli.nn.losses import mean_loss
from dlcli.training import class_weights
from dlcli.training.builders import make_backpropagation, make_network
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from tests.training.trainings import NOTHING, copied, small, train


def test_a_class_that_counts_twice_is_learned_as_if_its_images_were_there_twice(data):
    settings = {"epochs": 4, "batch_size": 1000, "momentum": 0.5}
    weighted, weighted_state = train(
        small(class_weights={"3": 2.0}, learning_rate=0.1, **settings), data, NOTHING
    )
    rows = np.concatenate([np.arange(60), np.flatnonzero(data.train.labels == 3)])
    twice = Examples(data.train.images[rows], data.train.labels[rows])
    # The weights' sum is that of 66 images, of which only 60 are counted in the mean.
    config = small(learning_rate=0.1 * 66 / 60, **settings)
    state = initial_state(config, 10)
    records = list(fit(config, twice, NOTHING, state))
    np.testing.assert_allclose(
        weighted_state.network.parameters, state.network.parameters, rtol=1e-3, atol=1e-5
    )
    for with_weight, with_images in zip(weighted, records, strict=True):
        assert with_weight.train_loss == pytest.approx(with_images.train_loss * 66 / 60, rel=1e-4)


def test_balanced_weights_are_those_of_the_training_images(data):
    rare = np.flatnonzero((data.train.labels != 3) | (np.arange(60) < 10))
    few = Examples(data.train.images[rare], data.train.labels[rare])
    config = small(class_weights="balanced")
    weights = class_weights.of_config(config, few.labels, DIGITS)
    assert weights is not None
    assert weights[3] == pytest.approx(len(few) / 10)  # of which there is one image
    assert weights[few.labels].mean() == pytest.approx(1)


def test_the_validation_loss_has_the_weights_too(data):
    config = small(class_weights={"0": 5.0}, epochs=1)
    (record,), state = train(config, data)
    logits, _ = state.network.infer(data.test.images)
    weights = np.array([5.0] + [1.0] * 9)
    loss = mean_loss("cross_entropy", "softmax", logits, data.test.labels, weights)
    assert record.validation_loss == pytest.approx(loss, rel=1e-6)


def test_classes_can_be_called_by_their_names(data):
    names = [f"class {number}" for number in range(10)]
    by_name, by_number = (
        small(class_weights={"class 4": 3.0}, epochs=1),
        small(class_weights={"4": 3.0}, epochs=1),
    )
    first, second = initial_state(by_name, 10), initial_state(by_number, 10)
    list(fit(by_name, data.train, data.test, first, class_names=names))
    list(fit(by_number, data.train, data.test, second))
    assert first.network.parameters.tobytes() == second.network.parameters.tobytes()


def test_a_class_that_there_is_not_is_refused(data):
    with pytest.raises(ConfigError) as refusal:
        train(small(class_weights={"eleven": 2.0}), data)
    assert str(refusal.value) == (
        "class_weights: no class eleven; there are 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 (10 classes)"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_decay": 0.1, "max_norm": 0.5},
        {"optimizer": "adam", "learning_rate": 0.01, "weight_decay": 0.1},
        {"optimizer": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "gradient_clip": 1.0},
        {"batch_norm": True, "weight_averaging": 0.9, "dropout": 0.2},
    ],
    ids="-".join,
)
def test_frozen_layers_stay_as_they_are_and_the_others_learn(settings, data):
    config = small(hidden_layers=(12, 9, 8), freeze_layers=2, **settings)
    state = initial_state(config, 10)
    random = np.random.default_rng(0)
    for mean, variance in zip(state.network.means, state.network.variances, strict=True):
        mean[...], variance[...] = random.normal(size=mean.size), random.uniform(1, 2, mean.size)
    before = copied(state.network)
    list(fit(config, data.train, data.test, state))
    after = state.network
    for kind in ("weights", "biases", "scales", "means", "variances"):
        arrays = list(zip(getattr(before, kind), getattr(after, kind), strict=True))
        assert all(was.tobytes() == now.tobytes() for was, now in arrays[:2]), kind
        assert all(was.tobytes() != now.tobytes() for was, now in arrays[2:]), kind
    assert after.weights[3].tobytes() != before.weights[3].tobytes()
    if state.average is not None:
        assert state.average.weights[1].tobytes() != b"\0" * before.weights[1].nbytes


def test_frozen_layers_compute_in_training_what_they_compute_in_inference(data):
    config = small(hidden_layers=(6, 5), freeze_layers=2, batch_norm=True)
    network = make_network(config, 10)
    network.statistics[...] = np.random.default_rng(0).uniform(0.5, 2, network.statistics.size)
    backpropagation = make_backpropagation(config, network, 60)
    logits = backpropagation.forward(data.train.images, np.random.default_rng(0))
    expected, _ = network.infer(data.train.images)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
