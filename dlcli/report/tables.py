"""Numbers, settings and epochs as text for a page."""

from collections.abc import Sequence

from dlcli.config.schema import Config, differences
from dlcli.config.yaml_loader import dump
from dlcli.evaluation.formatting import percent, short
from dlcli.nn.network import Network
from dlcli.training.epoch_metrics import EpochRecord


def probability(value: float) -> str:
    """A probability as a percentage that never rounds up to 100 %."""
    return "> 99.99 %" if 0.99995 <= value < 1 else percent(value, 1 if value < 0.9995 else 2)


def number(value: float | None) -> str:
    """A number to four digits, or a dash."""
    return "-" if value is None else short(value)


def architecture(network: Network) -> str:
    """The layer sizes and activations: ``784-512-512-10, relu``."""
    words = ["-".join(map(str, network.layer_sizes)), *dict.fromkeys(network.activations)]
    if network.output_activation != "softmax":
        words.append(f"{network.output_activation} output")
    return ", ".join(words)


def changed_settings(config: Config) -> str:
    """What differs from the defaults, as YAML."""
    changed = {key: now for key, (_, now) in differences(Config(), config).items()}
    return dump(changed, flow=None)


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
