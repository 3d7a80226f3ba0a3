"""Train a model of MNIST's digits further, on the handwriting of the world.

Starts from the weights of a run of ``configs/best.yaml`` and learns MNIST's training images, but
for those that validated the run; digits of ``tools.handwriting``; and digits as ``dlcli predict``
finds them on synthetic photographs and on scans of few pixels (``tools.scans``). Writes the run
``runs/world``, which ``make pretrained`` publishes. Takes about 25 minutes on two cores.

    make world MODEL=runs/best-1
"""

import argparse
import os
from collections.abc import Callable
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path

from msgspec.structs import replace

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from dlcli.config.schema import Config
from dlcli.data import datasets, location
from dlcli.data.examples import Examples
from dlcli.data.splits import split_validation
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.runs import directory, lookup
from dlcli.runs.checkpoint import Model
from dlcli.runs.run import Run
from dlcli.training.state import TrainingState, initial_state
from dlcli.training.threads import Threads
from dlcli.vision.rejection import OOD_CLASS
from tools import handwriting, scans, train_rejection
from tools.train_rejection import Example

# Digits written, photographed and scanned in few pixels, beside MNIST's 57,000.
WRITTEN = 40_000
PHOTOGRAPHS = 12_000
SCANS = 60_000
# Fraction of the scans that show digits of ``tools.handwriting``; the others show MNIST's. Of them,
# half are of kinds that few pixels make like another digit.
_WRITTEN_SCANS, _CONTESTED = 0.4, 0.5
_CONTESTED_KINDS = (
    "1 without upstroke",
    "2 with a small hook",
    "4 with a short stem",
    "barred 7",
    "9 with a hook",
)
# Of MNIST's training images, as in ``best``.
VALIDATION = 3_000
# The learning rate starts at a sixth of that of ``best``: higher ones forget more of MNIST than the
# same number of epochs gives back.
LEARNING_RATE, EPOCHS = 5e-4, 30
# The pretrained model was trained once more whenever scans and hands were added (``make world
# MODEL=pretrained``): a model that knows the rest needs less.
LEARNING_RATE_AGAIN, EPOCHS_AGAIN = 2e-4, 15


def further(config: Config) -> Config:
    """The config of a model, changed for training further with its batch normalisation fused."""
    if config.batch_norm:
        return replace(config, batch_norm=False, learning_rate=LEARNING_RATE, epochs=EPOCHS)
    return replace(config, learning_rate=LEARNING_RATE_AGAIN, epochs=EPOCHS_AGAIN)


def state_from(model: Model, config: Config) -> TrainingState:
    """The state before the first epoch, with the weights of a model."""
    state = initial_state(config, 10)
    source = (model.average or model.network).fuse_batch_norm()
    for network in filter(None, (state.network, state.average)):
        network.parameters[...] = source.parameters
    return state


@cache
def _digits(data_dir: Path, seed: int) -> Examples:
    """MNIST's training images without those that validate the run of a seed."""
    return split_validation(datasets.load("mnist", data_dir).train, VALIDATION, seed)[0]


def _written(data_dir: Path, seed: int, number: int) -> list[Example]:
    return [handwriting.example(number, _digits(data_dir, seed))]


def _photographed(data_dir: Path, seed: int, number: int) -> list[Example]:
    found = train_rejection.photographed(number, _digits(data_dir, seed))
    return [(pixels, label) for pixels, label in found if label != OOD_CLASS]


def _scanned(data_dir: Path, seed: int, number: int) -> list[Example]:
    random = np.random.default_rng([3, number])
    if random.random() < _WRITTEN_SCANS:
        kind = handwriting.any_kind(random)
        if random.random() < _CONTESTED:
            kind = handwriting.KINDS[random.choice(_CONTESTED_KINDS)]
        marks, label = handwriting.marks(kind, random), kind.digit
    else:
        digits = _digits(data_dir, seed)
        chosen = random.integers(len(digits))
        marks = digits.images[chosen].reshape(IMAGE_SIDE, IMAGE_SIDE)
        label = int(digits.labels[chosen])
    return [(pixels, label) for pixels in scans.found(marks, random)]


def examples(data_dir: Path, seed: int) -> Examples:
    """The digits to learn beside MNIST's, none of which shows a validation image of the seed."""
    with Pool() as pool:

        def make(
            function: Callable[[Path, int, int], list[Example]], numbers: range
        ) -> list[list[Example]]:
            made = pool.imap(partial(function, data_dir, seed), numbers, chunksize=50)
            return list(tqdm(made, total=len(numbers), desc=function.__name__.strip("_")))

        first = train_rejection.FIRST_UNUSED_PHOTOGRAPH
        photographed = make(_photographed, range(first, first + PHOTOGRAPHS))
        scanned = make(_scanned, range(SCANS))
        return train_rejection.collect([*make(_written, range(WRITTEN)), *photographed, *scanned])


def main() -> None:
    """Train a model further on the handwriting of the world, as a new run."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="a run of configs/best.yaml, or pretrained")
    parser.add_argument("--run", type=Path, default=Path("runs", "world"))
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    arguments = parser.parse_args()
    model = lookup.load_named(arguments.model)
    config = further(model.config)
    dataset = datasets.load("mnist", arguments.data_dir)
    train, validation = split_validation(dataset.train, VALIDATION, config.seed)
    world = examples(arguments.data_dir, config.seed)
    train = Examples(
        np.concatenate([train.images, world.images]), np.concatenate([train.labels, world.labels])
    )
    arguments.run.parent.mkdir(parents=True, exist_ok=True)
    path = directory.create(arguments.run.parent, arguments.run.name, "world")
    run, state = Run(path, config, dataset, Threads([1])), state_from(model, config)
    run.start(state)
    for record in run.train(train, validation, state):
        print(record)
    run.finish(state)


if __name__ == "__main__":
    main()
