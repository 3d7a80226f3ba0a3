"""A config file to start from, with a comment on every key, and what the shipped ones are."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dlcli.config.files import load, shipped_configs
from dlcli.config.schema import Config, key_types, to_builtins
from dlcli.config.yaml_loader import dump
from dlcli.files import quoted

# The keys that a beginner changes first, in the order in which an image meets them.
KEYS = (
    *("dataset", "validation_size"),
    *("hidden_layers", "activation", "dropout"),
    *("loss", "optimizer", "learning_rate", "schedule", "batch_size", "epochs", "seed"),
)
_WIDTH = 88  # of comments, in characters
# The accuracy in a shipped config's comments, as ``make accuracy`` writes it.
_RESULT = re.compile(r"# (\d\d\.\d\d % ± .+)")


@dataclass(frozen=True)
class ShippedConfig:
    """A config that comes with dlcli."""

    name: str
    title: str
    dataset: str
    result: str | None  # accuracy and time of training, measured by ``make accuracy``


def described() -> Iterator[ShippedConfig]:
    """What each shipped config is for, by its own comments."""
    for name, path in shipped_configs().items():
        lines = path.read_text(encoding="utf-8").splitlines()
        title = " ".join(line.removeprefix("# ") for line in lines[: lines.index("#")])
        results = (match[1] for line in lines if (match := _RESULT.fullmatch(line)))
        dataset = load([name]).dataset_name
        yield ShippedConfig(name, title, dataset, next(results, None))


def commented(config: Config, path: Path | None) -> str:
    """A config as YAML with a comment on every key; keys that are left out have their defaults.

    The first line says how to train with it; without the ``path`` of a file that it is written
    into, nobody knows.
    """
    values, types = to_builtins(config), key_types()
    header = f"# Train with it: dlcli train --config {quoted(path)}\n" if path else ""
    blocks = [f"{header}# Every key there is: dlcli config schema --format markdown\n"]
    keys = (*KEYS, *(("augmentation",) if config.augmentation else ()))
    for key in keys:
        description = msgspec.json.schema(types[key])["description"]
        is_list = isinstance(values[key], list)
        value = f"{key}: {dump(values[key], flow=True)}" if is_list else _block(key, values[key])
        blocks.append(f"{_comment(description)}{value}")
    return "\n".join(blocks)


def _block(key: str, value: Any) -> str:
    return dump({key: value}, flow=False)


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH))
