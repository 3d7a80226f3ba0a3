"""Which trial a worker takes next, so that none is lost and none is done twice.

A trial whose worker died (or was stopped) is never begun again under its own number: Optuna
fails it and queues a copy under a new one. All trials that go back to one original are a
*ticket*; it is settled when its latest trial is complete or pruned. A study of N trials is
its first N tickets, whoever works on them, and is done when those are settled.
"""

import copy
import time
import warnings
from collections.abc import Iterable

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.storages import RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

WORKER = "dlcli:worker"
MAX_RETRIES = 5  # a trial that takes its worker with it each time is not tried for ever
_HISTORY = "retry_history"
_SURPLUS = "dlcli:surplus"


def wanted(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The trials without those that were discarded, untouched, as one too many."""
    return [trial for trial in trials if not trial.user_attrs.get(_SURPLUS)]


def origin_of(trial: FrozenTrial) -> int:
    """The number of the trial that this one goes back to; its own, if it is the first."""
    history = trial.system_attrs.get(_HISTORY)
    return int(history[0]) if history else trial.number


def rank_of(trial: FrozenTrial, trials: Iterable[FrozenTrial]) -> int:
    """How many tickets were begun before that of ``trial``.

    The database counts trials up one by one, so all with a lower number are among ``trials``.
    """
    origin = origin_of(trial)
    return sum(
        1 for other in wanted(trials) if other.number < origin and other.number == origin_of(other)
    )


def tickets(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The latest trial of each ticket, in the order in which the tickets were begun."""
    latest: dict[int, FrozenTrial] = {}
    for trial in sorted(wanted(trials), key=lambda trial: trial.number):
        latest[origin_of(trial)] = trial
    return [latest[origin] for origin in sorted(latest)]


def is_settled(trial: FrozenTrial) -> bool:
    """Whether a ticket needs no more work, judged by its latest trial."""
    if trial.state is TrialState.FAIL:
        return len(trial.system_attrs.get(_HISTORY, ())) >= MAX_RETRIES
    return trial.state.is_finished()


def is_done(trials: Iterable[FrozenTrial], limit: int) -> bool:
    """Whether the first ``limit`` tickets are all settled."""
    first = tickets(trials)[:limit]
    return len(first) == limit and all(map(is_settled, first))


class Desk:
    """Hands out the trials of a study to one worker.

    Parameters
    ----------
    study
        The study, in a storage that knows heartbeats.
    limit
        How many tickets the study is to have.
    worker_timeout
        Seconds without a sign of life after which a worker counts as dead.
    """

    def __init__(self, study: optuna.Study, limit: int, worker_timeout: float) -> None:
        self._study = study
        self._storage = study._storage  # noqa: SLF001 - Optuna has no other way to it
        self._study_id = self._storage.get_study_id_from_name(study.study_name)
        self._limit = limit
        self._worker_timeout = worker_timeout
        self._stuck_since: dict[int, float] = {}

    @property
    def is_done(self) -> bool:
        """Whether all tickets are settled."""
        return is_done(self._trials(), self._limit)

    def take(self) -> int | None:
        """The id of a trial that is now this worker's to do; None if there is none for now."""
        self._revive()
        trials = self._trials()
        first = tickets(trials)[: self._limit]
        for waiting in (trial for trial in first if trial.state is TrialState.WAITING):
            trial_id = self._id(waiting)
            if self._set(trial_id, TrialState.RUNNING) and not self._is_twin(waiting):
                return trial_id
        if len(first) >= self._limit:
            return None
        trial_id = self._storage.create_new_trial(self._study_id)
        trial = self._storage.get_trial(trial_id)
        if rank_of(trial, self._trials()) < self._limit:
            return trial_id
        self._discard(trial_id)  # others were faster with the last tickets
        return None

    def sign(self, trial_id: int, worker: str) -> None:
        """Say who is at work on a trial."""
        number = self._storage.get_trial(trial_id).number
        self.beat(trial_id)
        self._storage.set_trial_user_attr(trial_id, WORKER, {"trial": number, "worker": worker})

    def beat(self, trial_id: int) -> None:
        """Give a sign of life."""
        self._storage.record_heartbeat(trial_id)  # type: ignore[attr-defined]

    def settle(self, trial_id: int, state: TrialState, value: float | None = None) -> bool:
        """Store how a trial ended; False if it was given to another worker in the meantime."""
        return self._set(trial_id, state, value)

    def put_back(self, trial_id: int) -> None:
        """Leave a trial that was stopped to whoever goes on with the study."""
        if self._set(trial_id, TrialState.FAIL):
            self._queue_again(self._storage.get_trial(trial_id), None)

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _id(self, trial: FrozenTrial) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial.number)

    def _set(self, trial_id: int, state: TrialState, value: float | None = None) -> bool:
        values = None if value is None else [value]
        try:
            return self._storage.set_trial_state_values(trial_id, state, values)
        except UpdateFinishedTrialError:
            # Perhaps this very change was stored before the connection broke.
            trial = self._storage.get_trial(trial_id)
            return (trial.state, trial.values) == (state, values) and state is not TrialState.FAIL

    def _discard(self, trial_id: int) -> None:
        self._storage.set_trial_user_attr(trial_id, _SURPLUS, True)
        self._set(trial_id, TrialState.FAIL)

    def _is_twin(self, trial: FrozenTrial) -> bool:
        """Whether the same trial was queued twice, and this is the later copy; discard it."""
        history = trial.system_attrs.get(_HISTORY)
        twin = any(
            other.number < trial.number and other.system_attrs.get(_HISTORY) == history
            for other in wanted(self._trials())
            if history
        )
        if twin:
            self._discard(self._id(trial))
        return twin

    def _revive(self) -> None:
        """Queue again what dead workers left."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            fail_stale_trials(self._study)
        stuck = [trial for trial in tickets(self._trials()) if _is_stuck(trial)]
        now = time.monotonic()
        since = {trial.number: self._stuck_since.get(trial.number, now) for trial in stuck}
        self._stuck_since = since
        for trial in stuck:
            if now - since[trial.number] > self._worker_timeout:
                running = trial.state is TrialState.RUNNING
                if not running or self._set(self._id(trial), TrialState.FAIL):
                    self._queue_again(trial, MAX_RETRIES)

    def _queue_again(self, trial: FrozenTrial, max_retry: int | None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            # A copy, since the callback changes what it is given.
            RetryHeartbeatStaleTrialCallback(max_retry)(self._study, copy.deepcopy(trial))


def _is_signed(trial: FrozenTrial) -> bool:
    """Whether the worker that took the trial said so; a copy has the signature of the first."""
    return bool(trial.user_attrs.get(WORKER, {}).get("trial") == trial.number)


def _is_stuck(trial: FrozenTrial) -> bool:
    """Whether nobody may be at work on a ticket, though no heartbeat says so.

    Its worker died between taking a trial and signing it, or between failing a dead worker's
    trial and queueing it again.
    """
    if trial.state is TrialState.FAIL:
        return not is_settled(trial)
    return trial.state is TrialState.RUNNING and not _is_signed(trial)
