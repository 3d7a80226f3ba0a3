"""What a config asks for: images, the network, backpropagation, the optimiser, learning rates."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.config.schema import Config
from dlcli.data.classes import DIGITS
from dlcli.data.examples import Examples
from dlcli.data.splits import split_validation, split_writers, stratified_subset
from dlcli.errors import ConfigError
from dlcli.nn import gradcheck
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.dimensions import MAX_PARAMETERS, MIN_NORMALISED
from dlcli.nn.network import Network, count_parameters
from dlcli.nn.optimizers import OPTIMIZERS, Optimizer
from dlcli.nn.random import random_stream
from dlcli.nn.schedules import SCHEDULES, LearningRates
from dlcli.nn.types import Array


def make_network(config: Config, classes: int, dtype: npt.DTypeLike = np.float32) -> Network:
    """A network of the config's shape, with its initial random weights.

    Raises
    ------
    ConfigError
        With so many classes it has more parameters than are supported.
    """
    sizes = config.layer_sizes(classes)
    parameters = count_parameters(sizes)
    if parameters > MAX_PARAMETERS:
        raise ConfigError(
            f"hidden_layers: with {classes} classes, {parameters:,} parameters are more than the "
            f"{MAX_PARAMETERS:,} supported"
        )
    network = Network(
        sizes,
        config.activations,
        config.output_activation,
        dtype,
        batch_norm=config.batch_norm,
    )
    random = random_stream(config.seed, "initial_weights")
    network.initialize(
        config.initializer, config.initializer_stddev, random, config.receptive_field
    )
    return network


def make_splits(config: Config, train: Examples) -> tuple[Examples, Examples]:
    """The examples to train on and those to validate on, of all training examples.

    Raises
    ------
    ConfigError
        None or, with batch normalisation, too few would be left to train on; or the writers are
        to divide them, and are not known.
    """
    split = split_writers if config.validation_split == "writers" else split_validation
    learning, validation = split(train, config.validation_size, config.seed)
    if config.train_size is not None:
        learning = stratified_subset(learning, config.train_size, config.seed)
    if config.batch_norm and len(learning) < MIN_NORMALISED:
        raise ConfigError(
            "batch_norm: there are too few training images to normalise by "
            f"({len(learning)}); use {MIN_NORMALISED} or more, or batch_norm: false"
        )
    return learning, validation


def make_backpropagation(config: Config, network: Network, batch_size: int) -> Backpropagation:
    """The gradient of the config's cost, for batches of up to ``batch_size`` images."""
    decoupled = OPTIMIZERS[config.optimizer].decouples_weight_decay
    return Backpropagation(
        network,
        config.loss,
        batch_size=batch_size,
        l2_penalty=0.0 if decoupled else config.weight_decay,
        dropout=config.dropout,
        input_dropout=config.input_dropout,
        frozen_layers=config.freeze_layers,
    )


def make_optimizer(config: Config, parameters: Array, weight_count: int) -> Optimizer:
    """The config's optimiser, over ``parameters``, of which the first are the weights."""
    kind, frozen = OPTIMIZERS[config.optimizer], config.freeze_layers
    settings: dict[str, Any] = {key: getattr(config, key) for key in kind.hyperparameters}
    if kind.decouples_weight_decay:
        settings |= {
            "weight_decay": config.weight_decay,
            "weight_count": weight_count,
            "frozen_weights": sum(map(math.prod, pairwise(config.layer_sizes(0)[: frozen + 1]))),
        }
    return kind.make(parameters, **settings)


def make_learning_rates(config: Config, steps_per_epoch: int) -> LearningRates:
    """The learning rate of each of the config's steps."""
    keys = SCHEDULES[config.schedule].hyperparameters
    return LearningRates(
        learning_rate=config.learning_rate,
        schedule=config.schedule,
        epochs=config.epochs,
        warmup_epochs=config.warmup_epochs,
        steps_per_epoch=steps_per_epoch,
        hyperparameters={key: getattr(config, key) for key in keys},
    )


def check_gradients(config: Config) -> Iterator[gradcheck.LayerCheck]:
    """Check backpropagation through the config's network (see ``dlcli.nn.gradcheck``).

    The network has ten classes, whatever the dataset has: no dataset is needed.
    """
    network = make_network(config, len(DIGITS), np.float64)
    backpropagation = make_backpropagation(config, network, gradcheck.BATCH_SIZE)
    return gradcheck.check_gradients(
        backpropagation,
        label_smoothing=config.label_smoothing,
        class_weights=_gradcheck_weights(config),
        seed=config.seed,
    )


def _gradcheck_weights(config: Config) -> Array | None:
    """A weight for each class, unequal where the config wants any: random labels have no names."""
    return None if config.class_weights is None else np.linspace(0.25, 2, len(DIGITS))
