"""A search file: a config in which keys may be search spaces, with a section ``sweep``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dlcli.config import files as config_files
from dlcli.config.messages import did_you_mean
from dlcli.config.schema import Config, key_types
from dlcli.config.validation import checked, resolve
from dlcli.config.yaml_loader import Setting, Settings
from dlcli.errors import ConfigError
from dlcli.sweep.space import WORDS, Choices, Label, Range, Space, parse, plain

SECTION = "sweep"
MAX_GRID = 1_000_000


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section ``sweep`` of a search file."""

    sampler: Annotated[
        Literal["tpe", "random", "grid", "gp"],
        Meta(
            description="How the next trial is chosen: tpe (tree-structured Parzen estimator), "
            "random, grid (every combination, in random order) or gp (Gaussian process; needs "
            "PyTorch)."
        ),
    ] = "tpe"
    pruner: Annotated[
        Literal["median", "hyperband", "none"],
        Meta(
            description="How poor trials are stopped early: median (below the median of the "
            "earlier trials at the same epoch), hyperband, or none."
        ),
    ] = "median"
    trials: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Number of trials, over all machines.")
    ] = 60
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**32 - 1,
            description="Seed of the sampler; with one worker, equal seeds give equal trials.",
        ),
    ] = 0
    worker_timeout: Annotated[
        int,
        Meta(
            ge=2,
            le=86_400,
            description="Seconds without a heartbeat after which a worker counts as dead and "
            "its trial is tried again.",
        ),
    ] = 60


@dataclass(frozen=True)
class Plan:
    """A search: fixed keys, search spaces, and the settings of the search."""

    fixed: Settings
    space: Space
    search: Search

    def config(self, labels: Mapping[str, Label]) -> Config:
        """The config of a trial, given a label for each searched key.

        Raises
        ------
        ConfigError
            The values contradict each other.
        """
        proposed = {key: Setting(plain(label), "proposed") for key, label in labels.items()}
        return resolve(self.fixed | proposed)

    @property
    def max_epochs(self) -> int:
        """The largest number of epochs that a trial can have."""
        space = self.space.get("epochs")
        if isinstance(space, Range):
            return int(space.high)
        if space is not None:
            return int(max(space.values))
        return resolve(self.fixed, self.space).epochs

    @property
    def datasets(self) -> list[str]:
        """Every dataset that a trial may need."""
        space = self.space.get("dataset")
        if isinstance(space, Choices):
            return list(space.values)
        return [resolve(self.fixed, self.space).dataset]

    @property
    def grid_size(self) -> int:
        """The number of combinations of a grid."""
        return math.prod(map(len, self.grid.values()))

    @property
    def trials(self) -> int:
        """The number of trials that the study is to have."""
        if self.search.sampler == "grid":
            return min(self.search.trials, self.grid_size)
        return self.search.trials

    @property
    def grid(self) -> dict[str, Sequence[Label]]:
        """The values of each searched key in a grid."""
        return {
            key: space.labels if isinstance(space, Choices) else space.points or ()
            for key, space in self.space.items()
        }

    def describe(self) -> dict[str, Any]:
        """Everything that must be equal in all workers of a study, as plain values."""
        search = msgspec.structs.asdict(self.search)
        described: dict[str, Any] = {
            **{key: setting.value for key, setting in sorted(self.fixed.items())},
            **{
                key: {"choices": list(space.values)} if isinstance(space, Choices) else space
                for key, space in sorted(self.space.items())
            },
            **{f"{SECTION}.{key}": search[key] for key in ("sampler", "pruner", "seed")},
        }
        plain: dict[str, Any] = msgspec.to_builtins(described)
        return plain


def is_search(source: str) -> bool:
    """Whether a file describes a search rather than a single training."""
    settings, _ = config_files.read([source], [], {})
    _, words, section = _split(settings)
    return bool(words or section)


