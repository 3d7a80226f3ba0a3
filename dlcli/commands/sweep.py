"""``dlcli sweep``: search hyperparameters."""

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlcli.commands.options import (
    config_option,
    config_stem,
    data_dir_option,
    debug_and_quiet,
    force_option,
    format_option,
    runs_dir_option,
    set_option,
)
from dlcli.commands.output import (
    download_progress,
    message,
    percent,
    print_csv,
    print_json,
    print_table,
    printable,
    shows_bars,
    warn,
)
from dlcli.errors import ConfigError, DlcliError, Terminated

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from tqdm import tqdm

    from dlcli.extras.sweep.plan import Plan
    from dlcli.extras.sweep.sweep import Standing
    from dlcli.extras.sweep.worker import Place


class _Duration(click.ParamType[float]):
    """Seconds, or a number with s, m or h."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if not found or not float(found[1]):
            self.fail(f"{value!r} is no duration like 90, 90s, 5m or 2h", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


_storage_option = click.option(
    "--storage",
    metavar="URL",
    envvar="DLCLI_STORAGE",
    show_envvar=True,
    help="Database of the study: postgresql://USER:PASSWORD@HOST/DATABASE for many machines.  "
    "[default: the file sweeps.db in --runs-dir]",
)


@click.group("sweep", invoke_without_command=True)
@config_option
@set_option
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Trials of the study, all machines and earlier starts counted.  [default: the config's]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trials at once on this machine, each in a process with one thread.",
)
@_storage_option
@click.option("--study", help="Name of the study, and of its folder of runs.  [default: config]")
@click.option(
    "--timeout",
    type=_Duration(),
    metavar="TIME",
    help="Stop after so long: seconds, or as 90s, 5m, 2h. The same command goes on.",
)
@runs_dir_option
@data_dir_option
@format_option("text", "json")
@debug_and_quiet
@click.pass_context
def command(
    context: click.Context,
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    trials: int | None,
    jobs: int,
    storage: str | None,
    study: str | None,
    timeout: float | None,
    runs_dir: Path,
    data_dir: Path,
    output_format: str,
) -> None:
    """Search hyperparameters: many trainings, each proposed by what the earlier ones gave.

    The config is a normal one in which any value may be a range or a list of choices. Every
    trial is a run directory; at the end the best config is in best.yaml beside them, and the
    path of the best run is the only line on stdout. Started on several machines with one
    --storage, they share the work. Ctrl-C stops; the same command goes on.

    \b
    Examples:
      dlcli sweep --config sweep --jobs 2
      dlcli sweep -c my.yaml --set 'learning_rate={low: 0.01, high: 1, log: true}' --trials 30
      dlcli sweep -c my.yaml --storage postgresql://user@server/sweeps
      dlcli sweep report --output report.html
    """
    if context.invoked_subcommand is not None:
        for parameter in context.params:
            if context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
                raise click.UsageError(f"options go after {context.invoked_subcommand}, not before")
        return

    from dlcli.extras import sweep

    sweep.require()
    from dlcli.extras.sweep import plan as plans

    plan = plans.load(sources, overrides, trials)
    name = study or config_stem(sources)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"--study {name!r}: use letters, digits, '.', '_' and '-'")

    from dlcli.extras.sweep.storage import address
    from dlcli.extras.sweep.worker import Place

    runs_dir.mkdir(parents=True, exist_ok=True)
    place = Place(address(storage, runs_dir), name, runs_dir, data_dir)
    _search(plan, place, jobs, timeout, output_format)


def _search(
    plan: "Plan", place: "Place", jobs: int, timeout: float | None, output_format: str
) -> None:
    """Work on a study, then tell its best trial."""
    from dlcli import datasets
    from dlcli.extras.sweep import samplers, storage, sweep

    samplers.check_sampler(plan)
    with download_progress() as progress:
        for dataset in plan.datasets:
            datasets.load(dataset, place.data_dir, progress)
    study = storage.open_study(plan, place.url, place.study, create=True, on_wait=warn)
    standing = sweep.standing_of(study, plan.trials)
    _announce(plan, place, standing)
    if not standing.is_done:
        progress_of_trials = _Progress(standing)
        try:
            with closing(sweep.conduct(plan, place, study, jobs, timeout, warn)) as standings:
                for standing in standings:
                    progress_of_trials.show(standing)
        except (KeyboardInterrupt, Terminated):
            progress_of_trials.close()
            standing = sweep.standing_of(study, plan.trials)
            _write_best(plan, place, standing)
            message(_stopped(standing))
            raise
        finally:
            progress_of_trials.close()
    config = _write_best(plan, place, standing)
    if not standing.is_done:
        message(_stopped(standing))
    best = standing.best
    if best is None or config is None:
        raise DlcliError(_why_nothing(standing))
    _conclude(plan, place, standing, best, config, output_format)


def _announce(plan: "Plan", place: "Place", standing: "Standing") -> None:
    from dlcli.extras.sweep.storage import shown

    message(
        f"study {place.study} in {printable(shown(place.url))}: searches {', '.join(plan.space)}; "
        f"sampler {plan.search.sampler}, pruner {plan.search.pruner}, {standing.limit} trials"
    )
    done = len(standing.settled)
    if standing.is_done:
        message("The study is done already; to go on with it: --trials N")
    elif done:
        message(f"Goes on after {done} of {standing.limit} trials")


def _write_best(plan: "Plan", place: "Place", standing: "Standing") -> Path | None:
    """Write the best trial's config, for ``dlcli train --config``."""
    from dlcli.config import to_yaml
    from dlcli.files import atomic_write

    best = standing.best
    if best is None:
        return None
    place.folder.mkdir(parents=True, exist_ok=True)
    path = place.folder / "best.yaml"
    text = to_yaml(plan.config(best.params))
    with atomic_write(path) as file:
        file.write(
            f"# Trial {best.number} of study {place.study}: validation accuracy "
            f"{percent(best.value)}\n{text}".encode()
        )
    return path


