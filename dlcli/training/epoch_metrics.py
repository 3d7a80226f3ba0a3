"""The record of an epoch, and the running means that it is made from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcli.config.schema import Config
from dlcli.nn.losses import LOSSES
from dlcli.nn.types import Array, Labels
from dlcli.training import divergence
from dlcli.training.layer_metrics import LayerRecord


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did; a line of ``metrics.jsonl``.

    The training scores are means over the epoch's batches, taken while the weights changed,
    with dropout, distorted images and smoothed targets. ``gradient_norm`` is the mean over its
    batches, before clipping. ``layers`` has what was measured of each layer, the first one first;
    it is empty in logs of older versions. ``threads`` is the number of BLAS threads at the
    end of the epoch, None where it was not watched.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    gradient_norm: float
    seconds: float
    samples_per_second: float
    layers: tuple[LayerRecord, ...] = ()
    threads: int | None = None


class EpochMetrics:
    """Running means over the images of an epoch so far.

    Loss and accuracy are summed for a block of batches at a time: for every single batch, the
    calls of NumPy would take 2 to 5 % of the epoch of a small network.
    """

    def __init__(self, config: Config, epoch: int, batch_size: int) -> None:
        """Start epoch ``epoch``, counted from 1."""
        self._config, self._epoch, self._batch_size = config, epoch, batch_size
        self._loss = LOSSES[config.loss]
        self._images = self._correct = self._steps = 0
        self._total_loss = self._total_norm = 0.0

    def add(
        self, logits: Array, targets: Array, labels: Labels, weights: Array | None = None
    ) -> None:
        """Count the images of a block; raise ``DivergenceError`` if a loss is not finite.

        ``weights`` multiply the loss of each image.
        """
        values = self._loss.value(self._config.output_activation, logits, targets)
        if weights is not None:
            values *= weights
        total = float(values.sum(dtype=np.float64))
        if not math.isfinite(total):
            row = int(np.argmin(np.isfinite(values)))
            step = (self._images + row) // self._batch_size + 1
            raise divergence.error(self._epoch, step, f"its loss is {values[row]:g}")
        self._total_loss += total
        self._correct += int(np.count_nonzero(logits.argmax(axis=1) == labels))
        self._images += len(labels)

    def add_norm(self, gradient_norm: float) -> None:
        """Count the gradient of a batch."""
        self._total_norm += gradient_norm
        self._steps += 1

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self._total_loss / self._images

    @property
    def accuracy(self) -> float:
        """The fraction of correct predictions."""
        return self._correct / self._images

    @property
    def gradient_norm(self) -> float:
        """The mean norm of the batches' gradients, before clipping."""
        return self._total_norm / self._steps


def overfitting_since(records: Sequence[EpochRecord]) -> int | None:
    """The epoch after which the network overfitted, if it did.

    That is the epoch of the lowest validation loss, if at least two epochs followed it, the
    last validation loss is at least 1 % higher and the last training loss is lower.
    """
    validated = [
        (record, record.validation_loss) for record in records if record.validation_loss is not None
    ]
    if not validated:
        return None
    best, lowest_loss = min(validated, key=lambda pair: pair[1])
    last, last_loss = validated[-1]
    rose, fell = last_loss > 1.01 * lowest_loss, last.train_loss < best.train_loss
    return best.epoch if last.epoch - best.epoch >= 2 and rose and fell else None
