"""What was probably meant: keys by other names, and values in another form than a config's.

A config has one spelling for each thing. Any other gets an error with the right one, as it must be
typed.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from dlcli.config.messages import allowed_names, allows_any_text, shortened, shown
from dlcli.config.schema import DatasetPart
from dlcli.config.yaml_loader import SET, Setting, parse_value
from dlcli.errors import ConfigError
from dlcli.files import quoted

_SAME_KEY = {
    "activation": ("act", "activation_function", "nonlinearity"),
    "batch_norm": ("batch_normalization", "bn"),
    "batch_size": ("batch", "bs"),
    "dataset": ("data",),
    "early_stopping": ("patience",),
    "epochs": ("max_epochs", "max_iter", "n_epochs", "num_epochs"),
    "gradient_clip": ("clip", "clip_norm", "grad_clip"),
    "hidden_layers": (
        *("hidden", "hidden_layer_sizes", "hidden_sizes", "hidden_units"),
        *("layer_sizes", "layers", "neurons", "units"),
    ),
    "initializer": ("init",),
    "learning_rate": ("eta", "learning_rate_init", "lr"),
    "loss": ("cost", "criterion"),
    "optimizer": ("optim", "solver"),
    "schedule": ("lr_schedule", "lr_scheduler", "scheduler"),
    "seed": ("random_seed", "random_state"),
    "validation_size": ("val_size", "val_split", "validation_fraction"),
    "weight_averaging": ("ema", "ema_decay"),
    "weight_decay": ("alpha", "l2", "wd"),
}
"""The words for a key in other libraries and in papers."""

_SAME_NAME = {
    "best_accuracy": ("best",),
    "cross_entropy": ("categorical_crossentropy", "log_loss", "nll"),
    "fashion-mnist": ("fashion",),
    "glorot_uniform": ("glorot", "xavier"),
    "he_normal": ("he", "kaiming"),
    "lecun_normal": ("lecun",),
    "linear": ("identity",),
    "mse": ("squared_error",),
    "sigmoid": ("logistic",),
}
"""The words for a value in other libraries and in papers."""

_MIN_SIMILARITY = 0.6  # of two words, from 0 to 1, as difflib counts it and by its default
_MAX_LENGTH = 60  # of a word with a hint
_MAPPING = "augmentation"
_MEANINGS: tuple[tuple[tuple[str, ...], bool | None], ...] = (
    (("yes", "on", "true", "1"), True),
    (("no", "off", "false", "0"), False),
    (("no", "off", "false", "0", "none", "nil", "null"), None),
)


def meant_key(
    word: str, keys: Iterable[str], min_similarity: float = _MIN_SIMILARITY
) -> str | None:
    """The key that was probably meant by a word; None if there is none like it."""
    known = list(keys)
    inner = [key for key in known if key.endswith(f".{word}")]
    return inner[0] if inner else closest(word, known, _SAME_KEY, min_similarity)


def did_you_mean(
    word: str, known: Iterable[str], synonyms: Mapping[str, tuple[str, ...]] = _SAME_NAME
) -> str:
    """A hint at the known word that was probably meant; empty if no word is close."""
    meant = closest(word, known, synonyms)
    return f"; did you mean {meant}?" if meant else ""


def closest(
    word: str,
    known: Iterable[str],
    synonyms: Mapping[str, tuple[str, ...]],
    min_similarity: float = _MIN_SIMILARITY,
) -> str | None:
    """The known word that means the same, or is spelled about the same."""
    if len(word) > _MAX_LENGTH:
        return None
    plain = word.lower().replace("-", "_")
    spellings = {name.lower().replace("-", "_"): name for name in known}
    for name, others in synonyms.items():
        if plain in others and name in spellings.values():
            return name
    close = difflib.get_close_matches(plain, spellings, n=1, cutoff=min_similarity)
    return spellings[close[0]] if close else None


def hint_at_value(key: str, setting: Setting, kind: Any) -> str:
    """A hint at the value of type ``kind`` that was probably meant; empty if none is known."""
    for value in _allowed_candidates(setting.value, kind):
        return f"; did you mean {as_typed(key, value, setting.origin)}?"
    if key == "validation_split" and isinstance(setting.value, int | float):  # Keras' name for it
        size = as_typed("validation_size", setting.value, setting.origin)
        return f"; did you mean {size if setting.origin == SET else f'validation_size: {size}'}?"
    if key == "dataset" and isinstance(setting.value, list):
        return _hint_at_parts(setting.value)
    if key == _MAPPING:
        return f"; for example {as_typed(key, {'rotation': 15}, setting.origin)}"
    return ""


def _hint_at_parts(parts: list[Any]) -> str:
    """A hint at an unknown key in the mapping of a dataset that is part of a mixture."""
    known = [field.name for field in msgspec.structs.fields(DatasetPart)]
    for name in (name for part in parts if isinstance(part, dict) for name in part):
        if name not in known:
            return f"; a dataset has {' and '.join(known)}, not {shortened(str(name))}"
    return ""


def as_setting(key: str, kind: Any, words: Sequence[str]) -> str:
    """``--set`` with a key and its value, which was written in another way."""
    if not words:
        default = "true" if msgspec.json.schema(kind).get("type") == "boolean" else "VALUE"
        return as_typed(key, default, SET)
    for text in (" ".join(words), words[0]):
        with suppress(ConfigError):
            value = parse_value(text, "")
            for meant in _allowed_candidates(value, kind, value):
                return as_typed(key, meant, SET)
    return as_typed(key, words[0], SET)


def as_typed(key: str, value: Any, origin: str) -> str:
    """A value as it must be typed where its setting was: after ``--set``, or in a file."""
    if origin != SET:
        return shown(value)
    if isinstance(value, dict):
        return " ".join(as_typed(f"{key}.{name}", item, origin) for name, item in value.items())
    text = value if isinstance(value, str) else shown(value)
    return f"--set {quoted(f'{key}={text}')}"


def _allowed_candidates(value: Any, kind: Any, *first: Any) -> Iterator[Any]:
    """The values of type ``kind`` that ``value`` may stand for, after those in ``first``."""
    for candidate in (*first, *_candidates(value, kind)):
        with suppress(msgspec.ValidationError, UnicodeEncodeError):  # of "\ud800"
            msgspec.convert(candidate, kind)
            yield candidate


def _candidates(value: Any, kind: Any) -> Iterator[Any]:
    """What a value of another type or spelling may stand for, the most likely first."""
    if isinstance(value, list):
        names = allowed_names(kind)
        yield [
            closest(item, names, _SAME_NAME) if isinstance(item, str) else item for item in value
        ]
        return
    word = str(value).lower()
    yield from (meaning for words, meaning in _MEANINGS if word in words)
    if isinstance(value, str):
        yield from _meanings_of_text(value, allowed_names(kind))
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        yield [value]
        if allows_any_text(kind):
            yield str(value)


def _meanings_of_text(text: str, names: list[str]) -> Iterator[Any]:
    """What text may stand for: one of the names, a list of whole numbers, a number."""
    if name := closest(text, names, _SAME_NAME):
        yield name
    if re.fullmatch(r"[\d\s,x()-]{1,60}", text):  # as in 64,32 and 64x32
        yield [int(number) for number in re.findall(r"\d{1,9}", text)]
    with suppress(ConfigError):
        yield parse_value(text.replace(",", "."), "")  # as in 0,5
