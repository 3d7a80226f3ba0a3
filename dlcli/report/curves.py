"""Scores over the epochs, of one run or of several, as charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.evaluation.formatting import percent
from dlcli.report import charts, scales, tables
from dlcli.report.charts import LineChart, MakeScale, Series
from dlcli.report.subjects import Subject

_MOST_POINTS = 500  # as many as there are pixels
ROLES = 6  # colours of runs; further ones begin anew


@dataclass(frozen=True)
class Curve:
    """A chart of the epochs.

    Attributes
    ----------
    note
        A line under the title, where values are read off as well.
    description
        The chart's text equivalent.
    readings
        What the script reads off: epochs, their positions, and each line's values as words.
    """

    id: str
    title: str
    note: str
    chart: LineChart
    description: str
    readings: dict[str, Any]


@dataclass(frozen=True)
class _Plan:
    """A chart to draw: the fields of ``EpochRecord`` in it, each with a name and a role."""

    id: str
    title: str
    note: str
    fields: tuple[tuple[str, str, str], ...]
    scale: MakeScale
    shaded: bool = False


def _training_and_validation(score: str) -> tuple[tuple[str, str, str], ...]:
    return (
        ("training", "training", f"train_{score}"),
        ("validation", "validation", f"validation_{score}"),
    )


_LOSS_NOTE = "The cost that training lowers."
_ACCURACY_NOTE = "Each halving of the errors is the same step up."
_PLANS = (
    _Plan(
        "loss",
        "Loss",
        _LOSS_NOTE,
        _training_and_validation("loss"),
        scales.logarithmic,
        shaded=True,
    ),
    _Plan(
        "accuracy",
        "Accuracy",
        _ACCURACY_NOTE,
        _training_and_validation("accuracy"),
        scales.accuracy,
        shaded=True,
    ),
    _Plan(
        "rate",
        "Learning rate",
        "How long a step along the slope is.",
        (("learning rate", "training", "learning_rate"),),
        scales.linear,
    ),
    _Plan(
        "norm",
        "Gradient norm",
        "How steep the slope is, on average over batches.",
        (("gradient norm", "training", "gradient_norm"),),
        scales.logarithmic,
    ),
)


def of_run(identity: str, subject: Subject) -> list[Curve]:
    """Loss, accuracy, learning rate and the slope's length over a run's epochs."""
    kept = None if subject.kept is None else subject.kept.epoch
    found = []
    for plan in _PLANS:
        series = [_series(subject, field, name, role) for name, role, field in plan.fields]
        chart = charts.line_chart(
            series,
            plan.scale,
            named=len(series) > 1,
            kept=kept,
            shaded=subject.overfitting_since if plan.shaded else None,
        )
        if chart is not None:
            found.append(_curve(f"{identity}-{plan.id}", plan.title, plan.note, chart, series))
    return found


def of_several(subjects: Sequence[Subject]) -> list[Curve]:
    """Loss and accuracy of several runs on the same axes."""
    found = []
    for title, field, make_scale, note in (
        ("Validation loss", "validation_loss", scales.logarithmic, _LOSS_NOTE),
        ("Validation accuracy", "validation_accuracy", scales.accuracy, _ACCURACY_NOTE),
        ("Training loss", "train_loss", scales.logarithmic, _LOSS_NOTE),
        ("Training accuracy", "train_accuracy", scales.accuracy, _ACCURACY_NOTE),
    ):
        series = [
            _series(subject, field, subject.name, f"s{index % ROLES}")
            for index, subject in enumerate(subjects)
        ]
        chart = charts.line_chart(series, make_scale, named=True)
        if chart is not None:
            found.append(_curve(f"all-{field}", title, note, chart, series))
    return found


def _series(subject: Subject, field: str, name: str, role: str) -> Series:
    records = tables.thinned(subject.records, subject.kept, _MOST_POINTS)
    return Series(name, role, [(record.epoch, getattr(record, field)) for record in records])


def _curve(
    identity: str, title: str, note: str, chart: LineChart, series: Sequence[Series]
) -> Curve:
    shown = percent if title.lower().endswith("accuracy") else tables.number
    told = []
    for line in series:
        known = line.finite()
        if known:
            (first, start), (last, end) = known[0], known[-1]
            told.append(
                f"{line.name}: {shown(start)} in epoch {first}, {shown(end)} in epoch {last}"
            )
    readings = {
        "epochs": list(chart.positions),
        "positions": list(chart.positions.values()),
        "series": [
            {"name": line.name, "values": {epoch: shown(value) for epoch, value in line.points}}
            for line in series
        ],
    }
    return Curve(identity, title, note, chart, f"{title}. {'; '.join(told)}.", readings)
