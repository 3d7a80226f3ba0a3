"""``dlcli train``."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from dlcli.cli import options
from dlcli.cli.completion import complete_model, complete_run
from dlcli.cli.help import Command
from dlcli.cli.loading import (
    limit_threads,
    load_config,
    load_dataset,
    load_dataset_of_config,
    needs,
)
from dlcli.cli.output import echo, message, print_json, say_stopped, shows_bars, warn
from dlcli.cli.train_progress import EpochProgress, show_end, show_initial, show_start
from dlcli.errors import DivergenceError, Terminated
from dlcli.files import quoted

if TYPE_CHECKING:
    from dlcli.config.schema import Config
    from dlcli.data.examples import Dataset, Examples
    from dlcli.runs.resume import Resumption
    from dlcli.runs.run import Run
    from dlcli.runs.summary import Summary
    from dlcli.tensorboard.event_log import EventLog
    from dlcli.training.state import TrainingState


@click.command("train", cls=Command)
@options.config
@options.overrides
@click.option(
    "--resume",
    "resumed",
    type=options.PathType(readable=False, path_type=Path),
    shell_complete=complete_run,
    metavar="RUN",
    help="Resume a run that was stopped; only when training ends may be changed: epochs, "
    "early_stopping and min_gradient_norm (--set epochs=50).",
)
@click.option(
    "--init",
    metavar="MODEL",
    type=options.PathType(readable=False),
    shell_complete=complete_model,
    help="Start from the weights of a trained model: a run, an .npz file or pretrained. The "
    "network is that of the model; its last layer starts anew where the classes differ.",
)
@click.option(
    "--find-learning-rate",
    is_flag=True,
    help="Train for a moment with a rising learning rate and print a good one; no run is written.",
)
@click.option(
    "--plot",
    type=options.PathType(readable=False, path_type=Path),
    metavar="FILE",
    help="With --find-learning-rate: draw the loss as .png, .svg or .pdf (needs the extra "
    '"report").  [default: in text on stderr]',
)
@options.runs_dir
@click.option("--name", help="Name of the run directory.  [default: time and config]")
@options.data_dir
@options.threads
@click.option(
    "--tensorboard/--no-tensorboard",
    default=None,
    help="Write event files for TensorBoard into the run directory (needs the extra "
    '"tensorboard").  [default: only on --resume of a run that has some]',
)
@options.output_format("text", "json")
@options.debug_and_quiet
def command(
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    resumed: Path | None,
    init: str | None,
    find_learning_rate: bool,
    plot: Path | None,
    runs_dir: Path,
    name: str | None,
    data_dir: Path,
    threads: int | None,
    tensorboard: bool | None,
    output_format: str,
) -> None:
    """Train a network and write a run directory.

    Prints the directory's path, the only line on stdout (or, with --format json, a summary).
    It holds the config, a metrics log and the checkpoints best.npz and last.npz. The test
    images are never used. Ctrl-C stops; --resume continues after the last complete epoch.

    \b
    Examples:
      dlcli train --config quickstart
      dlcli train -c mnist --set epochs=20 --set 'hidden_layers=[256,128]'
      run=$(dlcli train -c mnist -q) && dlcli eval "$run"
      dlcli train --resume runs/latest --set epochs=40
      dlcli train -c finetune --init pretrained --set 'dataset=[mnist, ./mine]'
      dlcli train -c mnist --tensorboard; tensorboard --logdir runs
      dlcli train -c quickstart --find-learning-rate --plot rates.png
    """
    _refuse_contradictions(find_learning_rate=find_learning_rate)
    if find_learning_rate:
        from dlcli.cli import learning_rate

        config = load_config(sources, overrides, init)
        learning_rate.find(config, data_dir, threads, plot, output_format)
        return
    resumption = None
    if resumed is None:
        config = load_config(sources, overrides, init)
    else:
        from dlcli.runs.summary import Summary

        opened = _open_run(resumed, sources, overrides)
        if isinstance(opened, Summary):
            _show_finished(opened, tensorboard=bool(tensorboard))
            _print_result(opened, output_format)
            return
        resumption, config = opened, opened.config

    from dlcli.config.validation import warnings
    from dlcli.runs import directory, initial_model, metrics_log
    from dlcli.runs.run import Run
    from dlcli.training import diagnosis

    if name is not None:
        directory.check_name(name)
    event_log = _import_event_log() if _writes_events(tensorboard, resumption) else None
    for text in warnings(config):
        warn(text)
    initial = initial_model.load(config) if resumption is None else None
    dataset, train, validation = _load_examples(config, resumption, data_dir)
    threads, first = _recorded_threads(threads, resumption)
    with limit_threads(threads, first) as used_threads:
        if resumption is None:
            state = initial_model.start_state(config, dataset.class_names, initial)
            path = directory.create(runs_dir, name, options.config_stem(sources))
            run = _start(Run(path, config, dataset, used_threads), state)
        else:
            for text in resumption.warnings(used_threads.count):
                warn(text)
            run, state = resumption.start(dataset, used_threads), resumption.saved.state
        _warn_if(directory.lock_warning(run.path))
        show_start(run, train, validation, state)
        show_initial(config, initial, dataset)
        log = event_log(run.path, metrics_log.read(run.path)) if event_log else None
        if log is not None:
            click.get_current_context().call_on_close(log.close)
        _train(run, train, validation, state, log)
        summary = run.finish(state)
    accuracy = summary.validation_accuracy
    cause = diagnosis.why_nothing_was_learned(run.config, state, train, accuracy)
    show_end(summary, metrics_log.read(run.path), cause)
    _print_result(summary, output_format)


def _recorded_threads(
    wanted: int | None, resumption: "Resumption | None"
) -> tuple[int | None, int | None]:
    """The threads that are pinned, and those to start with: of a resumed run, those it had."""
    source = click.get_current_context().get_parameter_source("threads")
    if resumption is None or source is not ParameterSource.DEFAULT:
        return wanted, None
    saved = resumption.saved
    if not saved.threads_auto:
        return saved.threads, None
    return None, saved.threads if saved.state.epoch else None


def _refuse_contradictions(*, find_learning_rate: bool) -> None:
    """Refuse options that have no meaning together."""
    context = click.get_current_context()
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if "resumed" in given:  # these are for new runs
        excluded, by = ["name", "runs_dir", "init", "find_learning_rate"], "--resume"
    elif find_learning_rate:
        excluded, by = ["name", "runs_dir", "tensorboard"], "--find-learning-rate"
    else:
        excluded, by = [], ""
    for name in excluded:
        if name in given:
            raise click.UsageError(f"--{name.replace('_', '-')} and {by} exclude each other")
    if "plot" in given and not find_learning_rate:
        raise click.UsageError("--plot is for --find-learning-rate")


def _print_result(summary: "Summary", output_format: str) -> None:
    if output_format == "json":
        print_json(summary.to_builtins())
    else:
        echo(summary.run)


def _open_run(
    path: Path, sources: tuple[str, ...], overrides: tuple[str, ...]
) -> "Resumption | Summary":
    """Find and lock the run to resume, until the command ends."""
    from dlcli.runs import directory, resume

    context = click.get_current_context()
    return context.with_resource(resume.opened(directory.find(path), sources, overrides))


def _show_finished(summary: "Summary", *, tensorboard: bool) -> None:
    """Say that there is nothing to resume; write event files if they are asked for."""
    from dlcli.runs import metrics_log
    from dlcli.runs.resume import LONGER

    advice = ""
    if summary.stopped_by in LONGER:
        advice = f"; to train longer, add --set {LONGER[summary.stopped_by]}"
    message(f"The run is already finished (stopped by {summary.stopped_by}){advice}")
    records = metrics_log.read(Path(summary.run))
    if tensorboard:
        _import_event_log()(Path(summary.run), records).close()
    show_end(summary, records)


def _load_examples(
    config: "Config", resumption: "Resumption | None", data_dir: Path
) -> "tuple[Dataset, Examples, Examples]":
    """Load the dataset, and divide it into what to train on and what to validate on."""
    from dlcli.training import class_weights
    from dlcli.training.builders import make_splits

    if resumption is not None:
        dataset = resumption.load_dataset(partial(load_dataset, data_dir=data_dir))
    else:
        dataset = load_dataset_of_config(config, data_dir)
    train, validation = make_splits(config, dataset.train)
    class_weights.of_config(config, train.labels, dataset.class_names)  # refuses unknown names
    return dataset, train, validation


def _writes_events(wanted: bool | None, resumption: "Resumption | None") -> bool:
    """Whether to write event files: where nothing is said, a resumed run continues its own."""
    from dlcli.runs.directory import EVENTS

    if wanted is not None:
        return wanted
    return resumption is not None and any(resumption.saved.path.glob(EVENTS))


def _import_event_log() -> "type[EventLog]":
    with needs("tensorboard"):
        from dlcli.tensorboard.event_log import EventLog
    return EventLog


def _start(run: "Run", state: "TrainingState") -> "Run":
    """Start a run in a new directory."""
    from dlcli.runs import directory

    click.get_current_context().with_resource(directory.locked(run.path))
    run.start(state)
    return run


def _train(
    run: "Run",
    train: "Examples",
    validation: "Examples",
    state: "TrainingState",
    log: "EventLog | None",
) -> None:
    """Train to the end, storing and showing each epoch."""
    from dlcli.runs.directory import LatestLink
    from dlcli.runs.resume import advice_after_divergence

    saved, latest = state.epoch, LatestLink(run.path)
    if saved:  # a crash may have come between the first epoch and the link
        _warn_if(latest.make())
    bar = EpochProgress(len(train), run.config.epochs, state.epoch)
    run.threads.on_change = bar.show_threads
    on_block = bar.update if shows_bars() else None
    on_epoch = log.write if log is not None else None
    try:
        with closing(run.train(train, validation, state, on_block, on_epoch)) as epochs:
            for record in epochs:
                saved = record.epoch
                _warn_if(latest.make())
                bar.show(record)
    except DivergenceError as error:
        bar.close()
        kept = f"Epoch {saved} is saved" if saved else "No epoch was completed"
        message(f"{kept}; {advice_after_divergence(run.path, run.config, error.setting)}")
        raise
    except (KeyboardInterrupt, Terminated):
        bar.close()
        say_stopped(
            f"Stopped{f'; epoch {saved} is saved' if saved else ' in the first epoch'}. "
            f"Resume with: dlcli train --resume {quoted(run.path)}"
        )
        raise


def _warn_if(warning: str | None) -> None:
    if warning is not None:
        warn(warning)
