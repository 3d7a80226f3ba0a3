"""Measure what each rule and constant of ``dlcli.vision`` is worth: ``benchmarks/VISION.md``.

Each is left out or changed while everything else stays as it is, and the pictures that are read
are counted: synthetic photographs (``tools.conditions``) and the pictures of a folder, if one is
named. Takes half an hour on two cores for 10 photographs of each kind.

    make ablation FOLDER=~/digits
"""

import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any, TextIO

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from dlcli.cli import options
from dlcli.data import datasets
from dlcli.errors import DlcliError
from dlcli.inference import predictor
from dlcli.nn.types import Array, Pixels
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from dlcli.vision import (
    components,
    foreground,
    localization,
    mnist_format,
    normalization,
    pipeline,
    rejection,
    test_time_augmentation,
)
from dlcli.vision.decode import ignore_warnings, read_image, to_grey_or_rgb
from tools.conditions import CONDITIONS, NO_DIGIT
from tools.photograph_accuracy import Picture, files_of, pictures_in

_MODULES = (
    *(components, foreground, localization, mnist_format, normalization, pipeline, rejection),
    *(test_time_augmentation, predictor),
)
# So many pictures are one piece of work for a process.
_BATCH = 20
# The outcomes by the change.
Counts = dict[str, Counter[str]]


@dataclass(frozen=True)
class Change:
    """One name of ``dlcli.vision`` with another value, wherever it is imported."""

    name: str
    value: Any
    shown: str  # in the table

    def __str__(self) -> str:
        return f"{self.name.strip('_')}: {self.shown}"


def _nothing(*_: object, **__: object) -> None:
    return None


def _never(*_: object, **__: object) -> bool:
    return False


# Each rule, replaced by one that does nothing.
RULES = (
    Change("without_lines", lambda *_: iter(()), "left out"),
    Change("dark_on_light_alone", lambda *_: (), "left out"),
    Change("all_parts", _nothing, "left out"),
    Change("has_neighbour", _never, "left out"),
    Change("_is_page", _never, "left out"),
    Change("_is_bar", _never, "left out"),
    Change("count_holes", lambda *_: 0, "left out"),
    Change("is_mnist_like", _never, "left out"),
    Change("tta_variants", lambda pixels, _=None: pixels[np.newaxis], "the image alone"),
)


def _values(name: str, *values: object) -> tuple[Change, ...]:
    return tuple(Change(name, value, str(value)) for value in values)


