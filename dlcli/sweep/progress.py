"""Which trials of a study are finished, and whether any are left to begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from optuna.trial import FrozenTrial, TrialState

from dlcli.sweep.plan import Plan
from dlcli.sweep.results import best_of
from dlcli.sweep.retries import MAX_RETRIES, not_retried, retry_history


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
        failed = not_retried(self.trials)
        return [trial for trial in failed if len(retry_history(trial)) >= MAX_RETRIES]

    @cached_property
    def lost(self) -> list[FrozenTrial]:
        """The trials that should be tried again, but are not in the queue (yet)."""
        failed = not_retried(self.trials)
        return [trial for trial in failed if len(retry_history(trial)) < MAX_RETRIES]

    @cached_property
    def best(self) -> FrozenTrial | None:
        """The best complete trial."""
        return best_of(self.trials)

    @property
    def wanted(self) -> int:
        """The number of trials that the study is to have."""
        return self.plan.trials

    @property
    def done(self) -> int:
        """How many of the wanted trials are done."""
        return self._count(self.finished)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.done >= self.wanted

    @property
    def has_open(self) -> bool:
        """Whether a trial can be begun now, rather than waited for."""
        running = self.in_state(TrialState.RUNNING)
        return self._count([*self.finished, *running, *self.lost]) < self.wanted

    def _count(self, trials: Sequence[FrozenTrial]) -> int:
        """How many of the wanted trials ``trials`` make up; a point of a grid counts once."""
        count = len(trials)
        if self.plan.search.sampler == "grid":
            points = {frozenset(trial.params.items()) for trial in [*trials, *self.given_up]}
            count = len(points)
        return min(count, self.wanted)
