"""``dlcli runs``: list, show and remove training runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import layout, options
from dlcli.cli.completion import complete_run
from dlcli.cli.help import Group
from dlcli.cli.output import can_ask, echo, message, print_csv, print_json, print_table, printable
from dlcli.evaluation.formatting import duration, loss, percent
from dlcli.runs.selection import SORT_KEYS, condition, dataset, network, ordered

if TYPE_CHECKING:
    from dlcli.runs.summary import Summary

_SCORES = ("validation_accuracy", "validation_loss")
_COLUMNS = (
    *("run", "status", "epochs", "best_epoch", *_SCORES, "seconds"),
    *("hidden_layers", "dataset", "trained"),
)


def _list_options(function: options.Function) -> options.Function:
    """The options of ``dlcli runs`` and of ``dlcli runs list``, which do the same."""
    for option in (
        options.debug_and_quiet,
        options.output_format("text", "json", "csv"),
        click.option(
            "--filter",
            "filters",
            metavar="CONDITION",
            multiple=True,
            help="Show only runs that meet a condition, such as 'accuracy>98%', status=finished "
            "or 'run=*quick*'. May be repeated.",
        ),
        click.option("--reverse", is_flag=True, help="Sort in descending order."),
        click.option(
            "--sort",
            "sort_key",
            type=click.Choice(SORT_KEYS),
            default=SORT_KEYS[0],
            show_default=True,
            help="The key to sort by, in ascending order.",
        ),
        options.runs_dir,
    ):
        function = option(function)
    return function


@click.group("runs", cls=Group, invoke_without_command=True)
@_list_options
@click.pass_context
def command(context: click.Context, /, **choices: Any) -> None:
    """List training runs, the last trained last; show or remove them.

    "network" is the size of each hidden layer. "best" is the epoch that is kept; accuracy and
    loss are its scores on the validation images.

    \b
    Examples:
      dlcli runs --sort accuracy --filter dataset=mnist
      dlcli runs --filter status=finished --filter 'accuracy>=98%'
      dlcli runs --format json | jq -r 'max_by(.validation_accuracy).run'
      dlcli runs show runs/latest
    """
    options.refuse_before_subcommand(context)
    if context.invoked_subcommand is None:
        _list(**choices)


@command.command("list")
@_list_options
def list_runs(**choices: Any) -> None:
    """List training runs, as "dlcli runs" alone does.

    \b
    Examples:
      dlcli runs list --sort accuracy --reverse
      dlcli runs list --filter 'trained<2026-01-01' -f json | jq -r '.[].run'
    """
    _list(**choices)


def _list(
    runs_dir: Path, sort_key: str, filters: tuple[str, ...], output_format: str, *, reverse: bool
) -> None:
    from dlcli.errors import ConfigError
    from dlcli.runs import listing

    conditions = [condition(text) for text in filters]
    if runs_dir.is_file():
        raise ConfigError(f"{runs_dir}: is a file, not a folder of runs")
    if not runs_dir.exists():
        message(f"{runs_dir}: no such folder, so there are no runs yet")
    found = [row for row in listing.list_runs(runs_dir) if all(c(row) for c in conditions)]
    rows = ordered(found, sort_key, reverse=reverse)
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        words = [{**row, "hidden_layers": network(row["hidden_layers"])} for row in rows]
        print_csv(words, _COLUMNS)
    else:
        _print_rows(rows)


def _print_rows(rows: Sequence[dict[str, Any]]) -> None:
    print_table(
        [
            *("run", "status", "network", "dataset", "epochs", "best"),
            *("accuracy", "loss", "time", "trained"),
        ],
        [
            [
                row["run"],
                row["status"],
                network(row["hidden_layers"]),
                dataset(row["dataset"]),
                str(row["epochs"]),
                str(row["best_epoch"] or "-"),
                percent(row["validation_accuracy"]),
                loss(row["validation_loss"]),
                duration(row["seconds"]),
                (row["trained"] or "-")[:10],
            ]
            for row in rows
        ],
        left=4,
    )


@command.command("show")
@click.argument("run", type=options.PathType(path_type=Path), shell_complete=complete_run)
@options.output_format("text", "json")
@options.debug_and_quiet
def show(run: Path, output_format: str) -> None:
    """Show a run: its network, scores, settings and files.

    \b
    Examples:
      dlcli runs show runs/latest
      dlcli runs show runs/latest --format json | jq .config.learning_rate
    """
    from dlcli.config import schema
    from dlcli.runs import checkpoint, directory, listing, summary
    from dlcli.runs.directory import CONFIG

    run = directory.find(run)
    row = listing.row_of(run)
    ended = summary.read(run)
    config = checkpoint.read_config(run / CONFIG)
    files = {
        path.name: path.stat().st_size
        for path in sorted(run.iterdir())
        if path.suffix != ".tmp" and path.is_file()  # one that is being written may vanish
    }
    if output_format == "json":
        described = {"config": schema.to_builtins(config), "summary": ended and ended.to_builtins()}
        print_json({**row, **described, "files": files})
        return
    changed = schema.differences(schema.Config(), config)
    settings = ", ".join(f"{key}={_setting(new)}" for key, (_, new) in changed.items())
    _print_facts(row, ended, settings or "all defaults", files)


def _setting(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_setting(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_setting, value)) + "]"
    return "null" if value is None else str(value).lower() if value in {True, False} else str(value)


def _print_facts(
    row: dict[str, Any], ended: "Summary | None", settings: str, files: dict[str, int]
) -> None:
    from dlcli.files import quoted

    end = "" if ended is None or ended.stopped_by is None else f", stopped by {ended.stopped_by}"
    kept = "none yet"
    if row["best_epoch"]:
        scores = (
            f"accuracy {percent(row['validation_accuracy'])}, loss {loss(row['validation_loss'])}"
        )
        kept = f"{row['best_epoch']}; on the validation images: {scores}"
    megabytes = sum(files.values()) / 1e6
    facts = {
        "run": row["run"],
        "status": f"{row['status']}{end}",
        "epochs": f"{row['epochs']} in {duration(row['seconds'])}",
        "trained": (row["trained"] or "-").replace("T", " ").replace("+00:00", " UTC"),
        "dataset": row["dataset"] or "-",
        "kept epoch": kept,
        "settings": settings,
        "files": f"{', '.join(files)} ({megabytes:.1f} MB)",
    }
    if ended is not None:
        facts["parameters"] = f"{ended.parameters:,}"
    following = {"finished": "dlcli eval", "unfinished": "dlcli train --resume"}
    if row["status"] in following and row["trained"] is not None:  # else nothing was saved yet
        facts["next"] = f"{following[row['status']]} {quoted(Path(row['run']))}"
    for name, text in facts.items():
        for line in layout.beside(name, 12, printable(text), layout.width(sys.stdout)):
            echo(line)


@command.command("rm")
@click.argument(
    "paths",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=options.PathType(path_type=Path),
    shell_complete=complete_run,
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@options.debug_and_quiet
def remove(paths: tuple[Path, ...], yes: bool) -> None:
    """Remove runs: their folders with config, metrics and checkpoints.

    \b
    Examples:
      dlcli runs rm runs/small
      dlcli runs rm --yes runs/first runs/second
    """
    from dlcli.errors import ConfigError
    from dlcli.runs import directory, removal

    runs = list({path.resolve(): path for path in map(directory.find, paths)}.values())
    for run in runs:
        removal.refuse_other_folders(run)
    if not yes:
        megabytes = sum(map(removal.size_bytes, runs)) / 1e6
        named = ", ".join(printable(str(run)) for run in runs)
        if not can_ask():
            raise ConfigError(f"not removed without being asked: {named}; add --yes")
        if not click.confirm(f"Remove {named} ({megabytes:.1f} MB)?", err=True):
            message("nothing is removed")
            return
    for run in runs:
        was_latest = removal.remove(run)
        message(f"removed {run}" + (", and the link to it, latest" if was_latest else ""))
