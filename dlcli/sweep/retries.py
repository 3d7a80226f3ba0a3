"""Retries of trials whose workers died or were stopped.

While a worker runs a trial, Optuna records a heartbeat in the database. A trial whose heartbeat
stops fails, and its values are queued again under a new number. Optuna calls this part of its
API experimental, so only this module uses it.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import optuna
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

MAX_RETRIES = 5  # a trial that needs too much memory kills each worker that tries it


class HeartbeatStorage(RDBStorage):
    """Optuna's database storage; a heartbeat is skipped while the database is away."""

    def record_heartbeat(self, trial_id: int) -> None:
        """Record that the trial's worker is alive."""
        with suppress(StorageInternalError):  # the next heartbeat comes in a few seconds
            super().record_heartbeat(trial_id)


@contextmanager
def _experimental() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def make_storage(
    url: str, engine_kwargs: dict[str, object], worker_timeout: int
) -> HeartbeatStorage:
    """A storage in which a trial fails after ``worker_timeout`` seconds without a heartbeat."""
    with _experimental():
        return HeartbeatStorage(
            url,
            engine_kwargs,
            heartbeat_interval=max(worker_timeout // 4, 1),
            grace_period=worker_timeout,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(MAX_RETRIES),
        )


def fail_stale(study: optuna.Study) -> None:
    """Fail the trials whose heartbeat has stopped, and queue them again."""
    with _experimental():
        fail_stale_trials(study)


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Queue a failed trial again, which was stopped through no fault of its own."""
    with _experimental():
        RetryHeartbeatStaleTrialCallback()(study, trial)


def retry_history(trial: FrozenTrial) -> list[int]:
    """The numbers of the failed trials that this one repeats, oldest first."""
    with _experimental():
        return RetryHeartbeatStaleTrialCallback.retry_history(trial)


def not_retried(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The failed trials that have not been queued again."""
    failed = [trial for trial in trials if trial.state is TrialState.FAIL]
    if not failed:
        return []
    retried = {number for trial in trials for number in retry_history(trial)}
    return [trial for trial in failed if trial.number not in retried]
