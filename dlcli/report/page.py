"""The report: one model in detail, or several side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.data.datasets import Examples
from dlcli.evaluation import metrics
from dlcli.evaluation.metrics import ReliabilityBin
from dlcli.report import (
    charts,
    curves,
    draw,
    errors,
    frame,
    neuron_statistics,
    svg,
    tables,
    thumbnails,
)
from dlcli.report.curves import Curve
from dlcli.report.errors import Cell
from dlcli.report.models import EvaluatedModel
from dlcli.report.neuron_statistics import HiddenLayer, Histogram
from dlcli.training.epoch_metrics import EpochRecord

# Neurons that are shown of the first layer and of each deeper one, and images of each of these.
_FIRST_NEURONS, _DEEPER_NEURONS, _EXCITING_IMAGES = 48, 12, 8
_FREQUENT_ERRORS, _WORST_ERRORS = 5, 24
_MAX_EPOCH_ROWS = 100


@dataclass(frozen=True)
class Section:
    """Everything that the template shows of one model."""

    id: str
    entry: EvaluatedModel
    settings: tables.Settings
    curves: list[Curve]
    rows: list[EpochRecord]
    cells: dict[tuple[int, int], Cell]
    shades: dict[tuple[int, int], str]
    frequent: list[Cell]
    worst: list[int]
    reliability: list[ReliabilityBin]
    first_neurons: list[tuple[str, str]]
    layers: list[HiddenLayer]
    weights: list[Histogram]


def render(models: Sequence[EvaluatedModel], dataset: str, test: Examples) -> bytes:
    """The page that describes one model, or compares several, as UTF-8.

    Raises
    ------
    CheckpointError
        The sums inside a network overflow.
    """
    drawn = _most_accurate(models)
    demo = None if drawn is None else draw.section(str(drawn.model.path))
    with svg.page_style():
        sections = [_section(f"r{index}", entry, test) for index, entry in enumerate(models)]
        compared = curves.of_several(models) if len(models) > 1 else []
        shown = [*compared, *(curve for section in sections for curve in section.curves)]
        return frame.render(
            "report.html",
            [demo.css] if demo else [],
            [frame.asset("report.js"), *([demo.javascript] if demo else [])],
            title=", ".join(entry.name for entry in models),
            sections=sections,
            dataset=dataset,
            test=test,
            compared=compared,
            pairs=tables.pairs(models),
            data={
                "curves": {curve.id: curve.readings for curve in shown},
                "cells": {section.id: _cells_data(section, test) for section in sections},
            },
            drawn=drawn,
            demo=demo,
            charts=charts,
            most_probable=errors.most_probable,
            inline=svg.inline,
        )


def _most_accurate(models: Sequence[EvaluatedModel]) -> EvaluatedModel | None:
    """The model to draw for: the most accurate one that was trained on digits."""
    readers = [entry for entry in models if entry.model.metadata.preprocessing == "digit"]
    return max(readers, key=lambda entry: entry.scores.accuracy, default=None)


def _section(identity: str, entry: EvaluatedModel, test: Examples) -> Section:
    scores = entry.scores
    cells = errors.cells(scores)
    layers = neuron_statistics.hidden_layers(
        entry.model, test.images, _DEEPER_NEURONS, _EXCITING_IMAGES
    )
    return Section(
        id=identity,
        entry=entry,
        settings=tables.settings(entry.config),
        curves=curves.of_model(identity, entry),
        rows=tables.thinned(entry.records, entry.kept, _MAX_EPOCH_ROWS),
        shades=errors.shades(scores.confusion),
        cells={(cell.label, cell.prediction): cell for cell in cells},
        frequent=errors.most_frequent(cells, _FREQUENT_ERRORS),
        worst=errors.worst(scores, _WORST_ERRORS),
        reliability=metrics.reliability(scores.probabilities, scores.labels),
        first_neurons=_first_neurons(entry, layers),
        layers=layers,
        weights=neuron_statistics.weight_histograms(entry.model.network),
    )


def _first_neurons(entry: EvaluatedModel, layers: Sequence[HiddenLayer]) -> list[tuple[str, str]]:
    """The first layer's neurons, the most important first, with pictures of their weights."""
    weight = entry.model.network.weights[0]
    order = layers[0].order[:_FIRST_NEURONS].tolist() if layers else range(weight.shape[1])
    return [(str(neuron), thumbnails.weights(weight[:, neuron])) for neuron in order]


def _cells_data(section: Section, test: Examples) -> dict[str, Any]:
    """What the script shows when a cell of the confusion matrix is chosen."""
    confidence = section.entry.scores.probabilities.max(axis=1)
    return {
        f"{label}-{prediction}": {
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
        for (label, prediction), cell in section.cells.items()
    }
