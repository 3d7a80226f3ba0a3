"""The page of a hyperparameter search: Optuna's figures in the frame of the report."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
import numpy as np
import optuna
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.text import Text
from matplotlib.ticker import (
    AutoLocator,
    FormatStrFormatter,
    FuncFormatter,
    LogLocator,
    NullLocator,
)
from optuna.distributions import IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.visualization import matplotlib as drawings

from dlcli.report import charts, frame, svg
from dlcli.report.charts import Chart
from dlcli.report.svg import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TARGET = "validation accuracy"
_WIDTH_PER_KEY_PX = 110  # of the parallel coordinates
_FONT_SIZE_PX = 11
_FAINTEST = 0.2  # the opacity of the first trial, or of the worst one
# The colours of Optuna's figures: background grid, labels, and what stands for a series.
_FROM_OPTUNA = {
    "#ffffff": "var(--grid)",
    "#555555": "var(--soft)",
    "#1f77b4": "var(--s0)",
    "#3182bd": "var(--s0)",
    "#d62728": "var(--s1)",
}


def render(
    study: optuna.Study,
    trials: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any],
    importances: Mapping[str, float],
    caveat: str | None = None,
) -> bytes:
    """The page as UTF-8; trials are rows as ``dlcli.sweep.results.row_of`` makes them.

    ``importances`` is empty if there are too few complete trials; ``caveat`` says why they are
    not to be trusted.
    """
    keys = list(dict.fromkeys(key for row in trials for key in row["params"]))
    states = [row["state"] for row in trials]
    with _optuna_style():
        return frame.render(
            "search.html",
            title=study.study_name,
            trials=trials,
            best=best,
            keys=keys,
            counts=", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))),
            overview=_overview(study, best, importances, caveat),
            slices=[_slice(study, key) for key in keys],
            coordinates=_parallel_coordinates(study, keys),
        )


@contextmanager
def _optuna_style() -> Iterator[None]:
    """Optuna draws with pyplot and changes its style; both are as before afterwards."""
    plt.switch_backend("agg")
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        # Matplotlib expands the axis of a key that has a single value.
        warnings.filterwarnings("ignore", "Attempting to set identical")
        yield


def _overview(
    study: optuna.Study,
    best: Mapping[str, Any],
    importances: Mapping[str, float],
    caveat: str | None,
) -> list[Chart]:
    found = []
    axes = drawings.plot_optimization_history(study, target_name=_TARGET)
    axes.set(xlabel="trial", ylabel=None)
    note = "Dots are trials, the line is the best accuracy so far."
    found.append(Chart("Accuracy by trial", note, _inline(axes, "history", note, integer=True)))

    axes = drawings.plot_intermediate_values(study)
    axes.set(xlabel="epoch", ylabel=None)
    for line in axes.lines:
        is_best = line.get_label() == f"Trial{best['trial']}"
        line.set(color=COLOURS["s1" if is_best else "s0"], alpha=1 if is_best else 0.4)
    note = "Each line is a trial; the best one stands out. Pruned trials end early."
    found.append(Chart("Accuracy by epoch", note, _inline(axes, "epochs", note, integer=True)))

    if importances:
        evaluator = PedAnovaImportanceEvaluator()
        axes = drawings.plot_param_importances(study, evaluator=evaluator, target_name=_TARGET)
        axes.set(xlabel=None, ylabel=None)
        for text in axes.texts:
            text.set_text(f"\N{NO-BREAK SPACE}{text.get_text()}")  # not touching its bar
        note = "How much each key decides whether a trial is among the best (PED-ANOVA)."
        if caveat:
            note += f" Caution: {caveat}."
        description = ", ".join(f"{key} {value:.2f}" for key, value in importances.items())
        found.append(
            Chart("Importance", note, _inline(axes, "importance", f"Importance: {description}"))
        )
    return found


def _slice(study: optuna.Study, key: str) -> Chart:
    axes = cast("Axes", drawings.plot_slice(study, params=[key], target_name=_TARGET))
    axes.set(xlabel=None, ylabel=None)
    _fade(axes.collections[0])
    distributions = [trial.distributions.get(key) for trial in study.get_trials(deepcopy=False)]
    integer = any(isinstance(each, IntDistribution) for each in distributions)
    description = f"Accuracy of each trial over {key}"
    return Chart(key, "", _inline(axes, f"slice-{key}", description, integer=integer))


def _parallel_coordinates(study: optuna.Study, keys: Sequence[str]) -> Markup:
    axes = drawings.plot_parallel_coordinate(study, target_name=_TARGET)
    _fade(axes.collections[0])
    width = max(charts.PAGE_WIDTH, _WIDTH_PER_KEY_PX * (len(keys) + 1))
    return _inline(axes, "coordinates", "Trials in parallel coordinates", width=width, height=320)


def _fade(collection: Collection) -> None:
    """Draw points or lines in one colour, the more opaque the higher their value."""
    if collection.colorbar is not None:
        collection.colorbar.remove()
    values = np.asarray(collection.get_array(), float)
    fraction = (values - values.min()) / (np.ptp(values) or 1)
    collection.set_array(None)
    collection.set_color(
        [to_rgba(COLOURS["s0"], _FAINTEST + (1 - _FAINTEST) * f) for f in fraction]
    )


def _inline(
    axes: Axes,
    name: str,
    description: str,
    *,
    width: int = charts.PAGE_WIDTH,
    height: int = charts.PAGE_HEIGHT,
    integer: bool = False,
) -> Markup:
    """An Optuna figure in the size and style of the page; its title and note are in the page.

    ``integer`` says that the x-axis is one of whole numbers.
    """
    figure = cast("Figure", axes.figure)
    if name != "importance":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    for part in figure.axes:
        for place in ("left", "center", "right"):
            part.set_title("", loc=place)
        for axis in (part.xaxis, part.yaxis):
            _simplify_ticks(axis, integer=integer and axis is axes.xaxis)
        if legend := part.get_legend():
            legend.remove()
    for text in figure.findobj(Text):
        text.set_fontsize(_FONT_SIZE_PX)
    figure.set_dpi(charts.PIXELS_PER_INCH)
    figure.set_size_inches(width / charts.PIXELS_PER_INCH, height / charts.PIXELS_PER_INCH)
    figure.set_layout_engine("tight")
    try:
        return svg.inline(figure, name, description, _FROM_OPTUNA)
    finally:
        plt.close(figure)


def _simplify_ticks(axis: Axis, *, integer: bool = False) -> None:
    """Few and round numbers, and choices without quotes."""
    axis.set_tick_params(labelsize=_FONT_SIZE_PX)
    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FormatStrFormatter("%g"))
        axis.set_minor_locator(NullLocator())
    elif isinstance(axis.get_major_locator(), AutoLocator):
        axis.set_major_locator(charts.round_ticks(integer=integer))
    labels = [label.get_text() for label in axis.get_ticklabels()]
    if any(label.startswith("'") for label in labels):
        axis.set_ticks(axis.get_ticklocs(), [label.strip("'") for label in labels])
