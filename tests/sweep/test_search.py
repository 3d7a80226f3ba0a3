"""What a search is for: it finds the better hyperparameters and stops the worse early."""

import optuna
import pytest
import yaml
from optuna.trial import TrialState, create_trial

from dlcli.sweep.results import LOSS, Progress, best_of
from dlcli.sweep.samplers import suggest

TOO_SMALL = 1e-6  # with this learning rate nothing is learned in a few epochs
GOOD = 0.3


def test_the_best_config_is_the_one_that_learns_best(dlcli, tiny, workdir, without_workers):
    without_workers()
    (workdir / "rates.yaml").write_text(
        f"dataset: {tiny}\nhidden_layers: [16]\nbatch_size: 8\nepochs: 8\nvalidation_size: 20\n"
        f"learning_rate: {{choices: [{TOO_SMALL}, {GOOD}, {2 * TOO_SMALL}]}}\n"
        "sweep: {sampler: grid, pruner: none}\n"
    )
    result = dlcli("sweep", "--config", "rates.yaml")
    assert result.code == 0, result.stderr
    best = yaml.safe_load((workdir / "runs" / "rates" / "best.yaml").read_text())
    assert best["learning_rate"] == GOOD
    run = yaml.safe_load((workdir / result.stdout.strip() / "config.yaml").read_text())
    assert run["learning_rate"] == GOOD
    assert f"learning_rate {GOOD}" in result.stderr.splitlines()[-2]


def test_a_trial_that_learns_less_than_earlier_ones_is_pruned_after_its_first_epoch(start):
    study, worker = start(f"learning_rate: {{choices: [{TOO_SMALL}, {2 * TOO_SMALL}]}}", trials=8)
    for _ in range(6):
        study.add_trial(create_trial(value=0.9, intermediate_values={1: 0.8, 2: 0.9}))
    worker.work()
    assert [trial.state for trial in study.trials[6:]] == [TrialState.PRUNED] * 2
    assert [trial.last_step for trial in study.trials[6:]] == [1, 1]


def test_a_trial_that_learns_more_than_earlier_ones_is_complete(start):
    study, worker = start(f"learning_rate: {GOOD}\nbatch_size: 8", trials=8)
    for _ in range(6):
        study.add_trial(create_trial(value=0.02, intermediate_values={1: 0.01, 2: 0.02}))
    worker.work()
    assert [trial.state for trial in study.trials[6:]] == [TrialState.COMPLETE] * 2


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_pruners_keep_the_trials_of_higher_accuracy(make_plan, study_in_memory, pruner):
    study = study_in_memory(make_plan(f"epochs: 9\nsweep: {{pruner: {pruner}, sampler: random}}"))
    pruned = {"low": 0, "high": 0}

    def train(trial: optuna.Trial) -> float:
        kind = "high" if trial.number % 2 else "low"
        for epoch in range(1, 10):
            trial.report((0.5 if kind == "high" else 0.1) + epoch / 100, epoch)
            if epoch < 9 and trial.should_prune():
                pruned[kind] += 1
                raise optuna.TrialPruned
        return 0.9 if kind == "high" else 0.2

    study.optimize(train, n_trials=40)
    assert pruned["low"] > pruned["high"]


def test_tpe_proposes_more_of_what_gave_high_accuracies(make_plan, study_in_memory):
    plan = make_plan("hidden_layers: [4]", trials=40)
    study = study_in_memory(plan)
    study.optimize(lambda trial: suggest(trial, "learning_rate", plan.space["learning_rate"]), 40)
    rates = [trial.params["learning_rate"] for trial in study.trials]
    assert sum(rates[-10:]) > 1.5 * sum(rates[:10])


def test_of_trials_of_equal_accuracy_the_one_with_the_lowest_loss_is_the_best():
    def trial(value, loss):
        return create_trial(value=value, user_attrs={LOSS: loss})

    trials = [trial(0.8, 0.1), trial(0.9, 0.4), trial(0.9, 0.3)]
    assert best_of(trials) is trials[2]


def test_a_pruned_trial_is_never_the_best(make_plan):
    pruned = create_trial(state=TrialState.PRUNED, value=0.9)
    complete = create_trial(value=0.8)
    assert best_of([pruned, complete]) is complete
    assert Progress(make_plan(), [pruned]).best is None
