"""What is in a run directory: config, metrics log, checkpoints, summary; going on from them."""

import json
import math
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dlcli import __version__
from dlcli.config import files as config_files
from dlcli.config.dimensions import MAX_THREADS
from dlcli.config.schema import Config, to_builtins, to_yaml
from dlcli.config.validation import from_builtins
from dlcli.data.datasets import Dataset, Examples
from dlcli.data.registry import preprocessing_for
from dlcli.errors import CheckpointError, ConfigError, DivergenceError
from dlcli.files import annotate_errors, atomic_write, flush_folder, open_file
from dlcli.nn.network import Network
from dlcli.nn.temperature import is_temperature
from dlcli.runs import checkpoint, directory
from dlcli.runs.checkpoint import BEST, LAST
from dlcli.runs.directory import CONFIG, DIVERGED, METRICS, SUMMARY
from dlcli.training.builders import make_optimizer
from dlcli.training.loop import (
    EpochRecord,
    OnBlock,
    TrainingState,
    fit,
    overfitting_since,
    rank,
    why_finished,
)

_MAX_METRICS_BYTES = 50_000_000  # some 500 bytes for each of the 100,000 epochs there can be
_MAX_REASON_BYTES = 1_000


@dataclass(frozen=True)
class Run:
    """A run directory that is being trained in; its files are written whole or not at all."""

    path: Path
    config: Config
    dataset: Dataset
    threads: int

    def start(self, state: TrainingState) -> None:
        """Write the config and the state before the first epoch.

        Raises
        ------
        ConfigError
            Another process has begun the run since :func:`run_directories.create`.
        """
        directory.refuse_taken(self.path)
        directory.clear(self.path)
        self._write(CONFIG, to_yaml(self.config))
        self._save_checkpoints(state, None)
        flush_folder(self.path.parent)

    def go_on(self, state: TrainingState) -> None:
        """Make the files ready for the epochs after ``state``; the run is unfinished again.

        The config, whose ``epochs`` may have changed, is written anew, and what a crash left
        is mended: lines of the metrics log newer than ``state`` (their epochs will be computed
        again), a best checkpoint older than it, and temporary files.
        """
        directory.clear(self.path)
        records = [record for record in read_metrics(self.path) if record.epoch <= state.epoch]
        record_of_state = next((r for r in records if r.epoch == state.epoch), None)
        self._save_checkpoints(state, record_of_state)
        self._write(CONFIG, to_yaml(self.config))
        self._write(METRICS, "".join(json.dumps(asdict(record)) + "\n" for record in records))
        for name in (SUMMARY, DIVERGED):
            (self.path / name).unlink(missing_ok=True)

    def train(
        self,
        train: Examples,
        validation: Examples,
        state: TrainingState,
        on_block: OnBlock | None = None,
        log: Callable[[EpochRecord, Network], None] | None = None,
    ) -> Iterator[EpochRecord]:
        """Train to the end (:func:`training.fit`); yield each epoch once it is stored.

        ``log`` is told of each before that, and so misses none that will not be done again.

        Raises
        ------
        DivergenceError
            Training diverged; that is stored, too.
        """
        try:
            for record in fit(self.config, train, validation, state, on_block):
                if log is not None:
                    log(record, state.judged)
                self.record(state, record)
                yield record
        except DivergenceError as error:
            self._write(DIVERGED, f"{error}\n")
            raise

    def record(self, state: TrainingState, record: EpochRecord) -> None:
        """Store an epoch: its line in the metrics log, then the checkpoints.

        A crash in between leaves something that :meth:`go_on` mends.
        """
        path = self.path / METRICS
        with annotate_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._save_checkpoints(state, record)

    def finish(self, state: TrainingState) -> dict[str, Any]:
        """Write ``summary.json``, which says that the run is finished, and return its content."""
        records = read_metrics(self.path)
        kept = next((r for r in records if r.epoch == state.best_epoch), None)
        summary = {
            "run": str(self.path),
            "epochs": state.epoch,
            "stopped_by": why_finished(self.config, state),
            "best_epoch": state.best_epoch,
            "validation_accuracy": kept.validation_accuracy if kept else None,
            "validation_loss": kept.validation_loss if kept else None,
            "train_accuracy": kept.train_accuracy if kept else None,
            "train_loss": kept.train_loss if kept else None,
            "overfitting_since": overfitting_since(records),
            "seconds": round(sum(record.seconds for record in records), 3),
            "parameters": state.network.parameters.size,
            "config": to_builtins(self.config),
            "dataset": {"name": self.dataset.name, "checksum": self.dataset.checksum},
            "threads": self.threads,
            "versions": {
                "dlcli": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
        }
        self._write(SUMMARY, json.dumps(summary, indent=2) + "\n")
        return summary

    def _write(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode())

    def _save_checkpoints(self, state: TrainingState, record: EpochRecord | None) -> None:
        """Write ``last.npz``, then, if the latest epoch is the best, ``best.npz``.

        In this order a crash in between leaves a last epoch that is the best one: all that is
        needed to write ``best.npz`` later.
        """
        metadata = self._metadata(state, record)
        training = {
            "best_epoch": state.best_epoch,
            "best_accuracy": state.best_accuracy,
            "best_loss": _finite_or_none(state.best_loss),
            "gradient_norm": _finite_or_none(state.gradient_norm),
            "temperature": state.temperature,
        }
        loss = self.config.loss
        checkpoint.save(
            self.path / LAST,
            state.network,
            loss,
            {**metadata, "training": training},
            state.optimizer.state,
            state.average,
        )
        if state.epoch and state.is_best:
            best = {**metadata, "temperature": state.temperature}
            checkpoint.save(self.path / BEST, state.judged.folded(), loss, best, {})

    def _metadata(self, state: TrainingState, record: EpochRecord | None) -> dict[str, Any]:
        scores = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
        return {
            "config": to_builtins(self.config),
            "epoch": state.epoch,
            "scores": {name: getattr(record, name) for name in scores} if record else {},
            "dataset": {"name": self.dataset.name, "checksum": self.dataset.checksum},
            "preprocessing": preprocessing_for(self.dataset.name),
            "threads": self.threads,
        }


@dataclass(frozen=True)
class Resumed:
    """What going on with a run needs, as its ``last.npz`` holds it."""

    path: Path
    config: Config
    state: TrainingState
    dataset_checksum: str
    threads: int


def resume(path: Path) -> Resumed:
    """Read what going on with a run needs; nothing is changed.

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
                f"{error}; nothing was saved to go on from; begin the run anew with --name"
            ) from error
        raise
    try:
        config = from_builtins(model.metadata["config"], str(model.path))
    except ConfigError as error:
        raise CheckpointError(*error.args) from error
    network = model.network
    described = (
        network.layer_sizes,
        network.activations,
        network.output_activation,
        network.batch_norm,
        model.average is not None,
        model.loss,
    )
    wanted = (
        config.layer_sizes,
        config.activations,
        config.output_activation,
        config.batch_norm,
        config.weight_averaging is not None,
        config.loss,
    )
    if described != wanted:
        raise CheckpointError(f"{model.path}: its network is not that of its config")
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    if optimizer.state.keys() != model.optimizer_state.keys():
        raise CheckpointError(f"{model.path}: its optimiser state is not that of its config")
    for name, array in model.optimizer_state.items():
        optimizer.state[name][...] = array
    try:
        training = model.metadata["training"]
        state = TrainingState(
            network=network,
            optimizer=optimizer,
            average=model.average,
            epoch=model.metadata["epoch"],
            best_epoch=int(training["best_epoch"]),
            best_accuracy=float(training["best_accuracy"]),
            best_loss=_number_or_infinity(training["best_loss"]),
            gradient_norm=_number_or_infinity(training["gradient_norm"]),
            temperature=training.get("temperature", 1.0),
        )
        checksum, threads = model.metadata["dataset"]["checksum"], int(model.metadata["threads"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"{model.path}: holds no training state to go on from") from error
    if not is_temperature(state.temperature):
        raise CheckpointError(f"{model.path}: impossible temperature")
    if not 1 <= threads <= MAX_THREADS:
        raise CheckpointError(f"{model.path}: says it was trained with {threads!s:.20} threads")
    return Resumed(path, config, state, checksum, threads)


def read_metrics(run: Path) -> list[EpochRecord]:
    """The epochs in a run's metrics log, oldest first.

    Raises
    ------
    CheckpointError
        A line is damaged.
    """
    path = run / METRICS
    try:
        with annotate_errors(path), open_file(path) as file:
            content = file.read(_MAX_METRICS_BYTES + 1)
    except FileNotFoundError:
        return []
    if len(content) > _MAX_METRICS_BYTES:
        raise CheckpointError(f"{path}: larger than {_MAX_METRICS_BYTES:,} bytes")
    try:
        # What follows the last line break was being written when the run was killed.
        lines = content.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not a text file (UTF-8)") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(msgspec.json.decode(line, type=EpochRecord))
        except (msgspec.DecodeError, RecursionError) as error:
            raise CheckpointError(f"{path}:{number}: damaged line") from error
    return records


def list_runs(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """A table row for every run, the last trained last: status, epochs, scores of the kept one."""
    found = [
        path
        for path in runs_dir.iterdir()
        if not path.is_symlink() and (path / CONFIG).is_file() and (path / LAST).is_file()
    ]
    for path in sorted(found, key=lambda path: ((path / LAST).stat().st_mtime_ns, path.name)):
        try:
            records, status = read_metrics(path), "unfinished"
            kept = kept_record(path, records)
        except (CheckpointError, ConfigError, OSError):
            records, kept, status = [], None, "damaged"
        for file, meaning in ((SUMMARY, "finished"), (DIVERGED, "diverged")):
            if (path / file).exists() and status != "damaged":
                status = meaning
        yield {
            "run": str(path),
            "status": status,
            "epochs": len(records),
            "best_epoch": kept.epoch if kept else None,
            "validation_accuracy": kept.validation_accuracy if kept else None,
            "validation_loss": kept.validation_loss if kept else None,
            "seconds": round(sum(record.seconds for record in records), 3),
        }


def why_diverged(run: Path) -> str | None:
    """What training said when it diverged in this run; None if it did not."""
    try:
        with open_file(run / DIVERGED) as file:
            return file.read(_MAX_REASON_BYTES).decode(errors="replace").strip()
    except FileNotFoundError:
        return None


def kept_record(path: Path, records: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch that training keeps, or would keep if it ended now."""
    keep = config_files.load([str(path / CONFIG)]).keep
    judged = [r for r in records if r.validation_accuracy is not None]
    if keep == "last" or not judged:
        return records[-1] if records else None
    # Of equals, max() takes the first, as training does.
    return max(judged, key=lambda r: rank(keep, r.validation_accuracy or 0, r.validation_loss or 0))


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number_or_infinity(value: float | None) -> float:
    return math.inf if value is None else float(value)
