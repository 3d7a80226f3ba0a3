"""``dlcli report``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcli.cli import options
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads, load_dataset_of, load_models, needs
from dlcli.cli.output import open_output, print_path, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcli.runs.checkpoint import Model


@click.command("report", cls=Command)
@options.models
@options.output(
    "Where to write the page.  [default: report.html (demo.html) in the run directory; for "
    "several runs, or a model without a run directory, in the current folder]"
)
@click.option(
    "--demo", "demo_alone", is_flag=True, help="Write only the part to draw on, for one model."
)
@click.option("--open", "opened", is_flag=True, help="Open the page in the web browser.")
@options.dataset(help_text="Evaluate on this dataset instead of the runs' own.")
@options.data_dir
@options.force
@options.threads
@options.debug_and_quiet
def command(
    model_paths: tuple[str, ...],
    output: Path | None,
    demo_alone: bool,
    opened: bool,
    dataset: str | None,
    data_dir: Path,
    force: bool,
    threads: int | None,
) -> None:
    """Write a page on how a run learned, its errors and its neurons.

    MODEL is a run directory, an .npz file or "pretrained"; without one, $DLCLI_MODEL, else
    runs/latest. The page compares several models side by side. It also has a field to draw digits
    on, which the network reads; --demo writes only that, with small networks that train in the
    page. The page is a single file that opens from disk and needs no network. Its path is the only
    line on stdout. Without --output, an earlier report is replaced; other files are replaced only
    with --force. Needs the extra "report".

    \b
    Examples:
      dlcli report --open
      dlcli report runs/small runs/large -o comparison.html
      dlcli report --demo pretrained --open
    """
    from dataclasses import replace

    from dlcli.evaluation.evaluate import mark_disputed
    from dlcli.files import atomic_write
    from dlcli.report.models import evaluate_models

    if demo_alone and (dataset is not None or len(model_paths) > 1):
        raise click.UsageError("--demo takes one model and no --dataset")
    models = load_models(model_paths)
    path = _destination(models, output, "demo.html" if demo_alone else "report.html", force=force)
    if demo_alone:
        with needs("report"):
            from dlcli.report import draw

        content = draw.page(models[0])
    else:
        with needs("report"):
            from dlcli.report import page

        data = load_dataset_of(models, dataset, data_dir)
        with limit_threads(threads):
            found = [
                replace(entry, scores=mark_disputed(entry.scores, data))
                for entry in evaluate_models(models, data.test)
            ]
            content = page.render(found, data.name, data.test)
    with atomic_write(path) if output is None else open_output(path) as file:
        file.write(content)
    print_path(path)
    if opened:
        open_page(path)


def open_page(path: Path) -> None:
    """Open a page in the web browser."""
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        warn("no web browser was found")


def _destination(models: "Sequence[Model]", output: Path | None, name: str, *, force: bool) -> Path:
    """Where to write the page; an error if that would replace a file of another origin."""
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending
    from dlcli.report.models import run_of

    path = output
    if path is None:
        run = run_of(models[0]) if len(models) == 1 else None
        path = Path(name) if run is None else run / name
    refuse_wrong_ending(path, "HTML", ".html", ".htm")
    refuse_to_overwrite(path, force=force or (output is None and is_page(path)))
    return path


def is_page(path: Path) -> bool:
    """Whether a file is a page that dlcli wrote."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b'<meta name="generator" content="dlcli report">' in file.read(2000)
