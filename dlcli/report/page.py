"""The report: one model in detail, or several side by side."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from dlcli.config.schema import to_yaml
from dlcli.data.classes import are_digits
from dlcli.data.examples import Examples
from dlcli.evaluation import metrics
from dlcli.evaluation.compare import compare
from dlcli.nn.schedules import SCHEDULES
from dlcli.report import (
    charts,
    curves,
    draw,
    errors,
    film,
    frame,
    hidden_map,
    neuron_statistics,
    svg,
    tables,
    thumbnails,
)
from dlcli.report.models import EvaluatedModel

# Neurons that are shown of the first layer and of each deeper one, and images of each of these.
_FIRST_NEURONS, _DEEPER_NEURONS, _EXCITING_IMAGES = 48, 12, 8
_FREQUENT_ERRORS, _WORST_ERRORS = 5, 24
_MAX_EPOCH_ROWS = 100
_SCRIPTS = ("report.js", "film.js", "hidden_map.js")


def render(models: Sequence[EvaluatedModel], dataset: str, test: Examples) -> bytes:
    """The page that describes one model, or compares several, as UTF-8.

    Raises
    ------
    CheckpointError
        The sums inside a network overflow.
    """
    drawn = _most_accurate(models)
    demo = None if drawn is None else draw.section(drawn.model)
    with svg.page_style():
        sections = [_section(f"r{index}", entry, test) for index, entry in enumerate(models)]
        compared = curves.of_several(models) if len(models) > 1 else []
        shown = [*compared]
        for section in sections:
            shown += [*section["curves"], *section["layer_curves"]]
        return frame.render(
            "report.html",
            [demo.css] if demo else [],
            [*map(frame.asset, _SCRIPTS), *([demo.javascript] if demo else [])],
            title=", ".join(entry.name for entry in models),
            sections=sections,
            dataset=dataset,
            test=test,
            compared=compared,
            pairs=[(a, b, compare(a.scores, b.scores)) for a, b in combinations(models, 2)],
            data={
                "curves": {curve.id: curve.readings for curve in shown},
                "cells": {section["id"]: _cells_data(section, test) for section in sections},
                "names": {section["id"]: section["names"] for section in sections},
                "films": {section["id"]: _film_data(section) for section in sections},
                "map": {
                    "labels": test.labels[: hidden_map.MAX_IMAGES].tolist(),
                    "predictions": {s["id"]: _on_map(s["entry"]) for s in sections if s["map"]},
                },
            },
            drawn=drawn,
            demo=demo,
            charts=charts,
            most_probable=errors.most_probable,
            inline=svg.inline,
            sheet=hidden_map.sheet(test) if any(section["map"] for section in sections) else None,
            hidden_map=hidden_map,
        )


def _most_accurate(models: Sequence[EvaluatedModel]) -> EvaluatedModel | None:
    """The model to draw for: the most accurate one that was trained on digits."""
    readers = [entry for entry in models if entry.model.metadata.reads_drawn_digits]
    return max(readers, key=lambda entry: entry.scores.accuracy, default=None)


def _section(identity: str, entry: EvaluatedModel, test: Examples) -> dict[str, Any]:
    """What the template shows of one model."""
    scores, network = entry.scores, entry.model.network
    cells = errors.cells(scores)
    layers = neuron_statistics.hidden_layers(
        entry.model, test.images, _DEEPER_NEURONS, _EXCITING_IMAGES
    )
    weights = network.weights[0]
    first = layers[0].order[:_FIRST_NEURONS].tolist() if layers else range(weights.shape[1])
    return {
        "id": identity,
        "entry": entry,
        "names": scores.class_names,
        "wide_matrix": errors.needs_wide_matrix(scores.class_names),
        "word": "digit" if are_digits(scores.class_names) else "class",
        "depends_on_epochs": SCHEDULES[entry.config.schedule].depends_on_epochs,
        "changed_settings": tables.changed_settings(entry.config),
        "config": to_yaml(entry.config),
        "curves": curves.of_model(identity, entry),
        "layer_curves": curves.of_layers(identity, entry),
        "never": curves.never(entry),
        "start": "start" if entry.config.init_from else "random start",
        "film": film.of_run(entry.frames, entry.records),
        "map": hidden_map.of_network(network, test),
        "rows": tables.thinned(entry.records, entry.kept, _MAX_EPOCH_ROWS),
        "shades": errors.shades(scores.confusion),
        "cells": cells,
        "frequent": errors.most_frequent(cells, _FREQUENT_ERRORS),
        "worst": metrics.most_confident_errors(scores.probabilities, scores.labels, _WORST_ERRORS),
        "reliability": metrics.reliability(scores.probabilities, scores.labels),
        "first_neurons": [(neuron, thumbnails.weights(weights[:, neuron])) for neuron in first],
        "layers": layers,
        "weights": neuron_statistics.weight_histograms(network),
    }


def _film_data(section: dict[str, Any]) -> dict[str, Any] | None:
    """What the script shows of a film."""
    shown: film.Film | None = section["film"]
    if shown is None:
        return None
    return {"frames": shown.frames, "most": shown.most_errors, "start": section["start"]}


def _on_map(entry: EvaluatedModel) -> list[int]:
    """The predictions for the images on the map."""
    found: list[int] = entry.scores.predictions[: hidden_map.MAX_IMAGES].tolist()
    return found


def _cells_data(section: dict[str, Any], test: Examples) -> dict[str, Any]:
    """What the script shows when a cell of the confusion matrix is chosen."""
    confidence = section["entry"].scores.probabilities.max(axis=1)

    def picture(index: int) -> tuple[int, str, str]:
        probability = tables.probability(float(confidence[index]))
        return index, probability, thumbnails.digit(test.images[index])

    return {
        f"{cell.label}-{cell.prediction}": {
            "count": cell.count,
            "images": [picture(index) for index in cell.shown],
        }
        for cell in section["cells"]
    }
