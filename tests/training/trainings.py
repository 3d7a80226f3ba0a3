"""Small trainings that tests observe."""

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.training.builders import make_optimizer
from dlcli.training.loop import fit
from dlcli.training.state import TrainingState, initial_state

NOTHING = Examples(np.empty((0, 784), np.uint8), np.empty(0, np.uint8))


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
