"""One process that does one trial after the other; each is a run directory."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import Trial, TrialState

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.data.datasets import Dataset
from dlcli.data.splits import split_validation
from dlcli.errors import ConfigError, DivergenceError
from dlcli.files import make_folder
from dlcli.runs import directory
from dlcli.runs import run as runs
from dlcli.sweep.plan import Plan
from dlcli.sweep.samplers import suggest
from dlcli.sweep.storage import StorageError
from dlcli.sweep.tickets import Desk
from dlcli.training.state import initial_state, why_finished

REASON = "dlcli:reason"
RUN = "dlcli:run"
LOSS = "dlcli:validation_loss"
POLL_SECONDS = 0.5


class Stopped(Exception):  # noqa: N818 - it is no error
    """The worker was asked to stop, or its trial is no longer its own."""


@dataclass(frozen=True)
class Place:
    """Where a study lives.

    Attributes
    ----------
    url
        The database, as SQLAlchemy has it.
    study
        The study's name there.
    runs_dir
        Its runs are in the folder of its name in here.
    data_dir
        The dataset cache.
    """

    url: str
    study: str
    runs_dir: Path
    data_dir: Path

    @property
    def folder(self) -> Path:
        """Where the study's runs are."""
        return self.runs_dir / self.study


class Worker:
    """Does the trials of a study.

    Parameters
    ----------
    plan, place
        What is searched, and where it is stored.
    study
        The study.
    is_stopped
        Asked often (every 2,000 images); the trial is put back when it says so.
    """

    def __init__(
        self, plan: Plan, place: Place, study: optuna.Study, is_stopped: Callable[[], bool]
    ) -> None:
        self._plan = plan
        self._place = place
        self._study = study
        self._is_stopped = is_stopped
        self._desk = Desk(study, plan.trials, plan.search.worker_timeout)
        self._datasets: dict[str, Dataset] = {}
        self._beat_every = plan.search.worker_timeout / 4
        self._last_beat = time.monotonic()
        self._accuracy: float | None = None

    def work(self) -> None:
        """Do trials until the study is done, or the worker is asked to stop."""
        while not self._is_stopped():
            trial_id = self._desk.take()
            if trial_id is not None:
                self._try(trial_id)
            elif self._desk.is_done:
                return
            else:
                time.sleep(POLL_SECONDS)

    def _try(self, trial_id: int) -> None:
        """Do one trial; if it is kept from its end, it is put back."""
        try:
            self._desk.sign(trial_id, f"{platform.node()}:{os.getpid()}")
            self._last_beat = time.monotonic()
            trial = Trial(self._study, trial_id)
            self._accuracy = None
            try:
                state, reason = self._outcome(trial, lambda: self._look_up(trial_id)), None
            except (ConfigError, DivergenceError, MemoryError) as error:
                state, reason = TrialState.PRUNED, str(error) or type(error).__name__
            if reason is not None:
                trial.set_user_attr(REASON, reason)
            self._desk.settle(trial_id, state, self._accuracy)
        except Stopped:
            self._desk.put_back(trial_id)
        except StorageError:
            raise  # the missing signs of life will tell the others
        except BaseException:
            self._desk.put_back(trial_id)
            raise

    def _outcome(self, trial: Trial, look_up: Callable[[], None]) -> TrialState:
        """Train as the sampler proposes, and say how it ended."""
        space = self._plan.space
        labels = {key: suggest(trial, key, space[key]) for key in space}
        config = self._plan.config(labels)
        dataset = self._dataset(config)
        train, validation = split_validation(dataset.train, config.validation_size, config.seed)
        path = self._new_folder(trial.number)
        trial.set_user_attr(RUN, str(path))
        with directory.locked(path):
            run, state = runs.Run(path, config, dataset, threads=1), initial_state(config)
            run.start(state)
            for record in run.train(train, validation, state, lambda _: look_up()):
                self._accuracy = record.validation_accuracy
                trial.report(record.validation_accuracy or 0.0, record.epoch)
                look_up()
                if why_finished(config, state) is None and trial.should_prune():
                    return TrialState.PRUNED
            summary = run.finish(state)
        self._accuracy = summary.validation_accuracy
        trial.set_user_attr(LOSS, summary.validation_loss)
        return TrialState.COMPLETE

    def _look_up(self, trial_id: int) -> None:
        """Give a sign of life, now and then, and stop when asked to."""
        if self._is_stopped():
            raise Stopped
        if time.monotonic() - self._last_beat > self._beat_every:
            self._desk.beat(trial_id)
            self._last_beat = time.monotonic()

    def _dataset(self, config: Config) -> Dataset:
        if config.dataset not in self._datasets:
            self._datasets[config.dataset] = datasets.load(config.dataset, self._place.data_dir)
        return self._datasets[config.dataset]

    def _new_folder(self, number: int) -> Path:
        """A new run directory for a trial, whatever an older study of this name left there."""
        make_folder(self._place.folder)
        return directory.create_numbered(self._place.folder, f"trial-{number:04d}")
