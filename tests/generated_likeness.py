"""The network by which ``predict`` knows digits from other things; ``make likeness`` trains it."""

import argparse
import io
import os
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

# Each process has a core; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from dlcli import datasets, pictures, training, views
from dlcli.config import Augmentation, Config
from dlcli.datasets import Examples
from dlcli.dimensions import IMAGE_SIZE
from dlcli.files import DEFAULT_DATA_DIR
from dlcli.likeness import ACTIVATION, DOUBTFUL, FILE, SOMETHING_ELSE
from dlcli.network import Network
from dlcli.optimizers import make_optimizer
from dlcli.randomness import random_stream
from dlcli.training import TrainingState
from tests import other_things
from tests import photographs as ph

# Numbers of photographs; those to judge by come first.
VALIDATION, COUNT = 3_000, 33_000
HIDDEN_LAYERS = [512, 256]
CONFIG = Config(
    hidden_layers=HIDDEN_LAYERS,
    activation=ACTIVATION,
    batch_norm=True,
    dropout=0.2,
    optimizer="adamw",
    learning_rate=0.003,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
    epochs=60,
    weight_averaging=0.999,
    keep="last",
    augmentation=Augmentation(
        rotation=8, scale=0.1, shear=0.1, shift=1, elastic_alpha=20, elastic_sigma=5
    ),
)
# Shares of examples: digits as in MNIST, printed ones, empty pages, and the rest other things.
_DIGIT, _PRINTED, _EMPTY = 0.4, 0.1, 0.05
_KINDS = {"letter": 0.4, "sign": 0.1, "doodle": 0.1, "scrawl": 0.05, "shape": 0.15, "ruined": 0.2}
# Pictures of at most this size are made and looked at fast, and show all that 28x28 pixels can.
_SIDES = (110, 300)
_SMALLEST_DIGIT = 0.25


def example(number: int, digits: Examples) -> tuple[views.Pixels | None, int]:
    """What is seen on a photograph of a digit or of something else, and which it is.

    None: nothing is. Which view of the picture is taken must not depend on what is learned here,
    so it is the first.
    """
    random = np.random.default_rng([0, number])
    scene = _scene(random)
    kind = random.random()
    chosen = random.integers(len(digits), size=2)
    images, labels = digits.images[chosen].reshape(-1, 28, 28), digits.labels[chosen]
    if kind < _DIGIT:
        marks, label = images[0], int(labels[0])
    elif kind < _DIGIT + _PRINTED:
        label = int(random.integers(10))
        marks = other_things.drawn(other_things.printed_digit(random, label), random)
        scene = replace(scene, pen_width=None)
    elif kind < _DIGIT + _PRINTED + _EMPTY:
        marks, label = ph.EMPTY, SOMETHING_ELSE
    else:
        marks, label = _something(images, labels, random), SOMETHING_ELSE
        scene = replace(scene, pen_width=None)
    file = io.BytesIO(ph.photograph(marks, scene, random))
    picture = pictures.to_colours(pictures.read(file, "example"), "example")
    return views.look_at(picture, unlike=lambda _: 0.0).pixels, label


def _scene(random: np.random.Generator) -> ph.Scene:
    """A scene of any kind, in a small picture."""
    kinds = list(ph.CONDITIONS.values())
    scene = kinds[random.integers(len(kinds))](random)
    scale = min(1, random.integers(*_SIDES) / max(scene.size))
    width, height = (max(20, round(side * scale)) for side in scene.size)
    return replace(scene, size=(width, height), digit=max(scene.digit, _SMALLEST_DIGIT))


def _something(
    images: other_things.Marks, labels: views.Pixels, random: np.random.Generator
) -> other_things.Marks:
    kind = random.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "ruined":
        return other_things.ruined(images, labels, random)
    return other_things.drawn(other_things.DRAWINGS[kind](random), random)


_digits: Examples


def _begin(data_dir: Path) -> None:
    global _digits  # noqa: PLW0603 - each process loads them once
    _digits = datasets.load("mnist", data_dir).train


def _example(number: int) -> tuple[views.Pixels | None, int]:
    return example(number, _digits)


def gathered(found: Iterable[tuple[views.Pixels | None, int]]) -> Examples:
    """Examples as training takes them; an upright bar is a 1, whatever was drawn."""
    kept = [
        (pixels, label)
        for pixels, label in found
        if pixels is not None and not (label == SOMETHING_ELSE and _is_bar(pixels))
    ]
    pixels, labels = zip(*kept, strict=True)
    return Examples(np.stack(pixels), np.array(labels, np.uint8))


def _is_bar(pixels: views.Pixels) -> bool:
    rows, columns = views.extent(pixels.reshape(28, 28) > 127)
    return columns.stop - columns.start <= 0.35 * (rows.stop - rows.start)


def train(examples: Examples, validation: Examples, config: Config = CONFIG) -> Network:
    """A network with eleven answers."""
    sizes = (IMAGE_SIZE, *config.hidden_layers, SOMETHING_ELSE + 1)
    network = Network(sizes, config.activations, "softmax", batch_norm=True)
    random = random_stream(config.seed, "initial_weights")
    network.initialize(config.initializer, config.initializer_stddev, random)
    average = network.like()
    average.parameters[...], average.statistics[...] = network.parameters, network.statistics
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    state = TrainingState(network, optimizer, average)
    for record in training.fit(config, examples, validation, state):
        print(record)  # noqa: T201 - a person waits for it
    return state.judged.folded()


def save(network: Network, path: Path) -> None:
    """Write the network's parameters in 16-bit floats."""
    arrays = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays[f"layers.{layer}.weight"] = weight.astype(np.float16)
        arrays[f"layers.{layer}.bias"] = bias.astype(np.float16)
    np.savez(path, **arrays)


def main() -> None:
    """Make photographs of digits and of other things, and train a network to tell them apart."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR)
    arguments = parser.parse_args()
    with Pool(initializer=_begin, initargs=(arguments.data_dir,)) as pool:
        made = pool.imap(_example, range(COUNT), chunksize=100)
        found = list(tqdm(made, total=COUNT))
    plain = datasets.load("sample").train
    found += zip(plain.images, plain.labels.tolist(), strict=True)
    validation, examples = gathered(found[:VALIDATION]), gathered(found[VALIDATION:])
    network = train(examples, validation)
    save(network, FILE)
    _, shares = network.infer(validation.images)
    refused = shares[:, SOMETHING_ELSE] > DOUBTFUL
    is_digit = validation.labels != SOMETHING_ELSE
    print(  # noqa: T201
        f"refused of the views to judge by: {refused[is_digit].mean():.1%} of digits, "
        f"{refused[~is_digit].mean():.1%} of other things"
    )


if __name__ == "__main__":
    main()
