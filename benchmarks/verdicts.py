"""Targets, and whether what was measured meets them."""

from collections.abc import Mapping
from dataclasses import dataclass

# Who ends further than this from dlcli's test accuracy, in either direction, did other work.
_ACCURACY_NOISE = 0.01


@dataclass(frozen=True)
class Verdict:
    """One target and what was measured."""

    text: str
    is_met: bool


def at_most(limit: float, measured: float, what: str) -> Verdict:
    """A target for something that should be small."""
    return Verdict(f"{measured:.3g} {what}; target: at most {limit:g}", measured <= limit)


def at_least(limit: float, measured: float, what: str) -> Verdict:
    """A target for something that should be large."""
    return Verdict(f"{measured:.4g} {what}; target: at least {limit:g}", measured >= limit)


def same_work(accuracies: Mapping[str, float]) -> list[Verdict]:
    """Nobody wins by doing less: those whose test accuracy is not the first one's."""
    (leader, expected), *others = accuracies.items()
    return [
        Verdict(f"{name} reached {reached:.2%}, {leader} {expected:.2%}", is_met=False)
        for name, reached in others
        if abs(reached - expected) > _ACCURACY_NOISE
    ]
