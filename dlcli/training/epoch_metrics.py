"""Mean loss and accuracy of an epoch while it goes on."""

import math

import numpy as np

from dlcli.config.schema import Config
from dlcli.nn.losses import LOSSES
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Labels
from dlcli.training import divergence


class RunningScores:
    """Mean loss and accuracy over the images of an epoch so far; notices the first infinite loss.

    They are summed up a block of batches at a time: the same few ufunc calls for one batch
    after the other would take 5 % of the epoch of a small network.
    """

    def __init__(
        self, config: Config, network: Network, epoch: int, batch_size: int, block_steps: int
    ) -> None:
        """Prepare for epoch ``epoch`` (from 1), in blocks of up to ``block_steps`` batches."""
        self._config, self._epoch, self._batch_size = config, epoch, batch_size
        rows = batch_size * block_steps
        # A class after the other in memory, as in the network's buffers: three times as fast.
        self.logits = np.empty((network.layer_sizes[-1], rows), network.parameters.dtype).T
        self._loss, self._output_activation = LOSSES[config.loss], config.output_activation
        self._images = self._correct = 0
        self._total_loss = 0.0

    def add(self, targets: Array, labels: Labels) -> None:
        """Count the images whose logits fill the beginning of ``logits``.

        Raises
        ------
        DivergenceError
            The loss of one of them is no finite number.
        """
        logits = self.logits[: len(labels)]
        values = self._loss.value(self._output_activation, logits, targets)
        total = float(values.sum(dtype=np.float64))
        if not math.isfinite(total):
            row = int(np.argmin(np.isfinite(values)))
            step = (self._images + row) // self._batch_size + 1
            raise divergence.error(self._config, self._epoch, step, f"its loss is {values[row]:g}")
        self._total_loss += total
        self._correct += int(np.count_nonzero(logits.argmax(axis=1) == labels))
        self._images += len(labels)

    @property
    def loss(self) -> float:
        """The mean loss."""
        return self._total_loss / self._images

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self._correct / self._images
