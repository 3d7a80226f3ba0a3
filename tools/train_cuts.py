"""Train the network that judges cuts, ``dlcli/vision/cut_digits.npz``.

``dlcli read`` cuts digits that touch in more places than needed. What stands between two cuts is a
digit, or part of one, or of two: this network tells which, and which digit it is. It sees the
candidate and the strokes around it, so that a cut need not be exact. It learns from strings of
MNIST's training digits, of digits as the world writes them, and of letters, most of them touching,
cut as ``dlcli.vision.segmentation`` cuts a page. The same seeds give the same strings. Takes about
25 minutes on two cores.

    make cuts
"""

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from dlcli.config.augmentation import Augmentation
from dlcli.config.schema import Config
from dlcli.data import location
from dlcli.data.augmentation import Distortions
from dlcli.data.examples import Examples
from dlcli.nn.dimensions import IMAGE_SIZE
from dlcli.nn.network import Network
from dlcli.nn.random import random_stream
from dlcli.nn.types import Pixels
from dlcli.training.builders import make_optimizer
from dlcli.training.loop import fit as fit_network
from dlcli.training.state import TrainingState
from dlcli.vision.components import connected_components
from dlcli.vision.line_image import LineImage
from dlcli.vision.rejection import ACTIVATION, CUTS_FILE, OOD_CLASS
from dlcli.vision.segmentation import Line, Page, Span
from tools import handwriting, non_digits
from tools.number_layout import COVERED, Digit, Placed, Plan, fit
from tools.photographs import Marks, Scene, canvas_size
from tools.train_rejection import save, training_digits
from tools.writers import Writer, Writers

STRINGS, VALIDATION = 30_000, 500
# Fractions of the strings: of letters, and of those of digits the ones of the world's.
_LETTERS, _WORLDS = 0.13, 0.2
# MNIST's digits of a string are in one hand; so many digits are compared to make hands.
_DIGITS_OF_HANDS = 10_000
_LENGTH = (2, 7)
# The fraction of neighbours that touch is one of these; those overlap by up to a fraction of a
# digit's height, and others are apart.
_TOUCHING = (0.4, 0.7, 1.0)
_OVERLAP, _GAP = (-0.1, 0.0), (0.02, 0.2)
_HEIGHT_SPREAD, _OFF_LINE = 0.06, 0.04
_LETTER_HEIGHT = (0.6, 1.1)
_PEN_WIDTH, _AS_WRITTEN = (0.04, 0.16), 0.5
# Width for each digit, and height.
_CANVAS = (110, 150)
# How many strings are blurred, by up to how much of a digit's height, and have rests of lines.
_BLURRED, _MAX_BLUR, _RESTS = 0.4, 0.03, 0.15
# Components of one digit that are cut as well.
_CUT_ALONE = 0.4
# A candidate is a digit if it has at least the first fraction of its pixels, and at least so many
# of its own pixels are the digit's; it is none if one of the two is below the second fraction.
# Where cuts are bad, the candidates of the best division are the digits, if they have at least the
# third fraction.
_MIN_DIGIT, _MAX_NO_DIGIT, _MIN_BEST = 0.88, 0.72, 0.6
# For each digit of a string no more candidates are learned that are a digit, and that are none.
_PER_DIGIT, _NO_DIGITS = 4, 6
# So many distorted copies of each candidate are learned, too.
_COPIES = 1
_DISTORTIONS = Augmentation(rotation=6, scale=0.08, shear=0.15, shift=1.5)
CONFIG = Config(
    hidden_layers=(384, 96),
    activation=ACTIVATION,
    batch_norm=True,
    dropout=0.15,
    optimizer="adamw",
    learning_rate=0.003,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
    batch_size=256,
    epochs=10,
    weight_averaging=0.999,
    keep="last",
)

Random = np.random.Generator
Example = tuple[Pixels, int]


