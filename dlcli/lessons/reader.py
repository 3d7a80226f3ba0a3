"""Lesson files: found by name, read, and checked with every problem told at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcli.config import files
from dlcli.config.hints import did_you_mean
from dlcli.config.messages import shortened, written
from dlcli.config.schema import CLASS_WEIGHTS, to_builtins
from dlcli.config.validation import resolve
from dlcli.config.yaml_loader import (
    MAX_BYTES,
    Place,
    Setting,
    Settings,
    overridden,
    parse_document,
    settings_of,
)
from dlcli.errors import ConfigError
from dlcli.lessons import catalog, formulas, texts
from dlcli.lessons.document import Document, with_text_keys
from dlcli.lessons.formulas import Formula, FormulaError, MeasureCall
from dlcli.lessons.kinds import KINDS
from dlcli.lessons.measures import MEASURES, PICTURES, SCORES, Measure
from dlcli.lessons.schema import Chart, LessonFile

if TYPE_CHECKING:
    from dlcli.config.schema import Config

_MERGED = ("augmentation",)  # a mapping whose keys are overridden one by one
# Keys of a config that a lesson has another way for, or none.
_REFUSED = {
    "init_from": "a network starts from another one of its lesson, named by after",
    "init_checksum": "a network starts from another one of its lesson, named by after",
    "preparation": "a lesson prepares pictures as suits their classes",
}
# What a lesson's networks have unless it says otherwise: images that need no network, so few that
# training takes seconds; as many to validate with as make the accuracy known to about 1 %; gradient
# descent without momentum, which is a lesson of its own; the last epoch's weights.
_DEFAULTS = {
    "dataset": "sample",
    "train_size": 2000,
    "validation_size": 2000,
    "momentum": 0,
    "keep": "last",
}


@dataclass(frozen=True)
class Lesson:
    """A lesson that was read and checked.

    ``path`` is its file, for messages; ``bars`` and ``pictures`` have the number of the chart.
    ``overrides`` are the settings that the learner changed, as ``KEY=VALUE``.
    """

    name: str
    path: str
    file: LessonFile
    configs: dict[str, Config]
    figures: dict[str, Formula]
    rules: tuple[Formula, ...]
    bars: dict[tuple[int, str], Formula]
    pictures: dict[int, Formula]
    overrides: tuple[str, ...] = ()

    @property
    def caution(self) -> str:
        """What to keep in mind when reading the texts of a lesson that was changed, in Markdown."""
        if not self.overrides:
            return ""
        changed = ", ".join(f"`{each}`" for each in self.overrides)
        return (
            f"You changed {changed}. What was measured is of your networks; the sentences around "
            "it, with their numbers of epochs, neurons and so on, are of the lesson's."
        )

    def descriptions(self) -> list[str]:
        """Each network in a line of Markdown: its name, and its settings that most have not."""
        configs = {name: to_builtins(config) for name, config in self.configs.items()}
        found = []
        for name, each in self.file.experiments.items():
            words = [
                f"`{key}: {written(value)}`"
                for key, value in configs[name].items()
                if sum(other[key] == value for other in configs.values()) <= len(configs) / 2
            ]
            settings = f" ({', '.join(words)})" if words else ""
            label = "" if each.label.casefold() == name.casefold() else f": {each.label}"
            found.append(f"**{name}**{label}{settings}")
        return found


def read(word: str, overrides: Sequence[str] = ()) -> Lesson:
    """Read the lesson that a word means (see ``catalog.find``).

    ``overrides`` are ``KEY=VALUE`` for all of its networks, or ``EXPERIMENT.KEY=VALUE``.

    Raises
    ------
    ConfigError
        With every problem, one a line.
    """
    name, path = catalog.find(word)
    shown_path = path.name if path.parent == catalog.FOLDER else str(path)
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such lesson file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file (UTF-8)") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(text, name, shown_path, overrides)


def parse(text: str, name: str, path: str, overrides: Sequence[str] = ()) -> Lesson:
    """Read a lesson from the text of its file."""
    values, lines = parse_document(text, path)
    document = Document(path, lines)
    content = document.convert(LessonFile, with_text_keys(values), ())
    if content is None:
        raise ConfigError(*document.problems)
    lesson = _Checker(document, content).lesson(name, overrides)
    if document.problems:
        raise ConfigError(*dict.fromkeys(document.problems))
    return lesson


_Named = Iterator[tuple[tuple[str | int, ...], str]]


class _Checker:
    """Checks what a lesson's formulas, texts and settings name."""

    def __init__(self, document: Document, content: LessonFile) -> None:
        self._document, self._content = document, content
        self._known = [*KINDS[content.kind].figures] if content.kind in KINDS else []

    def lesson(self, name: str, overrides: Sequence[str]) -> Lesson:
        """The lesson, as far as it could be read; problems are noted in the document."""
        content = self._content
        self._check_kind_and_names()
        self._check_text(("idea",), content.idea)
        self._check_text(("question", "asks"), content.question.asks)
        figures = {}
        for key, text in content.figures.items():
            figures[key] = self._formula(("figures", key), text)
            self._known.append(key)  # a figure may use those above it
        rules = [
            self._formula(("claims", number, "holds"), claim.holds, is_condition=True)
            for number, claim in enumerate(content.claims)
        ]
        bars: dict[tuple[int, str], Formula] = {}
        pictures: dict[int, Formula] = {}
        for number, chart in enumerate(content.charts):
            self._check_chart(number, chart)
            for label, text in (chart.bars or {}).items():
                bars[number, label] = self._formula(("charts", number, "bars", label), text)
            if chart.pictures is not None:
                pictures[number] = self._pictures(("charts", number, "pictures"), chart.pictures)
        for place, text in self._texts():
            self._check_text(place, text)
        configs = self._configs(overrides)
        return Lesson(
            name=name,
            path=self._document.path,
            file=content,
            configs=configs,
            figures=figures,
            rules=tuple(rules),
            bars=bars,
            pictures=pictures,
            overrides=tuple(overrides),
        )

    def _check_kind_and_names(self) -> None:
        content, document = self._content, self._document
        if content.kind not in KINDS:
            hint = did_you_mean(content.kind, KINDS, {})
            document.report(("kind",), f"expected {', '.join(KINDS)}, got {content.kind}{hint}")
        if content.question.answer > len(content.question.choices):
            count = len(content.question.choices)
            document.report(("question", "answer"), f"there are {count} choices")
        if content.kind == "training" and not content.experiments:
            document.report((), "needs the key experiments: the networks to train")
        for experiment in content.experiments:
            if not experiment.isidentifier() or experiment in content.figures:
                problem = "the name of an experiment is letters, digits and _, and no figure's"
                document.report(("experiments", experiment), problem)
        for figure in content.figures:
            if not figure.isidentifier():
                problem = "the name of a figure is letters, digits and _"
                document.report(("figures", figure), problem)
        self._check_order()

    def _check_order(self) -> None:
        """An experiment may start from the weights of one above it."""
        above: list[str] = []
        for name, experiment in self._content.experiments.items():
            if experiment.after is not None and experiment.after not in above:
                hint = did_you_mean(experiment.after, above, {})
                problem = f"{experiment.after}: no experiment above this one{hint}"
                self._document.report(("experiments", name, "after"), problem)
            above.append(name)

    def _texts(self) -> _Named:
        content = self._content
        yield ("explanation",), content.explanation
        yield from ((("claims", n, "says"), claim.says) for n, claim in enumerate(content.claims))
        yield from ((("charts", n, "note"), chart.note) for n, chart in enumerate(content.charts))

    def _check_text(self, place: Place, text: str) -> None:
        for name, how in texts.figures_in(text):
            if name not in self._known:
                hint = did_you_mean(name, self._known, {})
                self._document.report(place, f"{{{name}}}: no such figure{hint}")
            elif how not in texts.FORMATS:
                formats = ", ".join(filter(None, texts.FORMATS))
                self._document.report(place, f"{{{name}:{how}}}: expected one of {formats}")

    def _check_chart(self, number: int, chart: Chart) -> None:
        place: Place = ("charts", number)
        if sum(part is not None for part in (chart.curve, chart.bars, chart.pictures)) != 1:
            self._document.report(place, "needs one of the keys curve, bars and pictures")
        for score in chart.scores:
            if score not in SCORES:
                problem = f"expected {', '.join(SCORES)}, got {score}"
                hint = did_you_mean(score, SCORES, {})
                self._document.report((*place, "curve"), f"{problem}{hint}")
        for name in chart.experiments or ():
            if name not in self._content.experiments:
                hint = did_you_mean(name, self._content.experiments, {})
                self._document.report((*place, "experiments"), f"{name}: no such experiment{hint}")

    def _formula(self, place: Place, text: str, *, is_condition: bool = False) -> Formula:
        try:
            formula = formulas.read(text)
        except FormulaError as error:
            self._document.report(place, f"{shortened(text)}: {error}")
            return formulas.read("0")
        for name in formula.figures:
            if name not in self._known:
                self._document.report(place, self._unknown_figure(name))
        for call in formula.calls:
            self._check_call(place, call, MEASURES)
        if formula.is_condition != is_condition:
            wanted = (
                "a comparison, as in a > 2 * b" if is_condition else "a number, not a comparison"
            )
            self._document.report(place, f"{shortened(text)}: expected {wanted}")
        return formula

    def _unknown_figure(self, name: str) -> str:
        if name in MEASURES:
            return f"{name}: write {MEASURES[name].usage(name)}"
        return f"{name}: no such figure{did_you_mean(name, self._known, {})}"

    def _pictures(self, place: Place, text: str) -> Formula:
        try:
            formula = formulas.read(text)
        except FormulaError as error:
            self._document.report(place, f"{shortened(text)}: {error}")
            return formulas.read("0")
        if not formula.is_call or formula.calls[0].name in MEASURES:
            usages = ", ".join(each.usage(name) for name, each in PICTURES.items())
            self._document.report(place, f"{shortened(text)}: expected one of {usages}")
        else:
            self._check_call(place, formula.calls[0], PICTURES)
            for count in formula.calls[0].arguments[1:]:
                if isinstance(count, float) and not (count >= 1 and count.is_integer()):
                    self._document.report(
                        place, f"{shortened(text)}: expected a number of pictures"
                    )
        return formula

    def _check_call(self, place: Place, call: MeasureCall, table: Mapping[str, Measure]) -> None:
        found = table.get(call.name)
        if found is None:
            hint = did_you_mean(call.name, table, {})
            self._document.report(place, f"{call.name}: no such measure{hint}")
            return
        if not found.accepts(call.arguments):
            self._document.report(place, f"expected {found.usage(call.name)}")
            return
        for name in call.arguments:
            if isinstance(name, str) and name not in self._content.experiments:
                hint = did_you_mean(name, self._content.experiments, {})
                self._document.report(place, f"{name}: no such experiment{hint}")

    def _configs(self, overrides: Sequence[str]) -> dict[str, Config]:
        """The config of each experiment; an override may begin with the experiment's name."""
        names = self._content.experiments
        if overrides and not names:
            raise ConfigError(f"--set {shortened(overrides[0])}: this lesson trains no networks")
        own: dict[str, list[str]] = {name: [] for name in names}
        for override in overrides:
            group, dot, rest = override.partition(".")
            if dot and "=" not in group and group not in {*names, "augmentation", CLASS_WEIGHTS}:
                hint = did_you_mean(group, names, {})
                raise ConfigError(
                    f"--set {shortened(override)}: there is no network {shortened(group)}{hint}; "
                    f"the lesson has {', '.join(names)}"
                )
            for name in [group] if dot and group in names else names:
                own[name].append(rest if dot and group in names else override)
        base = self._settings(("base",), self._content.base)
        configs = {}
        for name, experiment in names.items():
            settings = overridden(settings_of(_DEFAULTS, "default"), base, ())
            place = ("experiments", name, "set")
            settings = overridden(settings, self._settings(place, experiment.set), _MERGED)
            settings, problems = files.read((), own[name], settings)
            self._document.problems += problems
            for key, why in _REFUSED.items():
                if key in settings:
                    self._document.problems.append(f"{settings[key].first_origin}: {key}: {why}")
            try:
                configs[name] = resolve(settings)
            except ConfigError as error:
                self._document.problems += error.args
                continue
            if not configs[name].validation_size:
                origin = settings["validation_size"].first_origin
                problem = "a lesson compares networks on unseen images; set it above 0"
                self._document.problems.append(f"{origin}: validation_size: {problem}")
        return configs

    def _settings(self, place: Place, values: Mapping[str, Any]) -> Settings:
        """Keys of a config, each with its line."""
        settings: Settings = {}
        for key, value in values.items():
            origin = self._document.origin((*place, key))
            if isinstance(value, dict) and value:
                for inner, item in value.items():
                    at = self._document.origin((*place, key, inner))
                    settings[f"{key}.{inner}"] = Setting(item, at, origin)
            else:
                settings[key] = Setting(value, origin)
        return settings
