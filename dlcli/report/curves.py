"""Learning curves on a page: of one run, or of several on the same axes."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from dlcli.evaluation.formatting import percent, short
from dlcli.report import charts, svg, tables
from dlcli.report.charts import Chart, Line
from dlcli.report.models import EvaluatedModel

_MAX_POINTS = 500  # as many as there are pixels
_LOSS_NOTE = "The cost that training minimizes."
_ACCURACY_NOTE = "Each halving of the errors is the same step up."
_STYLES = ("-", (0, (4, 2)), ":", "-.", (0, (2, 1.5)), (0, (1, 1.5)))


def of_model(identity: str, entry: EvaluatedModel) -> list[Chart]:
    """Loss, accuracy, learning rate and gradient norm over the epochs of a run."""
    kept = None if entry.kept is None else entry.kept.epoch
    found = []
    for title, note, fields in (
        ("Loss", _LOSS_NOTE, ("train_loss", "validation_loss")),
        ("Accuracy", _ACCURACY_NOTE, ("train_accuracy", "validation_accuracy")),
        ("Learning rate", "The length of a step.", ("learning_rate",)),
        ("Gradient norm", "The length of the gradient, averaged over batches.", ("gradient_norm",)),
    ):
        lines = [
            _line(entry, field, "validation" if "validation" in field else "training", number)
            for number, field in enumerate(fields)
        ]
        overfitting_since = entry.overfitting_since if len(fields) > 1 else None
        figure = charts.learning_curve(lines, kept, overfitting_since)
        if figure is not None:
            name = f"{identity}-{fields[0].removeprefix('train_')}"
            found.append(_curve(name, title, note, figure, lines))
    return found


def of_several(entries: Sequence[EvaluatedModel]) -> list[Chart]:
    """Loss and accuracy of several runs on the same axes."""
    found = []
    for title, note, field in (
        ("Validation loss", _LOSS_NOTE, "validation_loss"),
        ("Validation accuracy", _ACCURACY_NOTE, "validation_accuracy"),
        ("Training loss", _LOSS_NOTE, "train_loss"),
        ("Training accuracy", _ACCURACY_NOTE, "train_accuracy"),
    ):
        lines = [
            _line(entry, field, entry.name, number, linestyle=_STYLES[number % len(_STYLES)])
            for number, entry in enumerate(entries)
        ]
        figure = charts.learning_curve(lines)
        if figure is not None:
            found.append(_curve(f"all-{field}", title, note, figure, lines))
    return found


def _line(entry: EvaluatedModel, field: str, label: str, number: int, **style: Any) -> Line:
    records = tables.thinned(entry.records, entry.kept, _MAX_POINTS)
    return Line(label, records, field, {"color": f"C{number}", **style})


def _curve(name: str, title: str, note: str, figure: Figure, lines: Sequence[Line]) -> Chart:
    """A drawn figure with its text equivalent and what the script needs."""
    shown = percent if title.lower().endswith("accuracy") else short
    texts: dict[str, dict[int, str]] = {}
    for line in lines:
        values = zip(line.records, line.values().tolist(), strict=True)
        texts[line.label] = {r.epoch: shown(value) for r, value in values if math.isfinite(value)}
    ends = [
        f"{label}: {known[min(known)]} in epoch {min(known)}, {known[max(known)]} in {max(known)}"
        for label, known in texts.items()
        if known
    ]
    chart = svg.inline(figure, name, f"{title}. {'; '.join(ends)}.")
    (axes,) = figure.axes
    epochs = sorted({epoch for known in texts.values() for epoch in known})
    positions = axes.transData.transform([(epoch, 1) for epoch in epochs])[:, 0]
    height = figure.bbox.height
    readings = {
        "epochs": epochs,
        "positions": positions.round(1).tolist(),
        "ends": [height - axes.bbox.y1, height - axes.bbox.y0],
        "series": [{"name": label, "values": known} for label, known in texts.items() if known],
    }
    return Chart(title, note, chart, name, readings)
