"""Gradient descent as a whole: repeatable, resumable, and ended by the rules of the config."""

import itertools
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.data.classes import DIGITS
from dlcli.data.datasets import Examples
from dlcli.errors import ConfigError, DivergenceError
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.kernels import NUMPY
from dlcli.nn.losses import mean_loss
from dlcli.nn.network import Network
from dlcli.nn.temperature import fit_temperature
from dlcli.training import batches, class_weights, loop
from dlcli.training.builders import make_backpropagation, make_network, make_optimizer
from dlcli.training.loop import Progress, fit
from dlcli.training.state import TrainingState, initial_state, why_finished

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())[
    "network"
]
NOTHING = Examples(np.empty((0, 784), np.uint8), np.empty(0, np.uint8))


@pytest.fixture
def data(tiny):
    """60 training and 20 test images that are easy to tell apart."""
    return datasets.load(str(tiny))


def small(**settings):
    """A config of a network that trains in no time."""
    return Config(**{"hidden_layers": (12,), "batch_size": 16, "epochs": 5, **settings})


def train(config, data, validation=None):
    """Train from the start; return the records and the state."""
    state = initial_state(config, 10)
    validation_images = data.test if validation is None else validation
    return list(fit(config, data.train, validation_images, state)), state


def copy_of(config, state):
    """A state that shares no memory with another, as after loading a checkpoint."""
    network = copied(state.network)
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    for key, array in state.optimizer.state.items():
        optimizer.state[key][...] = array
    return TrainingState(
        network,
        optimizer,
        average=None if state.average is None else copied(state.average),
        temperature=state.temperature,
        epoch=state.epoch,
        best_epoch=state.best_epoch,
        best_accuracy=state.best_accuracy,
        best_loss=state.best_loss,
        gradient_norm=state.gradient_norm,
    )


def copied(network):
    copy = network.like()
    copy.parameters[...] = network.parameters
    copy.statistics[...] = network.statistics
    return copy


def accuracy(network, examples):
    return np.mean(network.infer(examples.images)[1].argmax(axis=1) == examples.labels)


def scores(record):
    """A record without what depends on the clock."""
    return (
        record.epoch,
        record.train_loss,
        record.train_accuracy,
        record.validation_loss,
        record.validation_accuracy,
        record.learning_rate,
        record.gradient_norm,
    )


def spy_on_steps(state, monkeypatch):
    """Collect the gradients and the learning rates that the optimiser is given."""
    steps, step = [], state.optimizer.step

    def spy(gradient, learning_rate):
        steps.append((gradient.copy(), learning_rate))
        step(gradient, learning_rate)

    monkeypatch.setattr(state.optimizer, "step", spy)
    return steps


# What training as a whole computes


def test_full_batch_descent_with_momentum_penalty_and_clipping_follows_pytorch():
    record = ORACLE["full_batch_trajectory"]
    images, labels = np.array(ORACLE["images"], np.uint8), np.array(ORACLE["labels"], np.uint8)
    network = Network(
        ORACLE["layer_sizes"], ORACLE["trajectory_activations"], "softmax", np.float64
    )
    network.parameters[...] = ORACLE["parameters"]
    config = Config(batch_size=len(images), epochs=len(record["losses"]), **record["config"])
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    state = TrainingState(network, optimizer)
    losses = []
    # PyTorch adds 1e-6 to the norm that it divides by when it clips.
    for epoch in fit(config, Examples(images, labels), NOTHING, state):
        losses.append(epoch.train_loss)
        recorded = record["parameters_after"].get(str(epoch.epoch))
        if recorded:
            np.testing.assert_allclose(network.parameters, recorded, atol=2e-5)
    assert losses == pytest.approx(record["losses"], rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden_layers": ()},
        {"hidden_layers": (16, 12), "activation": ("gelu", "tanh")},
        {"optimizer": "adam", "learning_rate": 0.005, "activation": "leaky_relu"},
        {"optimizer": "adamw", "learning_rate": 0.005, "weight_decay": 0.1},
        {"nesterov": True, "schedule": "cosine", "warmup_epochs": 1},
        {"loss": "mse", "output_activation": "sigmoid", "activation": "tanh", "epochs": 60},
        {"loss": "mse", "output_activation": "linear", "hidden_layers": (), "learning_rate": 0.002},
        {"output_activation": "sigmoid", "activation": "sigmoid", "epochs": 60},
        {"dropout": 0.2, "input_dropout": 0.1, "epochs": 40},
        {"batch_norm": True, "hidden_layers": (16, 12), "activation": "tanh"},
        {"label_smoothing": 0.2, "max_norm": 2.0, "schedule": "one_cycle"},
        {"weight_averaging": 0.9, "batch_norm": True},
    ],
    ids=str,
)
def test_all_easy_images_are_learned(settings, data):
    records, state = train(small(**{"epochs": 30, **settings}), data)
    assert accuracy(state.network, data.train) == 1
    assert records[-1].validation_accuracy == 1
    assert records[-1].train_loss < records[0].train_loss


