"""Resuming a run: what it needs, what it may change, and when it is refused."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from dlcli.config import files as config_files
from dlcli.config.schema import Config, differences
from dlcli.data.datasets import Dataset
from dlcli.errors import CheckpointError, ConfigError, DivergenceError
from dlcli.files import open_file
from dlcli.nn.optimizers import Optimizer
from dlcli.nn.schedules import SCHEDULES
from dlcli.runs import checkpoint, directory, old_optimizer_state
from dlcli.runs import summary as summaries
from dlcli.runs.checkpoint import Model, stored_config
from dlcli.runs.directory import CONFIG, DIVERGED, LAST, SUMMARY
from dlcli.runs.metadata import Architecture
from dlcli.runs.run import Run
from dlcli.runs.summary import Summary
from dlcli.training.builders import make_optimizer
from dlcli.training.state import TrainingState

_MAX_REASON_BYTES = 1_000


@dataclass(frozen=True)
class SavedRun:
    """A run as it was saved after its latest epoch."""

    path: Path
    config: Config
    state: TrainingState
    dataset_checksum: str
    threads: int


@dataclass(frozen=True)
class Resumption:
    """A saved run, locked by this process, and the config to resume it with."""

    saved: SavedRun
    config: Config

    def start(self, dataset: Dataset, threads: int) -> Run:
        """Prepare the run's files; raise ``ConfigError`` if the dataset has changed."""
        if self.saved.dataset_checksum != dataset.checksum:
            raise ConfigError(
                f"{self.saved.path}: was trained on other data than {dataset.name} is now"
            )
        run = Run(self.saved.path, self.config, dataset, threads)
        run.resume(self.saved.state)
        return run

    def warnings(self, threads: int) -> list[str]:
        """Why the resumed run will differ from one that was never stopped."""
        found = []
        if threads != self.saved.threads:
            found.append(
                f"the run was started with {self.saved.threads} threads; with {threads} the "
                "weights will differ in their last bits"
            )
        schedule = self.config.schedule
        has_other_epochs = self.config.epochs != self.saved.config.epochs
        if has_other_epochs and SCHEDULES[schedule].depends_on_epochs:
            found.append(
                f"schedule {schedule} ends with the last epoch: as epochs changed, the learning "
                "rate now follows a different curve"
            )
        return found


@contextmanager
def opened(
    path: Path, sources: Sequence[str], overrides: Sequence[str]
) -> Iterator[Resumption | Summary]:
    """Lock a run to resume it in the block; yield the summary of one that stays finished.

    A finished run is not even locked, so that nothing changes on the disk.

    ``sources`` and ``overrides`` of :func:`dlcli.config.files.load` may change ``epochs`` alone.

    Raises
    ------
    CheckpointError
        There is no such run, or its files are unusable.
    ConfigError
        More than ``epochs`` would change, or another process is training in the run.
    DivergenceError
        The run diverged, and would diverge again.
    """
    config = None
    summary = summaries.read(path)
    if summary is not None:
        old = stored_config(summary.config, path / SUMMARY)
        config = changed_config(old, sources, overrides)
        check_changes(old, config, summary.epochs)
        if config == old:
            yield msgspec.structs.replace(summary, run=str(path))  # it may have moved
            return
    with directory.locked(path):
        saved = read(path)
        if config is None:
            config = changed_config(saved.config, sources, overrides)
        check_changes(saved.config, config, saved.state.epoch)
        diverged = why_diverged(path)
        if diverged is not None and config == saved.config:
            raise DivergenceError(
                f"{path}: {diverged}. Resuming would only repeat that; "
                f"{advice_after_divergence(path, config, diverged.setting)}"
            )
        yield Resumption(saved, config)


def changed_config(old: Config, sources: Sequence[str], overrides: Sequence[str]) -> Config:
    """The config to resume with: the run's own where nothing else is given."""
    return config_files.load(sources, overrides, None if sources else old)


def check_changes(old: Config, new: Config, epochs_done: int) -> None:
    """Raise ``ConfigError`` for another change than of ``epochs``, or too few of those."""
    changes = differences(old, new)
    changes.pop("epochs", None)
    if changes:
        shown = ", ".join(f"{key} ({was} -> {now})" for key, (was, now) in changes.items())
        raise ConfigError(f"--resume: only epochs may be changed, not {shown}")
    if new.epochs < epochs_done:
        raise ConfigError(
            f"--resume: the run has done {epochs_done} epochs, more than {new.epochs}"
        )


def advice_after_divergence(run: Path, config: Config, setting: str) -> str:
    """The command that trains again, with another ``setting``, by default of the learning rate."""
    setting = setting or f"learning_rate={config.learning_rate / 10:g}"
    return f"to train again: dlcli train --config {run / CONFIG} --set {setting}"


def why_diverged(run: Path) -> DivergenceError | None:
    """The error of training when it diverged in this run; None if it did not."""
    try:
        with open_file(run / DIVERGED) as file:
            lines = file.read(_MAX_REASON_BYTES).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    reason, setting, *_ = [*lines, "", ""]  # older files have no second line
    return DivergenceError(reason, setting)


def read(path: Path) -> SavedRun:
    """Read what resuming a run needs.

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
                f"{error}; nothing was saved to resume from; start the run again with --name"
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
    wanted = Architecture.of(config, config.loss), config.weight_averaging is not None
    if (Architecture.of(model.network, model.loss), model.average is not None) != wanted:
        raise CheckpointError(f"{model.path}: its network is not that of its config")
    optimizer = make_optimizer(config, model.network.parameters, model.network.weight_count)
    _restore_optimizer(optimizer, model, config)
    progress = model.metadata.training
    if progress is None:
        raise CheckpointError(f"{model.path}: holds no training state to resume from")
    return TrainingState(
        model.network, optimizer, model.average, model.metadata.epoch, **asdict(progress)
    )


def _restore_optimizer(optimizer: Optimizer, model: Model, config: Config) -> None:
    """Give an optimiser the state that a checkpoint holds."""
    try:
        state = old_optimizer_state.converted(model.optimizer_state, config)
    except CheckpointError as error:
        raise CheckpointError(f"{model.path}: {error}") from error
    expected, found = (
        {name: array.shape for name, array in arrays.items()} for arrays in (optimizer.state, state)
    )
    if expected != found:
        raise CheckpointError(f"{model.path}: its optimiser state is not that of its config")
    for name, array in state.items():
        optimizer.state[name][...] = array
