"""A worker: each trial is a run directory, and no trial is lost, whatever happens to it."""

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from dlcli.errors import DatasetError
from dlcli.runs import listing, metrics_log, resume
from dlcli.runs.run import Run
from dlcli.sweep import storage
from dlcli.sweep import worker as workers
from dlcli.sweep.results import WORKER, best_of, counts_of, row_of
from dlcli.sweep.samplers import make_sampler, suggest
from dlcli.sweep.storage import MAX_RETRIES, StorageError, queue_again


def states(study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def suggest_all(trial, plan) -> None:
    for key, space in plan.space.items():
        suggest(trial, key, space)


def test_every_trial_is_a_finished_run_with_the_proposed_config(start, runs_folder, workdir):
    study, worker = start("sweep: {pruner: none}")
    worker.work()
    assert states(study) == ["COMPLETE"] * 4
    assert study.best_value == max(trial.value for trial in study.trials)
    best = best_of(study.trials)
    assert best is not None
    assert study.best_trial.value == best.value
    rows = {row["run"]: row for row in listing.list_runs(runs_folder)}
    assert len(rows) == 4
    for trial in study.trials:
        row = row_of(trial)
        run = rows[row["run"]]
        assert (run["status"], run["epochs"]) == ("finished", 2)
        assert row["validation_accuracy"] == run["validation_accuracy"]
        assert row["validation_loss"] == run["validation_loss"]
        assert row["worker"].endswith(f":{os.getpid()}")
        summary = json.loads((workdir / row["run"] / "summary.json").read_text())
        assert summary["config"]["learning_rate"] == row["params"]["learning_rate"]
        assert summary["config"]["hidden_layers"] == row["params"]["hidden_layers"]
        assert summary["threads"] == 1
        records = metrics_log.read(workdir / row["run"])
        reported = {record.epoch: record.validation_accuracy for record in records}
        assert trial.intermediate_values == reported


def test_two_searches_with_one_seed_give_the_same_trials(start, location):
    study, worker = start(trials=6)
    worker.work()
    again, worker = start(trials=6, location=replace(location, study="t"))
    worker.work()
    assert [t.params for t in again.trials] == [t.params for t in study.trials]
    assert [t.values for t in again.trials] == [t.values for t in study.trials]


def test_a_pruned_trial_leaves_a_run_that_can_be_resumed(start, workdir, monkeypatch):
    study, worker = start("epochs: 3", trials=1)
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda _: True)
    worker.work()
    (trial,) = study.trials
    assert trial.state is TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]
    assert trial.value == trial.intermediate_values[1]
    assert resume.read(workdir / row_of(trial)["run"]).state.epoch == 1


def test_a_trial_is_not_pruned_after_its_last_epoch(start, monkeypatch):
    study, worker = start("epochs: 1", trials=1)
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda _: True)
    worker.work()
    assert states(study) == ["COMPLETE"]


def test_values_that_contradict_each_other_are_pruned_with_the_reason(start, runs_folder):
    study, worker = start("warmup_epochs: {choices: [3, 4]}")
    worker.work()
    assert states(study) == ["PRUNED"] * 4
    assert "epochs of warm-up do not fit into 2 epochs" in row_of(study.trials[0])["reason"]
    assert not runs_folder.exists()
    assert best_of(study.trials) is None


def test_a_training_that_diverges_is_pruned_with_the_reason(start):
    study, worker = start(
        "learning_rate: {choices: [900, 1000]}\nloss: mse\noutput_activation: linear", trials=1
    )
    worker.work()
    assert states(study) == ["PRUNED"]
    assert "training diverged" in row_of(study.trials[0])["reason"]


def test_a_training_that_needs_too_much_memory_is_pruned_with_the_reason(start, monkeypatch):
    def fail(*_):
        raise MemoryError

    study, worker = start(trials=1)
    monkeypatch.setattr(Run, "start", fail)
    worker.work()
    assert states(study) == ["PRUNED"]
    assert row_of(study.trials[0])["reason"] == "MemoryError"


def test_the_trial_of_a_stopped_worker_is_tried_again_with_the_same_values(start):
    calls = iter(range(100))
    study, worker = start(is_stopped=lambda: next(calls) > 2, trials=2)
    worker.work()
    assert states(study) == ["FAIL", "WAITING"]
    study, worker = start(trials=2)
    worker.work()
    stopped, *complete = study.trials
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE"]
    assert complete[0].params == stopped.params
    assert [row_of(trial)["retry_of"] for trial in study.trials] == [None, stopped.number, None]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), DatasetError("gone")])
def test_an_error_that_is_not_the_trials_fault_ends_the_worker(start, monkeypatch, error):
    def fail(*_):
        raise error

    study, worker = start()
    monkeypatch.setattr(Run, "start", fail)
    with pytest.raises(type(error)):
        worker.work()
    assert states(study) == ["FAIL", "WAITING"]


@pytest.fixture
def break_reports(monkeypatch):
    """Let the next reports of an accuracy fail: ``break_reports(3)``."""
    monkeypatch.setattr(workers, "PAUSE_SECONDS", (0, 0))
    real = optuna.trial.Trial.report

    def break_next(times: int) -> None:
        left = iter(range(times))

        def report(trial, value, step):
            if next(left, None) is not None:
                cause = OperationalError("UPDATE", {}, Exception("the server is gone"))
                raise StorageInternalError from cause
            real(trial, value, step)

        monkeypatch.setattr(optuna.trial.Trial, "report", report)

    return break_next


def test_a_trial_that_the_database_failed_in_is_tried_again(start, break_reports):
    study, worker = start(trials=1)
    break_reports(3)
    worker.work()
    assert states(study) == ["FAIL"] * 3 + ["COMPLETE"]
    assert row_of(study.trials[3])["retry_of"] == 2
    assert len({trial.params["learning_rate"] for trial in study.trials}) == 1


