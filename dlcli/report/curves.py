"""Learning curves on a page: of one run, or of several on the same axes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dlcli.evaluation.formatting import percent, short
from dlcli.report import charts, svg, tables
from dlcli.report.charts import Chart, Line
from dlcli.report.models import EvaluatedModel
from dlcli.training.epoch_metrics import EpochRecord

_MAX_POINTS = 500  # as many as there are pixels
_LOSS_NOTE = "The cost that training minimizes."
_ACCURACY_NOTE = "Each halving of the errors is the same step up."
# Of the charts by layer: title, note and field of ``LayerRecord``.
_LAYER_CHARTS = (
    ("Gradient by layer", "Where it is small, a layer learns slowly.", "gradient_norm"),
    (
        "Update by weight",
        "The length of a step, divided by that of the weights.",
        "update_ratio",
    ),
    ("Dead neurons", "No image excites them.", "dead"),
    ("Saturated neurons", "At an end of their range, where they hardly learn.", "saturated"),
)
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


def of_layers(identity: str, entry: EvaluatedModel) -> list[Chart]:
    """Gradients, updates, dead and saturated neurons by layer over the epochs of a run.

    Where no neuron ever was, there is no chart.
    """
    kept = None if entry.kept is None else entry.kept.epoch
    sizes = entry.model.network.layer_sizes[1:]
    layers = _evenly_spaced(len(sizes), svg.SERIES)
    found = []
    for title, note, field in _LAYER_CHARTS:
        lines = [
            Line(
                "output layer" if layer == len(sizes) - 1 else f"layer {layer + 1}",
                _thinned(entry),
                field,
                {"color": f"C{number}"},
                layer,
            )
            for number, layer in enumerate(layers)
        ]
        lines = [line for line in lines if np.isfinite(line.values()).any()]
        if not any(np.nan_to_num(line.values()).any() for line in lines):
            continue
        figure = charts.learning_curve(lines, kept)
        if figure is not None:
            found.append(_curve(f"{identity}-layers-{field}", title, note, figure, lines))
    return found


def never(entry: EvaluatedModel) -> list[str]:
    """What no neuron of a run was after any epoch, of ``dead`` and ``saturated``."""
    found = []
    for field in ("dead", "saturated"):
        layers = [layer for record in entry.records for layer in record.layers]
        values = [value for layer in layers if (value := getattr(layer, field)) is not None]
        if values and not any(values):
            found.append(field)
    return found


def _evenly_spaced(count: int, most: int) -> list[int]:
    """At most ``most`` of the numbers below ``count``, with the first and the last one."""
    chosen = np.linspace(0, count - 1, min(count, most)).round()
    return [int(number) for number in chosen]


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
    return Line(label, _thinned(entry), field, {"color": f"C{number}", **style})


def _thinned(entry: EvaluatedModel) -> list[EpochRecord]:
    return tables.thinned(entry.records, entry.kept, _MAX_POINTS)


def _curve(name: str, title: str, note: str, figure: Figure, lines: Sequence[Line]) -> Chart:
    """A drawn figure with its text equivalent and what the script needs."""
    is_fraction = title.lower().endswith(("accuracy", "neurons"))
    shown = percent if is_fraction else short
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
