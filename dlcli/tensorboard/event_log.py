"""Event files for TensorBoard: scores, histograms of weights, a picture of the first layer.

This process writes them itself, an epoch at a time. ``tensorboardX.SummaryWriter`` uses a thread,
in which a full disk would go unnoticed.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from dlcli.config.dimensions import IMAGE_SIDE
from dlcli.nn.network import Network
from dlcli.nn.types import Array
from dlcli.runs.directory import EVENTS
from dlcli.training.epoch_metrics import EpochRecord

_SCALARS = {
    "loss/train": "train_loss",
    "loss/validation": "validation_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/validation": "validation_accuracy",
    "training/learning_rate": "learning_rate",
    "training/gradient_norm": "gradient_norm",
    "training/samples_per_second": "samples_per_second",
}
_BINS = 100  # of a histogram
# The picture of the first layer: its neurons, those in a row, and the pixels between them.
_NEURONS, _COLUMNS, _GAP_PX = 64, 8, 2
# The colours reach their full strength at this quantile, so that outliers do not dim the rest.
_FULL_COLOUR_QUANTILE = 0.998


class EventLog:
    """The event files of a run directory; each epoch is a step."""

    def __init__(self, run: Path, earlier: Sequence[EpochRecord]) -> None:
        """Continue after the epochs ``earlier``.

        A run without event files gets the scores of these epochs in its first one.
        """
        self._run = run
        self._writer: EventsWriter | None = None
        if not any(run.glob(EVENTS)):
            for record in earlier:
                self._add(record.epoch, _scalars(record))
            self._flush()

    def write(self, record: EpochRecord, network: Network) -> None:
        """Add an epoch.

        Parameters
        ----------
        record
            Its scores.
        network
            The network that was evaluated.
        """
        try:
            self._write(record, network)
        except OSError as error:
            error.filename = error.filename or str(self._run)
            raise

    def close(self) -> None:
        """Close the event file, if there is one."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, record: EpochRecord, network: Network) -> None:
        self._add(record.epoch, _scalars(record))
        for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            for name, values in (("weight", weight), ("bias", bias)):
                tag = f"layers.{layer}/{name}"
                self._add(record.epoch, [summary.histogram(tag, values, bins=_BINS)])
        picture = first_layer(network.weights[0])
        self._add(record.epoch, [summary.image("first_layer", picture, dataformats="HWC")])
        self._flush()

    def _add(self, epoch: int, summaries: Sequence[Summary]) -> None:
        if self._writer is None:
            self._writer = self._open(epoch)
        for content in summaries:
            self._writer.write_event(Event(wall_time=time.time(), step=epoch, summary=content))

    def _open(self, epoch: int) -> EventsWriter:
        """A new file; it invalidates this epoch and later ones in older files."""
        # File names contain the time in seconds; a run may be resumed within the same second.
        writer = EventsWriter(str(self._run.resolve() / "events"), f".{epoch}")
        log = SessionLog(status=SessionLog.START)
        writer.write_event(Event(wall_time=time.time(), step=epoch, session_log=log))
        return writer

    def _flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()


def _scalars(record: EpochRecord) -> list[Summary]:
    values = {tag: getattr(record, name) for tag, name in _SCALARS.items()}
    return [summary.scalar(tag, value) for tag, value in values.items() if value is not None]


def first_layer(weight: Array) -> npt.NDArray[np.uint8]:
    """The weights of the first neurons as squares, red above 0 and blue below.

    Parameters
    ----------
    weight
        Shape (784, neurons).

    Returns
    -------
    ndarray
        Shape (rows, columns, 3).
    """
    shown = weight.T[:_NEURONS]
    limit = float(np.quantile(np.abs(shown), _FULL_COLOUR_QUANTILE)) or 1.0
    rows = math.ceil(len(shown) / _COLUMNS)
    tiles = np.zeros((rows * _COLUMNS, IMAGE_SIDE + _GAP_PX, IMAGE_SIDE + _GAP_PX))
    squares = shown.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    tiles[: len(shown), :IMAGE_SIDE, :IMAGE_SIDE] = np.clip(squares / limit, -1, 1)
    grid = tiles.reshape(rows, _COLUMNS, IMAGE_SIDE + _GAP_PX, IMAGE_SIDE + _GAP_PX)
    levels = grid.transpose(0, 2, 1, 3).reshape(rows * (IMAGE_SIDE + _GAP_PX), -1)
    red, blue = 1 + np.minimum(levels, 0), 1 - np.maximum(levels, 0)
    colours = np.stack([red, np.minimum(red, blue), blue], axis=2)
    picture: npt.NDArray[np.uint8] = np.rint(255 * colours).astype(np.uint8)
    return picture
