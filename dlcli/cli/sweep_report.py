"""``dlcli sweep report``: what a search has learned."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import options
from dlcli.cli.help import Command
from dlcli.cli.loading import needs
from dlcli.cli.output import (
    echo,
    message,
    open_output,
    print_csv,
    print_json,
    print_table,
    printable,
    warn,
)
from dlcli.cli.sweep_progress import shown_counts
from dlcli.errors import ConfigError
from dlcli.evaluation.formatting import percent, short

if TYPE_CHECKING:
    import optuna

storage_option = click.option(
    "--storage",
    metavar="URL",
    envvar="DLCLI_STORAGE",
    show_envvar=True,
    help="Database of the study: postgresql://USER:PASSWORD@HOST/DATABASE for many machines.  "
    "[default: the file sweeps.db in --runs-dir]",
)


@click.command("report", cls=Command)
@storage_option
@click.option("--study", help="Name of the study.  [default: the only one]")
@options.output("Also write an HTML page with figures.")
@options.force
@options.runs_dir
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def report(
    storage: str | None,
    study: str | None,
    output: Path | None,
    force: bool,
    runs_dir: Path,
    output_format: str,
) -> None:
    """Show what a search has learned: the importance of each key, and every trial.

    Importances are computed by PED-ANOVA from the complete trials. The CSV format has only the
    trials. With --output, also writes a page with the course of the search, the accuracy over
    each key and parallel coordinates; this needs the extra "report" as well.

    \b
    Examples:
      dlcli sweep report --output report.html
      dlcli sweep report --study sweep --format csv > trials.csv
    """
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending

    with needs("sweep"):
        from dlcli.sweep import results
        from dlcli.sweep.storage import FILE, address
    if output is not None:
        refuse_wrong_ending(output, "HTML", ".html", ".htm")
        refuse_to_overwrite(output, force=force)
    if storage is None and not (runs_dir / FILE).exists():
        raise ConfigError(f"{runs_dir / FILE}: no such file; dlcli sweep makes it")
    found = results.find_study(address(storage, runs_dir), study)
    trials = found.get_trials(deepcopy=False)
    best = results.best_of(trials)
    best_row = None if best is None else results.row_of(best)
    importances = results.importances(found)
    rows = results.rows_of(trials)
    keys = list(dict.fromkeys(key for row in rows for key in row["params"]))
    caveat = results.importance_caveat(trials) if importances else None
    if output is not None:
        _write_page(output, found, rows, best_row, importances, caveat)
    message(f"Trials: {shown_counts(results.counts_of(trials))}")
    if caveat is not None and output_format != "csv":
        warn(caveat)
    if output_format == "json":
        print_json(
            {
                "study": found.study_name,
                "best_trial": None if best is None else best.number,
                "importance": importances,
                "importance_method": results.IMPORTANCE_METHOD,
                "importance_caveat": caveat,
                "trials": rows,
            }
        )
    elif output_format == "csv":
        scores = ["trial", "state", "validation_accuracy", "validation_loss", "epochs", "seconds"]
        named = {key: f"params.{key}" if key in scores else key for key in keys}
        columns = [*scores, *named.values(), "run", "worker", "retry_of", "reason"]
        cells = [row | {named[key]: v for key, v in row["params"].items()} for row in rows]
        print_csv(({column: row.get(column) for column in columns} for row in cells), columns)
    else:
        _print_report(rows, keys, importances, results.IMPORTANCE_METHOD)


def _write_page(
    output: Path,
    study: "optuna.Study",
    rows: Sequence[Mapping[str, Any]],
    best: Mapping[str, Any] | None,
    importances: Mapping[str, float],
    caveat: str | None,
) -> None:
    if best is None:
        raise ConfigError(f"study {study.study_name}: no trial is complete yet; nothing to draw")
    with needs("report"):
        from dlcli.report import search
    content = search.render(study, rows, best, importances, caveat)
    with open_output(output) as file:
        file.write(content)
    message(f"{printable(str(output))}: written")


def _print_report(
    rows: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    importances: Mapping[str, float],
    method: str,
) -> None:
    if importances:
        shares = [[key, percent(fraction)] for key, fraction in importances.items()]
        print_table(["key", f"importance ({method})"], shares)
        echo()
    else:
        message("Importances need complete trials of different accuracies")
    print_table(
        ["trial", "state", "accuracy", "epochs", *keys],
        [
            [
                str(row["trial"]),
                row["state"],
                percent(row["validation_accuracy"]),
                str(row["epochs"]),
            ]
            + [short(row["params"].get(key, "-")) for key in keys]
            for row in rows
        ],
        left=2,
    )
