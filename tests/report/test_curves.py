"""The charts of the epochs."""

from dataclasses import replace

from dlcli.report import curves


def test_a_run_has_four_with_the_kept_epoch_and_a_text_equivalent(subject):
    found = curves.of_run("r0", subject)
    assert [curve.title for curve in found] == [
        "Loss",
        "Accuracy",
        "Learning rate",
        "Gradient norm",
    ]
    last = subject.records[-1]
    assert "validation: " in found[0].description
    assert f"{last.validation_loss:.4g} in epoch 4" in found[0].description
    assert all(curve.chart.kept is not None for curve in found)
    values = found[1].readings["series"][1]["values"]
    assert values[4] == f"{100 * last.validation_accuracy:.2f} %"


def test_overfitting_is_shaded_from_the_least_validation_loss_on(subject, make_record):
    rising = [make_record(n, validation_loss=abs(n - 3) + 1.0) for n in range(1, 8)]
    found = curves.of_run("r0", replace(subject, records=rising))
    assert found[0].chart.shaded == found[0].chart.positions[3]
    assert found[2].chart.shaded is None


def test_without_validation_images_there_is_one_line(subject, make_record):
    blind = [make_record(n, validation_loss=None, validation_accuracy=None) for n in (1, 2)]
    found = curves.of_run("r0", replace(subject, records=blind))
    assert [line.name for line in found[0].chart.lines] == ["training"]


def test_several_runs_share_the_axes(subject, make_record):
    longer = replace(subject, name="longer", records=[make_record(n) for n in range(1, 12)])
    found = curves.of_several([subject, longer])
    assert [line.name for line in found[0].chart.lines] == ["trained", "longer"]
    assert len(found[0].chart.positions) == 11
