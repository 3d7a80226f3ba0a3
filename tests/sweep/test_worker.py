"""A worker: each trial a run directory, and whatever happens to a trial, nothing is lost."""

import json

import optuna
import pytest
from optuna.trial import TrialState

from dlcli.errors import DatasetError
from dlcli.runs import listing, metrics_log, resume
from dlcli.runs.run import Run
from dlcli.sweep import worker as workers
from dlcli.sweep.results import best_of, row_of
from dlcli.sweep.storage import StorageError, open_study
from dlcli.sweep.worker import Place, Worker


@pytest.fixture
def start(make_plan, database, workdir):
    """Make a study and a worker for it: ``study, worker = start("epochs: 3")``."""

    def begin(text: str = "", is_stopped=lambda: False, trials: int = 4):
        plan = make_plan(text, trials)
        study = open_study(database, plan, "s", create=True)
        place = Place(str(database.engine.url), "s", workdir / "runs", workdir / "data")
        return study, Worker(plan, place, study, is_stopped)

    return begin


def test_every_trial_is_a_finished_run_with_the_proposed_config(start, workdir):
    study, worker = start("sweep: {pruner: none}")
    worker.work()
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    rows = {row["run"]: row for row in listing.list_runs(workdir / "runs" / "s")}
    assert len(rows) == 4
    for trial in study.trials:
        row = row_of(trial)
        run = rows[row["run"]]
        assert (run["status"], run["epochs"]) == ("finished", 2)
        assert row["validation_accuracy"] == run["validation_accuracy"]
        assert row["validation_loss"] == run["validation_loss"]
        summary = json.loads((workdir / row["run"] / "summary.json").read_text())
        assert summary["config"]["learning_rate"] == row["params"]["learning_rate"]
        assert summary["config"]["hidden_layers"] == row["params"]["hidden_layers"]
        assert summary["threads"] == 1
        records = metrics_log.read(workdir / row["run"])
        reported = {record.epoch: record.validation_accuracy for record in records}
        assert trial.intermediate_values == reported


def test_two_searches_with_one_seed_give_the_same_trials(start, database, make_plan, workdir):
    study, worker = start(trials=6)
    worker.work()
    again = open_study(database, make_plan(trials=6), "t", create=True)
    place = Place(str(database.engine.url), "t", workdir / "runs", workdir / "data")
    Worker(make_plan(trials=6), place, again, lambda: False).work()
    assert [t.params for t in again.trials] == [t.params for t in study.trials]
    assert [t.values for t in again.trials] == [t.values for t in study.trials]


def test_a_pruned_trial_leaves_a_run_that_can_go_on(start, workdir, monkeypatch):
    study, worker = start("epochs: 3", trials=1)
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda _: True)
    worker.work()
    (trial,) = study.trials
    assert trial.state is TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]
    assert trial.value == trial.intermediate_values[1]
    assert resume.read(workdir / row_of(trial)["run"]).state.epoch == 1


def test_what_has_had_its_last_epoch_is_complete(start, monkeypatch):
    study, worker = start("epochs: 1", trials=1)
    monkeypatch.setattr(optuna.trial.Trial, "should_prune", lambda _: True)
    worker.work()
    assert study.trials[0].state is TrialState.COMPLETE


def test_proposals_that_contradict_each_other_are_pruned_with_the_reason(start, workdir):
    study, worker = start("warmup_epochs: {choices: [3, 4]}")
    worker.work()
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 4
    assert "epochs of warm-up do not fit into 2 epochs" in row_of(study.trials[0])["reason"]
    assert not (workdir / "runs" / "s").exists()
    assert best_of(study.trials) is None


def test_a_training_that_diverges_is_pruned_with_the_reason(start):
    study, worker = start(
        "learning_rate: {choices: [900, 1000]}\nloss: mse\noutput_activation: linear", trials=1
    )
    worker.work()
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED]
    assert "training diverged" in row_of(study.trials[0])["reason"]


def test_a_stopped_worker_puts_its_trial_back(start):
    calls = iter(range(100))
    study, worker = start(is_stopped=lambda: next(calls) > 2, trials=2)
    worker.work()
    assert [t.state for t in study.trials if t.state is not TrialState.COMPLETE][:2] == [
        TrialState.FAIL,
        TrialState.WAITING,
    ]
    stopped = study.trials
    study, worker = start(trials=2)
    worker.work()
    complete = [t for t in study.trials if t.state is TrialState.COMPLETE]
    assert len(complete) == 2
    assert stopped[-1].params in [t.params for t in complete]
    assert {row_of(t)["retry_of"] for t in complete} == {None, stopped[-2].number}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), DatasetError("gone")])
def test_what_is_not_the_trials_fault_ends_the_worker_and_the_trial_is_put_back(
    start, monkeypatch, error
):
    def fail(*_):
        raise error

    study, worker = start()
    monkeypatch.setattr(Run, "start", fail)
    with pytest.raises(type(error)):
        worker.work()
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_too_little_memory_is_the_trials_own_fault(start, monkeypatch):
    def fail(*_):
        raise MemoryError

    study, worker = start(trials=1)
    monkeypatch.setattr(Run, "start", fail)
    worker.work()
    assert row_of(study.trials[0])["reason"] == "MemoryError"


def test_a_database_that_is_gone_ends_the_worker(start, monkeypatch):
    def fail(*_):
        raise StorageError("gone")

    study, worker = start()
    monkeypatch.setattr(optuna.trial.Trial, "report", fail)
    with pytest.raises(StorageError, match="gone"):
        worker.work()
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING]


def test_signs_of_life_are_given_while_a_trial_runs(start, monkeypatch):
    _, worker = start(trials=1)
    beats = []
    monkeypatch.setattr(worker, "_beat_every", -1.0)
    monkeypatch.setattr(worker._desk, "beat", beats.append)
    worker.work()
    assert len(beats) > 2


def test_run_directories_of_an_older_study_are_left_alone(start, workdir):
    (workdir / "runs" / "s" / "trial-0000").mkdir(parents=True)
    study, worker = start(trials=1)
    worker.work()
    assert row_of(study.trials[0])["run"].endswith("trial-0000-2")


def test_a_worker_waits_for_trials_that_others_are_at(start, monkeypatch):
    _, worker = start(trials=1)
    trial_id = worker._desk.take()
    waits = []

    def settle(seconds):
        waits.append(seconds)
        worker._desk.settle(trial_id, TrialState.COMPLETE, 0.5)

    monkeypatch.setattr(workers.time, "sleep", settle)
    worker.work()
    assert waits == [workers.POLL_SECONDS]


def test_of_equal_trials_the_one_of_the_lowest_loss_is_the_best():
    def trial(value, loss):
        return optuna.trial.create_trial(
            state=TrialState.COMPLETE, value=value, user_attrs={workers.LOSS: loss}
        )

    trials = [trial(0.8, 0.1), trial(0.9, 0.4), trial(0.9, 0.3)]
    assert best_of(trials) is trials[2]
