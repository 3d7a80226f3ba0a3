"""Gradient descent as a whole: what it computes, in which batches, repeatable and resumable."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.kernels import NUMPY
from dlcli.nn.network import Network
from dlcli.training import batches, loop
from dlcli.training.builders import make_network, make_optimizer
from dlcli.training.loop import Progress, fit
from dlcli.training.state import TrainingState, initial_state
from tests.training.trainings import NOTHING, accuracy, copy_of, scores, small, spy_on_steps, train

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())[
    "network"
]


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
        {"mixup": 0.2},
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
    assert 0 < 60 / record.samples_per_second <= record.seconds


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


def test_momentum_that_has_faded_is_0_after_an_epoch(data):
    """The first pixel is always 0, so that nothing moves its weights."""
    images = data.train.images.copy()
    images[:, 0] = 0
    config = small(epochs=1)
    state = initial_state(config, 10)
    state.optimizer.state["velocity"][...] = 1e-31
    list(fit(config, Examples(images, data.train.labels), NOTHING, state))
    velocity = state.optimizer.state["velocity"]
    assert not velocity[:12].any()
    assert np.abs(velocity[velocity != 0]).min() > 1e-30


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
        {"half_size_epochs": 3, "batch_norm": True, "weight_averaging": 0.95, "nesterov": True},
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


def test_the_running_mean_starts_as_the_network():
    state = initial_state(small(weight_averaging=0.9, batch_norm=True), 10)
    network, average = state.network, state.average
    assert average is not None
    assert average.parameters.tobytes() == network.parameters.tobytes()
    assert average.statistics.tobytes() == network.statistics.tobytes()
    assert average.parameters is not network.parameters
