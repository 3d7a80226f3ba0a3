"""Train the rejection network that ships with dlcli, ``dlcli/vision/rejection.npz``.

It tells digits from everything else. It learns from MNIST's training digits, and from digits and
other things that ``tools.photographs``, ``tools.conditions`` and ``tools.non_digits`` draw, each
prepared as ``dlcli predict`` prepares pictures. The same seeds give the same pictures. Takes about
15 minutes on two cores.

    make rejection
"""

import argparse
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache, partial
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from tqdm import tqdm

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data import datasets, location
from dlcli.data.examples import Examples
from dlcli.files import atomic_write
from dlcli.nn.network import Network
from dlcli.nn.types import Labels, Pixels
from dlcli.runs import lookup
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from dlcli.vision import decode, localization, mnist_format, rejection
from dlcli.vision.candidate import Box
from dlcli.vision.normalization import normalize_digit
from dlcli.vision.rejection import ACTIVATION, OOD_CLASS, WEIGHTS_FILE
from dlcli.vision.test_time_augmentation import tta_variants
from tools import handwriting, non_digits
from tools.conditions import CONDITIONS, EMPTY
from tools.photographs import Marks, Scene, digit_box, photograph

PHOTOGRAPHS = 14_000
# Drawings that were never photographed take a tenth of the time.
DRAWINGS = 80_000
# Digits as the world writes them, never photographed (``tools.handwriting``).
WRITTEN = 50_000
# Photographs for validation; they show the last of MNIST's training digits.
VALIDATION = 1_500
_VALIDATION_DIGITS = 5_000
# Photographs from this number on are never learned.
FIRST_UNUSED_PHOTOGRAPH = 1_000_000
# Of one photograph no more candidates than this are learned, and ways of finding them that cost
# more are used for one photograph in so many.
_MAX_CANDIDATES = 3
_UNLIKELY_STEP = 3
# A candidate is the digit if it overlaps with it by this much (intersection over union), and is
# something else if it overlaps by less than the second fraction of its own area.
_MIN_IOU = 0.8
_MAX_INSIDE = 0.3
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
    epochs=36,
    weight_averaging=0.999,
    keep="last",
    augmentation=Augmentation(
        rotation=8, scale=0.1, shear=0.1, shift=1, elastic_alpha=20, elastic_sigma=5
    ),
)
# Fractions of the photographs.
_PHOTOGRAPHED = {"MNIST": 0.25, "written": 0.2, "printed": 0.05, "empty": 0.05, "other": 0.45}
# Fraction of the drawings.
_PRINTED_DIGITS_DRAWN = 0.2
# Fraction of the printed digits; the others are drawn with a pen.
_TYPED = 0.4
# Fractions of what is something else.
_KINDS = {
    "letter": 0.15,
    "typed": 0.07,
    "typed foreign": 0.06,
    "traced": 0.13,
    "sign": 0.12,
    "invented": 0.08,
    "doodle": 0.09,
    "scrawl": 0.05,
    "shape": 0.1,
    "silhouette": 0.02,
    "ruined": 0.13,
}
# Half of the drawings are made, and perhaps damaged, as the written digits are: otherwise a damaged
# stroke would be a sign of a digit.
_AS_WRITTEN = 0.5
# Small pictures are made and read fast, and show all that 28x28 pixels can, as long as the digit is
# a large enough fraction of them.
_SIDES_PX = (110, 300)
_MIN_DIGIT_FRACTION = 0.25
_CANVAS_SIDE_PX = 250
# An image with an upright bar, at most so wide for its height, is a 1, whatever was drawn.
_MAX_BAR_ASPECT = 0.35

Random = np.random.Generator
Example = tuple[Pixels, int]


def photographed(number: int, digits: Examples) -> list[Example]:
    """What ``predict`` may find on a photograph of a digit or of something else, with labels.

    Where the photograph shows a digit, other candidates, such as the edge of a shadow, are labelled
    as something else, so that the network learns to tell which candidate is the digit.
    """
    random = np.random.default_rng([0, number])
    scene, marks, label = _photographed_thing(digits, random)
    file = io.BytesIO(photograph(marks, scene, random, _CANVAS_SIDE_PX))
    picture = decode.to_grey_or_rgb(decode.read_image(file, "example"), "example")
    search = localization.Search(picture)
    candidates = search.likely()
    if number % _UNLIKELY_STEP == 0:
        candidates += search.unlikely(candidates)
    if label == OOD_CLASS:
        examples = [(candidate.pixels, label) for candidate in candidates]
    else:
        box = digit_box(marks, scene)
        labels = [_label(candidate.box, box, label) for candidate in candidates]
        examples = [
            (candidate.pixels, found)
            for candidate, found in zip(candidates, labels, strict=True)
            if found is not None
        ]
    chosen = random.permutation(len(examples))[:_MAX_CANDIDATES]
    return [examples[index] for index in chosen]


