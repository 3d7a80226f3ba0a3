"""Samplers and pruners: repeatable, different from worker to worker, a grid without gaps."""

import math
import statistics
from typing import Any

import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

from dlcli.errors import ConfigError
from dlcli.sweep import samplers
from dlcli.sweep.samplers import check_sampler, make_pruner, make_sampler, suggest


def proposals(plan, count: int, worker: int = 0) -> list[dict[str, Any]]:
    def objective(trial):
        for key, space in plan.space.items():
            suggest(trial, key, space)
        return trial.params["learning_rate"]

    sampler, pruner = make_sampler(plan, worker), make_pruner(plan)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.optimize(objective, count)
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_gives_the_same_proposals_and_no_trial_the_same_twice(make_plan, sampler):
    plan = make_plan(f"sweep: {{sampler: {sampler}}}")
    first = proposals(plan, 15)
    assert proposals(plan, 15) == first
    assert len({params["learning_rate"] for params in first}) == 15
    assert proposals(make_plan(f"sweep: {{sampler: {sampler}, seed: 1}}"), 15) != first


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_workers_propose_different_values(make_plan, sampler):
    plan = make_plan(f"sweep: {{sampler: {sampler}}}")
    rates = [p["learning_rate"] for worker in range(3) for p in proposals(plan, 5, worker)]
    assert len(set(rates)) == 15


def test_a_search_finds_what_has_a_high_accuracy(make_plan, study_in_memory):
    """Rates are proposed near the best ones, and the best trial has the highest accuracy."""
    plan = make_plan("sweep: {pruner: none}", trials=40)
    study = study_in_memory(plan)

    def accuracy(trial):
        for key, space in plan.space.items():
            suggest(trial, key, space)
        return 1 - abs(math.log10(trial.params["learning_rate"]) + 1.8)

    study.optimize(accuracy, 40)
    late = [math.log10(trial.params["learning_rate"]) for trial in study.trials[20:]]
    assert statistics.median(late) == pytest.approx(-1.8, abs=0.1)
    assert study.best_trial.value > 0.97


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
def test_a_grid_has_every_combination_once_shuffled(make_plan, pruner):
    grid = (
        "learning_rate: {choices: [0.1, 0.2]}\nmomentum: {low: 0.7, high: 0.9, step: 0.1}\n"
        f"seed: {{low: 1, high: 2}}\nsweep: {{sampler: grid, pruner: {pruner}}}"
    )
    plan = make_plan(grid, trials=100)
    found = [tuple(params.values()) for params in proposals(plan, plan.trials)]
    assert len(set(found)) == plan.trials == 24
    assert found != sorted(found)
    assert proposals(make_plan(f"{grid}\n", trials=100), 24) == proposals(plan, 24)
    others = [tuple(params.values()) for params in proposals(plan, 24, worker=1)]
    assert set(others) == set(found)


def test_spaces_keep_their_kind(make_plan):
    text = "epochs: {low: 1, high: 9, step: 4}\ndropout: {low: 0.0, high: 0.4, step: 0.2}"
    for params in proposals(make_plan(text), 8):
        assert params["epochs"] in {1, 5, 9}
        assert isinstance(params["epochs"], int)
        assert params["dropout"] in {0.0, 0.2, 0.4}
        assert params["hidden_layers"] in {"[4]", "[8]"}
        assert 0.01 <= params["learning_rate"] <= 1


def test_the_pruners(make_plan):
    assert isinstance(make_pruner(make_plan("sweep: {pruner: median}")), MedianPruner)
    assert isinstance(make_pruner(make_plan("sweep: {pruner: hyperband}")), HyperbandPruner)
    assert isinstance(make_pruner(make_plan("sweep: {pruner: none}")), NopPruner)


def test_hyperband_stops_the_worst_trials_after_their_first_epoch_and_others_later(make_plan):
    study = optuna.create_study(
        direction="maximize", pruner=make_pruner(make_plan("epochs: 9\nsweep: {pruner: hyperband}"))
    )

    def objective(trial):
        for epoch in range(1, 10):
            trial.report(-trial.number, epoch)  # each is worse than those before
            if trial.should_prune():
                raise optuna.TrialPruned
        return -trial.number

    study.optimize(objective, 40)
    assert {len(trial.intermediate_values) for trial in study.trials} == {1, 3, 9}


def test_gp_says_what_it_needs(make_plan, monkeypatch):
    plan = make_plan("sweep: {sampler: gp}")
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ConfigError, match="needs PyTorch and SciPy: pip install torch scipy"):
        check_sampler(plan)
    monkeypatch.setattr(samplers, "find_spec", lambda name: name)
    check_sampler(plan)


def test_the_sampler_and_the_pruner_of_a_study_are_the_plans(make_plan, open_study):
    study = open_study(make_plan("sweep: {sampler: random, pruner: none}"))
    assert isinstance(study.sampler, optuna.samplers.RandomSampler)
    assert isinstance(study.pruner, NopPruner)