def _conclude(
    plan: "Plan",
    place: "Place",
    standing: "Standing",
    best: "FrozenTrial",
    config: Path,
    output_format: str,
) -> None:
    from optuna.trial import TrialState

    from dlcli.extras.sweep.results import row_of
    from dlcli.extras.sweep.storage import shown

    row = row_of(best)
    trained = sum(len(trial.intermediate_values) for trial in standing.tickets)
    counts = {
        name: standing.count(state)
        for name, state in (
            ("complete", TrialState.COMPLETE),
            ("pruned", TrialState.PRUNED),
            ("failed", TrialState.FAIL),
        )
    }
    message(
        f"{counts['complete']} trials complete, {counts['pruned']} pruned, "
        f"{counts['failed']} failed; {trained:,} epochs in all"
    )
    message(
        f"Best: trial {best.number}, validation accuracy {percent(best.value)}, {_params(best)}"
    )
    message(f"Its config: dlcli train --config {printable(str(config))}")
    if output_format == "json":
        print_json(
            {
                "study": place.study,
                "storage": shown(place.url),
                "run": row["run"],
                "worker": row["worker"],
                "trial": best.number,
                "validation_accuracy": best.value,
                "validation_loss": row["validation_loss"],
                "params": row["params"],
                "best_config": str(config),
                "trials": counts | {"wanted": standing.limit},
                "epochs": trained,
                "sampler": plan.search.sampler,
                "pruner": plan.search.pruner,
            }
        )
    else:
        click.echo(row["run"])


def _stopped(standing: "Standing") -> str:
    done = len(standing.settled)
    return f"Stopped after {done} of {standing.limit} trials; the same command goes on"


def _why_nothing(standing: "Standing") -> str:
    from dlcli.extras.sweep.worker import REASON

    reasons = [trial.user_attrs.get(REASON) for trial in standing.settled]
    last = next((reason for reason in reversed(reasons) if reason), None)
    return "no trial was completed" + (f"; the last one: {last}" if last else "")


