"""What training changes from step to step, and the rules that end it."""

import math
from dataclasses import dataclass

from dlcli.config.schema import Config
from dlcli.nn.network import Network
from dlcli.nn.optimizers import Optimizer
from dlcli.nn.types import Array, Counts
from dlcli.training.builders import make_network, make_optimizer
from dlcli.training.kept_epoch import NO_SCORES


@dataclass
class TrainingState:
    """Everything that training changes: together with the config, all that resuming needs.

    Attributes
    ----------
    average
        The running mean of the network's weights, where the config asks for one.
    best_epoch, best_accuracy, best_loss
        The epoch to keep and its validation scores (see ``kept_epoch``).
    gradient_norm
        The mean over the batches of the latest epoch.
    temperature
        That of the epoch to keep.
    confusion
        How often the validation images of each class (row) were taken for each class (column)
        after the latest epoch. It is not saved; None before the first epoch, and without
        validation images.
    """

    network: Network
    optimizer: Optimizer
    average: Network | None = None
    epoch: int = 0
    best_epoch: int = 0
    best_accuracy: float = NO_SCORES[0]
    best_loss: float = NO_SCORES[1]
    gradient_norm: float = math.inf
    temperature: float = 1.0
    confusion: Counts | None = None

    @property
    def evaluated_network(self) -> Network:
        """The network to evaluate and to keep: the running mean, if there is one."""
        return self.network if self.average is None else self.average

    @property
    def is_best(self) -> bool:
        """Whether the latest epoch is the one to keep."""
        return self.epoch == self.best_epoch

    def arrays(self) -> dict[str, Array]:
        """All arrays that the checkpoints hold, by their names in messages."""
        arrays = {
            "weights": self.network.parameters,
            "the statistics of batch_norm": self.network.statistics,
            **{f"the optimiser's {name}": array for name, array in self.optimizer.state.items()},
        }
        if self.average is not None:
            arrays["averaged weights"] = self.average.parameters
            arrays["averaged statistics of batch_norm"] = self.average.statistics
        if self.network.batch_norm:
            fused = self.evaluated_network.fuse_batch_norm()
            arrays["weights fused with batch_norm"] = fused.parameters
        return arrays


def initial_state(config: Config, classes: int) -> TrainingState:
    """The state before the first epoch; the dataset has the number of classes."""
    network = make_network(config, classes)
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    average = None
    if config.weight_averaging is not None:
        average = network.like()
        average.parameters[...] = network.parameters
        average.statistics[...] = network.statistics
    return TrainingState(network, optimizer, average)


def take_step(
    config: Config, state: TrainingState, gradient: Array, norm: float, learning_rate: float
) -> None:
    """Move the weights against a batch's gradient, which may be clipped, and limit their norms.

    ``norm`` is that of the gradient, shape (parameters,).
    """
    if config.gradient_clip is not None and norm > config.gradient_clip:
        gradient *= config.gradient_clip / norm
    state.optimizer.step(gradient, learning_rate)
    if config.max_norm is not None:
        state.network.limit_norms(config.max_norm, config.freeze_layers)


def why_finished(config: Config, state: TrainingState) -> str | None:
    """The rule that ends training now (a config key); None if it has to continue."""
    if state.epoch >= config.epochs:
        return "epochs"
    patience = config.early_stopping
    if patience is not None and state.epoch - state.best_epoch >= patience:
        return "early_stopping"
    flat = config.min_gradient_norm
    if flat is not None and state.gradient_norm < flat:
        return "min_gradient_norm"
    return None
