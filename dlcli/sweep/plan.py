"""A search file: a config in which keys may be search spaces, with a section ``sweep``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dlcli.config import files as config_files
from dlcli.config.hints import did_you_mean
from dlcli.config.schema import CLASS_WEIGHTS, Config, key_types
from dlcli.config.validation import checked, resolve
from dlcli.config.yaml_loader import Setting, Settings
from dlcli.errors import ConfigError
from dlcli.sweep.space import WORDS, Choices, Label, Space, parse, plain
from dlcli.vision import Preparation

if TYPE_CHECKING:
    from dlcli.data.datasets import Source

SECTION = "sweep"
MAX_GRID = 1_000_000


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section ``sweep`` of a search file.

    Attributes
    ----------
    sampler
        How the next trial is chosen: tpe (tree-structured Parzen estimator), random, grid (every
        combination, in random order) or gp (Gaussian process; needs PyTorch).
    pruner
        How poor trials are stopped early: median (below the median of the earlier trials at the
        same epoch), hyperband, or none.
    trials
        Number of trials, over all machines.
    seed
        Seed of the sampler; with one worker, equal seeds give equal trials.
    worker_timeout
        Seconds without a heartbeat after which a worker counts as dead.
    """

    sampler: Literal["tpe", "random", "grid", "gp"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    trials: Annotated[int, Meta(ge=1, le=1_000_000)] = 60
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    worker_timeout: Annotated[int, Meta(ge=2, le=86_400)] = 60


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
    def fixed_config(self) -> Config:
        """The config of which only the values of keys that are not searched have a meaning."""
        return resolve(self.fixed, self.space)

    @property
    def max_epochs(self) -> int:
        """The largest number of epochs that a trial can have."""
        if "epochs" in self.space:
            return int(self.space["epochs"].high)
        return self.fixed_config.epochs

    @property
    def datasets(self) -> "dict[str, Source]":
        """Every dataset that a trial may need, by its name."""
        space = self.space.get("dataset")
        if not isinstance(space, Choices):
            config = self.fixed_config
            return {config.dataset_name: config.dataset}
        others = self.space.keys() - {"dataset"}
        chosen = [{"dataset": Setting(value, "proposed")} for value in space.values]
        configs = [resolve(self.fixed | each, others) for each in chosen]
        return {config.dataset_name: config.dataset for config in configs}

    @property
    def preparation(self) -> Preparation | None:
        """How pictures are prepared in every trial."""
        return self.fixed_config.preparation

    @property
    def classes(self) -> list[Sequence[object] | None]:
        """All that the classes of a trial may be; None stands for all that there are."""
        space = self.space.get("classes")
        if isinstance(space, Choices):
            return list(map(plain, space.values))
        return [self.fixed_config.classes]

    @property
    def trials(self) -> int:
        """The number of trials that the study is to have."""
        if self.search.sampler == "grid":
            return min(self.search.trials, self.grid_size)
        return self.search.trials

    @property
    def grid_size(self) -> int:
        """The number of combinations in a grid."""
        return math.prod(map(len, self.grid.values()))

    @property
    def grid(self) -> dict[str, Sequence[Label]]:
        """The values of each searched key in a grid."""
        return {key: space.points or () for key, space in self.space.items()}

    def describe(self) -> dict[str, Any]:
        """Everything that must be equal in all workers of a study, as plain values."""
        search = msgspec.structs.asdict(self.search)
        described = {
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
    problems += _searched_twice(words, fixed)
    space = _spaces(words, fixed, problems)
    search = _read_section(section, problems)
    if trials is not None:
        search = msgspec.structs.replace(search, trials=trials)
    try:
        fixed = _with_initial_model(fixed)
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


def _searched_twice(words: Mapping[str, Settings], fixed: Settings) -> list[str]:
    """The problems of mappings that are searched as a whole, while keys in them are set, too."""
    found = []
    for group in ("augmentation", CLASS_WEIGHTS):
        inside = [key for key in (*fixed, *words) if key.startswith(f"{group}.")]
        if group in words and inside:
            found.append(
                f"{_origin(inside[0], fixed, words)}: {', '.join(inside)}: cannot be given, as "
                f"{group} is searched as a whole; put it into the choices"
            )
    return found


def _spaces(words: Mapping[str, Settings], fixed: Settings, problems: list[str]) -> Space:
    """The search space of each key; what is none is added to the problems, or to ``fixed``."""
    types = key_types()
    space: Space = {}
    for key, about in words.items():
        if key.startswith(f"{CLASS_WEIGHTS}."):
            problems.append(
                f"{next(iter(about.values())).origin}: {key}: a single weight cannot be searched; "
                'give choices of all, as in class_weights: {choices: [balanced, {"7": 2}]}'
            )
        elif key not in types:
            fixed[key] = next(iter(about.values()))  # resolve() reports the unknown key
        else:
            try:
                space[key] = parse(key, about, types[key])
            except ConfigError as error:
                problems += error.args
    return space


def _with_initial_model(fixed: Settings) -> Settings:
    """The settings with those of the network of the model that trials start from, if there is one.

    Raises
    ------
    CheckpointError
        There is no such model, or it cannot be used.
    """
    if "init_from" not in fixed or not isinstance(fixed["init_from"].value, str):
        return fixed
    from dlcli.runs import initial_model  # imports NumPy, for which wrong configs need not wait

    return initial_model.complete(fixed)


def _without_validation(
    config: Config, fixed: Settings, space: Space, words: Mapping[str, Settings]
) -> list[str]:
    """The problem that a trial may have no validation images, if so."""
    key = "validation_size"
    if (space[key].low if key in space else config.validation_size) > 0:
        return []
    origin = _origin(key, fixed, words)
    return [f"{origin}: {key}: a search compares trials on validation images; set it above 0"]


def _not_a_grid(space: Space, words: Mapping[str, Settings]) -> list[str]:
    """The problems that keep the search spaces from being a grid."""
    problems = [
        f"{_origin(key, {}, words)}: {key}: sampler grid needs a step or choices"
        for key, values in space.items()
        if values.size is None
    ]
    size = math.prod(values.size or 1 for values in space.values())
    if size > MAX_GRID:
        problems.append(f"a grid of {size:,} combinations is too large; the most is {MAX_GRID:,}")
    return problems


def _origin(key: str, fixed: Settings, words: Mapping[str, Settings]) -> str:
    """Where a key was set."""
    return next(iter(words[key].values())).first_origin if key in words else fixed[key].origin


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
        if key == CLASS_WEIGHTS and word not in WORDS:
            key, word = name, ""
        if key == "augmentation" and word not in WORDS:
            key, _, word = name.removeprefix("augmentation.").partition(".")
            key = f"augmentation.{key}" if name != "augmentation" else name
        if word:
            words.setdefault(key, {})[word] = setting
        elif isinstance(setting.value, dict) and setting.value:
            words[key] = {
                word: Setting(
                    value, setting.inner_origins.get(word, setting.origin), setting.origin
                )
                for word, value in setting.value.items()
            }
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
