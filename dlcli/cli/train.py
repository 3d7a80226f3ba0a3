"""``dlcli train``."""

import sys
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
    limit_threads,
    runs_dir_option,
    set_option,
    threads_option,
)
from dlcli.cli.output import (
    download_progress,
    message,
    print_json,
    shows_bars,
    sparkline,
    warn,
)
from dlcli.errors import ConfigError, DivergenceError, Terminated
from dlcli.evaluation.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqdm import tqdm

    from dlcli.config.schema import Config
    from dlcli.data.datasets import Dataset, Examples
    from dlcli.runs.resume import SavedRun
    from dlcli.runs.run import Run
    from dlcli.runs.summary import Summary
    from dlcli.tensorboard.event_log import EventLog
    from dlcli.training.epoch_metrics import EpochRecord
    from dlcli.training.loop import Progress
    from dlcli.training.state import TrainingState


@click.command("train")
@config_option
@set_option
@click.option(
    "--resume",
    "resumed",
    type=click.Path(readable=False, path_type=Path),
    metavar="RUN",
    help="Go on with a run that was stopped; only epochs may be changed (--set epochs=50).",
)
@runs_dir_option
@click.option("--name", help="Name of the run directory.  [default: time and config]")
@data_dir_option
@threads_option
@click.option(
    "--tensorboard/--no-tensorboard",
    default=None,
    help="Write event files for TensorBoard into the run directory (needs the extra "
    '"tensorboard").  [default: only on --resume of a run that has some]',
)
@format_option("text", "json")
@debug_and_quiet
def command(
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    resumed: Path | None,
    runs_dir: Path,
    name: str | None,
    data_dir: Path,
    threads: int | None,
    tensorboard: bool | None,  # noqa: FBT001 - click passes options by name
    output_format: str,
) -> None:
    """Train a network and write a run directory.

    Prints the directory's path, the only line on stdout (or, with --format json, a summary).
    It holds the config, a metrics log and the checkpoints best.npz and last.npz. The test
    images are never looked at. Ctrl-C stops; --resume goes on where the last whole epoch ended.

    \b
    Examples:
      dlcli train --config quickstart
      dlcli train -c configs/mnist.yaml --set epochs=20 --set hidden_layers=[256,128]
      run=$(dlcli train -c mnist -q) && dlcli eval "$run"
      dlcli train --resume runs/latest --set epochs=40
      dlcli train -c mnist --tensorboard; tensorboard --logdir runs
    """
    if resumed is not None:
        _refuse_beside_resume("name", "runs_dir")
    config, earlier = _plan(sources, overrides, resumed)

    from dlcli.config.validation import warnings
    from dlcli.data import datasets
    from dlcli.data.splits import split_validation
    from dlcli.runs import directory, layout, metrics_log
    from dlcli.training.state import why_finished

    if name is not None:
        directory.check_name(name)
    if tensorboard is None:
        tensorboard = earlier is not None and any(earlier.path.glob(layout.EVENTS))
    event_log = _event_log() if tensorboard else None
    for text in warnings(config):
        warn(text)
    with download_progress() as progress:
        dataset = datasets.load(config.dataset, data_dir, progress)
    train, validation = split_validation(dataset.train, config.validation_size, config.seed)
    if earlier is not None and threads is None:
        threads = earlier.threads
    with limit_threads(threads) as used_threads:
        if earlier is not None:
            run, state = _go_on(earlier, config, dataset, used_threads)
        else:
            path = directory.create(runs_dir, name, config_stem(sources))
            run, state = _begin(path, config, dataset, used_threads)
        _announce(run, train, validation, state)
        finished = why_finished(config, state)
        if finished is not None:
            advice = "; to go on with it: --set epochs=N" if finished == "epochs" else ""
            message(f"The run was finished already, by {finished}{advice}")
        log = None
        if event_log is not None:
            log = event_log(run.path, metrics_log.read(run.path))
            click.get_current_context().call_on_close(log.close)
        _train(run, train, validation, state, log)
        summary = run.finish(state)
    _conclude(summary, metrics_log.read(run.path))
    if output_format == "json":
        print_json(summary.to_builtins())
    else:
        click.echo(run.path)


