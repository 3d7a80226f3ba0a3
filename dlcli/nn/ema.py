"""A running mean of the weights (exponential moving average), with less noise than the weights.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; as
an exponential mean of a network's weights, Tarvainen and Valpola, "Mean teachers are better
role models", 2017.
"""

import numpy as np

from dlcli.nn.network import Network
from dlcli.nn.types import Array

# Steps between two updates. An update at every step would take 5 % of a wide network's training.
_INTERVAL = 16
_BLOCK = 1 << 18


class WeightAveraging:
    """Makes one network the running mean of another's parameters and statistics."""

    def __init__(self, network: Network, average: Network, decay: float) -> None:
        """Prepare to change ``average`` in place; it starts with the initial weights.

        ``decay`` is the weight of the past after a step. It is smaller in the first steps, so
        that the initial weights are soon forgotten.
        """
        self._pairs = [
            (network.parameters, average.parameters),
            (network.statistics, average.statistics),
        ]
        self._decay = decay
        self._scratch = np.empty(min(_BLOCK, network.parameters.size), network.parameters.dtype)

    def update(self, step: int, steps_per_epoch: int) -> None:
        """Update the mean after a step, counted from 1 over the whole training.

        Only every 16th step and the last of an epoch change it, with the weight of all steps
        since the last change.
        """
        since = (step - 1) % steps_per_epoch % _INTERVAL + 1
        if since < _INTERVAL and step % steps_per_epoch:
            return
        weight = 1 - min(self._decay, step / (step + 9)) ** since
        for new, mean in self._pairs:
            for start in range(0, mean.size, self._scratch.size):
                self._update(new[start:], mean[start : start + self._scratch.size], weight)

    def _update(self, new: Array, mean: Array, weight: float) -> None:
        difference = np.subtract(new[: mean.size], mean, out=self._scratch[: mean.size])
        difference *= weight
        mean += difference
