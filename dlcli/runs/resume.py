"""What resuming a run needs, as its ``last.npz`` holds it."""

from dataclasses import dataclass
from pathlib import Path

from dlcli.config.schema import Config
from dlcli.errors import CheckpointError
from dlcli.nn.optimizers import Optimizer
from dlcli.runs import checkpoint, old_optimizer_state
from dlcli.runs.checkpoint import Model
from dlcli.runs.layout import LAST
from dlcli.runs.metadata import Architecture
from dlcli.training.builders import make_optimizer
from dlcli.training.state import TrainingState


@dataclass(frozen=True)
class SavedRun:
    """A run as it was saved after its latest epoch."""

    path: Path
    config: Config
    state: TrainingState
    dataset_checksum: str
    threads: int


def read(path: Path) -> SavedRun:
    """Read what resuming a run needs; nothing is changed.

    Raises
    ------
    CheckpointError
        There is no such run, or its ``last.npz`` is unusable.
    """
    try:
        model = checkpoint.load(path / LAST)
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise CheckpointError(
                f"{error}; nothing was saved to resume from; start the run anew with --name"
            ) from error
        raise
    config = model.config
    if model.metadata.threads is None:
        raise CheckpointError(f"{model.path}: metadata: threads: missing or invalid")
    return SavedRun(
        path, config, _state(model, config), model.metadata.dataset.checksum, model.metadata.threads
    )


def _state(model: Model, config: Config) -> TrainingState:
    """The state of training, if it is one of the config's network."""
    wanted = Architecture(
        config.layer_sizes,
        config.activations,
        config.output_activation,
        config.batch_norm,
        config.loss,
    )
    has_average, wants_average = model.average is not None, config.weight_averaging is not None
    if Architecture.of(model.network, model.loss) != wanted or has_average != wants_average:
        raise CheckpointError(f"{model.path}: its network is not that of its config")
    optimizer = make_optimizer(config, model.network.parameters, model.network.weight_count)
    _restore_optimizer(optimizer, model, config)
    progress = model.metadata.training
    if progress is None:
        raise CheckpointError(f"{model.path}: holds no training state to resume from")
    return TrainingState(
        network=model.network,
        optimizer=optimizer,
        average=model.average,
        epoch=model.metadata.epoch,
        best_epoch=progress.best_epoch,
        best_accuracy=progress.best_accuracy,
        best_loss=progress.best_loss,
        gradient_norm=progress.gradient_norm,
        temperature=progress.temperature,
    )


def _restore_optimizer(optimizer: Optimizer, model: Model, config: Config) -> None:
    """Give an optimiser the state that a checkpoint holds."""
    try:
        state = old_optimizer_state.converted(model.optimizer_state, config)
    except CheckpointError as error:
        raise CheckpointError(f"{model.path}: {error}") from error
    if optimizer.state.keys() != state.keys():
        raise CheckpointError(f"{model.path}: its optimiser state is not that of its config")
    for name, array in state.items():
        optimizer.state[name][...] = array