def load(sources: Sequence[str], overrides: Sequence[str], trials: int | None) -> Plan:
    """Read search files, then ``KEY=VALUE`` overrides; later ones win.

    Raises
    ------
    ConfigError
        With one line for each problem.
    """
    settings, problems = config_files.read(sources, overrides, {})
    fixed, words, section = _split(settings)
    types = key_types()
    space: Space = {}
    for key, about in words.items():
        if key not in types:
            fixed[key] = next(iter(about.values()))  # resolve() reports the unknown key
            continue
        try:
            space[key] = parse(key, about, types[key])
        except ConfigError as error:
            problems += error.args
    search = _read_section(section, problems)
    if trials is not None:
        search = msgspec.structs.replace(search, trials=trials)
    try:
        config = resolve(fixed, words)
    except ConfigError as error:
        problems += error.args
    else:
        problems += _without_validation(config, fixed, space, words)
    if not words and not problems:
        problems.append(
            "nothing to search: give a key a range, such as learning_rate: {low: 0.01, high: 1, "
            "log: true}, or choices, such as activation: {choices: [relu, tanh]}"
        )
    if search.sampler == "grid":
        problems += _not_a_grid(space, words)
    if problems:
        raise ConfigError(*problems)
    return Plan(fixed, space, search)


def _split(settings: Settings) -> tuple[Settings, dict[str, Settings], Settings]:
    """The fixed settings, the words of each search space, and the section ``sweep``."""
    fixed: Settings = {}
    words: dict[str, Settings] = {}
    section: Settings = {}
    for name, setting in settings.items():
        key, _, word = name.partition(".")
        if key == SECTION:
            section[word] = setting
            continue
        if key == "augmentation" and word not in WORDS:
            key, _, word = name.removeprefix("augmentation.").partition(".")
            key = f"augmentation.{key}" if name != "augmentation" else name
        if word:
            words.setdefault(key, {})[word] = setting
        elif isinstance(setting.value, dict) and setting.value:
            words[key] = {w: replace(setting, value=v) for w, v in setting.value.items()}
        else:
            fixed[key] = setting
    return fixed, words, section


def _read_section(section: Settings, problems: list[str]) -> Search:
    """The settings of the section ``sweep``; its mistakes are added to ``problems``."""
    types = {field.name: field.type for field in msgspec.structs.fields(Search)}
    values = {}
    for key, setting in section.items():
        if not key:
            if setting.value is not None:
                problems.append(f"{setting.origin}: {SECTION}: expected a mapping of its keys")
        elif key not in types:
            problems.append(
                f"{setting.origin}: {SECTION}.{key}: unknown key{did_you_mean(key, types)}"
            )
        else:
            try:
                values[key] = checked(f"{SECTION}.{key}", setting, types[key])
            except ConfigError as error:
                problems += error.args
    return Search(**values)


def _without_validation(
    config: Config, fixed: Settings, space: Space, words: Mapping[str, Settings]
) -> list[str]:
    """The problem that a trial may have no validation images, if so."""
    key = "validation_size"
    if key in fixed:
        smallest, origin = config.validation_size, fixed[key].origin
    elif key in space:
        sizes = space[key]
        smallest = min(sizes.values) if isinstance(sizes, Choices) else sizes.low
        origin = next(iter(words[key].values())).origin
    else:
        return []
    if smallest > 0:
        return []
    return [f"{origin}: {key}: a search compares trials on validation images; set it above 0"]


def _not_a_grid(space: Space, words: Mapping[str, Settings]) -> list[str]:
    """The problems that keep the search spaces from being a grid."""
    problems = []
    size = 1
    for key, values in space.items():
        points = values.values if isinstance(values, Choices) else values.points
        if points is None:
            origin = next(iter(words[key].values())).origin
            problems.append(f"{origin}: {key}: sampler grid needs a step or choices")
        size *= len(points or (0,))
    if size > MAX_GRID:
        problems.append(f"a grid of {size:,} combinations is too large; the most is {MAX_GRID:,}")
    return problems
