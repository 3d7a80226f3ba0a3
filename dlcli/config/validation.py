"""Validation of a config: each key on its own, then the keys against each other.

All problems are reported together, each with its file and line.
"""

import math
import os
import re
from collections.abc import Collection, Iterable
from itertools import pairwise
from typing import Any

import msgspec

from dlcli.config.augmentation import Augmentation
from dlcli.config.choices import DEPENDENT_KEYS
from dlcli.config.hints import did_you_mean, hint_at_value, meant_key
from dlcli.config.messages import (
    describe_allowed,
    listed,
    shortened,
    shown,
)
from dlcli.config.schema import CLASS_WEIGHTS, Config, key_types
from dlcli.config.yaml_loader import Setting, Settings, settings_of
from dlcli.data.classes import DIGITS
from dlcli.data.registry import DATASETS
from dlcli.errors import ConfigError
from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.dimensions import IMAGE_SIZE, MAX_PARAMETERS, MIN_NORMALISED
from dlcli.nn.losses import LOSSES, fits
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.schedules import SCHEDULES

_MAX_PROBLEMS = 50  # a file with more unknown keys is not a config
_WORDS_OF_A_SEARCH = ("low", "high", "log", "step", "choices")


def from_builtins(values: dict[str, Any], origin: str) -> Config:
    """Check the values in a checkpoint or a run directory, as :func:`resolve`.

    They may name a dataset that is no longer there: it is looked for when it is needed.
    """
    return resolve(settings_of(values, origin), ("dataset",))


def resolve(settings: Settings, unknown: Collection[str] = ()) -> Config:
    """Check every setting, then the settings against each other.

    All other keys have their defaults. Contradictions with ``unknown`` keys, whose values a
    search has yet to find, are ignored.

    Raises
    ------
    ConfigError
        With every problem, one a line.
    """
    _refuse_search(settings)
    problems: list[str] = []
    values: dict[str, Any] = {}
    types = key_types()
    settings = _with_mappings(settings)
    for key, setting in settings.items():
        if key not in types:
            problems.append(_unknown_key(key, setting, types))
            if len(problems) == _MAX_PROBLEMS:
                break
            continue
        try:
            values[key] = checked(key, setting, types[key])
        except ConfigError as error:
            problems += error.args
    if "optimizer" in values and "learning_rate" not in settings:
        values["learning_rate"] = OPTIMIZERS[values["optimizer"]].usual_learning_rate
    config = Config(**_gathered(values))
    # An invalid key has its default here, so its contradictions are not known.
    wrong = {key for key in settings if key in types and key not in values}.union(unknown)
    for keys, problem in _contradictions(config):
        if not wrong.intersection(keys):
            key = next((key for key in keys if key in settings), keys[0])
            origin = settings[key].origin if key in settings else "default"
            problems.append(f"{origin}: {keys[0]}: {problem}")
    if problems:
        raise ConfigError(*dict.fromkeys(problems))  # the keys of a mapping can have the same one
    return config


def _refuse_search(settings: Settings) -> None:
    for key, setting in settings.items():
        if key.partition(".")[0] == "sweep":
            raise ConfigError(
                f"{setting.first_origin}: sweep: makes this a search, which is for "
                "dlcli sweep --config"
            )


def checked(key: str, setting: Setting, kind: Any) -> Any:
    """The value of a setting as ``kind``; raise ``ConfigError`` if that type does not allow it."""
    value = setting.value
    try:
        converted = msgspec.convert(_without_infinities(value), kind)
        msgspec.json.encode(converted)  # an error for "\ud800", which is no text
    except RecursionError:
        raise ConfigError(f"{setting.origin}: {key}: nested too deeply for a config") from None
    except (msgspec.ValidationError, UnicodeEncodeError):
        allowed = describe_allowed(kind)
        hint = hint_at_value(key, setting, kind)
        raise ConfigError(
            f"{setting.origin}: {key}: expected {allowed}, got {shown(value)}{hint}"
        ) from None
    return converted


def _with_mappings(settings: Settings) -> Settings:
    """The settings, with the names of classes put into the mapping that they are keys of."""
    gathered: Settings = {}
    for key, setting in settings.items():
        group, dot, name = key.partition(".")
        if not dot or group != CLASS_WEIGHTS:
            gathered[key] = setting
        elif group in gathered:
            gathered[group].value[name] = setting.value
        else:
            gathered[group] = Setting({name: setting.value}, setting.first_origin)
    return gathered


