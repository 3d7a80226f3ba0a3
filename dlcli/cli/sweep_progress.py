"""How ``dlcli sweep`` shows its trials as they end."""

import sys
from time import monotonic
from typing import TYPE_CHECKING

from dlcli.cli import layout
from dlcli.cli.output import message_of, shows_bars
from dlcli.evaluation.formatting import duration, percent, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from dlcli.sweep.results import Progress


# Columns that the bar needs to say all that it knows.
_WIDE = 75


class TrialProgress:
    """A line for each trial and, on a terminal, a bar."""

    def __init__(self, progress: "Progress") -> None:
        self._printed = {trial.number for trial in _ended(progress)}
        self._done_before = progress.done
        self._started = monotonic()
        from tqdm import tqdm

        self._bar = tqdm(
            total=progress.plan.trials,
            initial=progress.done,
            desc="trials",
            bar_format="{desc} {n_fmt}/{total_fmt}|{bar}|{remaining} left{postfix}",
            file=sys.stderr,
            dynamic_ncols=True,
            disable=not shows_bars(),
        )

    def show(self, progress: "Progress") -> None:
        """Print the trials that have ended since the last time."""
        from optuna.trial import TrialState

        best = progress.best
        so_far = f"best {percent(best.value)} (trial {best.number})" if best else "none yet"
        for trial in _ended(progress):
            if trial.number not in self._printed:
                self._printed.add(trial.number)
                self._print([*_parts(trial), so_far, *self._time_left(progress)])
        self._bar.n = progress.done
        running = len(progress.in_state(TrialState.RUNNING))
        narrow = (layout.width(sys.stderr) or _WIDE) < _WIDE
        short_form = percent(best.value) if best else ""
        self._bar.set_postfix_str(short_form if narrow else f"{so_far}, {running} running")

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def _print(self, parts: list[str]) -> None:
        with self._bar.external_write_mode(file=sys.stderr):
            message_of(*(f"{part}  " for part in parts))

    def _time_left(self, progress: "Progress") -> list[str]:
        """The trials done so far, with an estimate of the time that the others need."""
        done_now = progress.done - self._done_before
        if not done_now:
            return []
        done, remaining = progress.done, progress.plan.trials - progress.done
        pace = (monotonic() - self._started) / done_now
        left = f", about {duration(pace * remaining)} left" if remaining > 0 else ""
        return [f"{done}/{progress.plan.trials}{left}"]


def _ended(progress: "Progress") -> list["FrozenTrial"]:
    return [*progress.finished, *progress.given_up]


def _parts(trial: "FrozenTrial") -> list[str]:
    from dlcli.sweep.results import REASON

    epochs = len(trial.intermediate_values)
    reason = trial.user_attrs.get(REASON)
    how = f"{trial.state.name.lower()} after {epochs} epoch{'' if epochs == 1 else 's'}"
    parts = [f"trial {trial.number}", percent(trial.value), how, shown_params(trial)]
    return [*parts, *([f"({reason})"] if reason else [])]


def shown_params(trial: "FrozenTrial") -> str:
    """The searched keys with their values in a trial."""
    return ", ".join(f"{key} {short(value)}" for key, value in trial.params.items())


def shown_counts(counts: "Mapping[str, int]") -> str:
    """How many trials are in each state."""
    return ", ".join(f"{count} {state}" for state, count in counts.items())
