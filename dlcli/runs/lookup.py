"""Find the model that a name stands for, and make it ready for use."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlcli.errors import CheckpointError
from dlcli.files import DEFAULT_RUNS_DIR
from dlcli.runs import checkpoint
from dlcli.runs.checkpoint import Model
from dlcli.runs.directory import BEST, LAST, LATEST, follow_link

PRETRAINED = "pretrained"
"""The name of the model that comes with the package."""

_PRETRAINED_FILE = Path(__file__).parent / PRETRAINED / "mnist.npz"


def load_named(name: str | None) -> Model:
    """Load a model, ready for inference, by the name of a run directory or an ``.npz`` file.

    The name "pretrained" stands for the model that comes with the package, and None for
    ``$DLCLI_MODEL``, else ``runs/latest``, else the pretrained model.

    Raises
    ------
    CheckpointError
        There is none, or it cannot be used.
    """
    if name is not None and not name:
        raise CheckpointError("the model's name is empty")  # as in: dlcli eval "$unset"
    named = name or os.environ.get("DLCLI_MODEL")
    path = Path(named) if named else DEFAULT_RUNS_DIR / LATEST
    if named == PRETRAINED or not (named or _exists(path)):
        return replace(checkpoint.load(_PRETRAINED_FILE), path=Path(PRETRAINED))
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises without permission to look
        return _for_use(_load_run(follow_link(path)))
    if not named:
        raise CheckpointError(
            f"{path}: the run that it links to is gone; name a model, or train one (dlcli train)"
        )
    try:
        return _for_use(checkpoint.load(path))
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise CheckpointError(f"{path}: no such run directory or checkpoint") from error
        raise


def _load_run(run: Path) -> Model:
    """The best model of a run directory."""
    try:
        return checkpoint.load(run / BEST)
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError) and _exists(run / LAST):
            raise CheckpointError(
                f"{run}: no epoch is done yet; resume with: dlcli train --resume {run}"
            ) from error
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


def _for_use(model: Model) -> Model:
    """The running mean, if there is one, with batch normalisation fused into the weights."""
    network = model.network if model.average is None else model.average
    with np.errstate(over="ignore", invalid="ignore"):  # infer() reports it
        return replace(model, network=network.fuse_batch_norm(), average=None)