def _photographed_thing(digits: Examples, random: Random) -> tuple[Scene, Marks, int]:
    """A scene, the marks on it and their label."""
    scene = _scene(random)
    images, labels = _two(digits, random)
    kind = random.choice(list(_PHOTOGRAPHED), p=list(_PHOTOGRAPHED.values()))
    if kind == "MNIST":
        return scene, images[0], int(labels[0])
    if kind == "empty":
        return scene, EMPTY, OOD_CLASS
    scene = replace(scene, pen_width=None)  # the drawing was made with a pen already
    if kind == "written":
        digit = handwriting.any_kind(random)
        return scene, handwriting.marks(digit, random), digit.digit
    if kind == "printed":
        return scene, *_printed_digit(random)
    return scene, _something_else(images, labels, random), OOD_CLASS


def _label(found: Box, digit: Box, label: int) -> int | None:
    """The label of a candidate by where it lies; None if it is a part of the digit, or unclear."""
    width = min(found[2], digit[2]) - max(found[0], digit[0])
    height = min(found[3], digit[3]) - max(found[1], digit[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (found, digit)]
    if shared >= _MIN_IOU * (sum(areas) - shared):
        return label
    return OOD_CLASS if shared < _MAX_INSIDE * areas[0] else None


def drawn(number: int, digits: Examples) -> Example:
    """A printed digit or something else, scaled and centred as MNIST's digits are."""
    random = np.random.default_rng([1, number])
    images, labels = _two(digits, random)
    if random.random() < _PRINTED_DIGITS_DRAWN:
        marks, label = _printed_digit(random)
    else:
        marks, label = _something_else(images, labels, random), OOD_CLASS
    if random.random() < _AS_WRITTEN:
        return handwriting.finished(handwriting.on_canvas(marks), random), label
    return normalize_digit(marks.astype(np.float32) / np.float32(255)), label


def _scene(random: Random) -> Scene:
    """A scene of any kind, in a small picture."""
    kinds = list(CONDITIONS.values())
    scene = kinds[random.integers(len(kinds))](random)
    scale = min(1, random.integers(*_SIDES_PX) / max(scene.size))
    width, height = (max(20, round(side * scale)) for side in scene.size)
    return replace(scene, size=(width, height), digit=max(scene.digit, _MIN_DIGIT_FRACTION))


def _two(digits: Examples, random: Random) -> tuple[Marks, Labels]:
    """Two of MNIST's digits, shape (2, 28, 28), and their labels."""
    chosen = random.integers(len(digits), size=2)
    return digits.images[chosen].reshape(-1, 28, 28), digits.labels[chosen]


def _printed_digit(random: Random) -> tuple[Marks, int]:
    digit = int(random.integers(10))
    if random.random() < _TYPED:
        return non_digits.typed(random, str(digit)), digit
    return non_digits.drawn(non_digits.penned_digit(random, digit), random), digit


def _something_else(images: Marks, labels: Labels, random: Random) -> Marks:
    kind = random.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "ruined":
        return non_digits.ruined(images, labels, random)
    if kind in non_digits.MARKS:
        return non_digits.MARKS[kind](random)
    strokes = non_digits.DRAWINGS[kind](random)
    if random.random() < _AS_WRITTEN:
        return handwriting.cropped(handwriting.drawing(strokes, random))
    return non_digits.drawn(strokes, random)


@cache
def training_digits(data_dir: Path) -> tuple[Examples, Examples]:
    """MNIST's training images: those to learn from, and those for validation."""
    train = datasets.load("mnist", data_dir).train
    first, last = slice(0, -_VALIDATION_DIGITS), slice(-_VALIDATION_DIGITS, None)
    return (
        Examples(train.images[first], train.labels[first]),
        Examples(train.images[last], train.labels[last]),
    )


def _photographed(data_dir: Path, number: int) -> list[Example]:
    return photographed(number, training_digits(data_dir)[number >= PHOTOGRAPHS])


def _drawn(data_dir: Path, number: int) -> list[Example]:
    return [drawn(number, training_digits(data_dir)[0])]


def _written(data_dir: Path, number: int) -> list[Example]:
    return [handwriting.example(number, training_digits(data_dir)[0])]


def collect(examples: Iterable[list[Example]]) -> Examples:
    """Examples as training takes them, without those that teach nothing true."""
    kept = [
        (pixels, label)
        for pixels, label in chain.from_iterable(examples)
        if not (label == OOD_CLASS and _is_bar(pixels))
    ]
    pixels, labels = zip(*kept, strict=True)
    return Examples(np.stack(pixels), np.array(labels, np.uint8))


def _is_bar(pixels: Pixels) -> bool:
    rows, columns = mnist_format.bounding_box(pixels.reshape(28, 28) > 127)
    return bool(columns.stop - columns.start <= _MAX_BAR_ASPECT * (rows.stop - rows.start))


def train(examples: Examples, validation: Examples, config: Config = CONFIG) -> Network:
    """A network with eleven outputs."""
    state = initial_state(config, classes=OOD_CLASS + 1)
    for record in fit(config, examples, validation, state):
        print(record)
    return state.evaluated_network.fuse_batch_norm()


def save(network: Network, path: Path) -> None:
    """Write the network's parameters in 16-bit floats."""
    arrays: dict[str, np.ndarray] = {}
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays[f"layers.{layer}.weight"] = weight.astype(np.float16)
        arrays[f"layers.{layer}.bias"] = bias.astype(np.float16)
    with atomic_write(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes them for allow_pickle


def rejection_rates(validation: Examples) -> str:
    """How often ``predict`` with the pretrained model rejects what it finds on photographs."""
    model = lookup.load_named(lookup.PRETRAINED)
    rejected = []
    for pixels in validation.images:
        variants = tta_variants(pixels)
        probabilities = model.infer(variants)[1].mean(axis=0)
        ood_score = float(rejection.ood_scores(variants).mean())
        rejected.append(rejection.rejection_reason(ood_score, probabilities) is not None)
    is_digit = validation.labels != OOD_CLASS
    rates = [np.mean(np.array(rejected)[which]) for which in (is_digit, ~is_digit)]
    return "rejected: {:.1%} of digits, {:.1%} of other things".format(*rates)


def make_examples(data_dir: Path) -> tuple[Examples, Examples]:
    """The examples to learn, and those for validation."""
    with Pool() as pool:

        def make(function: Callable[[Path, int], list[Example]], numbers: range) -> Examples:
            made = pool.imap(partial(function, data_dir), numbers, chunksize=50)
            return collect(tqdm(made, total=len(numbers), desc=function.__name__.strip("_")))

        validation = make(_photographed, range(PHOTOGRAPHS, PHOTOGRAPHS + VALIDATION))
        learned = [
            make(_photographed, range(PHOTOGRAPHS)),
            make(_drawn, range(DRAWINGS)),
            make(_written, range(WRITTEN)),
        ]
    plain, _ = training_digits(data_dir)
    parts = [plain, *learned]
    images = np.concatenate([part.images for part in parts])
    return Examples(images, np.concatenate([part.labels for part in parts])), validation


def kept_examples(path: Path, data_dir: Path) -> tuple[Examples, Examples]:
    """The examples in a file, which is written first if there is none."""
    if not path.exists():
        learned, validation = make_examples(data_dir)
        with atomic_write(path) as file:
            arrays = (learned.images, learned.labels, validation.images, validation.labels)
            np.savez(file, *arrays)
    with np.load(path) as kept:
        images, labels, *others = (kept[name] for name in kept.files)
    return Examples(images, labels), Examples(*others)


def main() -> None:
    """Make the examples, train the rejection network on them and measure what it rejects."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    parser.add_argument("--examples", type=Path, help="Keep them in this .npz file, or take them.")
    arguments = parser.parse_args()
    path, data_dir = arguments.examples, arguments.data_dir
    examples, validation = kept_examples(path, data_dir) if path else make_examples(data_dir)
    save(train(examples, validation), WEIGHTS_FILE)
    print(rejection_rates(validation))


if __name__ == "__main__":
    main()