@pytest.mark.parametrize(
    ("output_activation", "loss"),
    [("softmax", "cross_entropy"), ("sigmoid", "cross_entropy"), ("softmax", "mse")],
)
def test_plain_descent_with_small_steps_lowers_the_cost_every_epoch(output_activation, loss, data):
    config = small(
        batch_size=60,
        epochs=25,
        momentum=0.0,
        learning_rate=0.02,
        activation="tanh",
        output_activation=output_activation,
        loss=loss,
    )
    records, _ = train(config, data)
    assert all(later.train_loss < earlier.train_loss for earlier, later in pairwise(records))


def test_losses_and_accuracies_are_those_of_the_networks_own_answers(data):
    config = small(batch_size=1000, epochs=1)
    before = make_network(config, 10)
    (record,), state = train(config, data)
    for network, examples, loss, fraction in (
        (before, data.train, record.train_loss, record.train_accuracy),
        (state.network, data.test, record.validation_loss, record.validation_accuracy),
    ):
        _, outputs = network.infer(examples.images)
        truths = [float(row[label]) for row, label in zip(outputs, examples.labels, strict=True)]
        assert loss == pytest.approx(-sum(map(math.log, truths)) / len(truths), rel=1e-5)
        assert fraction == accuracy(network, examples)


def test_training_scores_are_means_over_images_though_the_last_batch_is_smaller(data):
    # At this learning rate the network is the same for every batch.
    records, state = train(small(batch_size=25, epochs=1, learning_rate=1e-9, momentum=0.0), data)
    whole, _ = train(small(batch_size=60, epochs=1, learning_rate=1e-9, momentum=0.0), data)
    assert records[0].train_loss == pytest.approx(whole[0].train_loss, rel=1e-5)
    assert records[0].train_accuracy == accuracy(state.network, data.train)


