"""``dlcli runs``."""

from pathlib import Path

import click

from dlcli.cli import options
from dlcli.cli.output import message, print_csv, print_json, print_table
from dlcli.evaluation.formatting import duration, loss, percent

_SCORES = ("validation_accuracy", "validation_loss")
_COLUMNS = ("run", "status", "epochs", "best_epoch", *_SCORES, "seconds")


@click.command("runs")
@options.runs_dir
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def command(runs_dir: Path, output_format: str) -> None:
    """List training runs, the last trained last.

    "best" is the epoch that is kept; accuracy and loss are its scores on the validation images.

    \b
    Examples:
      dlcli runs
      dlcli runs --format json | jq -r 'max_by(.validation_accuracy).run'
    """
    from dlcli.runs import listing

    if not runs_dir.exists():
        message(f"{runs_dir}: no such folder, so there are no runs yet")
    rows = list(listing.list_runs(runs_dir)) if runs_dir.exists() else []
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(rows, _COLUMNS)
    else:
        print_table(
            ["run", "status", "epochs", "best", "accuracy", "loss", "time"],
            [
                [
                    row["run"],
                    row["status"],
                    str(row["epochs"]),
                    str(row["best_epoch"] or "-"),
                    percent(row["validation_accuracy"]),
                    loss(row["validation_loss"]),
                    duration(row["seconds"]),
                ]
                for row in rows
            ],
            left=2,
        )
