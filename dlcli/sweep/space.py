"""Search spaces: ranges and choices, validated as strictly as a config."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeAlias, TypeGuard

import msgspec

from dlcli.config.hints import did_you_mean
from dlcli.config.messages import describe_allowed, shown
from dlcli.config.validation import checked
from dlcli.config.yaml_loader import Setting, Settings
from dlcli.errors import ConfigError
from dlcli.runs import strict_json

RANGE_WORDS = ("low", "high", "log", "step")
WORDS = (*RANGE_WORDS, "choices")

Label: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; whole numbers if both are whole.

    Attributes
    ----------
    log
        Search on a logarithmic scale: as many trials between 0.001 and 0.01 as between 0.01
        and 0.1.
    step
        The distance between two values; None for any number, or any whole number.
    """

    low: float
    high: float
    log: bool
    step: float | None

    @property
    def whole(self) -> bool:
        """Whether the numbers are whole."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def size(self) -> int | None:
        """How many numbers are in the range; None if the range is continuous."""
        if self.step is None and not self.whole:
            return None
        return round((self.high - self.low) / (self.step or 1)) + 1

    @property
    def points(self) -> Sequence[Label] | None:
        """Every number in the range; None if the range is continuous."""
        if self.size is None:
            return None
        step = self.step or 1
        return [self.low + index * step for index in range(self.size - 1)] + [self.high]


@dataclass(frozen=True)
class Choices:
    """Values to choose from, as written in a config."""

    values: tuple[Any, ...]

    @property
    def size(self) -> int:
        """How many values there are."""
        return len(self.values)

    @property
    def points(self) -> list[Label]:
        """Each value as Optuna stores it: a scalar as it is, a list or mapping as JSON.

        A text that looks like JSON becomes JSON as well, so that ``plain`` gives it back.
        """
        return [
            strict_json.dumps(value)
            if isinstance(value, (list, dict)) or _looks_like_json(value)
            else value
            for value in self.values
        ]

    @property
    def low(self) -> Any:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> Any:
        """The largest value."""
        return max(self.values)


def plain(label: Label) -> Any:
    """The value that a label stands for: the label itself, or what its JSON contains."""
    return json.loads(label) if _looks_like_json(label) else label


def _looks_like_json(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith(("[", "{", '"'))


Space: TypeAlias = dict[str, Range | Choices]


def parse(key: str, words: Settings, kind: Any) -> Range | Choices:
    """The search space of a key of type ``kind``, given its settings by their words.

    Raises
    ------
    ConfigError
        With one line for each problem.
    """
    _refuse(
        f"{setting.origin}: {key}.{word}: unknown in a search space, which has low and high "
        f"(with log or step) or choices{did_you_mean(word, WORDS)}"
        for word, setting in words.items()
        if word not in WORDS
    )
    if "choices" not in words:
        return _range(key, words, kind)
    _refuse(
        f"{words[word].origin}: {key}.{word}: cannot be combined with choices"
        for word in RANGE_WORDS
        if word in words
    )
    return _choices(f"{key}.choices", words["choices"], kind)


def _refuse(problems: Iterable[str]) -> None:
    """Raise ``ConfigError`` if there are problems."""
    if lines := list(problems):
        raise ConfigError(*lines)


def _problems(name: str, setting: Setting, kind: Any) -> tuple[str, ...]:
    """What is wrong with a value of type ``kind``."""
    try:
        checked(name, setting, kind)
    except ConfigError as error:
        return error.args
    return ()


def _choices(name: str, setting: Setting, kind: Any) -> Choices:
    values = setting.value
    if not isinstance(values, list) or not values:
        raise ConfigError(
            f"{setting.origin}: {name}: expected a list of values, got {shown(values)}"
        )
    written = list(map(repr, values))
    _refuse(
        [
            *chain(*(_problems(name, Setting(value, setting.origin), kind) for value in values)),
            *(
                f"{setting.origin}: {name}: {shown(value)} is listed twice"
                for index, value in enumerate(values)
                if written[index] in written[:index]
            ),
        ]
    )
    return Choices(tuple(values))


def _range(key: str, words: Settings, kind: Any) -> Range:
    origin = next(iter(words.values())).first_origin
    if missing := [word for word in ("low", "high") if word not in words]:
        raise ConfigError(
            f"{origin}: {key}: {' and '.join(missing)} missing; a search space has low and high "
            "(with log or step) or choices"
        )
    schema = msgspec.json.schema(kind)
    types = {part.get("type") for part in schema.get("anyOf", [schema])}
    if not types & {"integer", "number"}:
        raise ConfigError(
            f"{origin}: {key}: only numbers can have a range; give choices, each of "
            f"them {describe_allowed(kind)}"
        )
    allowed = {"low": kind, "high": kind, "log": bool, "step": float}
    _refuse(
        problem
        for word, setting in words.items()
        for problem in (
            [f"{setting.origin}: {key}.{word}: expected a value, got null"]
            if setting.value is None
            else _problems(f"{key}.{word}", setting, allowed[word])
        )
    )
    values = {word: setting.value for word, setting in words.items()}
    low, high = values["low"], values["high"]
    if "integer" not in types or not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    space = Range(low, high, values.get("log", False), values.get("step"))
    if contradiction := _contradiction(space):
        word, text = contradiction
        raise ConfigError(f"{words[word].origin}: {key}.{word}: {text}")
    return space


def _contradiction(space: Range) -> tuple[str, str] | None:
    """The word to blame and the problem, if low, high, log and step contradict each other."""
    if space.low >= space.high:
        return "high", f"{space.high:g} is not above low, {space.low:g}"
    if space.log and space.low <= 0:
        return "low", f"{space.low:g} has no logarithm; with log, low must be above 0"
    if space.step is None:
        return None
    if space.log:
        return "step", "a logarithmic range has no even steps; remove step or log"
    if space.step <= 0:
        return "step", f"must be above 0, not {space.step:g}"
    if space.whole and space.step != int(space.step):
        return "step", f"{space.step:g} is not a whole number, as low and high are"
    steps = (space.high - space.low) / space.step
    if not math.isclose(steps, round(steps), rel_tol=1e-9) or steps < 1:
        return "step", f"{space.step:g} does not lead from {space.low:g} to {space.high:g}"
    return None