def string(hands: Writers, random: Random) -> tuple[Plan, list[int]]:
    """A string of digits or letters that is to be written, and its labels."""
    length = int(random.integers(_LENGTH[0], _LENGTH[1] + 1))
    source = _source(hands, random)
    touching = random.choice(_TOUCHING)
    written, labels = [], []
    for position in range(length):
        marks, label = source()
        touches = random.random() < touching
        gap = random.uniform(*(_OVERLAP if touches else _GAP)) if position else 0.0
        height = 1 + float(np.clip(random.normal(0, _HEIGHT_SPREAD), -0.2, 0.2))
        if label == OOD_CLASS:
            height *= random.uniform(*_LETTER_HEIGHT)
        off_line = random.normal(0, _OFF_LINE)
        written.append(Digit(position, marks, height, off_line, gap, 0, 0))
        labels.append(label)
    pen = None if random.random() < _AS_WRITTEN else random.uniform(*_PEN_WIDTH)
    return Plan(tuple(written), pen, random.uniform(-0.05, 0.05), 2.0, 0.0, False), labels


def _source(hands: Writers, random: Random) -> Callable[[], tuple[Marks, int]]:
    """Draws the digits, or the letters, of one string."""
    if random.random() < _LETTERS:
        letter = _LETTER_KINDS[random.integers(len(_LETTER_KINDS))]
        return lambda: (letter(random), OOD_CLASS)
    if random.random() < _WORLDS:
        return lambda: _worlds(random)
    writer = hands.any_writer(random)
    return lambda: _mnists(writer, random)


def drawn_letters(random: Random) -> Pixels:
    """A string of letters of one kind, light on dark."""
    letter = _LETTER_KINDS[random.integers(len(_LETTER_KINDS))]
    count = int(random.integers(3, _LENGTH[1] + 1))
    touching = random.choice(_TOUCHING)
    written = [
        Digit(position, letter(random), random.uniform(*_LETTER_HEIGHT), 0.0, gap, 0, 0)
        for position in range(count)
        for gap in [random.uniform(*(_OVERLAP if random.random() < touching else _GAP))]
    ]
    size = (_CANVAS[0] * (count + 1), _CANVAS[1])
    scene = Scene(size=size, digit=1.0, place=(0.5, 0.5))
    pen = random.uniform(*_PEN_WIDTH)
    plan = Plan(tuple(written), pen, random.uniform(-0.05, 0.05), 2.0, 0.0, False)
    return _drawn(fit(plan, scene, 0.0, random).placed, canvas_size(scene)[::-1])[0]


def _written_letter(random: Random) -> Marks:
    return handwriting.cropped(handwriting.drawing(non_digits.letter(random), random))


_LETTER_KINDS = (_written_letter, non_digits.traced, non_digits.typed)


def _worlds(random: Random) -> tuple[Marks, int]:
    kind = handwriting.any_kind(random)
    return handwriting.marks(kind, random), kind.digit


def _mnists(writer: Writer, random: Random) -> tuple[Marks, int]:
    digit = int(random.integers(10))
    return writer.write(digit, random), digit


@dataclass(frozen=True)
class CutString:
    """A line of a string, cut as ``dlcli read`` cuts it, and what is written there.

    Attributes
    ----------
    owned
        The pixels of each component and piece that belong to each digit or letter.
    labels
        Of the digits of the string; all are ``OOD_CLASS`` if it is one of letters.
    """

    page: Page
    line: Line
    spans: list[Span]
    image: LineImage
    owned: npt.NDArray[np.intp]
    labels: list[int]


def cut_strings(hands: Writers, random: Random) -> Iterator[CutString]:
    """The lines of a string that are cut, usually one."""
    plan, labels = string(hands, random)
    size = (_CANVAS[0] * (len(labels) + 1), _CANVAS[1])
    scene = Scene(size=size, digit=1.0, place=(random.random(), random.random()))
    placed = fit(plan, scene, 0.0, random).placed
    pen, owners = _drawn(placed, canvas_size(scene)[::-1])
    _disturb(pen, placed, random)
    components = connected_components(pen)
    if components is None:
        return
    page = Page(components, pen.shape[::-1], None)
    for line in page.lines:
        to_cut = _to_cut(page, line, owners, random)
        if not to_cut:
            continue
        divided = page.cut(line, to_cut)
        image, owned = _image_and_owned(divided, owners, len(labels))
        yield CutString(page, divided, page.spans(divided), image, owned, labels)


