"""Templates filled in, and what the page is allowed to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.data.datasets import Examples
from dlcli.evaluation import metrics
from dlcli.report import activity, charts, curves, draw, frame, mistakes, tables, thumbnails
from dlcli.report.activity import HiddenLayer
from dlcli.report.curves import ROLES, Curve
from dlcli.report.mistakes import Cell
from dlcli.report.subjects import Subject
from dlcli.training.epoch_metrics import EpochRecord

# Neurons of the first layer that are drawn, and of deeper ones, each with so many images.
_FIRST_UNITS, _DEEPER_UNITS, _EXCITING = 48, 12, 8
_FREQUENT = 5
_MOST_ROWS = 100  # of the table of epochs


@dataclass(frozen=True)
class View:
    """Everything the template shows of one model."""

    id: str
    subject: Subject
    settings: tables.Settings
    curves: list[Curve]
    rows: list[EpochRecord]
    cells: dict[tuple[int, int], Cell]
    shades: dict[tuple[int, int], str]
    frequent: list[Cell]
    worst: list[int]
    reliability: charts.Reliability
    digit_strip: charts.Strip
    first_units: list[tuple[str, str]]
    layers: list[HiddenLayer]
    answers: list[charts.Bars]
    weights: list[charts.Bars]


def render(subjects: Sequence[Subject], dataset: str, test: Examples) -> bytes:
    """The page that tells of one model, or compares several, as UTF-8.

    Raises
    ------
    CheckpointError
        The sums inside a network overflow.
    """
    drawn = _most_accurate(subjects)
    section = None if drawn is None else draw.section(str(drawn.model.path))
    views = [_view(f"r{index}", subject, test) for index, subject in enumerate(subjects)]
    compared = curves.of_several(subjects) if len(subjects) > 1 else []
    shown = [*compared, *(curve for view in views for curve in view.curves)]
    data = {
        "curves": {curve.id: curve.readings for curve in shown},
        "cells": {view.id: _cells_data(view, test) for view in views},
    }
    return frame.render(
        "page.html",
        [section.css] if section else [],
        [frame.asset("report.js"), *([section.javascript] if section else [])],
        title=", ".join(subject.name for subject in subjects),
        views=views,
        dataset=dataset,
        test=test,
        compared=compared,
        pairs=tables.pairs(subjects),
        accuracy_strip=charts.strip([edge for s in subjects for edge in s.scores.interval]),
        data=data,
        roles=ROLES,
        drawn=drawn,
        demo=section,
    )


def _most_accurate(subjects: Sequence[Subject]) -> Subject | None:
    """The model to draw for: of those that read digits, the one with the fewest errors."""
    readers = [s for s in subjects if s.model.metadata.preprocessing == "digit"]
    return max(readers, key=lambda subject: subject.scores.accuracy, default=None)


def _view(identity: str, subject: Subject, test: Examples) -> View:
    network, scores = subject.model.network, subject.scores
    cells = mistakes.cells(scores)
    layers = activity.survey(subject.model, test.images, _DEEPER_UNITS, _EXCITING)
    bins = metrics.reliability(scores.probabilities, scores.labels)
    return View(
        id=identity,
        subject=subject,
        settings=tables.settings(subject),
        curves=curves.of_run(identity, subject),
        rows=tables.thinned(subject.records, subject.kept, _MOST_ROWS),
        shades=mistakes.shades(scores.confusion),
        cells={(cell.label, cell.answer): cell for cell in cells},
        frequent=mistakes.most_frequent(cells, _FREQUENT),
        worst=mistakes.worst(scores),
        reliability=charts.reliability_chart(bins),
        digit_strip=charts.strip(
            [s for c in scores.classes if c.images for s in (c.precision, c.recall)]
        ),
        first_units=_first_units(subject, layers),
        layers=layers,
        answers=[charts.histogram_chart(layer.answers) for layer in layers],
        weights=[charts.histogram_chart(h) for h in activity.weight_histograms(network)],
    )


def _first_units(subject: Subject, layers: Sequence[HiddenLayer]) -> list[tuple[str, str]]:
    """The first layer's neurons, the most important first, each with a picture of its weights."""
    weight = subject.model.network.weights[0]
    order = layers[0].order[:_FIRST_UNITS].tolist() if layers else range(weight.shape[1])
    return [(str(unit), thumbnails.weights(weight[:, unit])) for unit in order]


def _cells_data(view: View, test: Examples) -> dict[str, Any]:
    """What the script shows when a cell of the confusion matrix is chosen."""
    confidence = view.subject.scores.probabilities.max(axis=1)
    return {
        f"{label}-{answer}": {
            "count": cell.count,
            "images": [
                [
                    index,
                    tables.probability(float(confidence[index])),
                    thumbnails.digit(test.images[index]),
                ]
                for index in cell.shown
            ],
        }
        for (label, answer), cell in view.cells.items()
    }
