"""A lesson run: its networks trained, its figures measured, its claims checked."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from dlcli.data.datasets import Source
from dlcli.data.examples import Dataset
from dlcli.errors import ConfigError
from dlcli.lessons import formulas, measures, texts
from dlcli.lessons.data import select
from dlcli.lessons.experiments import Picture, Trained, train_side_by_side
from dlcli.lessons.formulas import Formula, FormulaError
from dlcli.lessons.kinds import KINDS
from dlcli.lessons.reader import Lesson
from dlcli.lessons.schema import Chart
from dlcli.nn.network import Network


@dataclass(frozen=True)
class CheckedClaim:
    """A claim with the figures that were measured for it, and whether it held."""

    says: str
    rule: str
    figures: dict[str, float]
    held: bool


@dataclass(frozen=True)
class Series:
    """The points of a line: its name, its epochs and its values."""

    label: str
    epochs: list[int]
    values: list[float]


@dataclass(frozen=True)
class DrawnChart:
    """A chart with its content: ``lines``, ``bars`` or ``pictures``.

    ``is_fraction`` says that the values are shown as percentages, ``is_log`` that the scale is
    logarithmic.
    """

    title: str
    note: str
    lines: list[Series] = field(default_factory=list)
    bars: dict[str, float] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    is_fraction: bool = False
    is_log: bool = False


@dataclass(frozen=True)
class Opening:
    """What is said before the experiments, with the figures that are known by then."""

    idea: str
    asks: str
    figures: dict[str, float]


@dataclass(frozen=True)
class Result:
    """What a lesson showed."""

    lesson: Lesson
    opening: Opening
    trained: dict[str, Trained]
    figures: dict[str, float]
    claims: list[CheckedClaim]
    charts: list[DrawnChart]
    explanation: str
    seconds: float

    @property
    def held(self) -> bool:
        """Whether every claim held."""
        return all(claim.held for claim in self.claims)

    @property
    def divergences(self) -> list[tuple[str, str]]:
        """The networks that diverged: the label of each, and what happened."""
        return [(t.label, t.divergence) for t in self.trained.values() if t.divergence is not None]


OnEpoch = Callable[[dict[str, Trained], Trained], None]
"""Gets all networks of a lesson, and the one that was trained just now."""


Load = Callable[[Source], Dataset]
"""Loads a dataset by its name."""


def prepare(lesson: Lesson, load: Load) -> dict[str, Trained]:
    """The networks of a lesson, not trained yet."""
    loaded: dict[str, Dataset] = {}
    found: dict[str, Trained] = {}
    for name, experiment in lesson.file.experiments.items():
        config = lesson.configs[name]
        if config.dataset_name not in loaded:
            loaded[config.dataset_name] = load(config.dataset)
        dataset = loaded[config.dataset_name].for_training(config.classes)
        data = select(dataset, config, experiment.inverted, experiment.hand)
        parent = None if experiment.after is None else found[experiment.after]
        found[name] = Trained(experiment.label, config, data, parent)
        if parent is not None and _layers(parent.network) != _layers(found[name].network):
            raise ConfigError(
                f"{lesson.path}: experiments.{name}: its layers are not those of "
                f"{experiment.after}, whose weights it starts from (hidden_layers, activation, "
                "batch_norm)"
            )
    return found


def _layers(network: Network) -> tuple[object, ...]:
    """All that must be alike where one network starts from the weights of another."""
    return network.layer_sizes, network.activations, network.batch_norm


def opening(lesson: Lesson, load: Load) -> Opening:
    """What a lesson says first; some kinds of lessons compute figures for that."""
    compute = KINDS[lesson.file.kind].compute
    known = {} if compute is None else compute(load("sample"))
    asks = texts.fill(lesson.file.question.asks, known)
    return Opening(texts.fill(lesson.file.idea, known), asks, known)


def run(lesson: Lesson, load: Load, on_epoch: OnEpoch | None = None) -> Result:
    """Train the networks of a lesson, measure them, and check its claims.

    Raises
    ------
    ConfigError
        A measure does not fit its network, as that of a layer which it does not have.
    """
    started = time.perf_counter()
    trained = prepare(lesson, load)
    train_side_by_side(
        list(trained.values()), None if on_epoch is None else partial(on_epoch, trained)
    )
    first = opening(lesson, load)
    known = dict(first.figures)
    measured = _Measured(lesson, trained, known)
    for name, formula in lesson.figures.items():
        known[name] = float(measured.value(f"figures.{name}", formula))
    claims = [measured.claim(number) for number in range(len(lesson.rules))]
    charts = [measured.chart(number) for number in range(len(lesson.file.charts))]
    explanation = texts.fill(lesson.file.explanation, known)
    seconds = time.perf_counter() - started
    return Result(lesson, first, trained, known, claims, charts, explanation, seconds)


# What a score is of, by the first part of its name.
WHOSE = {"train": "training images", "validation": "unseen images", "gradient": "gradient"}


@dataclass(frozen=True)
class _Measured:
    """The trained networks of a lesson, and its figures so far."""

    lesson: Lesson
    trained: dict[str, Trained]
    known: dict[str, float]

    def value(self, key: str, formula: Formula) -> Any:
        """The value of a formula; ``key`` is where it stands in the lesson's file."""
        try:
            return formulas.compute(formula, self.known, self._call)
        except FormulaError as error:
            # It may be the learner's settings that do not fit, and not the file.
            changed = ", ".join(self.lesson.overrides)
            because = f"; you changed {changed}" if changed else ""
            place = f"{self.lesson.path}: {key}: {formula.text}"
            raise ConfigError(f"{place}: {error}{because}") from error

    def _call(self, name: str, arguments: Sequence[str | float]) -> Any:
        values = [self.trained[each] if isinstance(each, str) else each for each in arguments]
        return measures.measure(name, values)

    def claim(self, number: int) -> CheckedClaim:
        """A claim, with the figures in its sentence and all that its rule compares."""
        claim, rule = self.lesson.file.claims[number], self.lesson.rules[number]
        held = bool(self.value(f"claims[{number + 1}].holds", rule))
        named = [*(name for name, _ in texts.figures_in(claim.says)), *rule.figures]
        figures = {name: self.known[name] for name in named}
        for call in rule.calls:
            figures[str(call)] = float(self._call(call.name, call.arguments))
        says = texts.fill(claim.says, self.known)
        return CheckedClaim(says, rule.text, figures, held)

    def chart(self, number: int) -> DrawnChart:
        """The content of a chart."""
        chart = self.lesson.file.charts[number]
        drawn = DrawnChart(
            chart.title,
            texts.fill(chart.note, self.known),
            is_fraction="accuracy" in " ".join(chart.scores) or chart.shows == "fraction",
            is_log=chart.scale == "log",
        )
        if chart.scores:
            names = chart.experiments or tuple(self.trained)
            pairs = [(name, score) for name in names for score in chart.scores]
            return replace(drawn, lines=[self._line(*pair, chart) for pair in pairs])
        if chart.bars is not None:
            key = f"charts[{number + 1}].bars"
            formulas = {label: self.lesson.bars[number, label] for label in chart.bars}
            bars = {label: float(self.value(key, each)) for label, each in formulas.items()}
            return replace(drawn, bars=bars)
        key = f"charts[{number + 1}].pictures"
        return replace(drawn, pictures=self.value(key, self.lesson.pictures[number]))

    def _line(self, name: str, score: str, chart: Chart) -> Series:
        trained = self.trained[name]
        points = [
            (scores.epoch, value)
            for scores, value in zip(trained.history, trained.scores(score), strict=True)
            if math.isfinite(value)
        ]
        label = trained.label
        if len(chart.scores) > 1:
            whose = WHOSE[score.partition("_")[0]]
            label = whose if len(chart.experiments or self.trained) == 1 else f"{label}, {whose}"
        return Series(label, [epoch for epoch, _ in points], [value for _, value in points])
