"""What ``dlcli train --find-learning-rate`` does and shows."""

import math
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import layout
from dlcli.cli.loading import limit_threads, load_dataset_of_config, needs
from dlcli.cli.output import echo, message, message_of, open_output, print_json, shows_bars
from dlcli.evaluation.formatting import loss

if TYPE_CHECKING:
    from dlcli.config.schema import Config
    from dlcli.training.learning_rate_finder import RangeTest

# Of the chart, in characters: it fits into 80 columns with its axis.
_WIDTH, _HEIGHT, _AXIS = 66, 10, 9
_DIGITS = 2  # of a learning rate: the test is not more exact


def find(
    config: "Config", data_dir: Path, threads: int | None, plot: Path | None, output_format: str
) -> None:
    """Run the test and print the learning rate that it suggests, as ``--set`` takes it."""
    from dlcli.files import refuse_to_overwrite
    from dlcli.runs import initial_model
    from dlcli.training import learning_rate_finder
    from dlcli.training.builders import make_splits

    if plot is not None:
        _refuse_plot(plot)
        refuse_to_overwrite(plot, force=False, advice="name another file")
    initial = initial_model.load(config)
    dataset = load_dataset_of_config(config, data_dir)
    train, _ = make_splits(config, dataset.train)
    state = initial_model.start_state(config, dataset.class_names, initial)
    with limit_threads(threads), _bar(learning_rate_finder.steps_of(config, len(train))) as bar:
        result = learning_rate_finder.find(
            config, train, state, dataset.class_names, lambda _: bar.update(1)
        )
    _explain(result)
    if plot is None:
        for line in chart(result):
            message(line)
    else:
        _write_plot(plot, result, config)
    suggestion = rounded(result.suggestion)
    if output_format == "json":
        print_json(
            {
                "learning_rate": suggestion,
                "steepest": result.steepest,
                "divergence": result.divergence,
                "rates": result.rates,
                "losses": result.losses,
                "smoothed": result.smoothed,
            }
        )
    else:
        echo(f"learning_rate={suggestion:g}")


def rounded(rate: float) -> float:
    """A learning rate to two digits.

    >>> rounded(0.023456)
    0.023
    """
    return float(f"{rate:.{_DIGITS}g}")


def _bar(steps: int) -> AbstractContextManager[Any]:
    return click.progressbar(
        length=steps, label="learning rate", file=sys.stderr, hidden=not shows_bars()
    )


def _explain(result: "RangeTest") -> None:
    if result.steepest is None:
        start, rises = (
            "The loss of the trained network does not fall any more",
            "has risen fourfold at",
        )
    else:
        start = f"The loss falls fastest at a learning rate of {rounded(result.steepest):g}"
        rises = "rises from"
    if result.divergence is None:
        message_of(start, f", and does not rise up to {rounded(result.rates[-1]):g}")
        return
    tenth = rounded(result.divergence / 10)
    on = "" if result.steepest is None else " on"
    message_of(start, f", and {rises} {rounded(result.divergence):g}{on}", f" (a tenth: {tenth:g})")


def chart(result: "RangeTest") -> Iterator[str]:
    """The smoothed loss over the learning rate, on a logarithmic scale, in ASCII."""
    width = min(_WIDTH, (layout.width(sys.stderr) or 80) - _AXIS - 2)
    columns = [_mean_of(result, column, width) for column in range(width)]
    low, high = min(result.smoothed), max(columns)
    scale = (_HEIGHT - 1) / (high - low) if high > low else 0.0
    rows = [round((high - value) * scale) for value in columns]
    for row in range(_HEIGHT):
        label = loss(high - row / scale) if scale and row in {0, _HEIGHT - 1} else ""
        points = "".join("*" if at == row else " " for at in rows)
        yield f"{label:>{_AXIS}} |{points}".rstrip()
    first, last = (math.log10(rate) for rate in (result.rates[0], result.rates[-1]))

    def column_of(rate: float) -> int:
        along = (math.log10(rate) - first) / max(last - first, 1e-9)
        return round(min(max(along, 0.0), 1.0) * (width - 1))  # a tenth may lie below the first

    line, labels = ["-"] * width, [" "] * (width + _AXIS)
    for exponent in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1):
        at, text = column_of(10.0**exponent), f"{10.0**exponent:g}"
        line[at] = "+"
        if not "".join(labels[at : at + len(text) + 1]).strip():
            labels[at : at + len(text)] = text
    line[column_of(result.suggestion)] = "^"
    yield f"{'loss':>{_AXIS}} +{''.join(line)}"
    yield f"{'':{_AXIS}}  {''.join(labels)}".rstrip()


def _mean_of(result: "RangeTest", column: int, width: int) -> float:
    """The smoothed loss in a column of the chart; losses far above the first are cut off."""
    steps = len(result.smoothed)
    start = column * steps // width
    values = result.smoothed[start : max((column + 1) * steps // width, start + 1)]
    return min(sum(values) / len(values), 1.5 * result.smoothed[0])


def _refuse_plot(plot: Path) -> None:
    with needs("report"):
        from dlcli.report import plots
    if plot.suffix.removeprefix(".").lower() not in plots.FORMATS:
        endings = ", ".join(f".{kind}" for kind in plots.FORMATS)
        raise click.UsageError(f"{plot}: the file must end in one of {endings}")


def _write_plot(path: Path, result: "RangeTest", config: "Config") -> None:
    from dlcli.report import plots

    with plots.style():
        figure = plots.range_test(result, config.optimizer)
        with open_output(path) as file:
            plots.write(figure, file, path.suffix.removeprefix(".").lower())
    message(f"Plot: {path}")
