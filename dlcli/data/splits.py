"""Training examples divided into those to train on and those to validate on."""

import numpy as np

from dlcli.data.datasets import Examples
from dlcli.errors import ConfigError
from dlcli.nn.random import random_stream


def split_validation(train: Examples, size: float, seed: int) -> tuple[Examples, Examples]:
    """Divide training examples at random; return those to train on and those to validate on.

    Parameters
    ----------
    train
        All training examples.
    size
        The number of validation examples or, below 1, their fraction.
    seed
        Decides which examples are taken; both parts keep the order of the whole.

    Raises
    ------
    ConfigError
        No example would be left to train on.
    """
    count = int(size)
    if 0 < size < 1:
        count = max(1, round(size * len(train)))
    if count >= len(train):
        raise ConfigError(
            f"validation_size {size:g}: no images would be left to train on; "
            f"there are {len(train):,} training images"
        )
    held_out = np.zeros(len(train), dtype=bool)
    held_out[random_stream(seed, "validation").permutation(len(train))[:count]] = True
    return (
        Examples(train.images[~held_out], train.labels[~held_out]),
        Examples(train.images[held_out], train.labels[held_out]),
    )
