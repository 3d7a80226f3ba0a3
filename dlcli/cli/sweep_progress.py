"""How ``dlcli sweep`` shows its trials while they are done."""

import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

from dlcli.cli.output import message, printable, shows_bars
from dlcli.evaluation.formatting import percent

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from tqdm import tqdm

    from dlcli.sweep.sweep import Standing


class TrialProgress:
    """A line a trial and, on a terminal, a bar."""

    def __init__(self, standing: "Standing") -> None:
        self._told = {trial.number for trial in standing.settled}
        self._before = len(self._told)
        self._started = monotonic()
        self._bar = self._make_bar(standing) if shows_bars() else None

    def _make_bar(self, standing: "Standing") -> "tqdm[Any]":
        from tqdm import tqdm

        return tqdm(
            total=standing.limit,
            initial=self._before,
            desc="trials",
            unit=" trials",
            file=sys.stderr,
        )

    def show(self, standing: "Standing") -> None:
        """Tell what has ended since the last time."""
        from optuna.trial import TrialState

        best = standing.best
        so_far = f"best {percent(best.value)} (trial {best.number})" if best else "none yet"
        for trial in standing.settled:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._tell(f"{_line(trial)}  {so_far}{self._left(standing)}")
        if self._bar is not None:
            self._bar.n = len(standing.settled)
            running = standing.count(TrialState.RUNNING)
            self._bar.set_postfix_str(f"{so_far}, {running} running", refresh=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _tell(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            message(line)

    def _left(self, standing: "Standing") -> str:
        """An estimate of the time that is left."""
        done = len(self._told)
        rate = (monotonic() - self._started) / (done - self._before)
        return f"  {done}/{standing.limit}, about {_duration(rate * (standing.limit - done))} left"


def _line(trial: "FrozenTrial") -> str:
    from dlcli.sweep.worker import REASON

    epochs = len(trial.intermediate_values)
    reason = trial.user_attrs.get(REASON)
    how = f"{trial.state.name.lower()} after {epochs} epoch{'' if epochs == 1 else 's'}"
    parts = [f"trial {trial.number}", percent(trial.value), how, shown_params(trial)]
    return "  ".join([*parts, *([f"({printable(reason)})"] if reason else [])])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def shown_params(trial: "FrozenTrial") -> str:
    """What was searched, as a trial has it."""
    return ", ".join(f"{key} {short(value)}" for key, value in trial.params.items())


def short(value: Any) -> str:
    """A value of a trial, with four digits if it is a number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
