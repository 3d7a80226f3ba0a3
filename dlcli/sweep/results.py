"""The best trial of a study, its config, and the table of all trials."""

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from dlcli.sweep.space import plain
from dlcli.sweep.tickets import WORKER
from dlcli.sweep.worker import LOSS, REASON, RUN


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial of the highest validation accuracy; of equals, of the lowest loss."""
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    return max(
        complete,
        key=lambda t: (t.value or 0.0, -t.user_attrs.get(LOSS, math.inf), -t.number),
        default=None,
    )


def row_of(trial: FrozenTrial) -> dict[str, Any]:
    """A trial as a row of the table: its scores, what was searched, where it ran, and why."""
    retries = trial.system_attrs.get("retry_history", [])
    worker = trial.user_attrs.get(WORKER, {})
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "validation_accuracy": trial.value,
        "validation_loss": trial.user_attrs.get(LOSS),
        "epochs": len(trial.intermediate_values),
        "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 3),
        "params": {key: plain(label) for key, label in trial.params.items()},
        "run": trial.user_attrs.get(RUN),
        "worker": worker.get("worker") if worker.get("trial") == trial.number else None,
        "retry_of": retries[-1] if retries else None,
        "reason": trial.user_attrs.get(REASON),
    }