# Other values of each constant; those that leave a rule out among them.
CONSTANTS = (
    *_values("WINDOWS", (0.35,), (0.12,)),
    *_values("_EVEN_FRACTION", 0.6, 1.1),
    *_values("_MIN_EVEN_AREA", 0, 0.5),
    *_values("_MIN_CONTRAST", 0, 80),
    *_values("_WINDOWS_AFTER_GLOBAL", 1, 100),
    *_values("_MAX_SIDE_PX", 200),
    *_values("_MIN_SIDE_PX", 1),
    *_values("_MIN_SHORT_SIDE_PX", 1),
    *_values("_POLARITY_SIDE_PX", 32, 64),
    *_values("_BORDER_WEIGHT", 0, 100),
    *_values("_MIN_BACKGROUND", 1),
    *_values("_MIN_LINE_LENGTH", 0.25, 0.6),
    *_values("_MAX_LINE_THICKNESS", 0.012, 0.05),
    *_values("_LINE_SLOPES", (0.0,)),
    *_values("HYSTERESIS", 0.4, 0.8, 1),
    *_values("components._MIN_LEVEL", 4, 32),
    *_values("_MIN_SIGNAL_TO_NOISE", 0, 4.5),
    *_values("_LEAST_NOISE", 0),
    *_values("_MIN_LENGTH", 0, 0.1),
    *_values("_MAX_GAP", 0, 0.5),
    *_values("_MIN_PART_MASS", 0, 0.05),
    *_values("_MIN_HEIGHT_RATIO", 0.4, 0.8),
    *_values("_MAX_OVERLAP", 0, 0.5),
    *_values("_MIN_NEIGHBOUR_MASS", 0.1, 0.4),
    *_values("_MAX_PARTS", 6, 100),
    *_values("_MIN_STRIP_ASPECT", 2, 1000),
    *_values("_BORDER_FACTOR", 0.1, 1),
    *_values("_MAX_MAIN", 1, 3),
    *_values("_MIN_MAIN_MASS", 0, 0.3),
    *_values("_LEVELS", (0.0, 0.65), (0.25, 0.65), (0.15, 0.45), (0.15, 0.85)),
    *_values("_LEVELS_OF_ENLARGED", (0.15, 0.65)),
    *_values("_PEN_LEVEL_FRACTION", 0, 0.9),
    *_values("_SOFT_EDGE_PX", 0, 2),
    *_values("_GROUP_PENALTY", 0, 0.1),
    *_values("_FOREGROUND_PENALTY", 0, 0.1),
    *_values("_BAR_PENALTY", 0),
    *_values("MAX_OOD_ACCEPTED", 0.1, 0.6, 1),
    *_values("_MAX_COVERAGE", 0.5, 0.85),
    *_values("_MIN_PAGE_ASPECT", 0.25, 0.75),
    *_values("localization._MAX_BAR_ASPECT", 0, 0.2),
    *_values("MIN_STROKE_WIDTH_PX", 0, 2, 3.2),
    *_values("_MAX_LENGTH_PX", 50),
    *_values("STROKE_LEVEL", 0.35, 0.65),
    *_values("REJECTION_THRESHOLD", 0.6, 0.7, 0.8),
    *_values("FEW_PIXELS", 0, 16),
    *_values("FEW_PIXELS_THRESHOLD", 0.85, 1),
    *_values("SURE_OOD", -1, 1),
    *_values("SURE_PROBABILITY", 0, 1),
    *_values("FIRST_VARIANTS", 1),
    *_values("ROTATIONS_DEGREES", (0,)),
    *_values("SCALES", (1.0,)),
    *_values("SHIFTS_PX", ((0, 0),)),
)
AS_IT_IS = Change("as it is", None, "")


@contextmanager
def applied(change: Change) -> Iterator[None]:
    """Inside, the name has its other value in every module; a module may be named before it."""
    where, _, name = change.name.rpartition(".")
    modules = [
        module for module in _MODULES if hasattr(module, name) and module.__name__.endswith(where)
    ]
    if not modules and change != AS_IT_IS:
        raise AttributeError(f"dlcli.vision has no {change.name}")
    before = [(module, getattr(module, name)) for module in modules]
    try:
        for module in modules:
            setattr(module, name, change.value)
        if test_time_augmentation in modules:
            _forget_variants()
        yield
    finally:
        for module, value in before:
            setattr(module, name, value)
        if test_time_augmentation in modules:
            _forget_variants()


def _forget_variants() -> None:
    """The maps of the variants are kept, but depend on the constants."""
    for function in vars(test_time_augmentation).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


class Remembered:
    """A function of images, shape (n, 784), that computes nothing twice."""

    def __init__(self, function: Callable[[Pixels], Array]) -> None:
        self._function = function
        self._known: dict[bytes, Array] = {}

    def __call__(self, images: Pixels) -> Array:
        """The function's values, an entry or a row for each image."""
        keys = [image.tobytes() for image in images]
        new = {key: at for at, key in enumerate(keys) if key not in self._known}
        if new:
            self._known.update(zip(new, self._function(images[list(new.values())]), strict=True))
        return np.stack([self._known[key] for key in keys])


def outcome(model: Remembered, scorer: Remembered, image: Image.Image, label: int | None) -> str:
    """Whether a picture is read right, read wrong, or refused (``?``), by a model and a scorer."""
    found = pipeline.preprocess(image, "picture", scorer)
    if found.variants is None:
        return "?"
    (probabilities,) = predictor.mean_probabilities(model, [found])
    threshold = rejection.rejection_threshold(found.box)
    score = found.ood_score
    if score is not None and rejection.rejection_reason(score, probabilities, threshold):
        return "?"
    return "right" if int(probabilities.argmax()) == label else "wrong"


def count(model: Model, pictures: list[Picture]) -> Counts:
    """The outcomes of some pictures for each change, digits and other things apart."""
    classify = Remembered(lambda images: model.infer(images)[1])
    score = Remembered(rejection.ood_scores)
    counts: Counts = {}
    with ignore_warnings():
        images = [(_opened(file), label) for file, label in pictures]
        for change in (AS_IT_IS, *RULES, *CONSTANTS):
            with applied(change):
                counts[str(change)] = Counter(
                    ("nothing " if label is None else "digit ")
                    + outcome(classify, score, image, label)
                    for image, label in images
                )
    return counts


