"""The network by which ``predict`` knows digits from other things; ``make likeness`` trains it."""

import argparse
import io
from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from dlcli.config.schema import Augmentation, Config
from dlcli.data import datasets
from dlcli.data.datasets import Examples
from dlcli.files import DEFAULT_DATA_DIR, atomic_write
from dlcli.inference import predictor
from dlcli.nn.network import Network
from dlcli.nn.types import Pixels
from dlcli.runs import lookup
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from dlcli.vision import decode, localization, rejection
from dlcli.vision.mnist_format import extent
from dlcli.vision.rejection import ACTIVATION, FILE, SOMETHING_ELSE
from tools import non_digits
from tools import photographs as ph
from tools.non_digits import Marks

# Photographs to learn from, and to judge by; the latter show the last of MNIST's training digits.
COUNT, VALIDATION = 40_000, 3_000
_LAST_DIGITS = 5_000
CONFIG = Config(
    hidden_layers=(512, 256),
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
# Shares of photographs: of MNIST's digits, of printed ones, of empty pages, and of the rest.
_DIGIT, _PRINTED, _EMPTY = 0.4, 0.1, 0.05
_KINDS = {
    "letter": 0.22,
    "typed": 0.25,
    "sign": 0.1,
    "doodle": 0.08,
    "scrawl": 0.05,
    "shape": 0.14,
    "ruined": 0.16,
}
_TYPED = 0.4  # of the printed digits
# Pictures of at most this size are made and looked at fast, and show all that 28x28 pixels can, if
# the digit is not too small a part of them.
_SIDES = (110, 300)
_SMALLEST_DIGIT = 0.25


def example(number: int, digits: Examples) -> tuple[Pixels | None, int]:
    """What is seen on a photograph of a digit or of something else, and which it is.

    None: nothing is; or several digits are, which nobody asks the network about. What is seen
    must not depend on what is learned here, so it is the first view; ``predict`` takes one that
    is likest a digit, and other things are harder for it.
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
        if random.random() < _TYPED:
            marks = non_digits.typed(random, str(label))
        else:
            marks = non_digits.drawn(non_digits.penned_digit(random, label), random)
    elif kind < _DIGIT + _PRINTED + _EMPTY:
        marks, label = ph.EMPTY, SOMETHING_ELSE
    else:
        marks, label = _something(images, labels, random), SOMETHING_ELSE
    if kind >= _DIGIT:  # what is drawn with a pen has its width already
        scene = replace(scene, pen_width=None)
    file = io.BytesIO(ph.photograph(marks, scene, random))
    picture = decode.to_colours(decode.read(file, "example"), "example")
    seen = localization.look_at(picture, unlike=lambda _: 0.0)
    return (None if seen.doubt == localization.SEVERAL else seen.pixels), label


def _scene(random: np.random.Generator) -> ph.Scene:
    """A scene of any kind, in a small picture."""
    kinds = list(ph.CONDITIONS.values())
    scene = kinds[random.integers(len(kinds))](random)
    scale = min(1, random.integers(*_SIDES) / max(scene.size))
    width, height = (max(20, round(side * scale)) for side in scene.size)
    return replace(scene, size=(width, height), digit=max(scene.digit, _SMALLEST_DIGIT))


def _something(images: Marks, labels: Pixels, random: np.random.Generator) -> Marks:
    kind = random.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "ruined":
        return non_digits.ruined(images, labels, random)
    if kind == "typed":
        return non_digits.typed(random)
    return non_digits.drawn(non_digits.DRAWINGS[kind](random), random)


@cache
def _digits(data_dir: Path) -> tuple[Examples, Examples]:
    """MNIST's training images: those to learn from, and the last, to judge by."""
    train = datasets.load("mnist", data_dir).train
    first, last = slice(0, -_LAST_DIGITS), slice(-_LAST_DIGITS, None)
    return (
        Examples(train.images[first], train.labels[first]),
        Examples(train.images[last], train.labels[last]),
    )


def _example(data_dir: Path, number: int) -> tuple[Pixels | None, int]:
    return example(number, _digits(data_dir)[number >= COUNT])


def gathered(found: Iterable[tuple[Pixels | None, int]]) -> Examples:
    """Examples as training takes them; an upright bar is a 1, whatever was drawn."""
    kept = [
        (pixels, label)
        for pixels, label in found
        if pixels is not None and not (label == SOMETHING_ELSE and _is_bar(pixels))
    ]
    pixels, labels = zip(*kept, strict=True)
    return Examples(np.stack(pixels), np.array(labels, np.uint8))


def _is_bar(pixels: Pixels) -> bool:
    rows, columns = extent(pixels.reshape(28, 28) > 127)
    return columns.stop - columns.start <= 0.35 * (rows.stop - rows.start)


def train(examples: Examples, validation: Examples, config: Config = CONFIG) -> Network:
    """A network with eleven answers."""
    state = initial_state(config, classes=SOMETHING_ELSE + 1)
    for record in fit(config, examples, validation, state):
        print(record)  # noqa: T201 - a person waits for it
    return state.evaluated_network.fuse_batch_norm()


def save(network: Network, path: Path) -> None:
    """Write the network's parameters in 16-bit floats."""
    arrays = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays[f"layers.{layer}.weight"] = weight.astype(np.float16)
        arrays[f"layers.{layer}.bias"] = bias.astype(np.float16)
    with atomic_write(path) as file:
        np.savez(file, **arrays)


def judged(validation: Examples) -> str:
    """How ``predict`` with the pretrained model would doubt what is seen on photographs."""
    model = lookup.load_named(lookup.PRETRAINED)
    alone, both, right, doubtful = [], [], [], []
    for pixels, label in zip(validation.images, validation.labels, strict=True):
        looks = rejection.looks(pixels)
        shares = model.infer(looks)[1].mean(axis=0)
        alone.append(rejection.unlikeness(pixels[np.newaxis]))
        both.append(rejection.unlikeness(looks) + 1 - float(shares.max()))
        right.append(shares.argmax() == label)
        doubtful.append(predictor.doubt_of(looks, shares) is not None)
    refused, is_digit = np.array(doubtful), validation.labels != SOMETHING_ELSE
    levels = (0.5, 0.9, 0.95, 0.98, 0.99)
    return (
        f"refused: {refused[is_digit].mean():.1%} of digits, {refused[~is_digit].mean():.1%} of "
        f"other things; of {levels} of the digits read rightly the first look's unlikeness is "
        f"below {np.quantile(np.array(alone)[right], levels).round(3)}, with that of another "
        f"digit, of all looks, below {np.quantile(np.array(both)[right], levels).round(3)}"
    )


def main() -> None:
    """Make photographs of digits and of other things, and train a network to tell them apart."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=DEFAULT_DATA_DIR)
    arguments = parser.parse_args()
    # Each process has a core; BLAS threads would only be in its way.
    with Pool(initializer=threadpool_limits, initargs=(1,)) as pool:
        make = partial(_example, arguments.data_dir)
        made = pool.imap(make, range(COUNT + VALIDATION), chunksize=100)
        found = list(tqdm(made, total=COUNT + VALIDATION))
    # Digits as they are in MNIST are learned from as well.
    plain, _ = _digits(arguments.data_dir)
    found[:0] = zip(plain.images[::6], plain.labels[::6].tolist(), strict=True)
    validation, examples = gathered(found[-VALIDATION:]), gathered(found[:-VALIDATION])
    save(train(examples, validation), FILE)
    print(judged(validation))  # noqa: T201 - a person waits for it


if __name__ == "__main__":
    main()
