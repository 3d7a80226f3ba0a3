"""Targets, and whether what was measured meets them."""

from collections.abc import Mapping
from dataclasses import dataclass

# After a few epochs at a constant rate the test accuracy goes up and down by as much.
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


def same_work(accuracies: Mapping[str, float]) -> Verdict:
    """Nobody wins by doing less: all reach the first one's test accuracy, within noise."""
    expected = next(iter(accuracies.values()))
    others = [
        f"{name} {reached:.2%}"
        for name, reached in accuracies.items()
        if abs(reached - expected) > _ACCURACY_NOISE
    ]
    text = f"all reach a test accuracy of {expected:.2%}, give or take {_ACCURACY_NOISE:.0%}"
    return Verdict(f"{text}; not {', '.join(others)}" if others else text, is_met=not others)
