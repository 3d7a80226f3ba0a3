"""The figures of ``dlcli plot``.

Colours can be told apart by colour-blind people too (Okabe and Ito, "Color universal design",
2008), and colour alone never carries information.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.evaluation.evaluate import Evaluation
from dlcli.files import atomic_write
from dlcli.nn.network import Network
from dlcli.nn.types import Counts, Pixels
from dlcli.report.charts import Line, draw_epochs, shortened
from dlcli.report.errors import worst
from dlcli.training.epoch_metrics import EpochRecord

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
# In pixels of the small pictures: the room between them, and above them for a line of text.
_GAP = 4
_CAPTION_HEIGHT = 5


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


def write(figure: Figure, path: Path) -> None:
    """Write a plot in the format of the file's ending, whole or not at all."""
    kind = path.suffix.removeprefix(".").lower()
    with atomic_write(path) as file:
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
    yield Line(
        "training",
        run.records,
        f"train_{score}",
        {"color": colour, "linestyle": "--", "linewidth": 1},
    )
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
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=False)
    errors = result.confusion.copy()
    np.fill_diagonal(errors, 0)
    axes.imshow(errors, cmap="Oranges", vmin=0, vmax=max(int(errors.max()), 1))
    _write_counts(axes, result.confusion, errors)
    digits = range(len(errors))
    axes.set_xticks(digits)
    axes.set_yticks(digits)
    axes.set_xlabel("prediction")
    axes.set_ylabel("label")
    axes.set_title(
        f"{_short(name)}\n{result.correct:,} of {result.images:,} test images correct "
        f"({100 * result.accuracy:.2f} %); errors are coloured"
    )
    return figure


def _write_counts(axes: Axes, counts: Counts, errors: Counts) -> None:
    darkest = max(int(errors.max()), 1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if errors[row, column] > 0.6 * darkest else "black"
            weight = "bold" if row == column else "normal"
            axes.text(
                column, row, f"{count:,}", ha="center", va="center", color=colour, weight=weight
            )


def weights(name: str, network: Network) -> Figure:
    """The weights of the first layer's neurons, pixel by pixel."""
    weight = network.weights[0].T
    lengths = np.linalg.norm(weight, axis=1)
    digits = len(network.weights) == 1  # without hidden layers, each neuron stands for a digit
    shown = np.arange(len(weight)) if digits else np.argsort(-lengths, kind="stable")[:_MAX_NEURONS]
    limit = float(np.quantile(np.abs(weight[shown]), 0.998)) or 1.0
    which = "the ten digits" if digits else f"all {len(weight)} neurons of the first layer"
    if len(shown) < len(weight):
        which = f"the {len(shown)} of {len(weight)} neurons with the largest weight vectors"
    figure, tiles = _tiles(
        weight[shown],
        [str(neuron) for neuron in shown],
        f"{_short(name)}\n{which}",
        columns=5 if digits else 8,
        colours=("RdBu_r", -limit, limit),
    )
    bar = figure.colorbar(tiles, location="bottom", shrink=0.6, aspect=40, pad=0.02)
    bar.set_label("weight: strokes there raise the neuron's sum (above 0) or lower it (below)")
    return figure


def errors(name: str, result: Evaluation, images: Pixels) -> Figure:
    """The wrongly classified test images with the highest probabilities."""
    shown = worst(result, _MAX_ERRORS)
    captions = [
        f"{label}, read as {prediction}\n{100 * probability:.1f} %"
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
    figure, _ = _tiles(images[shown], captions, title, columns=6, colours=("gray_r", 0, 255))
    return figure


def _tiles(
    pictures: npt.NDArray[Any],
    captions: Sequence[str],
    title: str,
    *,
    columns: int,
    colours: tuple[str, float, float],
) -> tuple[Figure, AxesImage]:
    """Pictures, shape (n, 784), in rows, each below its caption.

    Parameters
    ----------
    colours
        A colour map and the values at its two ends.
    """
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    room = _CAPTION_HEIGHT * lines
    rows = max(math.ceil(len(pictures) / columns), 1)
    mosaic = np.full((rows, room + IMAGE_SIDE, columns, IMAGE_SIDE + _GAP), np.nan)
    figure = Figure(figsize=(9, 9 / mosaic[0, 0].size * mosaic[:, :, 0, 0].size + 1.2))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        row, column = divmod(number, columns)
        mosaic[row, room:, column, :IMAGE_SIDE] = picture.reshape(IMAGE_SIDE, IMAGE_SIDE)
        left, top = column * (IMAGE_SIDE + _GAP), row * (room + IMAGE_SIDE) + room
        middle = left + (IMAGE_SIDE - 1) / 2
        axes.text(middle, top - 1.2, caption, ha="center", va="bottom", fontsize=8)
    name, low, high = colours
    tiles = axes.imshow(
        mosaic.reshape(rows * (room + IMAGE_SIDE), columns * (IMAGE_SIDE + _GAP)),
        cmap=name,
        vmin=low,
        vmax=high,
        interpolation="none",
    )
    axes.set_axis_off()
    figure.suptitle(title)
    return figure, tiles