def _gathered(values: dict[str, Any]) -> dict[str, Any]:
    """The values, with keys like ``augmentation.rotation`` put into their mapping."""
    gathered = {key: value for key, value in values.items() if "." not in key}
    inner = {key.partition(".")[2]: value for key, value in values.items() if "." in key}
    return gathered | ({"augmentation": Augmentation(**inner)} if inner else {})


def _unknown_key(key: str, setting: Setting, types: dict[str, Any]) -> str:
    group, dot, inner = key.partition(".")
    if group not in types:
        meant = meant_key(group, types)
        hint = f"; did you mean {meant}?" if meant else ""
        return f"{setting.first_origin}: {shortened(group)}: unknown key{hint}"
    if dot and group != "augmentation":
        hint = "; a search is for dlcli sweep" if inner in _WORDS_OF_A_SEARCH else ""
        expected = f"expected {describe_allowed(types[group])}, got a mapping{hint}"
        return f"{setting.first_origin}: {group}: {expected}"
    alike = [name for name in types if name.startswith(f"{group}.")]
    return f"{setting.origin}: {shortened(key)}: unknown key{did_you_mean(key, alike)}"


def _contradictions(config: Config) -> Iterable[tuple[tuple[str, ...], str]]:
    """Yield the keys of each contradiction, the main one first, and the problem."""
    yield from _contradictions_of_the_network(config)
    yield from _contradictions_of_the_training(config)
    names = list(map(str, config.classes or ()))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        yield ("classes",), f"{shown(twice)} is there twice"
    for dataset in config.dataset_names:
        yield from _contradictions_of_the_dataset(dataset)


def _contradictions_of_the_dataset(name: str) -> Iterable[tuple[tuple[str, ...], str]]:
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        yield ("dataset",), f"{shown(name)} cannot be the name of a folder"
    # A name with a separator is a path; loading the dataset finds out whether it exists.
    if re.fullmatch(r"[\w-]+", name) and name not in DATASETS and not os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises of names too long
        problem = f"expected {', '.join(DATASETS)} or a folder of images, got {shown(name)}"
        yield ("dataset",), f"{problem}{did_you_mean(name, DATASETS)}"


def _contradictions_of_the_network(config: Config) -> Iterable[tuple[tuple[str, ...], str]]:
    if not fits(config.loss, config.output_activation):
        outputs = listed([name for name in OUTPUT_ACTIVATIONS if fits(config.loss, name)], "or")
        losses = listed([name for name in LOSSES if fits(name, config.output_activation)], "or")
        problem = (
            f"{config.loss} needs probabilities, and output_activation "
            f"{config.output_activation} gives none; use {outputs}, or loss {losses}"
        )
        yield ("loss", "output_activation"), problem
    names, layers = config.activation, len(config.hidden_layers)
    if config.freeze_layers > layers and config.init_from is None:  # the model has the layers
        count = "is only 1 hidden layer" if layers == 1 else f"are only {layers} hidden layers"
        problem = f"there {count}, and the last layer has to learn"
        yield ("freeze_layers", "hidden_layers"), problem
    if config.init_checksum is not None and config.init_from is None:
        yield ("init_checksum", "init_from"), "has no meaning without init_from"
    if not isinstance(names, str) and len(names) != layers:
        problem = f"{len(names)} activations for {layers} hidden layers"
        yield ("activation", "hidden_layers"), f"{problem}; give one a layer, or one name for all"
    if config.batch_norm and config.batch_size < MIN_NORMALISED:
        images = "one image has" if config.batch_size == 1 else "two images have"
        problem = f"{images} no variance worth normalising by; use a batch_size of 16 or more"
        yield ("batch_norm", "batch_size"), problem
    sizes = config.layer_sizes(len(DIGITS))  # more classes are counted when they are known
    parameters = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))
    if parameters > MAX_PARAMETERS:
        problem = f"{parameters:,} parameters are more than the {MAX_PARAMETERS:,} supported"
        yield ("hidden_layers",), problem


