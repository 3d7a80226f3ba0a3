"""Find the model that a name stands for, and make it ready for use."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlcli.errors import CheckpointError, ConfigError
from dlcli.files import DEFAULT_RUNS_DIR, expand_home, quoted
from dlcli.runs import checkpoint
from dlcli.runs.checkpoint import Model
from dlcli.runs.directory import (
    BEST,
    CONFIG,
    LAST,
    LATEST,
    did_you_mean,
    follow_link,
    has_runs,
    why_diverged,
)

PRETRAINED = "pretrained"
"""The name of the model that comes with the package."""

_PRETRAINED_FILE = Path(__file__).parent / PRETRAINED / "mnist.npz"


@dataclass(frozen=True)
class DefaultModel:
    """The model that is meant where none is named, and why, if that must be said."""

    name: str
    note: str | None = None


def default_model(example: str, *, or_pretrained: bool = False) -> DefaultModel:
    """The model to use where none is named: ``$DLCLI_MODEL``, else ``runs/latest``.

    Where ``runs/latest`` is no link to a run (copying can make it a folder, or break it), the
    newest finished run is meant. The model that comes with the package is meant only
    ``or_pretrained``, and only where there are no runs.

    Raises
    ------
    ConfigError
        There is none; ``example`` is a command that names one.
    """
    named = os.environ.get("DLCLI_MODEL")
    latest = DEFAULT_RUNS_DIR / LATEST
    if named or (_is_link(latest) and _has_checkpoint(follow_link(latest))):
        return DefaultModel(named or str(latest))
    if has_runs(DEFAULT_RUNS_DIR):
        from dlcli.runs import listing  # imports what reads configs, as few predictions need

        newest = listing.newest_finished(DEFAULT_RUNS_DIR)
        if newest is not None:
            return DefaultModel(str(newest), f"the newest finished run; {latest} {_fault(latest)}")
        if _has_checkpoint(latest):
            return DefaultModel(str(latest), f"{latest} {_fault(latest)}, and no run is finished")
    elif or_pretrained:
        return DefaultModel(PRETRAINED, "no model is named, and there are no runs")
    raise ConfigError(
        f"no model is named, and there is no finished run in {DEFAULT_RUNS_DIR}; "
        f"name one, as in: {example}"
    )


def _has_checkpoint(run: Path) -> bool:
    return any(os.path.isfile(run / name) for name in (BEST, LAST))  # noqa: PTH113 - never raises


def _is_link(latest: Path) -> bool:
    return latest.is_symlink() or follow_link(latest) != latest


def _fault(latest: Path) -> str:
    """Why ``runs/latest`` does not say which run is meant."""
    if _is_link(latest):
        return "links to no run"
    if not latest.exists():
        return "is missing"
    return "is a folder, not a link" if latest.is_dir() else "is a file, not a link"


def load_named(name: str) -> Model:
    """Load a model as :func:`load_stored`, ready for inference.

    It is the running mean of the weights, if there is one, with batch normalisation fused.
    """
    model = load_stored(name)
    network = model.network if model.average is None else model.average
    with np.errstate(over="ignore", invalid="ignore"):  # infer() reports it
        return replace(model, network=network.fuse_batch_norm(), average=None)


def load_stored(name: str) -> Model:
    """Load a model as it was saved, by the name of a run directory or an ``.npz`` file.

    The name "pretrained" stands for the model that comes with the package; a file of this name
    is "./pretrained", and its model has the absolute path.

    Raises
    ------
    CheckpointError
        There is no such model, or it cannot be used.
    """
    if not name:
        raise CheckpointError("the model's name is empty")  # as in: dlcli eval "$unset"
    if name == PRETRAINED:
        return replace(checkpoint.load(_PRETRAINED_FILE), path=Path(PRETRAINED))
    path = Path(expand_home(name))
    run = follow_link(path)
    if os.path.isdir(run):  # noqa: PTH112 - Path.is_dir raises without permission to look
        return _load_run(run)
    if str(path) == PRETRAINED:
        path = path.absolute()
    try:
        return checkpoint.load(path)
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            hint = did_you_mean(path)
            raise CheckpointError(f"{path}: no such run directory or checkpoint{hint}") from error
        raise


def _load_run(run: Path) -> Model:
    """The best model of a run directory."""
    try:
        return checkpoint.load(run / BEST)
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError) and _exists(run / LAST):
            diverged = why_diverged(run)
            problem = f"no epoch is done yet; resume with: dlcli train --resume {quoted(run)}"
            if checkpoint.load(run / LAST).metadata.epoch:
                problem = f"{BEST} is missing; the latest epoch is in {quoted(run / LAST)}"
            if diverged is not None:
                setting = f" --set {diverged.setting}" if diverged.setting else ""
                again = f"dlcli train --config {quoted(run / CONFIG)}{setting}"
                problem = f"has no model: {diverged}; to train again: {again}"
            raise CheckpointError(f"{run}: {problem}") from error
        raise


def _exists(path: Path) -> bool:
    """Whether there is anything of this name, even a link to nothing."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    return True