def _opened(file: Path | bytes) -> Image.Image:
    name = str(file) if isinstance(file, Path) else "photograph"
    return to_grey_or_rgb(
        read_image(file if isinstance(file, Path) else io.BytesIO(file), name), name
    )


def _count(name: str, data_dir: Path, part: tuple[str, list[Picture] | range]) -> Counts:
    kind, pictures = part
    if isinstance(pictures, range):
        digits = datasets.load("mnist", data_dir).test
        pictures = list(files_of(kind, digits, pictures))
    return count(lookup.load_named(name), pictures)


def count_all(name: str, data_dir: Path, count: int, folder: Path | None) -> Counts:
    """The outcomes of all pictures for each change, counted in several processes."""
    parts: list[tuple[str, list[Picture] | range]] = [
        (kind, range(first, min(first + _BATCH, count)))
        for kind in (*CONDITIONS, *NO_DIGIT)
        for first in range(0, count, _BATCH)
    ]
    for kinds in pictures_in(folder).values() if folder else ():
        for kind, pictures in kinds.items():
            parts += [(kind, pictures[i : i + _BATCH]) for i in range(0, len(pictures), _BATCH)]
    counts: Counts = {}
    with Pool() as pool:
        for found in tqdm(
            pool.imap(partial(_count, name, data_dir), parts), total=len(parts), unit="part"
        ):
            for change, more in found.items():
                counts.setdefault(change, Counter()).update(more)
    return counts


def table(counts: Counts, changes: Iterable[Change]) -> str:
    """A table in Markdown with a row for each change."""
    lines = ["| | value | right | wrong | ? | nothing read | difference |"]
    lines += ["| --- | --- |" + " --: |" * 5]
    before = _treated_right(counts[str(AS_IT_IS)])
    for change in (AS_IT_IS, *changes):
        found = counts[str(change)]
        shown = [found[f"digit {outcome}"] for outcome in ("right", "wrong", "?")]
        cells = [change.name.rpartition(".")[2].strip("_"), change.shown, *map(str, shown)]
        difference = _treated_right(found) - before
        cells += [str(found["nothing ?"]), f"{difference:+}" if change != AS_IT_IS else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _treated_right(found: Counter[str]) -> int:
    return found["digit right"] + found["nothing ?"]


def render(model: str, counts: Counts, command: str) -> str:
    """The page with the tables."""
    found = counts[str(AS_IT_IS)]
    digits = sum(found[f"digit {outcome}"] for outcome in ("right", "wrong", "?"))
    return f"""# What the rules and constants of `dlcli.vision` are worth

Written by `{command}`. {digits:,} pictures of a digit and {found.total() - digits:,} of something
else, or of several digits, are read by the model {model}; in each row, one thing differs from the
code. *Nothing read* counts the second kind of picture; *difference* is how many more pictures are
treated as they should be.

## Rules

{table(counts, RULES)}

## Constants

{table(counts, CONSTANTS)}
"""


@click.command()
@click.argument("model", default=lookup.PRETRAINED)
@click.option(
    "--count",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Synthetic photographs of a kind.",
)
@click.option(
    "--folder",
    type=options.PathType(exists=True, file_okay=False, path_type=Path),
    help="Count its pictures, too: 7_a.png or 7-a.png shows a 7, a_7.png no single digit.",
)
@options.data_dir
@click.option("--output", type=click.File("w", atomic=True), default="-", help="The page's file.")
def main(model: str, count: int, folder: Path | None, data_dir: Path, output: TextIO) -> None:
    """Count the pictures that MODEL reads while a rule or constant differs, as Markdown."""
    if not count and folder is None:
        raise click.UsageError("Nothing to count: name a --folder, or a --count above 0.")
    command = f"python -m tools.vision_ablation {model} --count {count}"
    command += " --folder FOLDER" if folder else ""
    try:
        lookup.load_named(model)  # a mistake is told before anything is counted
        output.write(render(model, count_all(model, data_dir, count, folder), command))
    except DlcliError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
