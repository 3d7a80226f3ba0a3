"""The page of a search has Optuna's figures in the frame of the report."""

import re

import matplotlib as mpl
import optuna
import pytest
from matplotlib import pyplot as plt
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

KEYS = {
    "hidden_layers": CategoricalDistribution(["[200]", "[400, 200]"]),
    "learning_rate": FloatDistribution(0.01, 0.5, log=True),
    "dropout": FloatDistribution(0, 0.6),
}


def make_study(*accuracies: float | None) -> optuna.Study:
    """A study of one trial an accuracy; None is a pruned trial."""
    study = optuna.create_study(study_name="layers <b>", direction="maximize")
    for number, accuracy in enumerate(accuracies):
        params = {
            "hidden_layers": ["[200]", "[400, 200]"][number % 2],
            "learning_rate": 0.01 * (number + 1),
            "dropout": 0.1 * (number % 4),
        }
        study.add_trial(
            create_trial(
                state=TrialState.PRUNED if accuracy is None else TrialState.COMPLETE,
                value=accuracy,
                params=params,
                distributions=KEYS,
                intermediate_values={1: 0.5, 2: accuracy or 0.6},
            )
        )
    return study


def render(study: optuna.Study, importances: dict[str, float], caveat: str | None = None) -> str:
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "validation_accuracy": trial.value,
            "epochs": 2,
            "params": trial.params,
            "run": None,
        }
        for trial in study.trials
    ]
    best = rows[study.best_trial.number]
    from dlcli.report import search  # here, because it imports scikit-learn: a second

    return search.render(study, rows, best, importances, caveat).decode()


@pytest.fixture(scope="module")
def html() -> str:
    study = make_study(0.9, 0.93, None, 0.95, 0.91)
    return render(study, optuna.importance.get_param_importances(study))


def test_the_best_trial_and_the_counts_are_at_the_top(html):
    assert "<b>95.00 %</b>" in html
    assert "5 trials: 4 complete, 1 pruned" in html
    assert "<h1>layers &lt;b&gt;</h1>" in html


def test_every_key_has_a_figure_and_all_have_the_colours_of_the_page(html):
    ids = re.findall(r'<svg[^>]* id="([^"]+)"', html)
    slices = [f"slice-{key}" for key in KEYS]
    assert ids == ["history", "epochs", "importance", *slices, "coordinates"]
    assert not re.search(r'(fill|stroke)="#', html)
    assert "'[200]'" not in html


def test_trials_and_epochs_are_whole_numbers(html):
    for name in ("history", "epochs"):
        (figure,) = re.findall(rf'<svg[^>]* id="{name}".*?</svg>', html, re.DOTALL)
        numbers = re.findall(r"<text[^>]*>([\d.]+)</text>", figure)
        assert len(numbers) > 1
        assert all(number.isdigit() for number in numbers)


def test_the_policy_is_strict_and_allows_the_page(html):
    assert "default-src 'none'" in html
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert "script-src 'sha256-" in html


def test_one_complete_trial_is_enough():
    html = render(make_study(0.9), {})
    assert "importance" not in re.findall(r'<svg[^>]* id="([^"]+)"', html)


def test_doubtful_importances_carry_a_caveat(html):
    study = make_study(0.9, 0.93)
    importances = optuna.importance.get_param_importances(study)
    assert "Caution: two trials are few." in render(study, importances, "two trials are few")
    assert "Caution" not in html


def test_the_style_of_other_figures_is_left_alone():
    before = mpl.rcParams.copy()
    render(make_study(0.9, 0.8), {})
    assert mpl.rcParams == before
    assert plt.get_fignums() == []