def _refuse_beside_resume(*parameters: str) -> None:
    """Refuse options that say where a new run is to be made."""
    context = click.get_current_context()
    for parameter in parameters:
        if context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE:
            option = parameter.replace("_", "-")
            raise click.UsageError(f"--{option} and --resume exclude each other")


def _plan(
    sources: tuple[str, ...], overrides: tuple[str, ...], resumed: Path | None
) -> "tuple[Config, SavedRun | None]":
    """The config to train by, and the run to go on with, if there is one."""
    from dlcli.config import files as config_files

    if resumed is None:  # NumPy is not imported here, so that a wrong config is told at once
        return config_files.load(sources, overrides), None

    from dlcli.runs import directory, resume
    from dlcli.runs import run as runs

    path = directory.find(resumed)
    click.get_current_context().with_resource(directory.locked(path))
    earlier = resume.read(path)
    config = _changed_config(earlier.config, sources, overrides, earlier.state.epoch)
    diverged = runs.why_diverged(path)
    if diverged is not None and config == earlier.config:
        raise DivergenceError(
            f"{path}: {diverged}. To go on would end there again; {_instead(path, config)}"
        )
    return config, earlier


def _instead(path: Path, config: "Config") -> str:
    """What to do with a run that diverged."""
    rate = config.learning_rate / 10
    return f"train anew: dlcli train --config {path / 'config.yaml'} --set learning_rate={rate:g}"


def _begin(
    path: Path, config: "Config", dataset: "Dataset", threads: int
) -> "tuple[Run, TrainingState]":
    """Start a run in a new directory."""
    from dlcli.runs import directory
    from dlcli.runs import run as runs
    from dlcli.training.state import initial_state

    click.get_current_context().with_resource(directory.locked(path))
    run, state = runs.Run(path, config, dataset, threads), initial_state(config)
    run.start(state)
    return run, state


def _go_on(
    earlier: "SavedRun", config: "Config", dataset: "Dataset", threads: int
) -> "tuple[Run, TrainingState]":
    """Take up a run where its last whole epoch ended."""
    from dlcli.runs import run as runs

    if earlier.dataset_checksum != dataset.checksum:
        raise ConfigError(f"{earlier.path}: was trained on other data than {dataset.name} is now")
    _warn_of_other_weights(earlier, config, threads)
    run = runs.Run(earlier.path, config, dataset, threads)
    run.resume(earlier.state)
    return run, earlier.state


def _changed_config(
    old: "Config", sources: tuple[str, ...], overrides: tuple[str, ...], done: int
) -> "Config":
    """The config to go on with: the run's own, with only ``epochs`` changed."""
    from dlcli.config import files as config_files
    from dlcli.config import schema as configs

    new = config_files.load(sources, overrides, None if sources else old)
    changes = configs.differences(old, new)
    changes.pop("epochs", None)
    if changes:
        shown = ", ".join(f"{key} ({was} -> {now})" for key, (was, now) in changes.items())
        raise ConfigError(f"--resume: only epochs may be changed, not {shown}")
    if new.epochs < done:
        raise ConfigError(f"--resume: the run has done {done} epochs, more than {new.epochs}")
    return new


def _warn_of_other_weights(earlier: "SavedRun", config: "Config", threads: int) -> None:
    """Say so where the resumed run will not end as one that was never stopped."""
    from dlcli.nn.schedules import SCHEDULES

    if threads != earlier.threads:
        warn(
            f"the run was begun with {earlier.threads} threads; with {threads} the weights "
            "will differ in their last bits"
        )
    depends_on_epochs = SCHEDULES[config.schedule].depends_on_epochs
    if config.epochs != earlier.config.epochs and depends_on_epochs:
        warn(
            f"schedule {config.schedule} ends with the last epoch: with other epochs the "
            "learning rate goes on along another curve than the one so far"
        )


def _event_log() -> "type[EventLog]":
    """What writes event files; a library that it lacks is told before there is a run."""
    from dlcli.cli.requirements import needs

    with needs("tensorboard"):
        from dlcli.tensorboard.event_log import EventLog
    return EventLog


def _announce(
    run: "Run", train: "Examples", validation: "Examples", state: "TrainingState"
) -> None:
    layers = "-".join(str(size) for size in run.config.layer_sizes)
    message(
        f"{layers}, {state.network.parameters.size:,} parameters; "
        f"{run.config.dataset}: {len(train):,} images to learn from, "
        f"{len(validation):,} to validate; {run.threads} thread{'s' if run.threads > 1 else ''}"
    )


