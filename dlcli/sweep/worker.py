"""One process that runs trials; each trial is a run directory."""

import os
import platform
import random
import time
from collections.abc import Callable
from functools import cache

import optuna
from optuna import TrialPruned
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from dlcli.data import datasets
from dlcli.errors import ConfigError, DivergenceError
from dlcli.files import make_folder
from dlcli.runs import directory, initial_model
from dlcli.runs import run as runs
from dlcli.sweep.plan import Plan
from dlcli.sweep.results import LOSS, REASON, RUN, WORKER, Progress
from dlcli.sweep.samplers import suggest
from dlcli.sweep.storage import StorageError, StudyLocation, explained, fail_stale, queue_again
from dlcli.training.builders import make_splits
from dlcli.training.state import why_finished
from dlcli.training.threads import Threads

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 120.0  # a restart of a database server takes less
PAUSE_SECONDS = (0.2, 1.0)  # random, so that workers do not all come back at once


class Stopped(Exception):  # noqa: N818 - it is no error
    """The worker was asked to stop."""


class Worker:
    """Runs trials of a study with ``study.optimize``.

    Parameters
    ----------
    plan, location
        What is searched, and where it is stored.
    study
        The study.
    is_stopped
        Says whether to stop; it is asked after each block of batches (2,000 images).
    """

    def __init__(
        self,
        plan: Plan,
        location: StudyLocation,
        study: optuna.Study,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._location = location
        self._study = study
        self._is_stopped = is_stopped
        self._dataset = cache(
            lambda source, preparation: datasets.load(
                source, location.data_dir, preparation=preparation
            )
        )
        self._error: Exception | None = None  # of the current trial
        self._away_since: float | None = None  # when the database began to fail

    def work(self) -> None:
        """Run trials until the study is done or the worker is asked to stop.

        When the database fails, the current trial is lost to this worker: its heartbeat stops,
        and it is tried again.

        Raises
        ------
        StorageError
            The database has been away for longer than ``PATIENCE_SECONDS``.
        """
        while not self._is_stopped():
            try:
                with explained(self._location.url):
                    if self._advance():
                        return
            except StorageError:
                now = time.monotonic()
                self._away_since = self._away_since or now
                if now - self._away_since >= PATIENCE_SECONDS:
                    raise
                time.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - no secret
            else:
                self._away_since = None

    def _advance(self) -> bool:
        """Run a trial or wait for those of others; return whether the study was done."""
        progress = Progress(self._plan, self._study.get_trials(deepcopy=False))
        if progress.has_open:
            self._optimize()
        elif not progress.is_done:
            fail_stale(self._study)
            for trial in progress.lost:  # a worker died between failing it and queueing it again
                queue_again(self._study, trial)
            time.sleep(POLL_SECONDS)
        return progress.is_done

    def _optimize(self) -> None:
        """Run a trial."""
        try:
            self._study.optimize(
                self._run_trial, n_trials=1, catch=(Exception,), callbacks=[self._after_trial]
            )
        except ValueError:  # Optuna cannot end a trial that others failed: its heartbeat was late
            if not isinstance(self._error, UpdateFinishedTrialError):
                raise

    def _after_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Queue a failed trial again, and raise its error."""
        if trial.state is TrialState.FAIL:
            queue_again(study, trial)
        if self._error is not None:
            raise self._error

    def _run_trial(self, trial: Trial) -> float:
        """The validation accuracy with the sampler's proposals: Optuna's objective."""
        self._error = None
        try:
            return self._train(trial)
        except (ConfigError, DivergenceError, MemoryError) as error:
            trial.set_user_attr(REASON, str(error) or type(error).__name__)
            raise TrialPruned from error
        except (TrialPruned, Stopped):
            raise
        except Exception as error:
            self._error = error
            raise

    def _train(self, trial: Trial) -> float:
        labels = {key: suggest(trial, key, space) for key, space in self._plan.space.items()}
        signature = {"trial": trial.number, "worker": f"{platform.node()}:{os.getpid()}"}
        trial.set_user_attr(WORKER, signature)
        config = self._plan.config(labels)
        dataset = self._dataset(config.dataset, config.preparation).for_training(config.classes)
        train, validation = make_splits(config, dataset.train)
        initial = initial_model.load(config)
        make_folder(self._location.folder)  # an older study of this name may have left runs in it
        path = directory.create_numbered(self._location.folder, f"trial-{trial.number:04d}")
        trial.set_user_attr(RUN, str(path))
        with directory.locked(path):
            run = runs.Run(path, config, dataset, Threads([1]))
            state = initial_model.start_state(config, dataset.class_names, initial)
            run.start(state)
            for record in run.train(train, validation, state, lambda _: self._raise_if_stopped()):
                trial.report(record.validation_accuracy or 0.0, record.epoch)
                self._away_since = None
                self._raise_if_stopped()
                if why_finished(config, state) is None and trial.should_prune():
                    raise TrialPruned
            summary = run.finish(state)
        trial.set_user_attr(LOSS, summary.validation_loss)
        return summary.validation_accuracy or 0.0

    def _raise_if_stopped(self) -> None:
        if self._is_stopped():
            raise Stopped