def _params(trial: "FrozenTrial") -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in trial.params.items())


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class _Progress:
    """A line a trial and, on a terminal, a bar."""

    def __init__(self, standing: "Standing") -> None:
        self._told = {trial.number for trial in standing.settled}
        self._before = len(self._told)
        self._started = monotonic()
        self._bar = self._make_bar(standing) if shows_bars() else None

    def _make_bar(self, standing: "Standing") -> "tqdm[Any]":
        from tqdm import tqdm

        return tqdm(
            total=standing.limit,
            initial=self._before,
            desc="trials",
            unit=" trials",
            file=sys.stderr,
        )

    def show(self, standing: "Standing") -> None:
        from optuna.trial import TrialState

        best = standing.best
        so_far = f"best {percent(best.value)} (trial {best.number})" if best else "none yet"
        for trial in standing.settled:
            if trial.number not in self._told:
                self._told.add(trial.number)
                self._tell(f"{_line(trial)}  {so_far}{self._left(standing)}")
        if self._bar is not None:
            self._bar.n = len(standing.settled)
            running = standing.count(TrialState.RUNNING)
            self._bar.set_postfix_str(f"{so_far}, {running} running", refresh=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _tell(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            message(line)

    def _left(self, standing: "Standing") -> str:
        """An estimate of the time that is left."""
        done = len(self._told)
        rate = (monotonic() - self._started) / (done - self._before)
        return f"  {done}/{standing.limit}, about {_duration(rate * (standing.limit - done))} left"


def _line(trial: "FrozenTrial") -> str:
    from dlcli.extras.sweep.worker import REASON

    epochs = len(trial.intermediate_values)
    reason = trial.user_attrs.get(REASON)
    how = f"{trial.state.name.lower()} after {epochs} epoch{'' if epochs == 1 else 's'}"
    parts = [f"trial {trial.number}", percent(trial.value), how, _params(trial)]
    return "  ".join([*parts, *([f"({printable(reason)})"] if reason else [])])


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@command.command("report")
@_storage_option
@click.option("--study", help="Name of the study.  [default: the only one]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write one HTML page: importances, slices, parallel coordinates.",
)
@force_option
@runs_dir_option
@format_option("text", "json", "csv")
@debug_and_quiet
def report(
    storage: str | None,
    study: str | None,
    output: Path | None,
    force: bool,  # noqa: FBT001 - click passes it by name
    runs_dir: Path,
    output_format: str,
) -> None:
    """Say what a search has learned: the importance of each key, and every trial.

    Importances are computed by PED-ANOVA from the complete trials. Prints them with the trials
    (as CSV: the trials alone); with --output, draws them on a page as well, beside slices and
    parallel coordinates.

    \b
    Examples:
      dlcli sweep report --output report.html
      dlcli sweep report --study sweep --format csv > trials.csv
    """
    from dlcli.extras import sweep

    sweep.require()
    from dlcli.extras.sweep import report as reports
    from dlcli.extras.sweep.results import best_of, row_of
    from dlcli.extras.sweep.storage import FILE, address, connect
    from dlcli.files import atomic_write, refuse_to_overwrite

    if output is not None:
        refuse_to_overwrite(output, force=force)
    if storage is None and not (runs_dir / FILE).exists():
        raise ConfigError(f"{runs_dir / FILE}: no such file; dlcli sweep makes it")
    found = reports.load_study(connect(address(storage, runs_dir)), study)
    trials = found.get_trials(deepcopy=False)
    best = best_of(trials)
    if output is not None:
        text = reports.page(found, best)
        with atomic_write(output) as file:
            file.write(text.encode())
        message(f"{printable(str(output))}: written")
    rows = [row_of(trial) for trial in trials]
    if output_format == "json":
        print_json(
            {
                "study": found.study_name,
                "best_trial": None if best is None else best.number,
                "importance": reports.importances(found),
                "importance_method": reports.METHOD,
                "trials": rows,
            }
        )
    elif output_format == "csv":
        _print_trials_as_csv(rows)
    else:
        _print_report(found.study_name, rows, reports.importances(found), reports.METHOD)


def _keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key that was searched."""
    return list(dict.fromkeys(key for row in rows for key in row["params"]))


def _print_trials_as_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    scores = ["trial", "state", "validation_accuracy", "validation_loss", "epochs", "seconds"]
    columns = [*scores, *_keys(rows), "run", "worker", "retry_of", "reason"]
    print_csv(
        (
            {column: row.get(column, row["params"].get(column)) for column in columns}
            for row in rows
        ),
        columns,
    )


def _print_report(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    importances: Mapping[str, float],
    method: str,
) -> None:
    if importances:
        print_table(
            ["key", f"importance ({method})"],
            [[key, percent(share)] for key, share in importances.items()],
        )
        click.echo()
    else:
        message(f"study {name}: importances need complete trials of different accuracies")
    keys = _keys(rows)
    print_table(
        ["trial", "state", "accuracy", "epochs", *keys],
        [
            [
                str(row["trial"]),
                row["state"],
                percent(row["validation_accuracy"]),
                str(row["epochs"]),
                *(_short(row["params"].get(key, "-")) for key in keys),
            ]
            for row in rows
        ],
        left=2,
    )