# Batches


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(25, [25, 25, 10]), (30, [30, 30]), (60, [60]), (1000, [60]), (59, [59, 1])],
)
def test_every_image_is_used_once_an_epoch_in_an_order_of_its_own(
    batch_size, sizes, data, monkeypatch
):
    images = data.train.images.copy()
    images[:, 0] = np.arange(60)  # the first pixel tells the images apart
    seen, run = [], Backpropagation.run

    def spy(backpropagation, images, targets, *others):
        seen.append((images[others[-1], 0].tolist(), targets.argmax(axis=1).tolist()))
        return run(backpropagation, images, targets, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    config = small(batch_size=batch_size, epochs=2)
    list(fit(config, Examples(images, data.train.labels), NOTHING, initial_state(config, 10)))

    assert [len(rows) for rows, _ in seen] == 2 * sizes
    orders = [
        [row for rows, _ in epoch for row in rows]
        for epoch in (seen[: len(sizes)], seen[len(sizes) :])
    ]
    assert [sorted(order) for order in orders] == 2 * [list(range(60))]
    assert orders[0] != orders[1]
    assert orders[0] != list(range(60))
    assert all(data.train.labels[rows].tolist() == labels for rows, labels in seen)


@pytest.mark.parametrize(
    ("batch_size", "sizes"),
    [(59, [59]), (32, [32, 28]), (25, [25, 25]), (40, [40, 20]), (41, [41]), (1000, [60])],
)
def test_with_batch_normalisation_a_last_batch_of_few_images_is_left_out(
    batch_size, sizes, data, monkeypatch
):
    seen, run = [], Backpropagation.run

    def spy(backpropagation, images, *others):
        seen.append(len(others[-1]))
        return run(backpropagation, images, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    records, _ = train(small(batch_norm=True, batch_size=batch_size, epochs=2), data)
    assert seen == 2 * sizes
    assert 0 < records[-1].train_accuracy <= 1


def test_on_block_is_called_after_every_block_of_batches(data, monkeypatch):
    monkeypatch.setattr(batches, "_BLOCK_ROWS", 50)
    config = small(batch_size=25, epochs=2)
    calls: list[Progress] = []
    records = list(fit(config, data.train, data.test, initial_state(config, 10), calls.append))
    assert [(progress.epoch, progress.images) for progress in calls] == [
        (epoch, size) for epoch in (1, 2) for size in (50, 10)
    ]
    for last, record in zip((calls[1], calls[3]), records, strict=True):
        assert last.loss == pytest.approx(record.train_loss)
        assert last.accuracy == pytest.approx(record.train_accuracy)


@pytest.mark.parametrize("block", [1, 16, 40, 60, 4096])
def test_how_batches_are_grouped_changes_no_bit_of_the_result(block, data, monkeypatch):
    _, state = train(small(), data)
    monkeypatch.setattr(batches, "_BLOCK_ROWS", block)
    _, grouped = train(small(), data)
    assert grouped.network.parameters.tobytes() == state.network.parameters.tobytes()


def test_each_step_has_the_rate_of_the_schedule_and_the_record_the_last(data, monkeypatch):
    config = small(
        batch_size=20, epochs=4, schedule="step", step_epochs=2, decay_factor=0.1, warmup_epochs=1
    )
    state = initial_state(config, 10)
    steps = spy_on_steps(state, monkeypatch)
    records = list(fit(config, data.train, NOTHING, state))
    rates = [rate for _, rate in steps]
    assert rates == pytest.approx([0.1 / 3, 0.2 / 3, *[0.1] * 7, *[0.01] * 3])
    assert [record.learning_rate for record in records] == pytest.approx([0.1, 0.1, 0.1, 0.01])


def test_seconds_and_speed_fit_together(data):
    (record,), _ = train(small(epochs=1), data)
    assert record.seconds > 0
    assert record.samples_per_second == pytest.approx(60 / record.seconds)


@pytest.mark.parametrize("settings", [{"dropout": 0.3}, {"input_dropout": 0.3}], ids=str)
def test_dropout_is_on_in_training_and_off_in_validation(settings, data):
    # At this learning rate the network stays what it was.
    still = {"epochs": 1, "batch_size": 60, "learning_rate": 1e-30, "momentum": 0.0}
    (plain,), _ = train(small(**still), data)
    (dropping,), _ = train(small(**still, **settings), data)
    assert dropping.train_loss != pytest.approx(plain.train_loss, rel=1e-3)
    assert dropping.validation_loss == plain.validation_loss


def test_training_images_are_distorted_anew_in_each_epoch_and_validation_images_never(
    data, monkeypatch
):
    seen, run = [], Backpropagation.run

    def spy(backpropagation, images, *others):
        seen.append(images[others[-1]])
        return run(backpropagation, images, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    still = {"epochs": 2, "batch_size": 60, "learning_rate": 1e-30, "momentum": 0.0}
    records, _ = train(small(augmentation=Augmentation(rotation=30), **still), data)
    first, second = (np.sort(images, axis=0) for images in seen)
    assert (first != second).any()
    assert (first != np.sort(data.train.images, axis=0)).any()
    (plain, _), _ = train(small(**still), data)
    assert records[0].validation_loss == records[1].validation_loss == plain.validation_loss


def test_each_epoch_draws_distortions_of_its_own(data, monkeypatch):
    """The images are all the same, so that their order makes no difference."""
    seen, run = [], Backpropagation.run

    def spy(backpropagation, images, *others):
        seen.append(images[others[-1]])
        return run(backpropagation, images, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    same = Examples(np.repeat(data.train.images[:1], 60, axis=0), data.train.labels)
    config = small(augmentation=Augmentation(rotation=30), epochs=2, batch_size=60)
    list(fit(config, same, NOTHING, initial_state(config, 10)))
    first, second = seen
    assert (first != second).any()


def test_each_epoch_drops_anew(data, monkeypatch):
    states, run = [], Backpropagation.run

    def spy(backpropagation, images, targets, random, *others):
        states.append(random.bit_generator.state["state"]["state"])
        return run(backpropagation, images, targets, random, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    train(small(dropout=0.5, epochs=4), data)
    assert len(set(states)) == len(states) == 4 * 4


# Repeating and resuming


@pytest.mark.parametrize("settings", [{}, {"dropout": 0.5}, {"optimizer": "adam"}], ids=str)
def test_equal_seeds_give_equal_training_and_others_do_not(settings, data):
    records, state = train(small(seed=1, **settings), data)
    again_records, again = train(small(seed=1, **settings), data)
    _, other = train(small(seed=2, **settings), data)
    assert state.network.parameters.tobytes() == again.network.parameters.tobytes()
    assert list(map(scores, records)) == list(map(scores, again_records))
    assert state.network.parameters.tobytes() != other.network.parameters.tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"momentum": 0.0, "batch_size": 60},
        {"nesterov": True, "dropout": 0.5, "input_dropout": 0.2},
        {"optimizer": "adam", "dropout": 0.3, "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.1, "gradient_clip": 0.5},
        {"schedule": "cosine", "warmup_epochs": 1.5, "learning_rate": 0.03},
        {"augmentation": Augmentation(rotation=20, elastic_alpha=30, probability=0.8)},
        {"early_stopping": 2, "min_gradient_norm": 1e-6},
        {"batch_norm": True, "schedule": "one_cycle", "label_smoothing": 0.1},
        {"batch_norm": True, "weight_averaging": 0.95, "max_norm": 1.0},
    ],
    ids=str,
)
def test_training_resumed_after_any_epoch_ends_bit_by_bit_as_if_never_stopped(settings, data):
    config = small(**settings)
    state = initial_state(config, 10)
    stops = [copy_of(config, state)]
    records = []
    for record in fit(config, data.train, data.test, state):
        records.append(record)
        stops.append(copy_of(config, state))
    for stop in stops:
        done = stop.epoch
        rest = list(fit(config, data.train, data.test, stop))
        assert list(map(scores, rest)) == list(map(scores, records[done:]))
        assert stop.network.parameters.tobytes() == state.network.parameters.tobytes()
        assert (stop.best_epoch, stop.best_accuracy, stop.best_loss) == (
            state.best_epoch,
            state.best_accuracy,
            state.best_loss,
        )


@pytest.mark.parametrize(("worth", "compiled"), [(0, True), (1e9, False)])
def test_only_long_trainings_are_compiled(worth, compiled, data, monkeypatch):
    monkeypatch.setattr(loop, "_WORTH_COMPILING", worth)
    _, state = train(small(epochs=1), data)
    assert (state.optimizer.kernels is not NUMPY) == compiled


def test_finished_training_does_not_continue(data):
    config = small(epochs=2)
    _, state = train(config, data)
    before = state.network.parameters.tobytes()
    assert list(fit(config, data.train, data.test, state)) == []
    assert state.network.parameters.tobytes() == before


def test_initial_state_is_a_network_of_the_configs_shape_before_epoch_1():
    config = small(hidden_layers=(7, 6), activation=("gelu", "tanh"), output_activation="sigmoid")
    state = initial_state(config, 10)
    network = state.network
    assert network.layer_sizes == (784, 7, 6, 10)
    assert network.activations == ("gelu", "tanh")
    assert network.output_activation == "sigmoid"
    assert network.parameters.dtype == np.float32
    assert network.parameters.tobytes() == make_network(config, 10).parameters.tobytes()
    assert (state.epoch, state.best_epoch) == (0, 0)
    assert state.optimizer.parameters is network.parameters


# The gradient


def norm_of(gradient):
    return float(np.linalg.norm(gradient.astype(np.float64)))


def test_clipping_limits_the_norm_of_every_step_and_keeps_its_direction(data, monkeypatch):
    gradients = []
    norms: list[float] = []
    for clip in (None, 0.1):
        config = small(epochs=1, batch_size=60, gradient_clip=clip)
        state = initial_state(config, 10)
        steps = spy_on_steps(state, monkeypatch)
        norms += [record.gradient_norm for record in fit(config, data.train, data.test, state)]
        gradients.append(steps[0][0])
    assert norm_of(gradients[0]) > 0.5
    assert norm_of(gradients[1]) == pytest.approx(0.1, rel=1e-5)
    cosine = np.dot(gradients[0], gradients[1]) / norm_of(gradients[0]) / norm_of(gradients[1])
    assert cosine == pytest.approx(1, abs=1e-5)
    # The record has the norm before clipping.
    assert norms == pytest.approx(2 * [norm_of(gradients[0])])


def test_clipping_leaves_shorter_gradients_alone_and_holds_through_training(data, monkeypatch):
    config = small(epochs=10, gradient_clip=0.5)
    state = initial_state(config, 10)
    steps = spy_on_steps(state, monkeypatch)
    records = list(fit(config, data.train, data.test, state))
    norms = [norm_of(gradient) for gradient, _ in steps]
    assert max(norms) <= 0.5 * 1.00001
    assert min(norms) < 0.4
    assert records[0].gradient_norm > 0.5


def test_gradient_norm_of_a_record_is_the_mean_over_its_batches(data, monkeypatch):
    config = small(epochs=2, batch_size=20, weight_decay=0.1)
    state = initial_state(config, 10)
    steps = spy_on_steps(state, monkeypatch)
    records = list(fit(config, data.train, data.test, state))
    norms = [norm_of(gradient) for gradient, _ in steps]
    assert [r.gradient_norm for r in records] == pytest.approx(
        [np.mean(norms[:3]), np.mean(norms[3:])], rel=1e-5
    )


@pytest.mark.parametrize(
    ("optimizer", "learning_rate"), [("sgd", 0.1), ("adam", 0.005), ("adamw", 0.005)]
)
def test_weight_decay_ends_with_smaller_weights(optimizer, learning_rate, data):
    settings = {"optimizer": optimizer, "learning_rate": learning_rate, "epochs": 20}
    sizes = []
    for decay in (0.0, 1.0):
        _, state = train(small(weight_decay=decay, **settings), data)
        sizes.append(norm_of(state.network.parameters[: state.network.weight_count]))
    assert sizes[1] < 0.9 * sizes[0]


def test_adamw_keeps_its_decay_out_of_the_gradient(data, monkeypatch):
    gradients = []
    for decay in (0.0, 0.5):
        config = small(optimizer="adamw", weight_decay=decay, epochs=1, batch_size=60)
        state = initial_state(config, 10)
        steps = spy_on_steps(state, monkeypatch)
        list(fit(config, data.train, data.test, state))
        gradients.append(steps[0][0].tobytes())
    assert gradients[0] == gradients[1]


def test_max_norm_holds_for_every_hidden_neuron_after_every_step(data, monkeypatch):
    config = small(max_norm=0.7, learning_rate=0.5, hidden_layers=(12, 8))
    norms, run = [], Backpropagation.run

    def spy(backpropagation, *others):
        weights = backpropagation.network.weights[:-1]
        norms.append([np.linalg.norm(weight, axis=0).max() for weight in weights])
        return run(backpropagation, *others)

    monkeypatch.setattr(Backpropagation, "run", spy)
    train(config, data)
    # The initial weights are as they were drawn; the first step already limits them.
    assert max(norms[0]) > 0.7
    assert np.max(norms[1:]) == pytest.approx(0.7, rel=1e-5)


def test_smoothed_targets_cost_more_in_training_and_nothing_in_validation(data):
    still = {"epochs": 1, "batch_size": 60, "learning_rate": 1e-30, "momentum": 0.0}
    (plain,), _ = train(small(**still), data)
    (smoothed,), _ = train(small(**still, label_smoothing=0.3), data)
    # Minus the log of each digit's probability counts a 10th of 0.3; its mean exceeds log(10).
    assert 0.7 * plain.train_loss + 0.3 * np.log(10) < smoothed.train_loss
    assert smoothed.validation_loss == plain.validation_loss


def test_the_running_mean_is_evaluated(data):
    config = small(weight_averaging=0.99, epochs=3)
    records, state = train(config, data)
    assert state.average is not None
    assert state.evaluated_network is state.average
    _, outputs = state.average.infer(data.test.images)
    truths = [float(row[label]) for row, label in zip(outputs, data.test.labels, strict=True)]
    assert records[-1].validation_loss == pytest.approx(-np.mean(np.log(truths)), rel=1e-5)
    plain, alone = train(small(epochs=3), data)
    assert state.network.parameters.tobytes() == alone.network.parameters.tobytes()
    assert records[-1].validation_loss != plain[-1].validation_loss


def test_the_temperature_is_that_of_the_best_epoch(data):
    config = small(dropout=0.5)
    state = initial_state(config, 10)
    temperatures = []
    for _ in fit(config, data.train, data.test, state):
        temperatures.append(state.temperature)
        if state.is_best:
            logits, _ = state.network.infer(data.test.images)
            assert state.temperature == fit_temperature(logits, data.test.labels)
    assert state.temperature == temperatures[state.best_epoch - 1]
    assert len(set(temperatures)) > 1


@pytest.mark.parametrize("settings", [{"output_activation": "sigmoid"}, {"validation_size": 0}])
def test_without_softmax_or_validation_images_there_is_no_temperature(settings, data):
    validation_images = NOTHING if "validation_size" in settings else data.test
    _, state = train(small(**settings), data, validation_images)
    assert state.temperature == 1


# The end


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


# The best epoch


def test_the_best_epoch_has_the_most_right_answers_and_among_equals_the_least_loss(data):
    config = small(epochs=25, learning_rate=0.3, batch_size=10, dropout=0.5, hidden_layers=(6,))
    state = initial_state(config, 10)
    records, flags = [], []
    for record in fit(config, data.train, data.test, state):
        records.append(record)
        flags.append(state.is_best)
        best = max(records, key=lambda r: (r.validation_accuracy or 0, -(r.validation_loss or 0)))
        assert state.best_epoch == best.epoch
        assert (state.best_accuracy, state.best_loss) == (
            best.validation_accuracy,
            best.validation_loss,
        )
    assert set(flags) == {True, False}


def test_the_best_epoch_may_be_that_of_the_least_loss(data):
    # Half of the labels are wrong, so a higher accuracy comes with a higher loss.
    labels = data.test.labels.copy()
    labels[::2] = (labels[::2] + 1) % 10
    doubtful = Examples(data.test.images, labels)
    config = small(epochs=25, keep="best_loss")
    records, state = train(config, data, validation=doubtful)
    best = min(records, key=lambda r: r.validation_loss)
    assert (state.best_epoch, state.best_loss) == (best.epoch, best.validation_loss)
    assert state.best_accuracy == best.validation_accuracy
    _, other = train(small(epochs=25), data, validation=doubtful)
    assert other.best_epoch != state.best_epoch
    assert other.network.parameters.tobytes() == state.network.parameters.tobytes()


def test_the_last_epoch_may_be_kept_with_any_scores(data):
    config = small(epochs=25, learning_rate=0.3, batch_size=10, dropout=0.5, keep="last")
    state = initial_state(config, 10)
    for record in fit(config, data.train, data.test, state):
        assert state.is_best
        assert state.best_accuracy == record.validation_accuracy
        logits, _ = state.network.infer(data.test.images)
        assert state.temperature == fit_temperature(logits, data.test.labels)


def test_an_epoch_that_is_only_as_good_as_the_best_is_no_better(data):
    records, state = train(small(learning_rate=1e-30, early_stopping=2), data)
    assert len({(r.validation_accuracy, r.validation_loss) for r in records}) == 1
    assert (state.best_epoch, state.epoch) == (1, 3)


def test_without_validation_images_the_latest_epoch_is_the_best(data):
    config = small(epochs=3)
    state = initial_state(config, 10)
    for record in fit(config, data.train, NOTHING, state):
        assert record.validation_loss is record.validation_accuracy is None
        assert state.is_best
    assert state.best_epoch == state.epoch == 3


# Classes that count differently, and layers that stay as they are


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
