"""Samplers and pruners: repeatable, different from worker to worker, a grid without gaps."""

import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner

from dlcli.errors import ConfigError
from dlcli.sweep import samplers
from dlcli.sweep.samplers import check_sampler, make_pruner, make_sampler, suggest
from dlcli.sweep.storage import open_study


def proposals(plan, count: int) -> list[dict]:
    study = optuna.create_study(direction="maximize", sampler=make_sampler(plan))
    for _ in range(count):
        trial = study.ask()
        for key, space in plan.space.items():
            suggest(trial, key, space)
        study.tell(trial, trial.params["learning_rate"])
    return [trial.params for trial in study.trials]


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_seed_gives_the_same_proposals_and_no_trial_the_same_twice(make_plan, sampler):
    plan = make_plan(f"sweep: {{sampler: {sampler}}}")
    first = proposals(plan, 15)
    assert proposals(plan, 15) == first
    assert len({params["learning_rate"] for params in first}) == 15
    assert proposals(make_plan(f"sweep: {{sampler: {sampler}, seed: 1}}"), 15) != first


def test_tpe_comes_closer_to_the_best_than_its_first_trials(make_plan):
    rates = [params["learning_rate"] for params in proposals(make_plan(), 40)]
    assert sum(rates[-10:]) > 1.5 * sum(rates[:10])


def test_a_grid_has_every_combination_once_shuffled(make_plan):
    grid = (
        "learning_rate: {choices: [0.1, 0.2]}\nmomentum: {low: 0.7, high: 0.9, step: 0.1}\n"
        "seed: {low: 1, high: 2}\nsweep: {sampler: grid}"
    )
    plan = make_plan(grid, trials=100)
    found = [tuple(params.values()) for params in proposals(plan, plan.trials)]
    assert len(set(found)) == plan.trials == 24
    assert found != sorted(found)
    assert proposals(make_plan(f"{grid}\n"), 24) == proposals(plan, 24)


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


def test_gp_says_what_it_needs(make_plan, monkeypatch):
    plan = make_plan("sweep: {sampler: gp}")
    monkeypatch.setattr(samplers, "find_spec", lambda name: None if name == "torch" else name)
    with pytest.raises(ConfigError, match="needs PyTorch and SciPy: pip install torch scipy"):
        check_sampler(plan)
    monkeypatch.setattr(samplers, "find_spec", lambda name: name)
    check_sampler(plan)


def test_the_sampler_of_a_study_is_the_plans(make_plan, database):
    plan = make_plan("sweep: {sampler: random, pruner: none}")
    study = open_study(database, plan, "s", create=True)
    assert isinstance(study.sampler, samplers.SeededSampler)
    assert isinstance(study.pruner, NopPruner)
