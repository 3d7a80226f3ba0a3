"""The optimiser's state in older checkpoints, converted to today's names and meaning."""

from collections.abc import Mapping

import numpy as np

from dlcli.config.schema import Config
from dlcli.errors import CheckpointError
from dlcli.nn.types import Array

_ADAMS = ("adam", "adamw")


def converted(stored: Mapping[str, Array], config: Config) -> Mapping[str, Array]:
    """The state in today's form; raise ``CheckpointError`` if it is then no longer finite."""
    with np.errstate(all="ignore"):
        if config.optimizer == "sgd" and stored.keys() == {"velocity", "learning_rate"}:
            # The velocity was multiplied by the learning rate of the last step, at first 0.
            rate = float(stored["learning_rate"][0])
            state = {"velocity": stored["velocity"] / rate if rate else stored["velocity"]}
        elif config.optimizer in _ADAMS and stored.keys() == {"mean", "mean_square", "steps"}:
            # Both means were divided by the weight of the newest value.
            m = stored["mean"] * (1 - config.beta1)
            v = stored["mean_square"] * (1 - config.beta2)
            state = {"m": m, "v": v, "steps": stored["steps"]}
        else:
            return stored
    for name, array in state.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"optimizer.{name}: holds values that are not finite")
    return state