def test_a_database_that_stays_away_ends_the_worker(start, break_reports, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 0)
    _, worker = start()
    break_reports(100)
    with pytest.raises(StorageError, match=r"sweeps\.db: the server is gone$"):
        worker.work()


def test_a_worker_whose_trial_was_given_to_another_continues(start, open_elsewhere, monkeypatch):
    study, worker = start(trials=2)
    real = optuna.trial.Trial.should_prune

    def give_away(trial):
        if trial.number == 0:
            elsewhere = open_elsewhere()
            queue_again(elsewhere, elsewhere.tell(0, state=TrialState.FAIL))
        return real(trial)

    monkeypatch.setattr(optuna.trial.Trial, "should_prune", give_away)
    worker.work()
    assert states(study) == ["FAIL", "COMPLETE", "COMPLETE"]


def test_the_trials_of_dead_workers_are_tried_again(start, open_elsewhere, location):
    study, worker = start("sweep: {worker_timeout: 2}", trials=3)
    elsewhere = open_elsewhere()
    elsewhere.ask()  # died before its first heartbeat: another trial takes its place
    beating = elsewhere.ask()
    rate = beating.suggest_float("learning_rate", 0.01, 1, log=True)
    storage.connect(location.url).record_heartbeat(beating._trial_id)
    with closing(sqlite3.connect(location.runs_dir / "sweeps.db")) as database, database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")
    worker.work()
    rows = [row_of(trial) for trial in study.trials]
    assert [row["state"] for row in rows] == ["running", "fail"] + ["complete"] * 3
    retries = {row["retry_of"]: row["params"]["learning_rate"] for row in rows[2:]}
    assert retries[beating.number] == rate


def test_a_trial_that_kills_its_workers_is_tried_again_five_times(start, open_elsewhere, location):
    study, worker = start("sweep: {worker_timeout: 2}", trials=1)
    elsewhere, beat = open_elsewhere(), storage.connect(location.url).record_heartbeat
    for _ in range(6):
        beat(elsewhere.ask()._trial_id)
        with closing(sqlite3.connect(location.runs_dir / "sweeps.db")) as database, database:
            database.execute("UPDATE trial_heartbeats SET heartbeat = datetime('now', '-1 hour')")
        storage.fail_stale(study)
    assert [len(storage.retry_history(trial)) for trial in study.trials] == [0, 1, 2, 3, 4, 5]
    assert states(study) == ["FAIL"] * 6
    worker.work()
    assert states(study) == ["FAIL"] * 6 + ["COMPLETE"]
    assert counts_of(study.trials) == {"complete": 1, "pruned": 0, "failed": 1, "retried": 5}
    assert row_of(study.trials[-1])["retry_of"] is None


GRID = "learning_rate: {choices: [0.1, 0.2]}\nsweep: {sampler: grid, worker_timeout: 2}"


def test_a_point_of_a_grid_is_not_lost_with_a_worker_that_died_before_queueing_it_again(
    start, open_elsewhere, make_plan
):
    study, worker = start(GRID)
    elsewhere = open_elsewhere()
    elsewhere.sampler = make_sampler(make_plan(GRID), worker=1)
    lost = elsewhere.ask()
    suggest_all(lost, make_plan(GRID))
    elsewhere.tell(lost, state=TrialState.FAIL)
    worker.work()
    points = {tuple(t.params.values()) for t in study.trials if t.state is TrialState.COMPLETE}
    assert len(points) == 4
    assert states(study) == ["FAIL"] + ["COMPLETE"] * 4


def test_a_point_of_a_grid_whose_worker_died_before_its_first_heartbeat_is_run_by_another(
    start, open_elsewhere, make_plan
):
    study, worker = start(GRID)
    elsewhere = open_elsewhere()
    elsewhere.sampler = make_sampler(make_plan(GRID), worker=1)
    suggest_all(elsewhere.ask(), make_plan(GRID))
    worker.work()
    assert states(study) == ["RUNNING"] + ["COMPLETE"] * 4
    assert len({tuple(trial.params.values()) for trial in study.trials[1:]}) == 4


def test_a_point_of_a_grid_that_fails_again_and_again_is_given_up(start, open_elsewhere, make_plan):
    study, worker = start(GRID)
    elsewhere = open_elsewhere()
    elsewhere.sampler = make_sampler(make_plan(GRID), worker=1)
    for _ in range(MAX_RETRIES + 1):
        trial = elsewhere.ask()
        suggest_all(trial, make_plan(GRID))
        failed = elsewhere.tell(trial, state=TrialState.FAIL)
        if trial.number < MAX_RETRIES:
            queue_again(elsewhere, failed)
    worker.work()
    assert states(study) == ["FAIL"] * (MAX_RETRIES + 1) + ["COMPLETE"] * 3


def test_a_worker_waits_for_trials_that_others_are_running(start, open_elsewhere, monkeypatch):
    study, worker = start(trials=1)
    elsewhere = open_elsewhere()
    trial = elsewhere.ask()
    trial.set_user_attr(WORKER, {"trial": 0, "worker": "host:1"})
    waits = []

    def finish(seconds):
        waits.append(seconds)
        elsewhere.tell(trial, 0.5)

    monkeypatch.setattr("dlcli.sweep.worker.time.sleep", finish)
    worker.work()
    assert waits == [workers.POLL_SECONDS]
    assert states(study) == ["COMPLETE"]


def test_run_directories_of_an_older_study_are_left_alone(start, runs_folder):
    (runs_folder / "trial-0000").mkdir(parents=True)
    study, worker = start(trials=1)
    worker.work()
    assert row_of(study.trials[0])["run"].endswith("trial-0000-2")
