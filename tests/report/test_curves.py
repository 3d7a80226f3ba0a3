"""The learning curves of a page."""

from dataclasses import replace

import pytest

from dlcli.report import curves, svg


@pytest.fixture(autouse=True)
def style():
    with svg.page_style():
        yield


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
    values = found[1].readings["series"][1]["values"]
    assert values[4] == f"{100 * last.validation_accuracy:.2f} %"


def test_readings_are_at_the_points_of_the_lines(entry):
    readings = curves.of_model("r0", entry)[0].readings
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
    assert [line["name"] for line in found[0].readings["series"]] == ["training"]


def test_several_runs_share_the_axes(entry, make_record):
    longer = replace(entry, name="longer", records=[make_record(n) for n in range(1, 12)])
    found = curves.of_several([entry, longer])
    assert [line["name"] for line in found[0].readings["series"]] == ["trained", "longer"]
    assert len(found[0].readings["positions"]) == 11
