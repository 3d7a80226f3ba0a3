"""The progress of a study: what counts as done, and what is left to begin."""

from itertools import product

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from dlcli.errors import ConfigError
from dlcli.sweep.results import LOSS, WORKER, Progress, best_of, find_study, importance_caveat

GRID = "learning_rate: {choices: [0.1, 0.2]}\nsweep: {sampler: grid}"
POINTS = list(product(["[4]", "[8]"], [0.1, 0.2]))


def trial(state=TrialState.COMPLETE, point=None, *, signed=True):
    keys = ("hidden_layers", "learning_rate")
    return create_trial(
        state=state,
        user_attrs={WORKER: {"trial": -1, "worker": "host:1"}} if signed else {},
        value=0.5 if state is TrialState.COMPLETE else None,
        params=dict(zip(keys, point or (), strict=False)),
        distributions={
            key: CategoricalDistribution(sorted({point[index] for point in POINTS}))
            for index, key in enumerate(keys if point else ())
        },
    )


def test_a_database_that_is_not_there_is_not_created(tmp_path):
    file = tmp_path / "typo.db"
    with pytest.raises(ConfigError, match="there is no such file"):
        find_study(f"sqlite:///{file}", None)
    assert not file.exists()


def scored(accuracy, loss):
    return create_trial(value=accuracy, user_attrs={} if loss is None else {LOSS: loss})


def test_a_study_without_trials_has_nothing_done(make_plan):
    progress = Progress(make_plan(), [])
    assert (progress.done, progress.is_done, progress.has_open) == (0, False, True)
    assert progress.best is None


def test_complete_and_pruned_trials_count_and_running_ones_are_waited_for(make_plan):
    trials = [trial(), trial(TrialState.PRUNED), trial(TrialState.RUNNING)]
    progress = Progress(make_plan(trials=3), [*trials, trial(TrialState.WAITING)])
    assert (progress.done, progress.is_done, progress.has_open) == (2, False, False)
    unsigned = trial(TrialState.RUNNING, signed=False)
    assert Progress(make_plan(trials=3), [*trials[:2], unsigned]).has_open
    progress = Progress(make_plan(trials=2), trials)
    assert (progress.done, progress.is_done, progress.has_open) == (2, True, False)


def test_a_grid_is_done_when_each_of_its_points_is(make_plan):
    plan = make_plan(GRID, trials=100)
    twice = [trial(point=POINTS[0]), *(trial(point=point) for point in POINTS[:3])]
    progress = Progress(plan, twice)
    assert (progress.done, progress.is_done, progress.has_open) == (3, False, True)
    progress = Progress(plan, [*twice, trial(TrialState.RUNNING, POINTS[3])])
    assert (progress.done, progress.is_done, progress.has_open) == (3, False, False)
    progress = Progress(plan, [*twice, trial(point=POINTS[3])])
    assert (progress.done, progress.is_done) == (4, True)


def test_of_trials_with_equal_accuracy_the_one_with_the_lowest_loss_is_the_best():
    """A pruned trial never is, whatever its accuracy."""
    found = [scored(0.8, 0.1), scored(0.9, 0.3), scored(0.9, 0.2), scored(0.9, 0.4)]
    pruned = create_trial(state=TrialState.PRUNED, value=0.99, user_attrs={LOSS: 0.1})
    assert best_of([*found, pruned]) is found[2]
    assert best_of([scored(0.8, None), found[0]]) is found[0]
    assert best_of([pruned]) is None


def test_few_complete_trials_make_importances_doubtful():
    trials = [trial() for _ in range(20)]
    assert importance_caveat(trials) is None
    assert importance_caveat([*trials[:19], trial(TrialState.PRUNED)]) == (
        "importances from 19 complete trials may be chance; they need 20 or more"
    )
