"""Targets, and whether the measurements meet them."""

from collections.abc import Mapping
from dataclasses import dataclass

# All follow the same recipe from the same initial weights, with batches of their own.
_ACCURACY_NOISE = 0.005


@dataclass(frozen=True)
class Verdict:
    """One target with its measurement."""

    text: str
    is_met: bool


def at_most(limit: float, measured: float, what: str) -> Verdict:
    """A target for a value that should be small."""
    return Verdict(f"{measured:.3g} {what}; target: at most {limit:g}", measured <= limit)


def at_least(limit: float, measured: float, what: str) -> Verdict:
    """A target for a value that should be large."""
    return Verdict(f"{measured:.4g} {what}; target: at least {limit:g}", measured >= limit)


def same_work(accuracies: Mapping[str, float]) -> Verdict:
    """Whether all reach the first one's test accuracy, within noise: none trains less."""
    expected = next(iter(accuracies.values()))
    others = [
        f"{name} {reached:.2%}"
        for name, reached in accuracies.items()
        if abs(reached - expected) > _ACCURACY_NOISE
    ]
    text = f"all reach a test accuracy of {expected:.2%} ± {_ACCURACY_NOISE:.1%}"
    return Verdict(f"{text}; not {', '.join(others)}" if others else text, is_met=not others)
