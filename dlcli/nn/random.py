"""All randomness starts from the config's seed and is divided by purpose and epoch.

Because the generator of an epoch follows from the seed and the epoch's number alone, a
resumed run draws what an uninterrupted one would have drawn, and no generator's state needs
saving.
"""

import numpy as np

# The order is part of what a seed means: append, never reorder.
PURPOSES = (
    "initial_weights",
    "validation",
    "shuffling",
    "dropout",
    "gradient_check",
    "augmentation",
)


def random_stream(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """The generator for one purpose in one epoch, independent of all others.

    Equal to spawning ``SeedSequence(seed)`` once by purpose and each child by epoch.
    """
    spawn_key = (PURPOSES.index(purpose), epoch)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=spawn_key))
