"""``dlcli sweep``: search hyperparameters."""

import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import options
from dlcli.cli.help import Group
from dlcli.cli.loading import load_dataset, needs
from dlcli.cli.output import echo, message, message_of, print_json, say_stopped, warn
from dlcli.cli.sweep_progress import TrialProgress, shown_counts, shown_params
from dlcli.cli.sweep_report import report, storage_option
from dlcli.errors import ConfigError, DlcliError
from dlcli.evaluation.formatting import counted, percent
from dlcli.files import quoted

if TYPE_CHECKING:
    from collections.abc import Generator

    from optuna.trial import FrozenTrial

    from dlcli.sweep.plan import Plan
    from dlcli.sweep.results import Progress
    from dlcli.sweep.storage import StudyLocation


class _Duration(click.ParamType[float]):
    """A number of seconds, or a number with the unit s, m or h."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if not found or not float(found[1]):
            self.fail(f"{value!r} is not a duration such as 90, 90s, 5m or 2h", param, ctx)
        return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


@click.group("sweep", cls=Group, invoke_without_command=True)
@options.config
@options.overrides
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Trials in all, over all machines and earlier starts.  [default: the config's]",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Trials at once on this machine, each in a process with one thread.",
)
@storage_option
@click.option("--study", help="Name of the study and of its folder of runs.  [default: config]")
@click.option(
    "--timeout",
    type=_Duration(),
    metavar="TIME",
    help="Stop after this time: seconds, or e.g. 90s, 5m, 2h. The same command continues.",
)
@options.runs_dir
@options.data_dir
@options.output_format("text", "json")
@options.debug_and_quiet
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
    """Search hyperparameters by training many times.

    The values of a trial depend on the results of earlier ones. The config is a normal one in
    which any value may be a range or a list of choices. Every trial is a run directory. At the
    end the best config is in best.yaml beside them, and the path of the best run is the only
    line on stdout. Several machines that are given the same --storage share the work. Ctrl-C
    stops the search; the same command continues it.

    \b
    Examples:
      dlcli sweep --config sweep --jobs 2
      dlcli sweep -c mnist --set 'learning_rate={low: 0.01, high: 1}' --trials 30
      dlcli sweep -c my.yaml --storage postgresql://user@server/sweeps
      dlcli sweep report --output report.html
    """
    options.refuse_before_subcommand(context)
    if context.invoked_subcommand is not None:
        return

    from dlcli.runs import directory
    from dlcli.sweep import plan as plans

    plan = plans.load(sources, overrides, trials)
    name = options.config_stem(sources) if study is None else study
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ConfigError(f"--study {name!r}: use letters, digits, '.', '_' and '-'")

    with needs("sweep"):
        from dlcli.sweep import storage as storages
    location = storages.StudyLocation(storages.address(storage, runs_dir), name, runs_dir, data_dir)
    directory.refuse_as_study(location.folder)
    storages.refuse_own_file(location)
    directory.make_runs_dir(runs_dir)
    _search(plan, location, jobs, timeout, output_format)


def _search(
    plan: "Plan", location: "StudyLocation", jobs: int, timeout: float | None, output_format: str
) -> None:
    """Work on a study, then print its best trial."""
    from dlcli.sweep import samplers, storage
    from dlcli.sweep.fixed_keys import problem_of
    from dlcli.sweep.processes import StopFlag, run_workers
    from dlcli.sweep.results import REASON, Progress

    samplers.check_sampler(plan)
    checksums: dict[str, str] = {}
    problems: list[DlcliError | None] = []
    for name, source in plan.datasets.items():
        dataset = load_dataset(source, location.data_dir, plan.preparation)
        problems += (problem_of(plan, dataset.for_training(each)) for each in plan.classes)
        checksums[name] = dataset.checksum
    if problems[0] is not None and all(problems):  # of each dataset with each choice of classes
        raise problems[0]
    stop = StopFlag(timeout)
    with stop.installed():
        study, first_worker = storage.create_study(plan, location, jobs, checksums)
        progress = Progress(plan, study.get_trials(deepcopy=False))
        _announce(progress, location)
        if not progress.is_done:
            workers = range(first_worker, first_worker + jobs)
            updates = run_workers(plan, location, study, workers, stop, warn)
            progress = _show(progress, updates)
        config = _write_best(progress, location)
    stop.raise_signal()
    if progress.best is None or config is None:
        reasons = [trial.user_attrs.get(REASON) for trial in progress.finished]
        why = [f"; the last one: {reason}" for reason in reasons if reason][-1:]
        raise DlcliError("".join(["no trial was completed", *why]))
    _print_best(progress, progress.best, location, config, output_format)


def _show(progress: "Progress", updates: "Generator[Progress]") -> "Progress":
    """Show each trial as it ends; return the progress at the end."""
    with closing(TrialProgress(progress)) as display, closing(updates):
        for update in updates:
            progress = update
            display.show(progress)
    if not progress.is_done:
        say_stopped(
            f"Stopped after {progress.done} of {counted(progress.plan.trials, 'trial')}; "
            "run the same command to continue"
        )
    return progress


def _announce(progress: "Progress", location: "StudyLocation") -> None:
    from dlcli.sweep.storage import shown

    plan = progress.plan
    message_of(
        f"study {location.study} in {shown(location.url)}: ",
        f"searches {', '.join(plan.space)}; ",
        f"sampler {plan.search.sampler}, pruner {plan.search.pruner}, ",
        counted(plan.trials, "trial"),
    )
    if progress.is_done:
        least = progress.trials_to_continue
        advice = (
            f"to continue it, use --trials {least} or more"
            if least
            else "every point of its grid is done"
        )
        message(f"The study is done already; {advice}")
    elif progress.done:
        message(f"Continues after {progress.done} of {counted(progress.plan.trials, 'trial')}")


def _write_best(progress: "Progress", location: "StudyLocation") -> Path | None:
    """Write the best trial's config, for ``dlcli train --config``."""
    from dlcli.config.schema import to_yaml
    from dlcli.files import atomic_write

    best = progress.best
    if best is None:
        return None
    location.folder.mkdir(parents=True, exist_ok=True)
    path = location.folder / "best.yaml"
    text = to_yaml(progress.plan.config(best.params))
    with atomic_write(path) as file:
        file.write(
            f"# Trial {best.number} of study {location.study}: validation accuracy "
            f"{percent(best.value)}\n{text}".encode()
        )
    return path


