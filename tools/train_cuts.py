"""Train the network that judges cuts, ``dlcli/vision/cut_digits.npz``.

``dlcli read`` cuts digits that touch in more places than needed. What stands between two cuts is a
digit, or part of one, or of two: this network tells which. It learns from strings of MNIST's
training digits, of digits as the world writes them, and of letters, most of them touching, cut as
``dlcli.vision.segmentation`` cuts a page. The same seeds give the same strings. Takes about two
minutes on two cores.

    make cuts
"""

import argparse
import os
from collections.abc import Callable
from functools import partial
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data import location
from dlcli.data.datasets import Examples
from dlcli.nn.types import Pixels
from dlcli.vision.components import connected_components
from dlcli.vision.rejection import ACTIVATION, CUTS_FILE, OOD_CLASS
from dlcli.vision.segmentation import Page, Span
from tools import handwriting, non_digits
from tools.number_layout import COVERED, Digit, Placed, Plan, fit
from tools.photographs import Marks, Scene, canvas_size
from tools.train_rejection import save, train, training_digits

STRINGS, VALIDATION = 1_000, 100
# So many of MNIST's digits are learned as they are.
PLAIN = 10_000
# Fractions of the strings: of letters, and of those of digits the ones of the world's.
_LETTERS, _WORLDS = 0.12, 0.25
_LENGTH = (2, 5)
# Neighbours that touch overlap by up to this fraction of a digit's height; others are apart.
_TOUCHING = 0.7
_OVERLAP, _GAP = (-0.1, 0.0), (0.02, 0.2)
_HEIGHT_SPREAD, _OFF_LINE = 0.08, 0.05
_PEN_WIDTH, _AS_WRITTEN = (0.04, 0.16), 0.5
_CANVAS = (500, 150)
# Wider digits of MNIST's would be larger than their neighbours.
_MAX_ASPECT = 1.2
# A candidate is a digit if it has at least the first fraction of its pixels, and at least so many
# of its own pixels are the digit's; it is none if one of the two is below the second fraction.
_MIN_DIGIT, _MAX_NO_DIGIT = 0.92, 0.8
# So many of a string's candidates that are no digit are learned for each that is one.
_NO_DIGITS = 2
CONFIG = Config(
    hidden_layers=(256, 64),
    activation=ACTIVATION,
    batch_norm=True,
    dropout=0.1,
    optimizer="adamw",
    learning_rate=0.003,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
    epochs=16,
    weight_averaging=0.999,
    keep="last",
    augmentation=Augmentation(rotation=5, scale=0.05, shear=0.1, shift=1),
)

Random = np.random.Generator
Example = tuple[Pixels, int]


def string(digits: Examples, random: Random) -> tuple[Plan, list[int]]:
    """A string of digits or letters that is to be written, and its labels."""
    length = int(random.integers(_LENGTH[0], _LENGTH[1] + 1))
    source = _source(digits, random)
    written, labels = [], []
    for position in range(length):
        marks, label = source()
        touches = random.random() < _TOUCHING
        gap = random.uniform(*(_OVERLAP if touches else _GAP)) if position else 0.0
        height = 1 + float(np.clip(random.normal(0, _HEIGHT_SPREAD), -0.2, 0.2))
        off_line = random.normal(0, _OFF_LINE)
        written.append(Digit(position, marks, height, off_line, gap, 0, 0))
        labels.append(label)
    pen = None if random.random() < _AS_WRITTEN else random.uniform(*_PEN_WIDTH)
    return Plan(tuple(written), pen, random.uniform(-0.05, 0.05), 2.0, 0.0, False), labels


def _source(digits: Examples, random: Random) -> Callable[[], tuple[Marks, int]]:
    """Draws the digits, or the letters, of one string."""
    if random.random() < _LETTERS:
        return lambda: (_letter(random), OOD_CLASS)
    if random.random() < _WORLDS:
        return lambda: _worlds(random)
    return lambda: _mnists(digits, random)


def _letter(random: Random) -> Marks:
    if random.random() < 0.5:
        return non_digits.traced(random)
    return handwriting.cropped(handwriting.drawing(non_digits.letter(random), random))


def _worlds(random: Random) -> tuple[Marks, int]:
    kind = handwriting.any_kind(random)
    return handwriting.marks(kind, random), kind.digit


def _mnists(digits: Examples, random: Random) -> tuple[Marks, int]:
    while True:
        chosen = random.integers(len(digits))
        marks = handwriting.cropped(digits.images[chosen].reshape(28, 28) / np.float32(255))
        if marks.shape[1] <= _MAX_ASPECT * marks.shape[0]:
            return marks, int(digits.labels[chosen])