def examples(number: int, hands: Writers) -> list[Example]:
    """The candidates of a string, as they stand on their line, with their labels."""
    random = np.random.default_rng([4, number])
    found: list[Example] = []
    for cut in cut_strings(hands, random):
        chosen = chosen_candidates(cut, random)
        images = cut.image.in_context([cut.spans[place].labels for place, _ in chosen])
        found += [(image, label) for image, (_, label) in zip(images, chosen, strict=True)]
    return found


def _disturb(pen: Pixels, placed: list[Placed], random: Random) -> None:
    """Blur a string, and leave rests of printed lines on it, as photographs do."""
    height = placed[0].patch.shape[0]
    if random.random() < _RESTS:
        for _ in range(int(random.integers(1, 4))):
            x, y = random.uniform(0, pen.shape[1]), random.uniform(0, pen.shape[0])
            length, turn = random.uniform(0.3, 1.5) * height, int(random.integers(2))
            end = (x + length, y) if turn else (x, y + length)
            thickness = max(1, round(height * random.uniform(0.015, 0.045)))
            ends = ((round(x), round(y)), (round(end[0]), round(end[1])))
            rest = cv2.line(np.zeros_like(pen), *ends, color=255, thickness=thickness)
            np.maximum(pen, rest, out=pen)
    if random.random() < _BLURRED:
        pen[...] = cv2.GaussianBlur(pen, (0, 0), max(0.3, height * random.uniform(0, _MAX_BLUR)))


def _to_cut(page: Page, line: Line, owners: npt.NDArray[np.intp], random: Random) -> list[int]:
    """The components of several digits, and some of one digit."""
    places = []
    for place, members in enumerate(line.members):
        owning = np.unique(owners[np.isin(page.components.labels, list(members))])
        if np.count_nonzero(owning >= 0) > 1 or random.random() < _CUT_ALONE:
            places.append(place)
    return places


def chosen_candidates(cut: CutString, random: Random) -> list[tuple[int, int]]:
    """Some candidates that are digits and some that are not: their places, with their labels."""
    spans, labels = cut.spans, cut.labels
    counts = np.stack([cut.owned[list(span.labels)].sum(axis=0) for span in spans])
    totals = np.maximum(cut.owned.sum(axis=0), 1)
    digits = counts.argmax(axis=1)
    common = np.maximum(totals[digits], counts.sum(axis=1))
    quality = counts.max(axis=1) / np.maximum(common, 1)
    division = _best_division(spans, digits, quality)
    is_letter = np.array([labels[digit] == OOD_CLASS for digit in digits])
    is_good = (quality >= _MIN_DIGIT) & ~is_letter
    chosen = [place for place in division if not is_letter[place]]
    for digit in range(len(labels)):
        good = np.setdiff1d(np.flatnonzero(is_good & (digits == digit)), chosen)
        chosen += random.permutation(good)[: _PER_DIGIT - 1].tolist()
    none = np.setdiff1d(np.flatnonzero((quality < _MAX_NO_DIGIT) | is_letter), chosen)
    others = random.permutation(none)[: _NO_DIGITS * len(labels)].tolist()
    found = [(place, labels[digits[place]]) for place in chosen]
    return found + [(place, OOD_CLASS) for place in others]


def _best_division(
    spans: list[Span], digits: npt.NDArray[np.intp], quality: npt.NDArray[np.float64]
) -> list[int]:
    """The candidates, each beginning where one ends, that show most of the digits best."""
    good: dict[int, list[int]] = {}
    for place in np.flatnonzero(quality >= _MIN_BEST).tolist():
        good.setdefault(spans[place].start, []).append(place)
    best: dict[tuple[int, int], tuple[float, list[int]]] = {(0, -1): (0.0, [])}
    for boundary in range(1 + max(good, default=-1)):
        for state in [state for state in best if state[0] == boundary]:
            value, way = best[state]
            steps = [((boundary + 1, state[1]), value, way)]  # leaves out what stands there
            for place in good.get(boundary, ()):
                end = spans[place].end, int(digits[place])
                if end[1] > state[1]:
                    steps.append((end, value + quality[place], [*way, place]))
            for end, new, whole in steps:
                if new > best.get(end, (-1.0,))[0]:
                    best[end] = (new, whole)
    return max(best.values(), key=lambda found: found[0])[1]


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