def _train(
    run: "Run",
    train: "Examples",
    validation: "Examples",
    state: "TrainingState",
    log: "EventLog | None",
) -> None:
    """Train to the end, storing and showing each epoch."""
    saved = begun_with = state.epoch
    if begun_with:  # a crash may have come between the first epoch and the link
        _try_to_link_latest(run.path)
    bar = _Bar(len(train), run.config.epochs) if shows_bars() else None
    on_block = bar.update if bar is not None else None
    try:
        for record in run.train(
            train, validation, state, on_block, log.write if log is not None else None
        ):
            saved = record.epoch
            if saved == 1:
                _try_to_link_latest(run.path)
            if bar is not None:
                bar.close()
            message(_epoch_line(record, run.config.epochs))
    except DivergenceError:
        if bar is not None:
            bar.close()
        kept = f"Epoch {saved} is saved" if saved else "No epoch was done"
        message(f"{kept}; {_instead(run.path, run.config)}")
        raise
    except (KeyboardInterrupt, Terminated):
        if bar is not None:
            bar.close()
        message(
            f"Stopped{f'; epoch {saved} is saved' if saved else ' in the first epoch'}. "
            f"Go on with: dlcli train --resume {run.path}"
        )
        raise


def _try_to_link_latest(path: Path) -> None:
    """Point runs/latest to the run; a link that cannot be made costs no run."""
    from dlcli.runs.directory import point_latest_to

    try:
        point_latest_to(path)
    except OSError as error:
        warn(f"{path.parent / 'latest'}: cannot be made a link to the run: {error.strerror}")


class _Bar:
    """A progress bar an epoch, on a terminal."""

    def __init__(self, images: int, epochs: int) -> None:
        self._images = images
        self._epochs = epochs
        self._bar: tqdm[Any] | None = None

    def update(self, progress: "Progress") -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=self._images,
                desc=f"epoch {progress.epoch}/{self._epochs}",
                unit=" images",
                unit_scale=True,
                leave=False,
                file=sys.stderr,
            )
        self._bar.set_postfix_str(
            f"loss {progress.loss:.4f}, accuracy {percent(progress.accuracy)}", refresh=False
        )
        self._bar.update(progress.images)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _epoch_line(record: "EpochRecord", epochs: int) -> str:
    parts = [
        f"epoch {record.epoch:{len(str(epochs))}}/{epochs}",
        f"loss {record.train_loss:.4f}",
        f"accuracy {percent(record.train_accuracy)}",
    ]
    if record.validation_loss is not None:
        parts.append(
            f"validation: loss {record.validation_loss:.4f}, "
            f"accuracy {percent(record.validation_accuracy)}"
        )
    parts.append(f"{record.seconds:.1f} s ({record.samples_per_second:,.0f} images/s)")
    return "  ".join(parts)


def _conclude(summary: "Summary", records: "Sequence[EpochRecord]") -> None:
    """Say why training ended, how it went, what was kept, and whether it overfitted at last."""
    accuracy = summary.validation_accuracy
    if accuracy is not None and accuracy < 0.2:
        warn(
            f"the network learned next to nothing (validation accuracy {percent(accuracy)}; "
            "guessing gives 10 %); a lower learning_rate is the first thing to try"
        )
    reasons = {
        "early_stopping": "Stopped early: the validation accuracy no longer improved.",
        "min_gradient_norm": "Stopped: the slope is flat.",
    }
    if summary.stopped_by in reasons:
        message(reasons[summary.stopped_by])
    if summary.overfitting_since is not None:
        message(
            f"Overfitting since epoch {summary.overfitting_since}: the validation loss rose "
            "while the training loss fell."
        )
    losses = [r.validation_loss for r in records if r.validation_loss is not None]
    if len(losses) > 1:
        message(f"Validation loss: {losses[0]:.4f} {sparkline(losses)} {losses[-1]:.4f}")
    kept = f"Kept epoch {summary.best_epoch} of {summary.epochs}: "
    if accuracy is None:
        message(f"{kept}the last, for there are no validation images")
    else:
        message(f"{kept}validation accuracy {percent(accuracy)}")
