"""What bounds the gradient and the weights, and what is evaluated: clipping, decay, means."""

import numpy as np
import pytest

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.temperature import fit_temperature
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from tests.training.trainings import NOTHING, small, spy_on_steps, train


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
