"""What was learned: importances, and one page that shows them."""

import html
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from dlcli.cli.requirements import needs
from dlcli.errors import ConfigError
from dlcli.sweep.retries import HeartbeatStorage
from dlcli.sweep.storage import shown

METHOD = "PED-ANOVA"


def load_study(storage: HeartbeatStorage, name: str | None) -> optuna.Study:
    """The study of a name; without one, the only study there is.

    Raises
    ------
    ConfigError
        There is no such study, or several.
    """
    names = [study.study_name for study in storage.get_all_studies()]
    if name is None and len(names) == 1:
        (name,) = names
    if name in names:
        return optuna.load_study(study_name=name, storage=storage)
    known = f"it has {', '.join(sorted(names))}" if names else "it has none yet"
    wanted = "name a study with --study" if name is None else f"no study {name}"
    raise ConfigError(f"{shown(storage.url)}: {wanted}; {known}")


def importances(study: optuna.Study) -> dict[str, float]:
    """Each key's share in how good a trial is, largest first; empty before it can be told.

    By PED-ANOVA (Watanabe, Bansal, Hutter, 2023): how far the values in the best tenth of the
    complete trials are spread otherwise than those in all of them.
    """
    values = {trial.value for trial in _complete(study)}
    if len(values) < 2:
        return {}
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def page(study: optuna.Study, best: FrozenTrial | None) -> str:
    """One HTML page that needs nothing else: history, importances, slices, parallel coordinates.

    Raises
    ------
    ConfigError
        No trial is complete yet.
    """
    if best is None:
        raise ConfigError(f"study {study.study_name}: no trial is complete yet; nothing to draw")
    with needs("sweep"):
        import plotly  # noqa: F401 - optuna.visualization asks for it only later
    from optuna import visualization

    parts = {
        "Accuracy, trial by trial": visualization.plot_optimization_history(
            study, target_name="validation accuracy"
        ),
    }
    if importances(study):
        parts[f"Importance of each key ({METHOD})"] = visualization.plot_param_importances(
            study, evaluator=PedAnovaImportanceEvaluator(), target_name="validation accuracy"
        )
    parts["Accuracy by each key"] = visualization.plot_slice(
        study, target_name="validation accuracy"
    )
    parts["Parallel coordinates"] = visualization.plot_parallel_coordinate(
        study, target_name="validation accuracy"
    )
    parts["Accuracy, epoch by epoch"] = visualization.plot_intermediate_values(study)
    drawn = []
    for number, (title, figure) in enumerate(parts.items()):
        figure.update_layout(title=None, margin={"t": 40})
        drawn.append(f"<h2>{html.escape(title)}</h2>")
        drawing = figure.to_html(full_html=False, include_plotlyjs=number == 0)
        drawn.append(f'<div class="wide">{drawing}</div>')
    return _PAGE.format(
        title=html.escape(f"Study {study.study_name}"),
        summary=html.escape(_summary(study, best)),
        parts="\n".join(drawn),
    )


def _complete(study: optuna.Study) -> Sequence[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _summary(study: optuna.Study, best: FrozenTrial) -> str:
    trials = study.get_trials(deepcopy=False)
    counts = ", ".join(
        f"{sum(trial.state is state for trial in trials)} {state.name.lower()}"
        for state in TrialState
        if any(trial.state is state for trial in trials)
    )
    params: dict[str, Any] = best.params
    found = ", ".join(f"{key} {value}" for key, value in params.items())
    return (
        f"{len(trials)} trials ({counts}). Best: trial {best.number}, validation accuracy "
        f"{100 * (best.value or 0):.2f} %, with {found}."
    )


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; max-width: 1200px; margin: 2em auto; }}
.wide {{ overflow-x: auto; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{parts}
</body>
</html>
"""
