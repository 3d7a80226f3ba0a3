"""The learning curves of a page."""

from dataclasses import replace
from typing import Any

import pytest

from dlcli.report import curves, svg
from dlcli.report.charts import Chart
from dlcli.training.layer_metrics import LayerRecord


@pytest.fixture(autouse=True)
def style():
    with svg.page_style():
        yield


def readings_of(chart: Chart) -> dict[str, Any]:
    """What the page shows of a chart under the pointer."""
    assert chart.readings is not None
    return chart.readings


def test_a_run_has_four_charts_with_the_kept_epoch_and_a_text_equivalent(entry):
    found = curves.of_model("r0", entry)
    assert [curve.title for curve in found] == [
        "Loss",
        "Accuracy",
        "Learning rate",
        "Gradient norm",
    ]
    last = entry.records[-1]
    assert f"validation: {entry.records[0].validation_loss:.4g} in epoch 1" in found[0].figure
    assert f"{last.validation_loss:.4g} in 4" in found[0].figure
    assert all(">kept epoch</text>" in curve.figure for curve in found)
    values = readings_of(found[1])["series"][1]["values"]
    assert values[4] == f"{100 * last.validation_accuracy:.2f} %"


def test_readings_are_at_the_points_of_the_lines(entry):
    readings = readings_of(curves.of_model("r0", entry)[0])
    assert readings["epochs"] == [1, 2, 3, 4]
    assert sorted(readings["positions"]) == readings["positions"]
    assert 0 < readings["positions"][0] < readings["positions"][-1] < 420
    top, bottom = readings["ends"]
    assert 0 < top < bottom


def test_overfitting_is_shaded_from_the_lowest_validation_loss_on(entry, make_record):
    rising = [make_record(n, validation_loss=abs(n - 3) + 1.0) for n in range(1, 8)]
    found = curves.of_model("r0", replace(entry, records=rising))
    assert ["overfitting" in curve.figure for curve in found] == [True, True, False, False]


def test_without_validation_images_there_is_one_line(entry, make_record):
    blind = [make_record(n, validation_loss=None, validation_accuracy=None) for n in (1, 2)]
    found = curves.of_model("r0", replace(entry, records=blind))
    assert [line["name"] for line in readings_of(found[0])["series"]] == ["training"]


def test_several_runs_share_the_axes(entry, make_record):
    longer = replace(entry, name="longer", records=[make_record(n) for n in range(1, 12)])
    found = curves.of_several([entry, longer])
    assert [line["name"] for line in readings_of(found[0])["series"]] == ["trained", "longer"]
    assert len(readings_of(found[0])["positions"]) == 11


def layer(gradient_norm=1.0, **values):
    return LayerRecord(gradient_norm=gradient_norm, **{"update_ratio": 0.01, **values})


def test_each_layer_has_a_line_in_the_charts_by_layer(entry):
    gradients, updates, *_ = curves.of_layers("r0", entry)
    assert [series["name"] for series in readings_of(gradients)["series"]] == [
        "layer 1",
        "output layer",
    ]
    first = entry.records[0].layers[0]
    assert readings_of(gradients)["series"][0]["values"][1] == f"{first.gradient_norm:.4g}"
    assert readings_of(updates)["series"][0]["values"][1] == f"{first.update_ratio:.4g}"
    assert "saturated" not in curves.never(entry)  # ReLUs cannot be


def test_dead_and_saturated_neurons_are_percentages(entry, make_record):
    layers = (layer(dead=0.25, saturated=0.5), layer())
    records = [make_record(epoch, layers=layers) for epoch in (1, 2)]
    charts = curves.of_layers("r0", replace(entry, records=records))
    assert [chart.title for chart in charts[2:]] == ["Dead neurons", "Saturated neurons"]
    assert readings_of(charts[2])["series"] == [
        {"name": "layer 1", "values": {1: "25.00 %", 2: "25.00 %"}}
    ]
    assert curves.never(replace(entry, records=records)) == []


def test_logs_of_older_versions_have_no_charts_by_layer(entry, make_record):
    old = replace(entry, records=[make_record(1), make_record(2)])
    assert curves.of_layers("r0", old) == []
    assert curves.never(old) == []
    mixed = replace(entry, records=[make_record(1), make_record(2, layers=(layer(), layer()))])
    assert readings_of(curves.of_layers("r0", mixed)[0])["epochs"] == [2]


def test_of_many_layers_some_are_drawn_with_the_first_and_the_last():
    assert curves._evenly_spaced(4, 6) == [0, 1, 2, 3]
    chosen = curves._evenly_spaced(30, 6)
    assert len(chosen) == 6
    assert (chosen[0], chosen[-1]) == (0, 29)