def _image_and_owned(
    line: Line, owners: npt.NDArray[np.intp], count: int
) -> tuple[LineImage, npt.NDArray[np.intp]]:
    """The image of a line, and how many pixels of each of its pieces belong to each digit."""
    if line.image is None:
        raise ValueError("nothing on the line is cut")
    labels, owner = line.image.labels, line.image.sampled(owners)
    is_owned = (labels > 0) & (owner >= 0)
    codes = labels[is_owned].astype(np.intp) * count + owner[is_owned]
    members = 1 + max(int(labels.max()), *map(max, line.members))
    owned = np.bincount(codes, minlength=members * count).reshape(members, count)
    return line.image, owned


@cache
def _hands(data_dir: Path, part: int) -> Writers:
    """Hands made of one part of the training digits; the last part is for validation."""
    learned, validation = training_digits(data_dir)
    if part < 0:
        return Writers(validation)
    digits = np.s_[part * _DIGITS_OF_HANDS : (part + 1) * _DIGITS_OF_HANDS]
    return Writers(Examples(learned.images[digits], learned.labels[digits]))


def hands_of(data_dir: Path, number: int, *, is_validation: bool) -> Writers:
    """The hands that write a string: of a part of the training digits, or of the last ones."""
    parts = len(training_digits(data_dir)[0]) // _DIGITS_OF_HANDS
    return _hands(data_dir, -1 if is_validation else number % parts)


def _examples(data_dir: Path, number: int) -> list[Example]:
    return examples(number, hands_of(data_dir, number, is_validation=number >= STRINGS))


def make_examples(data_dir: Path, numbers: range) -> Examples:
    """The candidates of many strings."""
    with Pool() as pool:
        made = pool.imap(partial(_examples, data_dir), numbers, chunksize=20)
        pixels, labels = zip(*chain.from_iterable(tqdm(made, total=len(numbers))), strict=True)
    return Examples(np.stack(pixels), np.array(labels, np.uint8))


def with_copies(examples: Examples) -> Examples:
    """The candidates, and distorted copies: each with its neighbours, in the same way."""
    distortions = Distortions(_DISTORTIONS)
    images = [examples.images]
    for copy in range(_COPIES):
        halves = [
            distortions.apply(np.ascontiguousarray(half), np.random.default_rng(copy))
            for half in np.split(examples.images, 2, axis=1)
        ]
        images.append(np.concatenate(halves, axis=1))
    return Examples(np.concatenate(images), np.tile(examples.labels, len(images)))


def train(learned: Examples, validation: Examples, config: Config = CONFIG) -> Network:
    """A network with twice as many inputs as an image has pixels, and eleven outputs."""
    network = Network(
        (2 * IMAGE_SIZE, *config.hidden_layers, OOD_CLASS + 1),
        config.activations,
        config.output_activation,
        batch_norm=config.batch_norm,
    )
    random = random_stream(config.seed, "initial_weights")
    network.initialize(config.initializer, config.initializer_stddev, random)
    average = network.like()
    average.parameters[...] = network.parameters
    average.statistics[...] = network.statistics
    optimizer = make_optimizer(config, network.parameters, network.weight_count)
    state = TrainingState(network, optimizer, average)
    for record in fit_network(config, learned, validation, state):
        print(record)
    return state.evaluated_network.fuse_batch_norm()


def main() -> None:
    """Make the strings, and train the network that judges cuts on their candidates."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    data_dir = parser.parse_args().data_dir
    learned = make_examples(data_dir, range(STRINGS))
    validation = make_examples(data_dir, range(STRINGS, STRINGS + VALIDATION))
    save(train(with_copies(learned), validation), CUTS_FILE)


if __name__ == "__main__":
    main()
