"""Which rows of a list of runs are shown, and in what order."""

import operator
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, DecimalException
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dlcli.errors import ConfigError

Row = dict[str, Any]

# The keys of a row by the headings of the table, where they differ.
_KEYS = {
    "best": "best_epoch",
    "accuracy": "validation_accuracy",
    "loss": "validation_loss",
    "time": "seconds",
    "network": "hidden_layers",
}
_TEXTS = ("run", "status", "hidden_layers", "dataset", "trained")
STATUSES = ("finished", "unfinished", "diverged", "unreadable", "damaged")
_NUMBERS = ("epochs", "best_epoch", "validation_accuracy", "validation_loss", "seconds")
SORT_KEYS = ("trained", "run", "status", "epochs", "accuracy", "loss", "time", "network", "dataset")

_FILTER = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", re.DOTALL)
# A date and time of ISO 8601 in UTC, or its beginning, and the rest of such a beginning.
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d.*)?)?)?)?)?")
_REST_OF_TIME = "0001-01-01T00:00:00"
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def network(hidden_layers: Iterable[int] | None) -> str:
    """Hidden layers as one word, such as ``512-512``; a dash for none."""
    return "-".join(map(str, hidden_layers or ())) or "-"


def dataset(name: str | None) -> str:
    """A dataset, or the parts of a mixture, without the folders that it lies in; a dash for none.

    So the table of runs shows it.
    """
    return " + ".join(Path(part).name or part for part in (name or "-").split(" + "))


def ordered(rows: Iterable[Row], key: str, *, reverse: bool) -> list[Row]:
    """The rows in ascending order of a key; those without a value come first."""
    name = _KEYS.get(key, key)
    return sorted(
        rows,
        key=lambda row: (row[name] is not None, row[name] if row[name] is not None else 0),
        reverse=reverse,
    )


def condition(text: str) -> Callable[[Row], bool]:
    """The function that says whether a row meets a condition such as ``accuracy>=98%``.

    A text is compared with a pattern of the shell (``run=*quick*``).

    Raises
    ------
    ConfigError
        It is no condition.
    """
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--filter {text}: expected KEY=VALUE, or another of < <= > >= !=, as in 'accuracy>98%'"
        )
    word, sign, value = found.groups()
    key = _KEYS.get(word, word)
    if key in _NUMBERS:
        return _number_condition(key, sign, _number(text, value))
    if key not in _TEXTS:
        known = ", ".join((*_TEXTS, *_NUMBERS, *_KEYS))
        raise ConfigError(f"--filter {text}: no such key as {word!r}; there are {known}")
    return _text_condition(text, key, sign, value)


def _number_condition(key: str, sign: str, limit: float) -> Callable[[Row], bool]:
    def is_met(row: Row) -> bool:
        return row[key] is not None and _COMPARISONS[sign](row[key], limit)

    return is_met


def _text_condition(text: str, key: str, sign: str, value: str) -> Callable[[Row], bool]:
    if sign not in {"=", "!="} and key != "trained":
        raise ConfigError(f"--filter {text}: {key} is a text; compare it by = or !=")
    if sign not in {"=", "!="} and not _is_time(value):
        raise ConfigError(f"--filter {text}: expected a date, as in 'trained<2026-01-31'")
    if key == "status" and not any(fnmatchcase(status, value) for status in STATUSES):
        raise ConfigError(f"--filter {text}: a status is one of {', '.join(STATUSES)}")

    def is_met(row: Row) -> bool:
        found = network(row[key]) if key == "hidden_layers" else row[key] or "-"
        if sign in {"=", "!="}:
            is_same = fnmatchcase(found, value)
            if key == "trained":
                is_same = is_same or found.startswith(value)
            elif key == "dataset":  # as in the config, or as in the table
                is_same = is_same or fnmatchcase(dataset(found), value)
            return is_same == (sign == "=")
        return found != "-" and _COMPARISONS[sign](found[: len(value)], value)

    return is_met


def _is_time(value: str) -> bool:
    """Whether a text is a date and time, or the beginning of one."""
    try:
        datetime.fromisoformat(value + _REST_OF_TIME[len(value) :])
    except ValueError:
        return False
    return _TIME.fullmatch(value) is not None


def _number(text: str, value: str) -> float:
    """A number, or a percentage as a fraction."""
    try:
        number = Decimal(value.removesuffix("%"))
        # As decimals: 93.3 / 100 as floats is another number than 0.933.
        number = number / 100 if value.endswith("%") else number
    except DecimalException:
        number = Decimal("nan")
    if number.is_nan():
        raise ConfigError(f"--filter {text}: {value!r} is not a number")
    return float(number)
