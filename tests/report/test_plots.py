"""Plots show the numbers of a run: the tests read them back from the figures."""

import io
import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dlcli.data.classes import DIGITS
from dlcli.evaluation import evaluate
from dlcli.nn.network import Network
from dlcli.report import plots
from dlcli.report.plots import Curve
from dlcli.runs import listing, lookup, metrics_log
from tests.report.conftest import RECORD


@pytest.fixture(autouse=True)
def style():
    with plots.style():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def curve(trained_model):
    records = metrics_log.read(trained_model)
    return Curve("runs/trained", records, listing.kept_record(trained_model, records))


@pytest.fixture(scope="module")
def result(trained_model, sample):
    return evaluate.evaluate([lookup.load_named(str(trained_model))], sample.test)


def lines(axes, linestyle):
    return [line for line in axes.lines if line.get_linestyle() == linestyle]


def test_curves_show_every_score_and_mark_the_kept_epoch(curve):
    loss, accuracy = plots.curves([curve]).axes
    for axes, score in ((loss, "loss"), (accuracy, "accuracy")):
        for part, linestyle in (("train", "--"), ("validation", "-")):
            line = lines(axes, linestyle)[0]
            wanted = [getattr(record, f"{part}_{score}") for record in curve.records]
            if score == "accuracy":
                wanted = [1 - value for value in wanted]  # drawn as errors, upside down
            assert list(line.get_xdata()) == [1, 2, 3, 4]
            assert list(line.get_ydata()) == pytest.approx(wanted)
        (mark,) = [line for line in axes.lines if line.get_marker() == "o"]
        assert np.asarray(mark.get_xdata()).tolist() == [curve.kept.epoch]
        value = getattr(curve.kept, f"validation_{score}")
        assert np.asarray(mark.get_ydata()).tolist() == [
            1 - value if score == "accuracy" else value
        ]


def test_several_runs_share_the_axes_and_look_different(curve):
    many = [replace(curve, name=f"runs/{number}") for number in range(9)]
    figure = plots.curves(many)
    validation = [line for line in lines(figure.axes[0], "-") if line.get_marker() != "o"]
    looks = {(line.get_color(), line.get_marker()) for line in validation}
    assert len(looks) == len(validation) == 9
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [*(run.name for run in many), "validation", "training", "kept epoch"]


@pytest.mark.parametrize("name", ["_hidden", "a$b$c_d", "$\\frac$", "\u6570\u5b57"])
def test_the_legend_has_a_runs_name_unchanged(curve, tmp_path, name):
    with plots.style():  # warnings of other kinds than missing letters would be errors
        warnings.filterwarnings("ignore", "Glyph")
        figure = plots.curves([replace(curve, name=name)])
        plots.write(figure, io.BytesIO(), "png")
    assert figure.legends[0].get_texts()[0].get_text().removeprefix("./") == name


@pytest.mark.parametrize(("count", "length"), [(1, 5), (2, 200), (8, 45), (30, 30), (9, 20)])
def test_names_of_any_number_and_length_are_not_cut_off(curve, count, length, tmp_path):
    names = [f"{'some/folder/' * 20}{number:02}"[-length:] for number in range(count)]
    figure = plots.curves([replace(curve, name=name) for name in names])
    figure.savefig(tmp_path / "c.png", dpi=20)
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.x1
    assert legend.y1 - legend.y0 < 0.7 * figure.bbox.y1
    assert figure.legends[0].get_texts()[0].get_text().endswith(names[0][-70:])


def test_losses_that_fall_far_have_a_logarithmic_axis(curve):
    far = [replace(RECORD, validation_loss=loss, train_loss=loss) for loss in (1.0, 0.01)]
    near = [replace(RECORD, validation_loss=loss, train_loss=loss) for loss in (1.0, 0.9)]
    zero = [replace(RECORD, validation_loss=loss, train_loss=loss) for loss in (0.0, 0.0)]
    for records, scale in ((far, "log"), (near, "linear"), (zero, "linear")):
        loss, _ = plots.curves([Curve("r", records, None)]).axes
        assert loss.get_yscale() == scale