def _print_best(
    progress: "Progress",
    best: "FrozenTrial",
    location: "StudyLocation",
    config: Path,
    output_format: str,
) -> None:
    from dlcli.runs import directory
    from dlcli.sweep.results import counts_of, ran_here, row_of
    from dlcli.sweep.storage import shown

    row, counts = row_of(best), counts_of(progress.trials)
    run = Path(row["run"])
    moved = location.folder / run.name  # as where the search began in another folder
    if not directory.is_run(run) and directory.is_run(moved):
        run = moved
    row["run"] = str(run)
    epochs = sum(len(trial.intermediate_values) for trial in progress.trials)
    message_of(f"Trials: {shown_counts(counts)}; ", f"{counted(epochs, 'epoch')} in all")
    score = f"trial {best.number}, validation accuracy {percent(best.value)}"
    message_of(f"Best: {score}, ", shown_params(best))
    again = f"dlcli train --config {quoted(config)}"
    message(f"Its config: {again}")
    if ran_here(best) and not directory.is_run(run):
        warn(f"{row['run']}: the best run is no longer there; train it again with: {again}")
    if output_format == "text":
        echo(row["run"])
        return
    keys = ("run", "worker", "trial", "validation_accuracy", "validation_loss", "params")
    print_json(
        {
            "study": location.study,
            "storage": shown(location.url),
            **{key: row[key] for key in keys},
            "best_config": str(config),
            "trials": counts | {"wanted": progress.plan.trials},
            "epochs": epochs,
            "sampler": progress.plan.search.sampler,
            "pruner": progress.plan.search.pruner,
        }
    )


command.add_command(report)