def examples(number: int, digits: Examples) -> list[Example]:
    """The candidates of a string, with their labels."""
    random = np.random.default_rng([3, number])
    plan, labels = string(digits, random)
    scene = Scene(size=_CANVAS, digit=1.0, place=(random.random(), random.random()))
    placed = fit(plan, scene, 0.0, random).placed
    pen, owners = _drawn(placed, canvas_size(scene)[::-1])
    components = connected_components(pen)
    if components is None:
        return []
    page = Page(components, pen.shape[::-1], None)
    totals = np.bincount(owners[owners >= 0], minlength=len(labels))
    found: list[Example] = []
    for line in page.lines:
        for cut in (False, True):
            divided = page.cut(line, range(len(line.members))) if cut else line
            owned = _owned(page, owners, len(labels))
            spans = page.spans(divided)
            labelled = [(span, _label(span, owned, totals, labels)) for span in spans]
            chosen = _chosen(labelled, _NO_DIGITS * len(labels), random)
            found += [(page.pixels(span), label) for span, label in chosen]
    return found


def _chosen(
    labelled: list[tuple[Span, int | None]], most: int, random: Random
) -> list[tuple[Span, int]]:
    """All candidates that are digits, and at most so many that are not."""
    sure = [(span, label) for span, label in labelled if label is not None]
    others = [place for place, (_, label) in enumerate(sure) if label == OOD_CLASS]
    left_out = set(random.permutation(others)[most:].tolist())
    return [candidate for place, candidate in enumerate(sure) if place not in left_out]


def _drawn(placed: list[Placed], size: tuple[int, int]) -> tuple[Pixels, npt.NDArray[np.intp]]:
    """The string as a foreground, and the place of the digit each pixel belongs to; -1 if none."""
    pen = np.zeros(size, np.uint8)
    owners = np.full(size, -1, np.intp)
    for digit in placed:
        window = np.s_[digit.top : digit.bottom, digit.left : digit.right]
        is_stronger = digit.patch > pen[window]
        owners[window][is_stronger & (digit.patch >= COVERED)] = digit.digit.value
        pen[window] = np.maximum(pen[window], digit.patch)
    return pen, owners


def _owned(page: Page, owners: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.intp]:
    """How many pixels of each component and piece belong to each digit."""
    components = len(page.components.mass)
    codes = page.components.labels.astype(np.intp) * count + owners
    found = np.bincount(codes[owners >= 0], minlength=components * count)
    return found.reshape(components, count)


def _label(
    span: Span, owned: npt.NDArray[np.intp], totals: npt.NDArray[np.intp], labels: list[int]
) -> int | None:
    """The digit that a candidate is, that it is none, or None if that is hard to say."""
    counts = owned[list(span.labels)].sum(axis=0)
    if not counts.any():
        return OOD_CLASS
    place = int(counts.argmax())
    least = counts[place] / max(totals[place], counts.sum())
    if labels[place] == OOD_CLASS or least < _MAX_NO_DIGIT:
        return OOD_CLASS
    return labels[place] if least >= _MIN_DIGIT else None


def _examples(data_dir: Path, number: int) -> list[Example]:
    return examples(number, training_digits(data_dir)[number >= STRINGS])


def make_examples(data_dir: Path, numbers: range) -> Examples:
    """The candidates of many strings."""
    with Pool() as pool:
        made = pool.imap(partial(_examples, data_dir), numbers, chunksize=20)
        pixels, labels = zip(*chain.from_iterable(tqdm(made, total=len(numbers))), strict=True)
    return Examples(np.stack(pixels), np.array(labels, np.uint8))


def with_plain(examples: Examples, digits: Examples) -> Examples:
    """The examples, and some of MNIST's digits as they are."""
    images, labels = digits.images[:PLAIN], digits.labels[:PLAIN]
    return Examples(
        np.concatenate([images.reshape(len(images), -1), examples.images]),
        np.concatenate([labels, examples.labels]),
    )


def main() -> None:
    """Make the strings, and train the network that judges cuts on their candidates."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    data_dir = parser.parse_args().data_dir
    cut_out = make_examples(data_dir, range(STRINGS))
    validation = make_examples(data_dir, range(STRINGS, STRINGS + VALIDATION))
    save(train(with_plain(cut_out, training_digits(data_dir)[0]), validation, CONFIG), CUTS_FILE)


if __name__ == "__main__":
    main()