def test_a_run_without_validation_images_and_of_one_epoch_can_be_drawn(tmp_path):
    record = replace(RECORD, validation_loss=None, validation_accuracy=None)
    figure = plots.curves([Curve("r", [record], record)])
    plots.write(figure, io.BytesIO(), "svg")
    (mark,) = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    assert np.asarray(mark.get_ydata()).tolist() == [0.5]


def test_the_confusion_matrix_holds_every_count(result):
    (axes,) = plots.confusion("m", result).axes
    shown = np.zeros((10, 10), int)
    for text in axes.texts:
        column, row = text.get_position()
        shown[int(row), int(column)] = int(text.get_text().replace(",", ""))
    assert np.array_equal(shown, result.confusion)
    coloured = np.asarray(axes.images[0].get_array())
    assert np.array_equal(coloured, result.confusion - np.diag(np.diag(result.confusion)))
    assert f"{result.correct:,} of 2,000 test images correct" in axes.get_title()


def tiles(figure):
    """The pictures and their captions, as the figure shows them."""
    shown = [axes for axes in figure.axes if axes.images]
    pictures = [np.asarray(axes.images[0].get_array()).ravel() for axes in shown]
    return pictures, [axes.get_title() for axes in shown]


def test_weights_are_those_of_the_neurons_with_the_largest_norm():
    network = Network([784, 100, 10], ["relu"], "softmax")
    network.weights[0][...] = np.random.default_rng(0).normal(size=(784, 100))
    network.weights[0][:, 37] *= 10
    pictures, captions = tiles(plots.weights("m", network, DIGITS))
    assert len(captions) == 64
    assert captions[0] == "37"
    for picture, caption in zip(pictures, captions, strict=True):
        assert np.array_equal(picture, network.weights[0][:, int(caption)])


def test_without_hidden_layers_the_weights_are_those_of_the_digits(tmp_path):
    figure = plots.weights("m", Network([784, 10], [], "softmax"), DIGITS)
    assert tiles(figure)[1] == [str(digit) for digit in range(10)]
    plots.write(figure, io.BytesIO(), "png")


def test_the_most_confident_errors_come_first(result, sample):
    figure = plots.errors("m", result, sample.test.images)
    pictures, captions = tiles(figure)
    assert len(captions) == 30
    probabilities = []
    for picture, caption in zip(pictures, captions, strict=True):
        parts = re.fullmatch(r"(\d), read as (\d)\n([\d.]+) %", caption)
        assert parts is not None
        label, prediction, probability = parts.groups()
        assert label != prediction
        (index,) = np.flatnonzero((sample.test.images == picture).all(axis=1))
        assert (result.labels[index], result.predictions[index]) == (int(label), int(prediction))
        assert 100 * result.probabilities[index, int(prediction)] == pytest.approx(
            float(probability), abs=0.05
        )
        probabilities.append(float(probability))
    assert probabilities == sorted(probabilities, reverse=True)
    wrong = result.images - result.correct
    assert figure.get_suptitle() == f"m\n{wrong} errors in 2,000 test images: the 30 most confident"


def test_the_plot_of_a_model_without_errors_says_so(result, sample, tmp_path):
    perfect = replace(result, predictions=result.labels, correct=result.images)
    figure = plots.errors("m", perfect, sample.test.images)
    assert figure.get_suptitle() == "m\n0 errors in 2,000 test images"
    plots.write(figure, io.BytesIO(), "png")


@pytest.mark.parametrize(
    ("kind", "begin"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")],
    ids=["png", "svg", "pdf"],
)
def test_the_same_plot_has_the_same_bytes(curve, tmp_path, kind, begin):
    contents = []
    for _ in range(2):
        file = io.BytesIO()
        plots.write(plots.curves([curve]), file, kind)
        contents.append(file.getvalue())
    assert contents[0] == contents[1]
    assert contents[0].startswith(begin)
    if kind == "png":
        with Image.open(io.BytesIO(contents[0])) as picture:
            assert picture.size[0] == 1500
