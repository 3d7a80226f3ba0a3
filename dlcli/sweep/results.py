"""The trials of a study: its progress, the best trial, rows of a table, importance of each key."""

import math
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from dlcli.errors import ConfigError
from dlcli.sweep.plan import Plan
from dlcli.sweep.space import plain
from dlcli.sweep.storage import MAX_RETRIES, connect, file_of, retry_history, shown

IMPORTANCE_METHOD = "PED-ANOVA"
# Below this, PED-ANOVA compares with only one or two trials, the best tenth of them.
ENOUGH_FOR_IMPORTANCE = 20

# What a worker stores with a trial, beside its parameters and accuracies.
REASON = "dlcli:reason"
RUN = "dlcli:run"
LOSS = "dlcli:validation_loss"
WORKER = "dlcli:worker"


@dataclass(frozen=True)
class Progress:
    """The progress of a study.

    A study is done when it has as many complete and pruned trials as wanted; a grid, when so
    many of its points have one. When several workers finish at once, they may run a few trials
    more, and two of them may run the same point of a grid.
    """

    plan: Plan
    trials: list[FrozenTrial]

    def in_state(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in some states."""
        return [trial for trial in self.trials if trial.state in states]

    @cached_property
    def finished(self) -> list[FrozenTrial]:
        """The complete and pruned trials, in the order in which they ended."""
        trials = self.in_state(TrialState.COMPLETE, TrialState.PRUNED)
        return sorted(trials, key=lambda t: (t.datetime_complete or t.datetime_start, t.number))

    @cached_property
    def given_up(self) -> list[FrozenTrial]:
        """The trials that have failed too often to be tried again."""
        return [trial for trial in self._not_retried if len(retry_history(trial)) >= MAX_RETRIES]

    @property
    def lost(self) -> list[FrozenTrial]:
        """The trials that should be tried again, but are not in the queue (yet)."""
        return [trial for trial in self._not_retried if len(retry_history(trial)) < MAX_RETRIES]

    @property
    def best(self) -> FrozenTrial | None:
        """The best complete trial."""
        return best_of(self.trials)

    @property
    def done(self) -> int:
        """How many of the wanted trials are done."""
        return self._count(self.finished)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.plan.trials

    @property
    def trials_to_continue(self) -> int | None:
        """The least number of wanted trials with which there is more to do; None for a full grid.

        More trials than those wanted now may be done.
        """
        least = self._tried(self.finished) + 1
        is_grid = self.plan.search.sampler == "grid"
        return None if is_grid and least > self.plan.grid_size else least

    @property
    def has_open(self) -> bool:
        """Whether a trial can be begun now, rather than waited for.

        Only trials that a worker has signed are waited for. Optuna overlooks one whose worker
        died before its first heartbeat: it stays in the state RUNNING.
        """
        signed = [t for t in self.in_state(TrialState.RUNNING) if worker_of(t) is not None]
        return self._count([*self.finished, *signed, *self.lost]) < self.plan.trials

    @cached_property
    def _not_retried(self) -> list[FrozenTrial]:
        retried = retried_of(self.trials)
        return [t for t in self.in_state(TrialState.FAIL) if t.number not in retried]

    def _count(self, trials: Sequence[FrozenTrial]) -> int:
        """How many of the wanted trials ``trials`` make up."""
        return min(self._tried(trials), self.plan.trials)

    def _tried(self, trials: Sequence[FrozenTrial]) -> int:
        """How many trials these are; a point of a grid counts once."""
        if self.plan.search.sampler == "grid":
            return len({frozenset(t.params.items()) for t in [*trials, *self.given_up]})
        return len(trials)


def find_study(url: str, name: str | None) -> optuna.Study:
    """The study of a name in a database; without a name, the only study there is.

    Raises
    ------
    ConfigError
        There is no such study, or several.
    """
    file = file_of(url)
    if file is not None and not file.exists():  # it would be created
        raise ConfigError(f"{shown(url)}: there is no such file")
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


def ran_here(trial: FrozenTrial) -> bool:
    """Whether a worker on this machine ran a trial, so that its run directory is here too."""
    host, _, _ = (worker_of(trial) or "").rpartition(":")
    return host == platform.node()


def counts_of(trials: Sequence[FrozenTrial]) -> dict[str, int]:
    """How many trials are complete, pruned, failed and retried.

    A trial that failed because its worker was stopped or died is retried under another number;
    one that failed for good is failed.
    """
    retried = retried_of(trials)
    in_state = Counter(trial.state for trial in trials)
    return {
        "complete": in_state[TrialState.COMPLETE],
        "pruned": in_state[TrialState.PRUNED],
        "failed": in_state[TrialState.FAIL] - len(retried),
        "retried": len(retried),
    }


def retried_of(trials: Sequence[FrozenTrial]) -> set[int]:
    """The numbers of the failed trials that others repeat."""
    return {number for trial in trials for number in retry_history(trial)}


def rows_of(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """All trials as rows of a table; the state of those that others repeat is ``retried``."""
    retried, rows = retried_of(trials), map(row_of, trials)
    return [row | {"state": "retried"} if row["trial"] in retried else row for row in rows]


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
    # It imports scikit-learn and SciPy, a second of CPU time that no worker should spend.
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def importance_caveat(trials: Sequence[FrozenTrial]) -> str | None:
    """Why the importances of a study are not to be trusted; None if they are."""
    complete = counts_of(trials)["complete"]
    if complete >= ENOUGH_FOR_IMPORTANCE:
        return None
    return (
        f"importances from {complete} complete trials may be chance; "
        f"they need {ENOUGH_FOR_IMPORTANCE} or more"
    )
