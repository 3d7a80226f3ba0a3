"""``film.npz``: the first layer's weights and the confusion matrix after some epochs of a run.

Up to 20 epochs are kept, whatever their number: 0 (the random start), the powers of two, every
multiple of a step that doubles as the run grows, and the last one. Which these are follows from
their number alone, so a resumed run has the film of one that was never stopped.
"""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli.errors import CheckpointError
from dlcli.files import atomic_write
from dlcli.nn.dimensions import IMAGE_SIZE
from dlcli.nn.types import Counts
from dlcli.runs import npz
from dlcli.runs.directory import FILM
from dlcli.training.state import TrainingState

MAX_FRAMES = 20
# Neurons whose weights are shown, 25 KB an epoch; and classes up to which counts are kept.
MAX_NEURONS, MAX_CLASSES = 16, 30
_MAX_BYTES = {
    "epochs": 4 * MAX_FRAMES,
    "weights": 2 * MAX_FRAMES * MAX_NEURONS * IMAGE_SIZE,
    "confusion": 4 * MAX_FRAMES * MAX_CLASSES * MAX_CLASSES,
}
_HEADER_BYTES = 1_000
_DTYPES = {"epochs": np.int32, "weights": np.float16, "confusion": np.int32}

Weights = npt.NDArray[np.float16]


class DamagedFilmError(CheckpointError):
    """The file is no film, or a damaged one."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A network after an epoch.

    Attributes
    ----------
    weights
        Those into the first neurons of the first layer, shape (neurons, 784).
    confusion
        How often the validation images of each class (row) were taken for each class (column);
        None without validation images, for more than 30 classes, and for epoch 0.
    """

    epoch: int
    weights: Weights
    confusion: Counts | None


def kept_epochs(latest: int) -> set[int]:
    """The epochs of a film when ``latest`` is over; at most ``MAX_FRAMES``."""
    powers = {1 << exponent for exponent in range(latest.bit_length())}
    step = 1
    while len(kept := powers | {*range(0, latest + 1, step), latest}) > MAX_FRAMES:
        step *= 2
    return kept


def is_kept(epoch: int) -> bool:
    """Whether an epoch stays in the film for a while, and not only if the run ends with it."""
    return epoch in kept_epochs(epoch + 1)


def frame(state: TrainingState) -> Frame:
    """The network that is evaluated after the latest epoch."""
    weights = state.evaluated_network.fuse_batch_norm().weights[0][:, :MAX_NEURONS].T
    limit = np.finfo(np.float16).max
    confusion = state.confusion
    if confusion is not None and len(confusion) > MAX_CLASSES:
        confusion = None
    return Frame(state.epoch, np.clip(weights, -limit, limit).astype(np.float16), confusion)


def begin(run: Path, first: Frame) -> None:
    """Begin the film of a run, in place of one of a run that stopped before it saved anything."""
    _write(run, [first])


def add(run: Path, latest: Frame) -> None:
    """Add an epoch to the film of a run, in place of those that are not kept any longer."""
    kept = kept_epochs(latest.epoch)
    earlier = [old for old in read(run) if old.epoch < latest.epoch and old.epoch in kept]
    _write(run, [*earlier, latest])


def cut(run: Path, latest: int) -> None:
    """Remove the epochs after ``latest`` from the film of a run; a damaged film is removed."""
    try:
        frames = read(run)
    except DamagedFilmError:  # told by ``Resumption.warnings``; the run does not depend on it
        (run / FILM).unlink()
        return
    kept = [frame for frame in frames if frame.epoch <= latest]
    if len(kept) < len(frames):
        _write(run, kept)


def ends_with(run: Path, epoch: int) -> bool:
    """Whether the film of a run has this epoch as its last one."""
    frames = read(run)
    return bool(frames) and frames[-1].epoch == epoch


def _write(run: Path, found: Sequence[Frame]) -> None:
    """Replace the film, without flushing it to the disk: unlike a checkpoint, it can be missed."""
    classes = max((0 if f.confusion is None else len(f.confusion) for f in found), default=0)
    none = np.full((classes, classes), -1)
    arrays = {
        "epochs": [f.epoch for f in found],
        "weights": [f.weights for f in found],
        "confusion": [none if f.confusion is None else f.confusion for f in found],
    }
    with atomic_write(run / FILM, durable=False) as file:
        typed: dict[str, Any] = {
            name: np.array(array, _DTYPES[name]) for name, array in arrays.items()
        }
        np.savez(file, **typed)


def read(run: Path) -> list[Frame]:
    """The frames of a run's film, oldest first; none if it has no film.

    Raises
    ------
    DamagedFilmError
        The file holds no film.
    CheckpointError
        It cannot be read at the moment.
    """
    path = run / FILM
    try:
        with npz.opened(path) as archive:
            arrays = [_read(archive, name) for name in _DTYPES]
            return _frames(*arrays)
    except FileNotFoundError:
        return []
    except CheckpointError as error:
        raise DamagedFilmError(f"{path}: {error}; remove it to do without the film") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    try:
        member = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise CheckpointError(f"{name}: missing") from error
    if member.file_size > _MAX_BYTES[name] + _HEADER_BYTES:
        raise CheckpointError(f"{name}: larger than any film has")
    content, dtype, shape = npz.read_member(archive, member, name)
    if dtype != _DTYPES[name] or len(content) != dtype.itemsize * math.prod(shape):
        raise CheckpointError(f"{name}: not as dlcli writes it")
    return np.frombuffer(content, dtype).reshape(shape)


def _frames(
    epochs: npt.NDArray[Any], weights: npt.NDArray[Any], confusion: npt.NDArray[Any]
) -> list[Frame]:
    count = len(epochs) if epochs.ndim == 1 else -1
    are_squares = confusion.ndim == 3 and confusion.shape[1] == confusion.shape[2]
    are_images = weights.ndim == 3 and weights.shape[2] == IMAGE_SIZE
    if not are_images or not are_squares or not count == len(weights) == len(confusion):
        raise CheckpointError("its arrays do not fit together")
    if not np.isfinite(weights).all() or (np.diff(epochs) <= 0).any():
        raise CheckpointError("holds epochs out of order, or values that are not finite")
    return [
        Frame(epoch, weight, matrix if matrix.size and matrix.min() >= 0 else None)
        for epoch, weight, matrix in zip(epochs.tolist(), weights, confusion, strict=True)
    ]
