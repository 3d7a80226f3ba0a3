"""What can be measured of a network to see why it does not learn."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.nn import neuron_health
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.losses import one_hot
from dlcli.nn.network import Network, split_parameters
from dlcli.nn.random import random_stream
from dlcli.nn.types import Array
from dlcli.training.builders import make_network
from dlcli.training.state import TrainingState

# Enough for every class to be there, and few enough to take no time.
_MAX_IMAGES = 1000
TINY = 1e-30  # instead of a division by 0


@dataclass(frozen=True)
class StartMeasurements:
    """What is known before the first step.

    Attributes
    ----------
    contrast
        The standard deviation of the pixels, which go from 0 to 255.
    dropout_noise
        The variance that dropout adds to the logits, divided by their variance over the images.
    gains
        The root mean square of each layer's weights times the root of its fan-in: about the
        factor by which the layer makes its inputs larger. Usual initial weights have 1 or 1.4.
    """

    contrast: float
    dropout_noise: float
    gains: tuple[float, ...]


@dataclass(frozen=True)
class Measurements(StartMeasurements):
    """What is known after training as well; a number for each layer, the first one first.

    Attributes
    ----------
    final_gains
        ``gains`` of the trained weights.
    changes
        The norm of the weights' change, relative to the norm of the initial weights; infinite if
        those were of a trained model.
    gradients
        The root mean square of the gradient by the weights, without dropout.
    penalty
        The norm of the gradient of ``weight_decay``'s penalty, relative to that of the loss.
    gradient_norm
        The mean over the batches of the latest epoch, with dropout, before clipping.
    dead, saturated
        The fraction of each hidden layer's neurons (see ``neuron_health``).
    """

    final_gains: tuple[float, ...]
    changes: tuple[float, ...]
    gradients: tuple[float, ...]
    penalty: float
    gradient_norm: float
    dead: tuple[float, ...]
    saturated: tuple[float, ...]


def measure_start(config: Config, classes: int, examples: Examples) -> StartMeasurements:
    """Measure the images, and the network with its initial weights."""
    with np.errstate(over="ignore", invalid="ignore"):
        some = examples.evenly_spaced(_MAX_IMAGES)
        return _start(config, make_network(config, classes), some)


def measure(
    config: Config, state: TrainingState, examples: Examples, initial: Network | None = None
) -> Measurements:
    """Measure a trained network, and the images and the weights it started with.

    It started with the weights of ``initial``, by default those of the config's seed.
    """
    if initial is None and config.init_from is None:
        initial = make_network(config, state.network.layer_sizes[-1])
    statistics = state.network.statistics
    before = statistics.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        found = _all(config, state, examples.evenly_spaced(_MAX_IMAGES), initial)
    statistics[...] = before  # the forward pass of training moves them
    return found


def _start(config: Config, initial: Network, examples: Examples) -> StartMeasurements:
    noise = 0.0
    if config.dropout or config.input_dropout:
        noise = _dropout_noise(config, initial, examples)
    return StartMeasurements(float(examples.images.std()), noise, _gains(initial))


def _all(
    config: Config, state: TrainingState, examples: Examples, initial: Network | None
) -> Measurements:
    network = state.network
    outputs = network.layer_outputs(examples.images)[:-1]
    hidden = list(zip(network.activations, outputs, strict=True))
    saturated = [neuron_health.saturated(name, outputs) for name, outputs in hidden]
    gradient = _gradient(config, network, examples)
    by_weights, _, _ = split_parameters(
        gradient, network.layer_sizes, batch_norm=network.batch_norm
    )
    weights = network.parameters[: network.weight_count]
    return Measurements(
        **asdict(_start(config, initial or network, examples)),
        final_gains=_gains(network),
        # How trained weights changed does not explain why nothing was learned, and is not known.
        changes=(math.inf,) * len(network.weights)
        if initial is None
        else tuple(
            _norm(new - old) / max(_norm(old), TINY)
            for new, old in zip(network.weights, initial.weights, strict=True)
        ),
        gradients=tuple(_norm(part) / math.sqrt(part.size) for part in by_weights),
        penalty=config.weight_decay * _norm(weights) / max(_norm(gradient), TINY),
        gradient_norm=state.gradient_norm,
        dead=tuple(float(neuron_health.dead(*layer).mean()) for layer in hidden),
        saturated=tuple(0.0 if flags is None else float(flags.mean()) for flags in saturated),
    )


def _gains(network: Network) -> tuple[float, ...]:
    layers = zip(network.weights, network.layer_sizes[1:], strict=True)
    return tuple(_norm(weight) / math.sqrt(fan_out) for weight, fan_out in layers)


def _dropout_noise(config: Config, network: Network, examples: Examples) -> float:
    """The variance that dropout adds to the logits, relative to their own over the images."""

    def logits(dropout: float, input_dropout: float) -> Array:
        backpropagation = Backpropagation(
            network,
            config.loss,
            batch_size=len(examples),
            dropout=dropout,
            input_dropout=input_dropout,
        )
        random = random_stream(config.seed, "dropout")
        return backpropagation.forward(examples.images, random).astype(np.float64)

    without = logits(0.0, 0.0)
    noise = np.square(logits(config.dropout, config.input_dropout) - without).mean()
    return float(noise / max(without.var(axis=0).mean(), TINY))


def _gradient(config: Config, network: Network, examples: Examples) -> Array:
    """The gradient of the loss, without dropout and weight decay."""
    backpropagation = Backpropagation(network, config.loss, batch_size=len(examples))
    random = random_stream(config.seed, "dropout")  # unused: there is none
    targets = one_hot(examples.labels, network.layer_sizes[-1], network.parameters.dtype)
    backpropagation.run(examples.images, targets, random)
    return backpropagation.gradient


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))
