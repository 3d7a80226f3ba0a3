"""What a study has found: its best trial, all trials as rows, the importance of each key."""

import math
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from dlcli.errors import ConfigError
from dlcli.sweep.retries import retry_history
from dlcli.sweep.space import plain
from dlcli.sweep.storage import connect, shown

IMPORTANCE_METHOD = "PED-ANOVA"

# What a worker stores with a trial, beside its parameters and accuracies.
REASON = "dlcli:reason"
RUN = "dlcli:run"
LOSS = "dlcli:validation_loss"
WORKER = "dlcli:worker"


def find_study(url: str, name: str | None) -> optuna.Study:
    """The study of a name in a database; without a name, the only study there is.

    Raises
    ------
    ConfigError
        There is no such study, or several.
    """
    storage = connect(url)
    names = optuna.get_all_study_names(storage)
    if name is None and len(names) == 1:
        (name,) = names
    if name in names:
        return optuna.load_study(study_name=name, storage=storage)
    known = f"it has {', '.join(sorted(names))}" if names else "it has none yet"
    wanted = "name a study with --study" if name is None else f"no study {name}"
    raise ConfigError(f"{shown(url)}: {wanted}; {known}")


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial with the highest validation accuracy; among equals, the lowest loss."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return max(
        complete,
        key=lambda t: (t.value or 0.0, -t.user_attrs.get(LOSS, math.inf), -t.number),
        default=None,
    )


def worker_of(trial: FrozenTrial) -> str | None:
    """The host and process that run or ran a trial; None if no worker has signed it yet.

    A retry starts with a copy of the attributes of the trial that it repeats, so the signature
    names the trial that it belongs to.
    """
    signature = trial.user_attrs.get(WORKER, {})
    return signature.get("worker") if signature.get("trial") == trial.number else None


def row_of(trial: FrozenTrial) -> dict[str, Any]:
    """A trial as a row of a table: scores, parameters, run directory, worker and reason."""
    retries = retry_history(trial)
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "validation_accuracy": trial.value,
        "validation_loss": trial.user_attrs.get(LOSS),
        "epochs": len(trial.intermediate_values),
        "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 3),
        "params": {key: plain(label) for key, label in trial.params.items()},
        "run": trial.user_attrs.get(RUN),
        "worker": worker_of(trial),
        "retry_of": retries[-1] if retries else None,
        "reason": trial.user_attrs.get(REASON),
    }


def importances(study: optuna.Study) -> dict[str, float]:
    """The importance of each key, the largest first; they sum to 1. Empty with too few trials.

    By PED-ANOVA (Watanabe, Bansal, Hutter, 2023): how much the distribution of a key's values in
    the best tenth of the complete trials differs from that in all of them.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len({trial.value for trial in complete}) < 2:
        return {}
    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
