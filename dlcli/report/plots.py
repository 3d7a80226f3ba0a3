"""Pictures of runs and models, drawn with matplotlib.

Colours are told apart by colour-blind people too (Okabe and Ito, "Color universal design", 2008),
and nothing is told by colour alone.
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
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.evaluation.evaluate import Evaluation
from dlcli.files import atomic_write
from dlcli.nn.network import Network
from dlcli.nn.types import Counts, Pixels
from dlcli.training.epoch_metrics import EpochRecord

FORMATS = ("png", "svg", "pdf")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("", "s", "^", "v", "D", "x")
_SETTINGS: dict[Any, Any] = {
    "text.parse_math": False,  # a dollar in a run's name is a dollar
    "svg.hashsalt": "dlcli",  # the same plot has the same bytes
    "savefig.dpi": 150,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_WITHOUT_DATE = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
# Letters that fit into a line of a legend, what the line in front of a name takes of that, and
# the longest name that fits into a title.
_LINE_LENGTH, _HANDLE_LENGTH, _LONGEST_NAME = 105, 10, 75
_NEURONS = 64
_ERRORS = 30
# Room between pictures, and above them for a line of text, in their pixels.
_GAP = 4
_CAPTION = 5
# The loss is drawn on a logarithmic axis if the largest is so many times the least.
_WIDE = 5


@dataclass(frozen=True)
class Curve:
    """One run's epochs, oldest first, and which of them was kept (None: none yet)."""

    name: str
    records: Sequence[EpochRecord]
    kept: EpochRecord | None


@contextmanager
def style() -> Iterator[None]:
    """Draw and write inside, so that plots look the same everywhere."""
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        # A letter in a run's name that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def write(figure: Figure, path: Path) -> None:
    """Write a picture in the format of the file's ending, whole or not at all.

    Raises
    ------
    OSError
        The disk refused.
    """
    kind = path.suffix.removeprefix(".").lower()
    with atomic_write(path) as file:
        figure.savefig(file, format=kind, metadata=_WITHOUT_DATE[kind])


def curves(runs: Sequence[Curve]) -> Figure:
    """Loss and accuracy, in training and validation, epoch after epoch."""
    names = [_short(run.name) for run in runs]
    columns = min(max(_LINE_LENGTH // (max(map(len, names)) + _HANDLE_LENGTH), 1), 4)
    rows = math.ceil((len(runs) + 3) / columns)
    figure = Figure(figsize=(10, 4.6 + 0.22 * rows), layout="constrained")
    for axes, score in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for number, run in enumerate(runs):
            _draw_curve(axes, run, score, number)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("accuracy (%)" if score == "accuracy" else score)
        if score == "loss":
            _widen(axes)
    handles = [
        Line2D([], [], color=_colour(number), marker=_marker(number), label=name)
        for number, name in enumerate(names)
    ]
    grey = "#555555"
    styles = [
        Line2D([], [], color=grey, label="validation"),
        Line2D([], [], color=grey, linestyle="--", linewidth=1, label="training"),
        Line2D([], [], color=grey, linestyle="", marker="o", label="kept epoch"),
    ]
    all_handles = [*handles, *styles]
    labels = [str(handle.get_label()) for handle in all_handles]
    figure.legend(all_handles, labels, loc="outside lower center", ncols=columns)
    return figure


def _short(name: str) -> str:
    """A name with its beginning left out if a figure is too narrow for it."""
    if name.startswith("_"):  # what legends of older matplotlibs leave out
        name = f"./{name}"
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def _draw_curve(axes: Axes, run: Curve, score: str, number: int) -> None:
    epochs = [record.epoch for record in run.records]
    scale = 100 if score == "accuracy" else 1
    few = "." if len(epochs) < 3 else None  # no line would be seen
    for part, linestyle, width in (("train", "--", 1.0), ("validation", "-", 1.8)):
        values = [_score(record, f"{part}_{score}", scale) for record in run.records]
        axes.plot(
            epochs,
            values,
            color=_colour(number),
            linestyle=linestyle,
            linewidth=width,
            marker=few or (_marker(number) if part == "validation" else None),
            markersize=5,
            markevery=max(len(epochs) // 8, 1),
        )
    if run.kept is not None:
        part = "train" if run.kept.validation_loss is None else "validation"
        place = _score(run.kept, f"{part}_{score}", scale)
        axes.plot([run.kept.epoch], [place], color=_colour(number), marker="o", markersize=7)


def _score(record: EpochRecord, name: str, scale: float) -> float:
    """A score, or nan, which is not drawn, where there are no validation images."""
    value: float | None = getattr(record, name)
    return math.nan if value is None else scale * value


def _widen(axes: Axes) -> None:
    """Draw a loss that fell far on a logarithmic axis, with plain numbers along it."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    values = values[np.isfinite(values) & (values > 0)]
    if values.size and values.max() > _WIDE * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _colour(number: int) -> str:
    return _COLOURS[number % len(_COLOURS)]


def _marker(number: int) -> str:
    return _MARKERS[number // len(_COLOURS) % len(_MARKERS)]


def confusion(name: str, result: Evaluation) -> Figure:
    """Which digit was taken for which: counts, the errors coloured."""
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
    axes.set_xlabel("answer")
    axes.set_ylabel("label")
    axes.set_title(
        f"{_short(name)}\n{result.correct:,} of {result.images:,} test images right "
        f"({100 * result.accuracy:.2f} %); errors coloured"
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
    """What the neurons of the first layer look for: their weights, pixel by pixel."""
    weight = network.weights[0].T
    lengths = np.linalg.norm(weight, axis=1)
    answers = len(network.weights) == 1  # without hidden layers, each neuron is a digit's
    shown = np.arange(len(weight)) if answers else np.argsort(-lengths, kind="stable")[:_NEURONS]
    limit = float(np.quantile(np.abs(weight[shown]), 0.998)) or 1.0
    which = "the digits" if answers else f"all {len(weight)} neurons of the first layer"
    if len(shown) < len(weight):
        which = (
            f"of {len(weight)} neurons of the first layer, {len(shown)} with the longest weights"
        )
    figure, tiles = _tiles(
        weight[shown],
        [str(neuron) for neuron in shown],
        f"{_short(name)}\n{which}",
        columns=5 if answers else 8,
        colours=("RdBu_r", -limit, limit),
    )
    bar = figure.colorbar(tiles, location="bottom", shrink=0.6, aspect=40, pad=0.02)
    bar.set_label("weight: ink there speaks for the neuron (above 0) or against it (below)")
    return figure


def errors(name: str, result: Evaluation, images: Pixels) -> Figure:
    """The test images that were answered wrongly with the highest probabilities."""
    wrong = np.flatnonzero(result.predictions != result.labels)
    sure = result.probabilities[wrong, result.predictions[wrong]]
    order = np.argsort(-sure, kind="stable")[:_ERRORS]
    shown = wrong[order]
    captions = [
        f"{label}, answered {answer}\n{100 * share:.1f} %"
        for label, answer, share in zip(
            result.labels[shown], result.predictions[shown], sure[order], strict=True
        )
    ]
    which = f": the {len(shown)} surest" if len(shown) < len(wrong) else ""
    title = f"{_short(name)}\n{len(wrong):,} errors in {result.images:,} test images{which}"
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

    ``colours`` are a colour map and the values at its two ends.
    """
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    room = _CAPTION * lines
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
