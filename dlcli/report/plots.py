"""The figures of ``dlcli plot``.

Colours can be told apart by colour-blind people too (Okabe and Ito, "Color universal design",
2008), and colour alone never carries information.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dlcli.data.classes import DIGITS
from dlcli.evaluation.evaluate import Evaluation
from dlcli.evaluation.metrics import most_confident_errors
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.network import Network
from dlcli.nn.types import Pixels
from dlcli.report.charts import Line, draw_epochs, shortened
from dlcli.training.epoch_metrics import EpochRecord
from dlcli.training.learning_rate_finder import RangeTest

FORMATS = ("png", "svg", "pdf")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("", "s", "^", "v", "D", "x")  # a further run has the next one as well
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar sign in a run's name is a dollar sign
    "svg.hashsalt": "dlcli",  # the same plot has the same bytes
    "savefig.dpi": 150,
    "axes.prop_cycle": cycler(color=_COLOURS),
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WITHOUT_DATE = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
# In letters: what fits into a line of a legend, what the line before a name takes of it, and the
# longest name that fits into a title.
_LEGEND_WIDTH, _HANDLE_WIDTH, _LONGEST_NAME = 105, 10, 75
_MAX_NEURONS = 64
_MAX_ERRORS = 30
_LONGEST_CLASS = 20  # letters of a name beside an axis or below a picture
# Of a confusion matrix: classes up to which the counts are written, and its side in inches.
_MAX_COUNTED, _MAX_SIDE = 60, 24


@dataclass(frozen=True)
class Curve:
    """The epochs of a run, oldest first, and the one whose weights were kept, if any."""

    name: str
    records: Sequence[EpochRecord]
    kept: EpochRecord | None


@contextmanager
def style() -> Iterator[None]:
    """Draw and write plots inside this context, so that they look the same everywhere."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A letter of a run's name that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def write(figure: Figure, file: BinaryIO, kind: str) -> None:
    """Write a plot in one of ``FORMATS``."""
    figure.savefig(file, format=kind, metadata=_WITHOUT_DATE[kind])