def _contradictions_of_the_training(config: Config) -> Iterable[tuple[tuple[str, ...], str]]:
    hyperparameters = OPTIMIZERS[config.optimizer].hyperparameters
    warmup, epochs = config.warmup_epochs, config.epochs
    if config.nesterov and "nesterov" in hyperparameters and config.momentum == 0:
        yield ("nesterov", "momentum"), "needs a momentum above 0 to look ahead along"
    if warmup > epochs:
        problem = f"{warmup:g} epochs of warm-up do not fit into {epochs} epochs"
        yield ("warmup_epochs", "epochs"), problem
    if warmup and SCHEDULES[config.schedule].has_warmup:
        problem = f"schedule {config.schedule} has a warm-up of its own; leave out warmup_epochs"
        yield ("warmup_epochs", "schedule"), problem
    if config.half_size_epochs:
        yield from _contradictions_of_half_size(config)
    if config.early_stopping is not None and config.validation_size == 0:
        problem = "needs validation images; set validation_size above 0"
        yield ("early_stopping", "validation_size"), problem
    if config.early_stopping is not None and config.keep == "last":
        problem = "does not work with keep: last; use keep: best_accuracy or best_loss"
        yield ("early_stopping", "keep"), problem


def _contradictions_of_half_size(config: Config) -> Iterable[tuple[tuple[str, ...], str]]:
    """What does not go with images of half the size (see ``training.fewer_inputs``)."""
    if config.optimizer != "sgd":
        problem = f"works with optimizer: sgd, not {config.optimizer}, whose steps depend on pixels"
        yield ("half_size_epochs", "optimizer"), problem
    if config.augmentation is not None:
        yield ("half_size_epochs", "augmentation"), "distorted images have the whole size"
    if config.freeze_layers:
        yield ("half_size_epochs", "freeze_layers"), "would blur the frozen weights"
    if config.init_from is not None:
        yield ("half_size_epochs", "init_from"), "would blur the weights to start from"


def warnings(config: Config) -> list[str]:
    """What is allowed but probably a mistake: keys without effect, a high learning rate."""
    defaults = Config()
    found = [
        f"{key} has no effect with {other}: {getattr(config, other)}"
        for key, (other, values) in DEPENDENT_KEYS.items()
        if getattr(config, key) != getattr(defaults, key) and getattr(config, other) not in values
    ]
    if config.augmentation is not None and not config.augmentation.distorts:
        found.append(
            "augmentation distorts nothing: set rotation, scale, shear, shift, elastic_alpha "
            "or gamma"
        )
    if not config.hidden_layers:
        found += [
            f"{key} has no effect without hidden layers"
            for key in ("dropout", "batch_norm", "max_norm")
            if getattr(config, key)
        ]
    if config.init_from is not None and config.hidden_layers and config.receptive_field is not None:
        found.append(f"receptive_field has no effect with init_from: {config.init_from}")
    if config.freeze_layers and config.init_from is None:
        found.append("freeze_layers keeps random weights; start from trained ones with --init")
    found += _counted_in(config)
    optimizer = OPTIMIZERS[config.optimizer]
    if config.learning_rate > optimizer.high_learning_rate:
        found.append(
            f"learning_rate {config.learning_rate:g} is high for {config.optimizer}; "
            f"{optimizer.usual_learning_rate:g} is usual"
        )
    return found


def _counted_in(config: Config) -> Iterable[str]:
    """A warning of hidden layers that seem to include the input or the output."""
    layers = config.hidden_layers
    first = 1 if layers[:1] == (IMAGE_SIZE,) else 0
    last = len(layers) - (1 if layers[-1:] == (len(DIGITS),) else 0)
    if len(layers) > 1 and last - first < len(layers):
        whole = "-".join(map(str, config.layer_sizes(len(DIGITS))))
        meant = shown(list(layers[first:last]))
        yield (
            f"hidden_layers does not count input and output: the network is {whole}; "
            f"did you mean {meant}?"
        )


def _without_infinities(value: Any) -> Any:
    """The value with infinities and NaN as bytes, which no key accepts."""
    if isinstance(value, list):
        return [_without_infinities(item) for item in value]
    return b"" if isinstance(value, float) and not math.isfinite(value) else value
