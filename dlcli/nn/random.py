"""All randomness comes from the config's seed, with one stream a purpose and epoch.

The generator of an epoch follows from the seed and the epoch's number alone. So a resumed run
draws the same numbers as an uninterrupted one, and no generator's state has to be saved.
"""

import numpy as np

# The position of a purpose decides its random numbers: append, never reorder.
PURPOSES = (
    "initial_weights",
    "validation",
    "shuffling",
    "dropout",
    "gradient_check",
    "augmentation",
    "subset",
    "folds",
    "mixup",
)


def random_stream(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """The generator for one purpose in one epoch, independent of all others."""
    spawn_key = (PURPOSES.index(purpose), epoch)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
