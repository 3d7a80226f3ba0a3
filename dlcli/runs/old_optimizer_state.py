"""The optimiser's state in older checkpoints, converted to today's names and meaning."""

from collections.abc import Callable, Mapping

import numpy as np

from dlcli.config.schema import Config
from dlcli.errors import CheckpointError
from dlcli.nn.types import Array


def converted(stored: Mapping[str, Array], config: Config) -> Mapping[str, Array]:
    """The state in today's form; raise ``CheckpointError`` if it is then no longer finite."""
    names, convert = _CONVERSIONS.get(config.optimizer, (set(), None))
    if convert is None or stored.keys() != names:
        return stored
    with np.errstate(all="ignore"):
        state = convert(stored, config)
    for name, array in state.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"optimizer.{name}: holds values that are not finite")
    return state


def _sgd(stored: Mapping[str, Array], _config: Config) -> dict[str, Array]:
    """The velocity was multiplied by the learning rate of the last step (0 before the first)."""
    rate = float(stored["learning_rate"][0])
    return {"velocity": stored["velocity"] / rate if rate else stored["velocity"]}


def _adam(stored: Mapping[str, Array], config: Config) -> dict[str, Array]:
    """Both means were divided by the weight of the newest value."""
    return {
        "m": stored["mean"] * (1 - config.beta1),
        "v": stored["mean_square"] * (1 - config.beta2),
        "steps": stored["steps"],
    }


_OLD_ADAM = {"mean", "mean_square", "steps"}
# The names of the old arrays of each optimiser, and their conversion.
_CONVERSIONS: dict[
    str, tuple[set[str], Callable[[Mapping[str, Array], Config], dict[str, Array]]]
] = {
    "sgd": ({"velocity", "learning_rate"}, _sgd),
    "adam": (_OLD_ADAM, _adam),
    "adamw": (_OLD_ADAM, _adam),
}
