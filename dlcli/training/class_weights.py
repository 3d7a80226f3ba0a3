"""The weight of each class in the cost, as the config key ``class_weights`` wants it."""

from collections.abc import Sequence

import numpy as np

from dlcli.config.hints import did_you_mean
from dlcli.config.messages import shortened
from dlcli.config.schema import Config
from dlcli.data.classes import summary
from dlcli.errors import ConfigError
from dlcli.nn.losses import balanced_weights
from dlcli.nn.types import Array, Labels


def of_config(config: Config, labels: Labels, class_names: Sequence[str]) -> Array | None:
    """The weight of each class, given the labels of training; None if all count alike.

    Raises
    ------
    ConfigError
        The config names a class that there is not.
    """
    wanted = config.class_weights
    if wanted is None:
        return None
    if wanted == "balanced":
        return balanced_weights(labels, len(class_names)).astype(np.float32)
    weights: Array = np.ones(len(class_names), np.float32)
    for name, weight in wanted.items():
        if name not in class_names:
            raise ConfigError(
                f"class_weights: no class {shortened(name)}; there are {summary(class_names)}"
                f"{did_you_mean(name, class_names)}"
            )
        weights[class_names.index(name)] = weight
    return weights