def curves(runs: Sequence[Curve]) -> Figure:
    """Training and validation loss and accuracy over the epochs."""
    names = [_short(run.name) for run in runs]
    columns = min(max(_LEGEND_WIDTH // (max(map(len, names)) + _HANDLE_WIDTH), 1), 4)
    rows = math.ceil((len(runs) + 3) / columns)
    figure = Figure(figsize=(10, 4.6 + 0.22 * rows), layout="constrained")
    for axes, score in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        draw_epochs(axes, [line for n, run in enumerate(runs) for line in _lines(run, score, n)])
        axes.set_ylabel(score)
    handles = [
        Line2D([], [], color=f"C{number}", marker=_marker(number), label=name)
        for number, name in enumerate(names)
    ]
    grey = "#555555"
    handles += [
        Line2D([], [], color=grey, label="validation"),
        Line2D([], [], color=grey, linestyle="--", linewidth=1, label="training"),
        Line2D([], [], color=grey, linestyle="", marker="o", label="kept epoch"),
    ]
    labels = [str(handle.get_label()) for handle in handles]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)
    return figure


def _lines(run: Curve, score: str, number: int) -> Iterator[Line]:
    """Training dashed, validation solid, the kept epoch as a dot."""
    colour = f"C{number}"
    dashed = {"color": colour, "linestyle": "--", "linewidth": 1}
    yield Line("training", run.records, f"train_{score}", dashed)
    every = max(len(run.records) // 8, 1)
    style = {"color": colour, "linewidth": 1.8, "markersize": 5, "markevery": every}
    if marker := _marker(number):
        style["marker"] = marker
    yield Line("validation", run.records, f"validation_{score}", style)
    if run.kept is not None:
        part = "train" if run.kept.validation_loss is None else "validation"
        dot = {"color": colour, "linestyle": "", "marker": "o", "markersize": 7}
        yield Line("kept epoch", [run.kept], f"{part}_{score}", dot)


def _marker(number: int) -> str:
    return _MARKERS[number // len(_COLOURS) % len(_MARKERS)]


def _short(name: str) -> str:
    """A name that fits into a title."""
    if name.startswith("_"):  # legends leave out such labels
        name = f"./{name}"
    return shortened(name, _LONGEST_NAME)


def confusion(name: str, result: Evaluation) -> Figure:
    """The confusion matrix: counts, with the errors coloured."""
    side = max(7, 0.35 * len(result.class_names))  # inches
    figure = Figure(figsize=(min(side, _MAX_SIDE),) * 2, layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=False)
    errors = result.confusion.copy()
    np.fill_diagonal(errors, 0)
    darkest = max(int(errors.max()), 1)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=darkest)
    for (row, column), count in np.ndenumerate(result.confusion):
        if count and len(errors) <= _MAX_COUNTED:
            colour = "white" if errors[row, column] > 0.6 * darkest else "black"
            weight = "bold" if row == column else "normal"
            place = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{count:,}", place, color=colour, weight=weight)
    names, classes = result.class_names, range(len(errors))
    turned = 90 if max(map(len, names)) > 2 else 0  # so that names do not overlap
    axes.set_xticks(classes, map(_label, names), rotation=turned)
    axes.set_yticks(classes, map(_label, names))
    axes.set(xlabel="prediction", ylabel="label")
    axes.set_title(
        f"{_short(name)}\n{result.correct:,} of {result.images:,} test images correct "
        f"({100 * result.accuracy:.2f} %); errors are coloured"
    )
    return figure


def _label(name: str) -> str:
    """The name of a class that fits beside an axis."""
    return shortened(name, _LONGEST_CLASS)


def weights(name: str, network: Network, class_names: Sequence[str]) -> Figure:
    """The weights of the first layer's neurons, pixel by pixel."""
    weight = network.weights[0].T
    lengths = np.linalg.norm(weight, axis=1)
    classes = len(network.weights) == 1  # without hidden layers, each neuron stands for a class
    shown = np.argsort(-lengths, kind="stable")[:_MAX_NEURONS]
    if classes:
        shown = np.arange(min(len(weight), _MAX_NEURONS))
    limit = float(np.quantile(np.abs(weight[shown]), 0.998)) or 1.0
    which = f"all {len(weight)} neurons of the first layer"
    if classes:
        which = "the ten digits" if tuple(class_names) == DIGITS else f"{len(weight)} classes"
        which = f"the first {len(shown)} of {which}" if len(shown) < len(weight) else which
    elif len(shown) < len(weight):
        which = f"the {len(shown)} of {len(weight)} neurons with the largest weight vectors"
    title = f"{_short(name)}\n{which}"
    captions = [_label(class_names[neuron]) if classes else str(neuron) for neuron in shown]
    limits = CenteredNorm(halfrange=limit)
    columns = 5 if len(shown) <= len(DIGITS) else 8
    figure = _tiles(weight[shown], captions, title, columns, "RdBu_r", limits)
    inch = 1 / figure.get_figheight()
    bar = figure.colorbar(
        figure.axes[0].images[0],
        ax=figure.axes,
        location="bottom",
        fraction=0.7 * inch,
        pad=0.2 * inch,
        shrink=0.6,
        aspect=40,
    )
    bar.set_label("weight: strokes there raise the neuron's sum (above 0) or lower it (below)")
    return figure


def errors(name: str, result: Evaluation, images: Pixels) -> Figure:
    """The wrongly classified test images with the highest probabilities."""
    names = result.class_names
    shown = most_confident_errors(result.probabilities, result.labels, _MAX_ERRORS)
    captions = [
        f"{_label(names[label])}, read as {_label(names[prediction])}\n{100 * probability:.1f} %"
        for label, prediction, probability in zip(
            result.labels[shown],
            result.predictions[shown],
            result.probabilities[shown].max(axis=1),
            strict=True,
        )
    ]
    wrong = result.images - result.correct
    which = f": the {len(shown)} most confident" if len(shown) < wrong else ""
    title = f"{_short(name)}\n{wrong:,} errors in {result.images:,} test images{which}"
    return _tiles(images[shown], captions, title, 6, "gray_r", Normalize(0, 255))


def _tiles(
    pictures: npt.NDArray[Any],
    captions: Sequence[str],
    title: str,
    columns: int,
    colours: str,
    limits: Normalize,
) -> Figure:
    """Pictures, shape (n, 784), in rows, each below its caption."""
    rows = max(math.ceil(len(pictures) / columns), 1)
    height = 9 / columns * rows * 1.25 + 1.4
    figure = Figure(figsize=(9, height))  # a layout engine would take seconds
    place = {"left": 0.01, "right": 0.99, "bottom": 0.01, "top": 1 - 1.1 / height, "hspace": 0.3}
    for axes in figure.subplots(rows, columns, squeeze=False, gridspec_kw=place).flat:
        axes.set_axis_off()
    for axes, picture, caption in zip(figure.axes, pictures, captions, strict=False):
        image = picture.reshape(IMAGE_SIDE, IMAGE_SIDE)
        axes.imshow(image, colours, limits, interpolation="none")
        axes.set_title(caption, fontsize=8)
    figure.suptitle(title)
    return figure


def labelled(images: Pixels, captions: Sequence[str], title: str) -> Figure:
    """Images, each below its caption."""
    return _tiles(images, captions, title, 10, "gray_r", Normalize(0, 255))


def range_test(result: RangeTest, optimizer: str) -> Figure:
    """The loss over the learning rate, with the suggestion and where the loss rises again."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    dots: dict[str, Any] = {"color": "#999999", "linestyle": "", "marker": ".", "markersize": 4}
    axes.plot(result.rates, result.losses, label="of each batch", **dots)
    axes.plot(result.rates, result.smoothed, color="C0", linewidth=2, label="smoothed")
    if result.steepest is not None:
        axes.axvline(result.steepest, color="C2", linestyle="--", label="falls fastest")
    if result.divergence is not None:
        axes.axvline(result.divergence, color="C1", linestyle=":", label="rises again")
    axes.set(xscale="log", xlabel=f"learning rate ({optimizer})", ylabel="loss")
    axes.set_ylim(0, 1.5 * result.smoothed[0])
    axes.set_title(f"suggested learning rate: {result.suggestion:.2g}")
    axes.legend()
    return figure
