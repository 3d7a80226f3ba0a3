"""``dlcli plot``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_model
from dlcli.cli.help import Command
from dlcli.cli.loading import (
    default_model,
    limit_threads,
    load_dataset_of,
    load_default_model,
    needs,
    say_default,
)
from dlcli.cli.output import message, open_output, print_path, printable
from dlcli.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcli.report.plots import Curve
    from dlcli.runs.checkpoint import Model


@click.command("plot", cls=Command)
@click.argument(
    "paths", metavar="[RUN]...", nargs=-1, type=options.PathType(), shell_complete=complete_model
)
@click.option(
    "--what",
    type=click.Choice(["curves", "confusion", "weights", "errors"]),
    default="curves",
    show_default=True,
    help="What to draw.",
)
@options.output("The plot to write, .png, .svg or .pdf.", required=True)
@options.force
@options.dataset(help_text="confusion, errors: use another dataset than the model's own.")
@options.data_dir
@options.threads
@options.debug_and_quiet
def command(
    paths: tuple[str, ...],
    what: str,
    output: Path,
    force: bool,
    dataset: str | None,
    data_dir: Path,
    threads: int | None,
) -> None:
    """Draw learning curves, a confusion matrix, weights or errors.

    curves: loss and accuracy over the epochs, of several runs on the same axes. confusion: the
    confusion matrix of the test images. weights: the weights of the first layer's neurons.
    errors: the misclassified test images with the highest probabilities. For all but curves, RUN
    may also be an .npz file or "pretrained"; without RUN, it is $DLCLI_MODEL, else runs/latest.
    Prints the path of the plot. Needs the extra "report".

    \b
    Examples:
      dlcli plot runs/latest -o curves.png
      dlcli plot runs/small runs/large --what curves -o both.svg
      dlcli plot pretrained --what errors --dataset sample -o errors.pdf
    """
    from dlcli.files import refuse_to_overwrite
    from dlcli.runs import lookup

    if dataset is not None and what not in {"confusion", "errors"}:
        raise click.UsageError(f"--dataset is for --what confusion and errors, not for {what}")
    if len(paths) > 1 and what != "curves":
        raise click.UsageError(f"--what {what} draws one model, not {len(paths)}")
    with needs("report"):
        from dlcli.report import plots
    kind = output.suffix.removeprefix(".").lower()
    if kind not in plots.FORMATS:
        endings = ", ".join(f".{kind}" for kind in plots.FORMATS)
        raise click.UsageError(f"{output}: the file must end in one of {endings}")
    refuse_to_overwrite(output, force=force)
    with plots.style():
        if what == "curves":
            figure = plots.curves([_curve(path) for path in paths or [_default_run()]])
        else:
            model = lookup.load_named(paths[0]) if paths else load_default_model()
            with limit_threads(threads):
                figure = _of_model(what, model, dataset, data_dir)
        with open_output(output) as file:
            plots.write(figure, file, kind)
    print_path(output)


def _default_run() -> str:
    default = default_model("runs/NAME ...")
    say_default(default.name, default.note)
    return default.name


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


def _of_model(what: str, model: "Model", dataset: str | None, data_dir: Path) -> "Figure":
    """A plot of a model's weights, or of its predictions for the test images."""
    from dlcli.evaluation.evaluate import evaluate
    from dlcli.report import plots

    title = printable(str(model.path))
    if what == "weights":
        return plots.weights(title, model.network, list(map(printable, model.class_names)))
    data = load_dataset_of([model], dataset, data_dir)
    message(f"Test images: {data.name}")
    examples = data.test
    result = evaluate([model], examples)
    title = f"{title}, {printable(data.name)}"
    if what == "confusion":
        return plots.confusion(title, result)
    return plots.errors(title, result, examples.images)
