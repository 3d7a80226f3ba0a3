"""A running mean of the weights: steadier than the weights themselves, which every batch jerks.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; as
an exponential mean of a network's weights, Tarvainen and Valpola, "Mean teachers are better
role models", 2017.
"""

import numpy as np

from dlcli.nn.network import Network
from dlcli.nn.types import Array

# Steps between two updates: for every step they would take 5 % of a wide network's training.
_INTERVAL = 16
_BLOCK = 1 << 18


class WeightAveraging:
    """Makes one network the running mean of another's parameters and statistics."""

    def __init__(self, network: Network, average: Network, decay: float) -> None:
        """Prepare to change ``average`` in place.

        Parameters
        ----------
        network
            The network that is being trained.
        average
            One of the same shape; the initial weights, before the first step.
        decay
            What is left of the past after a step; less in the first steps, so that the
            initial weights are soon forgotten.
        """
        self._pairs = [
            (network.parameters, average.parameters),
            (network.statistics, average.statistics),
        ]
        self._decay = decay
        self._scratch = np.empty(min(_BLOCK, network.parameters.size), network.parameters.dtype)

    def update(self, step: int, steps_per_epoch: int) -> None:
        """Take in the network after a step, counted from 1 over the whole training.

        This happens every 16 steps and at the end of an epoch; the steps since the last time
        then count together.
        """
        since = (step - 1) % steps_per_epoch % _INTERVAL + 1
        if since < _INTERVAL and step % steps_per_epoch:
            return
        share = 1 - min(self._decay, step / (step + 9)) ** since
        for new, mean in self._pairs:
            for start in range(0, mean.size, self._scratch.size):
                self._take_in(new[start:], mean[start : start + self._scratch.size], share)

    def _take_in(self, new: Array, mean: Array, share: float) -> None:
        difference = np.subtract(new[: mean.size], mean, out=self._scratch[: mean.size])
        difference *= share
        mean += difference
