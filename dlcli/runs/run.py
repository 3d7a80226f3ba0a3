"""A run that is being trained: what is written into its directory, and when."""

import platform
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from dlcli import __version__
from dlcli.config.schema import Config, to_builtins, to_yaml
from dlcli.data.examples import Dataset, Examples
from dlcli.errors import DivergenceError
from dlcli.files import atomic_write, flush_folder
from dlcli.nn.network import Network
from dlcli.runs import (
    checkpoint,
    directory,
    film,
    interrupts,
    metrics_log,
    summary,
    training_images,
)
from dlcli.runs.directory import BEST, CONFIG, DIVERGED, LAST, SUMMARY
from dlcli.runs.metadata import DatasetIdentity, Metadata, Scores, TrainingImages, TrainingProgress
from dlcli.runs.summary import Summary
from dlcli.training.epoch_metrics import EpochRecord, overfitting_since
from dlcli.training.loop import OnBlock, fit
from dlcli.training.state import TrainingState, why_finished
from dlcli.training.threads import Threads


@dataclass(frozen=True)
class Run:
    """A run directory that is being trained in."""

    path: Path
    config: Config
    dataset: Dataset
    threads: Threads

    def start(self, state: TrainingState) -> None:
        """Write the config and the state before the first epoch.

        Raise ``ConfigError`` if another process has started the run since it was created.
        """
        with interrupts.deferred():
            directory.refuse_taken(self.path)
            directory.clean_up(self.path)
            self._write(CONFIG, to_yaml(self.config))
            film.begin(self.path, film.frame(state))
            self._save_checkpoints(state, None)
            flush_folder(self.path.parent)

    def resume(self, state: TrainingState) -> None:
        """Prepare the files for the epochs after ``state``; the run is unfinished again.

        Write the config anew, because it may have changed a little, and repair what a crash left
        behind: temporary files, a best checkpoint older than ``state``, and lines of the metrics
        log newer than it, whose epochs will be computed again.
        """
        records = [record for record in metrics_log.read(self.path) if record.epoch <= state.epoch]
        latest = next((record for record in records if record.epoch == state.epoch), None)
        with interrupts.deferred():
            directory.clean_up(self.path)
            # The config first: after a crash before the checkpoints it counts as edited.
            self._write(CONFIG, to_yaml(self.config))
            self._save_checkpoints(state, latest)
            metrics_log.rewrite(self.path, records)
            film.cut(self.path, state.epoch)
            for name in (SUMMARY, DIVERGED):
                (self.path / name).unlink(missing_ok=True)

    def train(
        self,
        train: Examples,
        validation: Examples,
        state: TrainingState,
        on_block: OnBlock | None = None,
        log: Callable[[EpochRecord, Network], None] | None = None,
    ) -> Generator[EpochRecord]:
        """Train to the end (:func:`training.loop.fit`); yield each epoch once it is stored.

        ``log`` gets each epoch before it is stored, so that none is missing: an epoch that was
        not stored will be computed and logged again. Interrupts wait from then on until the
        caller asks for the next epoch. Why training diverged is written to ``diverged.txt``,
        with the setting to change in its second line.
        """
        try:
            names = self.dataset.class_names
            for record in fit(self.config, train, validation, state, on_block, names, self.threads):
                with interrupts.deferred():
                    if log is not None:
                        log(record, state.evaluated_network)
                    self.record(state, record)
                    yield record
        except DivergenceError as error:
            self._write(DIVERGED, f"{error}\n{error.setting}\n")
            raise

    def record(self, state: TrainingState, record: EpochRecord) -> None:
        """Store an epoch: its line in the metrics log, its frame, then the checkpoints."""
        metrics_log.append(self.path, record)
        if film.is_kept(state.epoch) or why_finished(self.config, state) is not None:
            film.add(self.path, film.frame(state))
        self._save_checkpoints(state, record)

    def finish(self, state: TrainingState) -> Summary:
        """Write ``summary.json``, which marks the run as finished, and return its content."""
        content = self._summary(state)
        with interrupts.deferred():
            if not film.ends_with(self.path, state.epoch):  # it was resumed with no epoch left
                film.add(self.path, film.frame(state))
            summary.write(self.path, content)
        return content

    def _summary(self, state: TrainingState) -> Summary:
        records = metrics_log.read(self.path)
        kept = next((r for r in records if r.epoch == state.best_epoch), None)
        return Summary(
            run=str(self.path),
            epochs=state.epoch,
            stopped_by=why_finished(self.config, state),
            best_epoch=state.best_epoch,
            validation_accuracy=kept.validation_accuracy if kept else None,
            validation_loss=kept.validation_loss if kept else None,
            train_accuracy=kept.train_accuracy if kept else None,
            train_loss=kept.train_loss if kept else None,
            overfitting_since=overfitting_since(records),
            seconds=round(sum(record.seconds for record in records), 3),
            parameters=state.network.parameters.size,
            config=to_builtins(self.config),
            dataset={"name": self.dataset.name, "checksum": self.dataset.checksum},
            init=self._initial_model(),
            threads=self.threads.count,
            threads_auto=not self.threads.is_pinned,
            versions={
                "dlcli": __version__,
                "python": platform.python_version(),
                "numpy": np.__version__,
            },
            finished=datetime.now(UTC).isoformat(),
        )

    def _initial_model(self) -> dict[str, str] | None:
        name, checksum = self.config.init_from, self.config.init_checksum
        return None if name is None else {"name": name, "checksum": checksum or ""}

    def _write(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode())

    def _save_checkpoints(self, state: TrainingState, record: EpochRecord | None) -> None:
        """Write ``last.npz``, then, if the latest epoch is the best, ``best.npz``.

        After a crash between the two, the last epoch is the best one, and ``last.npz`` holds
        all that is needed to write ``best.npz`` later.
        """
        loss = self.config.loss
        checkpoint.save(
            self.path / LAST,
            state.network,
            loss,
            self._metadata(state, record, training=TrainingProgress.of(state)),
            state.optimizer.state,
            state.average,
        )
        if state.epoch and state.is_best:
            best = self._metadata(state, record, temperature=state.temperature)
            checkpoint.save(
                self.path / BEST, state.evaluated_network.fuse_batch_norm(), loss, best, {}
            )

    @cached_property
    def _images(self) -> TrainingImages:
        return training_images.of_dataset(self.dataset)

    def _metadata(
        self,
        state: TrainingState,
        record: EpochRecord | None,
        *,
        temperature: float = 1.0,
        training: TrainingProgress | None = None,
    ) -> Metadata:
        return Metadata(
            config=to_builtins(self.config),
            epoch=state.epoch,
            scores=None if record is None else Scores.of(record),
            dataset=DatasetIdentity.of(self.dataset),
            preprocessing=self.dataset.preprocessing,
            threads=self.threads.count,
            threads_auto=None if self.threads.is_pinned else True,
            temperature=temperature,
            class_names=self.dataset.class_names,
            images=self._images,
            training=training,
        )
