"""Event files for TensorBoard: scores, histograms of weights, a picture of the first layer.

This process writes them itself, an epoch at a time. ``tensorboardX.SummaryWriter`` uses a thread,
in which a full disk would go unnoticed.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from dlcli.files import annotate_errors
from dlcli.nn.dimensions import IMAGE_SIDE
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
# The picture of the first layer: its neurons, and the pixels between them.
_NEURONS, _GAP_PX = 64, 2
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
        """Add an epoch: its scores, and the weights of the network that was evaluated."""
        with annotate_errors(self._run):
            self._add(record.epoch, _scalars(record))
            layers = zip(network.weights, network.biases, strict=True)
            for number, (weight, bias) in enumerate(layers):
                for name, values in (("weight", weight), ("bias", bias)):
                    tag = f"layers.{number}/{name}"
                    self._add(record.epoch, [summary.histogram(tag, values, bins=_BINS)])
            self._add(record.epoch, [first_layer(network.weights[0])])
            self._flush()

    def close(self) -> None:
        """Close the event file, if there is one."""
        if self._writer is not None:
            self._writer.close()

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


def first_layer(weight: Array) -> Summary:
    """A picture of the weights, shape (784, neurons): red above 0 and blue below."""
    shown = weight.T[:_NEURONS].reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    limit = float(np.quantile(np.abs(shown), _FULL_COLOUR_QUANTILE)) or 1.0
    levels = np.pad(np.clip(shown / limit, -1, 1), ((0, 0), (0, _GAP_PX), (0, _GAP_PX)))
    red, blue = 1 + np.minimum(levels, 0), 1 - np.maximum(levels, 0)
    colours = np.stack([red, np.minimum(red, blue), blue], axis=1)
    picture: Summary = summary.image("first_layer", colours, dataformats="NCHW")
    return picture
