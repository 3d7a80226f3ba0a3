"""Tickets: none is lost, none is done twice, and a study ends with exactly as many as wanted."""

import time
import warnings
from collections import Counter
from collections.abc import Callable

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from dlcli.sweep import tickets
from dlcli.sweep.storage import open_study
from dlcli.sweep.tickets import Desk, is_done, origin_of, wanted


@pytest.fixture
def study(make_plan, database) -> optuna.Study:
    return open_study(database, make_plan(), "s", create=True)


@pytest.fixture
def grow_silent(database) -> Callable[[], None]:
    """Let an hour go by without a sign of life."""

    def silent() -> None:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')"
            )

    return silent


def desk(study, limit: int = 3, worker_timeout: float = 1000) -> Desk:
    return Desk(study, limit, worker_timeout)


def retry(study, number: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback()(study, study.trials[number])


def fail(study) -> None:
    """Take the next trial and fail it, and do not queue it again, as a reaper that dies."""
    trial_id = desk(study, limit=9).take()
    study._storage.set_trial_state_values(trial_id, TrialState.FAIL)


def states(study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_a_study_has_as_many_trials_as_wanted_and_then_is_done(study):
    first, second = desk(study), desk(study)
    ids = [first.take(), second.take(), first.take()]
    assert None not in ids
    assert first.take() is second.take() is None
    assert not first.is_done
    for trial_id in ids:
        assert first.settle(trial_id, TrialState.COMPLETE, 0.5)
    assert second.is_done
    assert second.take() is None
    assert not desk(study, limit=4).is_done


def test_a_trial_that_was_put_back_is_the_next_one_with_the_same_values(study):
    worker = desk(study)
    trial = optuna.trial.Trial(study, worker.take())
    rate = trial.suggest_float("learning_rate", 0, 1)
    worker.put_back(trial._trial_id)
    again = optuna.trial.Trial(study, worker.take())
    assert again.suggest_float("learning_rate", 0, 1) == rate
    assert origin_of(study.trials[again.number]) == trial.number
    assert states(study) == ["FAIL", "RUNNING"]
    assert worker.take() is not None
    assert worker.take() is not None
    assert worker.take() is None  # three tickets, though there are four trials


def test_the_trial_of_a_dead_worker_is_tried_again(study, grow_silent):
    dead, alive = desk(study, limit=1), desk(study, limit=1)
    lost = dead.take()
    dead.sign(lost, "a")
    assert alive.take() is None
    grow_silent()
    found = alive.take()
    alive.sign(found, "b")
    assert states(study) == ["FAIL", "RUNNING"]
    assert not dead.settle(lost, TrialState.COMPLETE, 0.5)  # it was not dead after all
    assert alive.settle(found, TrialState.COMPLETE, 0.6)
    assert states(study) == ["FAIL", "COMPLETE"]
    assert alive.is_done


def test_signs_of_life_keep_a_trial(study, grow_silent):
    slow, other = desk(study, limit=1), desk(study, limit=1)
    trial_id = slow.take()
    slow.sign(trial_id, "a")
    grow_silent()
    slow.beat(trial_id)
    assert other.take() is None
    assert states(study) == ["RUNNING"]


def test_a_trial_that_was_taken_but_never_signed_is_found(study):
    desk(study, limit=1).take()  # dies at once
    other = desk(study, limit=1, worker_timeout=0.2)
    assert other.take() is None
    time.sleep(0.3)
    assert other.take() is not None
    assert states(study) == ["FAIL", "RUNNING"]


def test_a_trial_that_was_failed_but_not_queued_again_is_found(study):
    worker = desk(study, limit=1, worker_timeout=0.2)
    fail(study)
    assert not worker.is_done
    assert worker.take() is None
    time.sleep(0.3)
    assert worker.take() is not None
    assert states(study) == ["FAIL", "RUNNING"]


def test_of_two_copies_of_a_trial_one_is_done(study):
    worker = desk(study, limit=1)
    fail(study)
    retry(study, 0)
    retry(study, 0)
    taken = [worker.take(), worker.take(), worker.take()]
    assert sum(trial_id is not None for trial_id in taken) == 1
    (trial_id,) = [trial_id for trial_id in taken if trial_id is not None]
    worker.settle(trial_id, TrialState.COMPLETE, 0.5)
    worker.take()
    assert worker.is_done
    assert Counter(states(study)) == {"FAIL": 2, "COMPLETE": 1}


def test_who_comes_too_late_for_the_last_ticket_discards_it(study, monkeypatch):
    late = desk(study, limit=1)
    quick = desk(study, limit=1).take()
    answers = iter([[], []])  # what it saw before the quick one
    monkeypatch.setattr(late, "_trials", lambda: next(answers, study.get_trials()))
    assert late.take() is None
    late.settle(quick, TrialState.COMPLETE, 0.5)
    assert states(study) == ["COMPLETE", "FAIL"]
    assert late.is_done
    assert [trial.number for trial in wanted(study.trials)] == [0]
    assert desk(study, limit=2).take() is not None  # the discarded one is no ticket


def test_a_trial_that_kills_every_worker_is_given_up(study):
    fail(study)
    for number in range(tickets.MAX_RETRIES):
        retry(study, number)
        assert not is_done(study.trials, 1)
        fail(study)
    assert is_done(study.trials, 1)


def test_an_answer_that_was_lost_on_its_way_is_not_taken_for_anothers(study):
    worker = desk(study)
    trial_id = worker.take()
    assert worker.settle(trial_id, TrialState.COMPLETE, 0.5)
    assert worker.settle(trial_id, TrialState.COMPLETE, 0.5)
    assert not worker.settle(trial_id, TrialState.COMPLETE, 0.6)
    assert not worker.settle(trial_id, TrialState.PRUNED, 0.5)
