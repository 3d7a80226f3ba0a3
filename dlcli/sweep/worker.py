"""One process that runs trials; each trial is a run directory."""

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna import TrialPruned
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, Trial, TrialState

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.data.datasets import Dataset
from dlcli.data.splits import split_validation
from dlcli.errors import ConfigError, DivergenceError
from dlcli.files import make_folder
from dlcli.runs import directory
from dlcli.runs import run as runs
from dlcli.sweep.plan import Plan
from dlcli.sweep.progress import Progress
from dlcli.sweep.results import LOSS, REASON, RUN, WORKER, worker_of
from dlcli.sweep.retries import fail_stale, queue_again
from dlcli.sweep.samplers import suggest
from dlcli.sweep.storage import Patience, StudyLocation, connect
from dlcli.training.state import initial_state, why_finished

POLL_SECONDS = 0.5
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


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
    patience
        Retries what fails because the database is away.
    """

    def __init__(
        self,
        plan: Plan,
        location: StudyLocation,
        study: optuna.Study,
        is_stopped: Callable[[], bool],
        patience: Patience,
    ) -> None:
        self._plan = plan
        self._location = location
        self._study = study
        self._is_stopped = is_stopped
        self._patience = patience
        self._datasets: dict[str, Dataset] = {}
        self._number = -1  # of the current trial
        self._error: Exception | None = None  # of the current trial
        self._stuck_since: dict[int, float] = {}

    def work(self) -> None:
        """Run trials until the study is done or the worker is asked to stop."""
        while not self._is_stopped():
            trials = self._patience(self._study.get_trials, deepcopy=False)
            progress = Progress(self._plan, trials)
            if progress.is_done:
                return
            if progress.has_open:
                self._optimize()
            else:
                self._wait_for_others(progress)

    def _optimize(self) -> None:
        """Run trials while there are open ones."""
        enough = MaxTrialsCallback(self._plan.trials, COUNTED)
        try:
            self._patience(
                self._study.optimize,
                self._run_trial,
                catch=(Exception,),
                callbacks=[self._after_trial, enough],
            )
        except (UpdateFinishedTrialError, ValueError):
            if not self._is_taken_over():
                raise
            return
        if self._error is not None and not isinstance(self._error, Stopped):
            raise self._error

    def _is_taken_over(self) -> bool:
        """Whether others have finished the current trial: its heartbeat was too late for them."""
        trials = self._patience(self._study.get_trials, deepcopy=False)
        return any(t.number == self._number and t.state.is_finished() for t in trials)

    def _after_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Queue a trial again that was stopped, and stop if there is reason to."""
        if trial.state is TrialState.FAIL:
            queue_again(study, trial)
        if self._error is not None or self._is_stopped():
            study.stop()

    def _run_trial(self, trial: Trial) -> float:
        """The validation accuracy with the sampler's proposals: Optuna's objective."""
        self._number, self._error = trial.number, None
        try:
            return self._train(trial)
        except (ConfigError, DivergenceError, MemoryError) as error:
            reason = str(error) or type(error).__name__
            self._patience(trial.set_user_attr, REASON, reason)
            raise TrialPruned from error
        except TrialPruned:
            raise
        except Exception as error:
            self._error = error
            raise

    def _train(self, trial: Trial) -> float:
        persist = self._patience
        space = self._plan.space
        labels = {key: persist(suggest, trial, key, space[key]) for key in space}
        signature = {"trial": trial.number, "worker": f"{platform.node()}:{os.getpid()}"}
        persist(trial.set_user_attr, WORKER, signature)
        config = self._plan.config(labels)
        dataset = self._dataset(config)
        train, validation = split_validation(dataset.train, config.validation_size, config.seed)
        path = self._new_folder(trial.number)
        persist(trial.set_user_attr, RUN, str(path))
        with directory.locked(path):
            run, state = runs.Run(path, config, dataset, threads=1), initial_state(config)
            run.start(state)
            for record in run.train(train, validation, state, lambda _: self._raise_if_stopped()):
                persist(trial.report, record.validation_accuracy or 0.0, record.epoch)
                self._raise_if_stopped()
                if why_finished(config, state) is None and persist(trial.should_prune):
                    raise TrialPruned
            summary = run.finish(state)
        persist(trial.set_user_attr, LOSS, summary.validation_loss)
        return summary.validation_accuracy or 0.0

    def _raise_if_stopped(self) -> None:
        if self._is_stopped():
            raise Stopped

    def _dataset(self, config: Config) -> Dataset:
        if config.dataset not in self._datasets:
            self._datasets[config.dataset] = datasets.load(config.dataset, self._location.data_dir)
        return self._datasets[config.dataset]

    def _new_folder(self, number: int) -> Path:
        """A new run directory; an older study of this name may have left others."""
        make_folder(self._location.folder)
        return directory.create_numbered(self._location.folder, f"trial-{number:04d}")

    def _wait_for_others(self, progress: Progress) -> None:
        """Wait for the trials of other workers, and queue those of dead ones again.

        Optuna overlooks a trial whose worker died before the first heartbeat, and one whose
        worker died between failing it and queueing it again.
        """
        self._patience(fail_stale, self._study)
        unsigned = [t for t in progress.in_state(TrialState.RUNNING) if worker_of(t) is None]
        now = time.monotonic()
        stuck = [trial.number for trial in (*unsigned, *progress.lost)]
        self._stuck_since = {number: self._stuck_since.get(number, now) for number in stuck}
        for number, since in self._stuck_since.items():
            if now - since > self._plan.search.worker_timeout:
                self._patience(self._fail_and_queue_again, number)
        time.sleep(POLL_SECONDS)

    def _fail_and_queue_again(self, number: int) -> None:
        # With Optuna's grid sampler, a study accepts no tell() outside of optimize().
        database = connect(self._location.url)
        study = optuna.load_study(study_name=self._location.study, storage=database)
        trial = study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        if trial.state is TrialState.FAIL:
            queue_again(study, trial)
