"""``dlcli sweep``: search hyperparameters."""

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlcli.cli.options import (
    config_option,
    config_stem,
    data_dir_option,
    debug_and_quiet,
    format_option,
    runs_dir_option,
    set_option,
)
from dlcli.cli.output import download_progress, message, print_json, printable, warn
from dlcli.cli.sweep_progress import TrialProgress, shown_params
from dlcli.cli.sweep_report import report, storage_option
from dlcli.errors import ConfigError, DlcliError, Terminated
from dlcli.evaluation.formatting import percent

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from dlcli.sweep.plan import Plan
    from dlcli.sweep.sweep import Standing
    from dlcli.sweep.worker import Place


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
@storage_option
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

    from dlcli.cli.requirements import needs
    from dlcli.sweep import plan as plans

    plan = plans.load(sources, overrides, trials)
    name = study or config_stem(sources)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"--study {name!r}: use letters, digits, '.', '_' and '-'")

    with needs("sweep"):
        from dlcli.sweep.storage import address
        from dlcli.sweep.worker import Place
    runs_dir.mkdir(parents=True, exist_ok=True)
    place = Place(address(storage, runs_dir), name, runs_dir, data_dir)
    _search(plan, place, jobs, timeout, output_format)


def _search(
    plan: "Plan", place: "Place", jobs: int, timeout: float | None, output_format: str
) -> None:
    """Work on a study, then tell its best trial."""
    from dlcli.data import datasets
    from dlcli.sweep import samplers, storage, sweep

    samplers.check_sampler(plan)
    with download_progress() as progress:
        for dataset in plan.datasets:
            datasets.load(dataset, place.data_dir, progress)
    database = storage.connect(place.url, plan.search.worker_timeout)
    database.on_wait = warn
    with closing(database):
        study = storage.open_study(database, plan, place.study, create=True)
        standing = sweep.standing_of(study, plan.trials)
        _announce(plan, place, standing)
        if not standing.is_done:
            standing = _work(plan, place, study, standing, jobs, timeout)
    config = _write_best(plan, place, standing)
    best = standing.best
    if best is None or config is None:
        raise DlcliError(_why_nothing(standing))
    _conclude(plan, place, standing, best, config, output_format)


def _work(
    plan: "Plan",
    place: "Place",
    study: "Study",
    standing: "Standing",
    jobs: int,
    timeout: float | None,
) -> "Standing":
    """Do trials, showing each, and say how the study stands then."""
    from dlcli.sweep import sweep

    progress = TrialProgress(standing)
    try:
        with closing(sweep.conduct(plan, place, study, jobs, timeout, warn)) as standings:
            for latest in standings:
                progress.show(latest)
    except (KeyboardInterrupt, Terminated):
        progress.close()
        standing = sweep.standing_of(study, plan.trials)
        _write_best(plan, place, standing)
        message(_stopped(standing))
        raise
    finally:
        progress.close()
    standing = sweep.standing_of(study, plan.trials)
    if not standing.is_done:
        message(_stopped(standing))
    return standing


def _announce(plan: "Plan", place: "Place", standing: "Standing") -> None:
    from dlcli.sweep.storage import shown

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
    from dlcli.config.schema import to_yaml
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

    from dlcli.sweep.results import row_of
    from dlcli.sweep.storage import shown

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
    scored = f"trial {best.number}, validation accuracy {percent(best.value)}"
    message(f"Best: {scored}, {shown_params(best)}")
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
    from dlcli.sweep.worker import REASON

    reasons = [trial.user_attrs.get(REASON) for trial in standing.settled]
    last = next((reason for reason in reversed(reasons) if reason), None)
    return "no trial was completed" + (f"; the last one: {last}" if last else "")


command.add_command(report)
