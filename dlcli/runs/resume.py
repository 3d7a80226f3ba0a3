"""Resuming a run: what it needs, what it may change, and when it is refused."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from dlcli.config import files as config_files
from dlcli.config.messages import listed
from dlcli.config.schema import Config, differences, to_builtins
from dlcli.config.yaml_loader import overridden, settings_of
from dlcli.data.examples import Dataset
from dlcli.errors import CheckpointError, ConfigError, DivergenceError
from dlcli.files import expand_home, quoted
from dlcli.nn.optimizers import Optimizer
from dlcli.nn.schedules import SCHEDULES
from dlcli.runs import (
    checkpoint,
    directory,
    film,
    initial_model,
    metrics_log,
    old_optimizer_state,
    training_data,
)
from dlcli.runs import summary as summaries
from dlcli.runs.checkpoint import Model, stored_config
from dlcli.runs.directory import BEST, CONFIG, LAST, METRICS, SUMMARY
from dlcli.runs.metadata import Architecture, DatasetIdentity
from dlcli.runs.run import Run
from dlcli.runs.summary import Summary
from dlcli.runs.training_data import short
from dlcli.training.builders import make_optimizer
from dlcli.training.state import TrainingState, why_finished
from dlcli.training.threads import Threads

Changes = dict[str, tuple[Any, Any]]
"""Keys of a config, each with its old and new value."""

# What resuming may change, because no step depends on it: when training ends. Each rule has the
# setting with which training continues.
LONGER = {
    "epochs": "epochs=N",
    "early_stopping": "early_stopping=N",
    "min_gradient_norm": "min_gradient_norm=null",
}


@dataclass(frozen=True)
class SavedRun:
    """A run as it was saved after its latest epoch."""

    path: Path
    config: Config
    state: TrainingState
    class_names: tuple[str, ...]
    dataset: DatasetIdentity
    threads: int
    threads_auto: bool


@dataclass(frozen=True)
class Resumption:
    """A saved run, locked by this process, and the config to resume it with.

    ``edited`` are the keys that were changed by hand in the ``config.yaml`` of the run.
    """

    saved: SavedRun
    config: Config
    edited: Changes = field(default_factory=dict)

    def load_dataset(self, load: training_data.Load) -> Dataset:
        """Load the dataset of the run, or the one that the config names instead.

        Raises
        ------
        DatasetError
            It cannot be found or read.
        ConfigError
            It is not the data that the run was trained on.
        """
        then, name = self.saved.dataset, self.config.dataset
        is_same = name == self.saved.config.dataset
        preparation = self.config.preparation
        if is_same:
            dataset = training_data.find(then, load, preparation, name)
        else:
            dataset = load(name, preparation=preparation)
        if dataset.checksum != then.checksum:
            raise ConfigError(
                f"{self.saved.path}: was trained on other data than "
                f"{dataset.folder or dataset.name} is now "
                f"(checksum {short(dataset.checksum)}, then {short(then.checksum)})"
            )
        problem = training_data.other_writers(self.config.validation_split, then, dataset)
        if problem is not None:
            raise ConfigError(f"{self.saved.path}: {problem}")
        dataset = dataset.for_training(self.config.classes)
        return replace(dataset, class_names=self.saved.class_names)

    def start(self, dataset: Dataset, threads: Threads) -> Run:
        """Prepare the run's files, for training on the dataset of :meth:`load_dataset`."""
        run = Run(self.saved.path, self.config, dataset, threads)
        run.resume(self.saved.state)
        return run

    def warnings(self, threads: int) -> list[str]:
        """Why the resumed run will differ from one that was never stopped; before it starts."""
        found = []
        try:
            film.read(self.saved.path)
        except film.DamagedFilmError as error:
            found.append(f"{str(error).partition(';')[0]}; the film begins anew")
        logged, done = len(metrics_log.read(self.saved.path)), self.saved.state.epoch
        if logged < done:
            found.append(f"{self.saved.path / METRICS} has only {logged} of {done} epochs")
        if self.edited:
            found.append(f"{self.saved.path / CONFIG} was edited: {_shown(self.edited)}")
        rule = why_finished(self.config, self.saved.state)
        if self.config != self.saved.config and rule not in {None, "epochs"}:
            found.append(
                f"the run stays stopped by {rule}; to train longer, add --set {LONGER[str(rule)]}"
            )
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

    ``sources`` and ``overrides`` of :func:`dlcli.config.files.load`, and edits of the run's own
    ``config.yaml``, may change when training ends (``LONGER``) and where its dataset is.

    Raises
    ------
    CheckpointError
        There is no such run, or its files are unusable.
    ConfigError
        More would change, or another process is training in the run.
    DivergenceError
        The run diverged, and would diverge again.
    """
    own = own_config(path)
    config = _wanted_config(own, sources, overrides)
    summary = summaries.read(path)
    if summary is not None:
        old = stored_config(summary.config, path / SUMMARY)
        check_changes(old, config, summary.epochs, path, own)
        if config == old:
            yield msgspec.structs.replace(summary, run=str(path))  # it may have moved
            return
    with directory.locked(path):
        saved = read(path)
        check_changes(saved.config, config, saved.state.epoch, path, own)
        diverged = directory.why_diverged(path)
        if diverged is not None and config == saved.config:
            raise DivergenceError(
                f"{path}: {diverged}. Resuming would only repeat that; "
                f"{advice_after_divergence(path, config, diverged.setting)}"
            )
        yield Resumption(saved, config, differences(saved.config, own))


def _wanted_config(own: Config, sources: Sequence[str], overrides: Sequence[str]) -> Config:
    """The config to resume with: that of the sources, or the run's own where there are none.

    What a model decided that the run started from needs no key in them, as when it began.
    """
    if not sources:
        return config_files.load((), overrides, own, needs_dataset=False)
    settings, problems = config_files.read(sources, overrides, {})
    start = settings.get("init_from")
    if not problems and start is not None and isinstance(start.value, str):
        of_run = str(Path(expand_home(start.value)) / BEST)
        if own.init_from in {start.value, of_run}:  # the model itself is not needed any more
            values = {key: to_builtins(own)[key] for key in initial_model.DECIDED}
            settings["init_from"] = replace(start, value=own.init_from)
            settings = overridden(settings_of(values, "the run"), settings, ())
        else:
            settings = initial_model.complete(settings)
    return config_files.resolved(settings, problems, ("dataset",))


def own_config(run: Path) -> Config:
    """The ``config.yaml`` of a run, as it is now; that of its checkpoint if there is none."""
    try:
        return checkpoint.read_config(run / CONFIG)
    except FileNotFoundError:
        return read(run).config


def check_changes(old: Config, new: Config, epochs_done: int, run: Path, own: Config) -> None:
    """Raise ``ConfigError`` for a change that resuming may not make, or for too few epochs.

    What was edited in ``own``, the ``config.yaml`` of the run, is reported as such.
    """
    changes = differences(old, new)
    for key in LONGER:
        changes.pop(key, None)
    # The datasets may have moved; their content is checked when they are loaded.
    if old.dataset_weights == new.dataset_weights:
        changes.pop("dataset", None)
    if changes:
        rules = listed(list(LONGER), "and")
        problem = f"only {rules} may be changed, not {_shown(changes)}"
        if changes.keys() <= differences(old, own).keys():
            path = run / CONFIG
            raise ConfigError(
                f"{path} was edited: {problem}; undo that, or train anew: "
                f"dlcli train --config {quoted(path)}"
            )
        raise ConfigError(f"--resume: {problem}")
    if new.epochs < epochs_done:
        raise ConfigError(
            f"--resume: the run has done {epochs_done} epochs, more than {new.epochs}"
        )


def _shown(changes: Changes) -> str:
    return ", ".join(f"{key} ({was} -> {now})" for key, (was, now) in changes.items())


def advice_after_divergence(run: Path, config: Config, setting: str) -> str:
    """The command that trains again, with another ``setting``, by default of the learning rate."""
    setting = setting or f"learning_rate={config.learning_rate / 10:g}"
    return f"to train again: dlcli train --config {quoted(run / CONFIG)} --set {setting}"


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
    metadata = model.metadata
    if metadata.threads is None:
        raise CheckpointError(f"{model.path}: metadata: threads: missing or invalid")
    state = _state(model, config)
    return SavedRun(
        path,
        config,
        state,
        model.class_names,
        metadata.dataset,
        metadata.threads,
        threads_auto=bool(metadata.threads_auto),
    )


def _state(model: Model, config: Config) -> TrainingState:
    """The state of training, if it is one of the config's network."""
    classes = len(model.class_names)
    wanted = Architecture.of_config(config, classes), config.weight_averaging is not None
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
