"""Numbers and settings as the page words them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import yaml

from dlcli.config import schema as config
from dlcli.evaluation.compare import Comparison, compare
from dlcli.evaluation.formatting import percent
from dlcli.report.subjects import Subject
from dlcli.training.epoch_metrics import EpochRecord


def probability(share: float) -> str:
    """A probability as a percentage that says 100 only of certainty."""
    digits = 1 if share < 0.9995 else 2
    return "> 99.99 %" if 0.99995 <= share < 1 else percent(share, digits)


def number(value: float | None) -> str:
    """A number to four digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def thousands(count: int) -> str:
    """A whole number that is easy to read."""
    return f"{count:,}"


def duration(seconds: float | None) -> str:
    """A time in the unit that people would use for it, or a dash."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def architecture(subject: Subject) -> str:
    """The layers and what squashes their sums: ``784-512-512-10, relu``."""
    network = subject.model.network
    words = ["-".join(map(str, network.layer_sizes)), *dict.fromkeys(network.activations)]
    if network.output_activation != "softmax":
        words.append(f"{network.output_activation} output")
    return ", ".join(words)


@dataclass(frozen=True)
class Settings:
    """A config as YAML: what differs from the defaults, and all of it."""

    changed: str
    complete: str


def settings(subject: Subject) -> Settings:
    """The config that made a model."""
    changes = config.differences(config.Config(), subject.config)
    changed = {key: now for key, (_, now) in changes.items()}
    return Settings(
        yaml.safe_dump(changed, sort_keys=False, default_flow_style=None, width=10**6),
        config.to_yaml(subject.config),
    )


def thinned(
    records: Sequence[EpochRecord], kept: EpochRecord | None, most: int
) -> list[EpochRecord]:
    """Every epoch, or of more than ``most`` every n-th, with the kept and the last one."""
    step = -(-len(records) // most)
    last = len(records) - 1
    return [
        record
        for index, record in enumerate(records)
        if index % step == 0 or index == last or record is kept
    ]


@dataclass(frozen=True)
class Pair:
    """Two models on the same images; ``certain``: that one is better is more than chance."""

    first: str
    second: str
    result: Comparison
    certain: bool


def pairs(subjects: Sequence[Subject]) -> list[Pair]:
    """McNemar's test of every two models.

    With many pairs some would differ by chance; so each must be as improbable as makes one
    such mistake in all of them a matter of 5 % (Bonferroni's correction).
    """
    every = list(combinations(subjects, 2))
    found = []
    for first, second in every:
        result = compare(first.scores, second.scores)
        found.append(Pair(first.name, second.name, result, result.is_significant(len(every))))
    return found
