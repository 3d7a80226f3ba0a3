"""The best trial of a study, and trials as rows of a table."""

import math
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from dlcli.sweep.retries import retry_history
from dlcli.sweep.space import plain

# What a worker stores with a trial, beside its parameters and accuracies.
REASON = "dlcli:reason"
RUN = "dlcli:run"
LOSS = "dlcli:validation_loss"
WORKER = "dlcli:worker"


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
