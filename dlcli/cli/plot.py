"""``dlcli plot``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcli.cli.options import (
    complete_dataset,
    data_dir_option,
    debug_and_quiet,
    force_option,
    limit_threads,
    output_option,
    threads_option,
)
from dlcli.cli.output import download_progress, message, printable
from dlcli.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcli.report.plots import Curve


@click.command("plot")
@click.argument("paths", metavar="RUN...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--what",
    type=click.Choice(["curves", "confusion", "weights", "errors"]),
    default="curves",
    show_default=True,
    help="What to draw.",
)
@output_option("The plot to write, .png, .svg or .pdf.")
@force_option
@click.option(
    "--dataset",
    metavar="NAME|DIR",
    shell_complete=complete_dataset,
    help="confusion, errors: evaluate on this dataset instead of the model's own.",
)
@data_dir_option
@threads_option
@debug_and_quiet
def command(
    paths: tuple[str, ...],
    what: str,
    output: Path,
    force: bool,  # noqa: FBT001 - click passes options by name
    dataset: str | None,
    data_dir: Path,
    threads: int | None,
) -> None:
    """Draw a run: learning curves, errors or weights (needs the extra "report").

    curves: loss and accuracy over the epochs, of several runs on the same axes. confusion: the
    confusion matrix of the test images. weights: the weights of the first layer's neurons.
    errors: the misclassified test images with the highest probabilities. For all but curves, RUN
    may also be an .npz file or "pretrained". Prints the path of the plot.

    \b
    Examples:
      dlcli plot runs/latest -o curves.png
      dlcli plot runs/small runs/large --what curves -o both.svg
      dlcli plot pretrained --what errors --dataset sample -o errors.pdf
    """
    from dlcli.cli.requirements import needs
    from dlcli.files import refuse_to_overwrite

    if len(paths) > 1 and what != "curves":
        raise click.UsageError(f"--what {what} draws one model, not {len(paths)}")
    with needs("report"):
        from dlcli.report import plots
    if output.suffix.removeprefix(".").lower() not in plots.FORMATS:
        endings = ", ".join(f".{kind}" for kind in plots.FORMATS)
        raise click.UsageError(f"{output}: the file must end in one of {endings}")
    refuse_to_overwrite(output, force=force)
    with plots.style():
        if what == "curves":
            figure = plots.curves([_curve(path) for path in paths])
        elif what == "weights":
            figure = _weights(paths[0])
        else:
            with limit_threads(threads):
                figure = _evaluated(what, paths[0], dataset, data_dir)
        plots.write(figure, output)
    click.echo(output)


def _curve(path: str) -> "Curve":
    """The epochs of a run directory."""
    from dlcli.report.plots import Curve
    from dlcli.runs import directory, listing, metrics_log
    from dlcli.runs.lookup import PRETRAINED

    if path == PRETRAINED or Path(path).is_file():
        raise ConfigError(f"{path}: has no learning curves; they are in a run directory")
    run = directory.find(Path(path))
    records = metrics_log.read(run)
    if not records:
        raise ConfigError(f"{run}: has no learning curves: its {directory.METRICS} holds no epochs")
    return Curve(printable(str(run)), records, listing.kept_record(run, records))


def _weights(path: str) -> "Figure":
    from dlcli.report import plots
    from dlcli.runs import lookup

    model = lookup.load_named(path)
    return plots.weights(printable(str(model.path)), model.network)


def _evaluated(what: str, path: str, dataset: str | None, data_dir: Path) -> "Figure":
    """A plot of the test images and their predictions."""
    from dlcli.data import datasets
    from dlcli.evaluation import evaluate
    from dlcli.report import plots
    from dlcli.runs import lookup

    model = lookup.load_named(path)
    name = dataset or model.metadata.dataset.name
    message(f"Test images: {printable(name)}")
    with download_progress() as progress:
        examples = datasets.load(name, data_dir, progress).test
    result = evaluate.evaluate([model], examples)
    title = f"{printable(str(model.path))}, {printable(name)}"
    if what == "confusion":
        return plots.confusion(title, result)
    return plots.errors(title, result, examples.images)
