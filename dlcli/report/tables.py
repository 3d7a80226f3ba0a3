"""Numbers, settings and comparisons as text for a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import yaml

from dlcli.config.schema import Config, differences, to_yaml
from dlcli.evaluation.compare import Comparison, compare
from dlcli.evaluation.formatting import percent
from dlcli.nn.network import Network
from dlcli.report.models import EvaluatedModel
from dlcli.training.epoch_metrics import EpochRecord


def probability(value: float) -> str:
    """A probability as a percentage that never rounds up to 100 %."""
    return "> 99.99 %" if 0.99995 <= value < 1 else percent(value, 1 if value < 0.9995 else 2)


def number(value: float | None) -> str:
    """A number to four digits, or a dash."""
    return "-" if value is None else f"{value:.4g}"


def setting(value: object) -> str:
    """A value of the config, to four digits if it is a float."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def thousands(count: int) -> str:
    """A whole number with commas."""
    return f"{count:,}"


def duration(seconds: float | None) -> str:
    """A time in seconds, minutes or hours, or a dash."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def architecture(network: Network) -> str:
    """The layer sizes and activations: ``784-512-512-10, relu``."""
    words = ["-".join(map(str, network.layer_sizes)), *dict.fromkeys(network.activations)]
    if network.output_activation != "softmax":
        words.append(f"{network.output_activation} output")
    return ", ".join(words)


@dataclass(frozen=True)
class Settings:
    """A config as YAML: what differs from the defaults, and all of it."""

    changed: str
    complete: str


def settings(trained_with: Config) -> Settings:
    """The settings that a model was trained with."""
    changes = differences(Config(), trained_with)
    changed = {key: now for key, (_, now) in changes.items()}
    return Settings(
        yaml.safe_dump(changed, sort_keys=False, default_flow_style=None, width=10**6),
        to_yaml(trained_with),
    )


def thinned(
    records: Sequence[EpochRecord], kept: EpochRecord | None, most: int
) -> list[EpochRecord]:
    """At most about ``most`` epochs, evenly spaced, always with the kept and the last one."""
    step = -(-len(records) // most)
    last = len(records) - 1
    return [
        record
        for index, record in enumerate(records)
        if index % step == 0 or index == last or record is kept
    ]


@dataclass(frozen=True)
class Pair:
    """Two models on the same images.

    Attributes
    ----------
    significant
        Whether the difference is more than chance.
    """

    first: str
    second: str
    result: Comparison
    significant: bool


def pairs(models: Sequence[EvaluatedModel]) -> list[Pair]:
    """McNemar's test of every pair of models.

    The more pairs there are, the more of them would seem to differ by chance. The limit of 5 % is
    therefore divided by their number (Bonferroni's correction).
    """
    every = list(combinations(models, 2))
    found = []
    for first, second in every:
        result = compare(first.scores, second.scores)
        found.append(Pair(first.name, second.name, result, result.is_significant(len(every))))
    return found
