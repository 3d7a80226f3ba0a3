"""Count the pictures of each kind that a model reads: ``benchmarks/PHOTOGRAPHS.md``.

They are synthetic photographs of MNIST's test digits, and of things that are no digit (the same
seeds give the same pictures), and the pictures of a folder, if one is named. Takes 20 minutes on
two cores for 300 photographs of each of 50 kinds.

    make photographs MODEL=pretrained FOLDER=~/digits
"""

import io
import os
import re
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path
from typing import TextIO

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
from PIL import Image
from tqdm import tqdm

from dlcli.cli import options
from dlcli.data import datasets
from dlcli.data.examples import Examples
from dlcli.errors import DlcliError, ImageError
from dlcli.evaluation.metrics import expected_calibration_error
from dlcli.inference.predictor import predict
from dlcli.inference.sources import ImageSource, find_images
from dlcli.nn.dimensions import IMAGE_SIZE
from dlcli.nn.types import Pixels
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from dlcli.vision.decode import ignore_warnings, read_image, to_grey_or_rgb
from dlcli.vision.mnist_format import to_mnist_format
from dlcli.vision.morphology import otsu_threshold
from dlcli.vision.test_time_augmentation import tta_variants
from tools.conditions import CONDITIONS, HARD, NO_DIGIT, PLAIN, any_photo
from tools.photographs import photograph
from tools.scans import scan

Picture = tuple[Path | bytes, int | None]
"""A picture file, or its content, and its label; None if it shows no single digit."""
Pictures = range | list[Picture]
"""Pictures of a folder, or the numbers of synthetic photographs of a kind."""
# By the names of groups, then of kinds.
Groups = dict[str, dict[str, Pictures]]
Counts = dict[str, dict[str, Counter[str]]]
OUTCOMES = ("right", "wrong", "?")
COMPARED = ("right without rejection", "right by the baseline")
_KINDS = {"plain": [*PLAIN], "hard": [*HARD], "no digit, or several": [*NO_DIGIT]}
# Of what is no digit, what may be scanned with few pixels, drawn without any digits.
_SCANNED = ("a letter", "a scribble", "a star", "a face", "a house")
_NO_IMAGES = np.empty((0, 28, 28), np.uint8)
# So many pictures are one piece of work for a process.
_BATCH = 20
# Answers to pictures of digits are counted by their probability and whether they are right.
_ANSWERED = "answered with"
# Above this probability users take an answer for certain.
_CERTAIN = 0.99


def files_of(kind: str, digits: Examples, numbers: range) -> Iterator[tuple[bytes, int | None]]:
    """Photographs of a kind, each with its label; None if it shows no single digit."""
    for number in numbers:
        random = np.random.default_rng([zlib.crc32(kind.encode()), number])
        chosen = random.integers(len(digits), size=3)
        images = digits.images[chosen].reshape(-1, 28, 28)
        if kind in NO_DIGIT:
            scene = any_photo(random)
            marks = NO_DIGIT[kind](random, images)
            yield photograph(marks, scene, random), None
        else:
            scene = CONDITIONS[kind](random)
            yield photograph(images[0], scene, random), int(digits.labels[chosen[0]])


def small_scans() -> list[Picture]:
    """The 1,797 digits of 8x8 pixels that come with scikit-learn, as PNG files.

    They are scans of forms that 13 people filled in, of 32x32 pixels, counted in blocks of 4x4
    (Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI, 1998).
    """
    from sklearn.datasets import load_digits

    scans = load_digits()
    found: list[Picture] = []
    for levels, label in zip(scans.images, scans.target, strict=True):
        file = io.BytesIO()
        Image.fromarray((levels * (255 / 16)).astype(np.uint8)).save(file, "png")
        found.append((file.getvalue(), int(label)))
    return found


def scans_of_no_digit(count: int) -> list[Picture]:
    """Letters and drawings as scans of 7 to 16 pixels, so many of each kind, as PNG files."""
    found: list[Picture] = []
    for kind in _SCANNED:
        random = np.random.default_rng(zlib.crc32(kind.encode()))
        for _ in range(count):
            file = io.BytesIO()
            scan(NO_DIGIT[kind](random, _NO_IMAGES), random).save(file, "png")
            found.append((file.getvalue(), None))
    return found


def pictures_in(folder: Path) -> Groups:
    """The pictures of a folder by subfolder, those whose names begin with no digit apart."""
    labelled: dict[str, list[Picture]] = {}
    others: dict[str, list[Picture]] = {}
    for path in find_images(folder):
        label = label_of(path)
        subfolder = path.parent.relative_to(folder).as_posix()
        kinds = others if label is None else labelled
        kinds.setdefault(subfolder, []).append((path, label))
    return {"a folder": {**labelled}, "a folder, no digit or several": {**others}}


def label_of(path: Path) -> int | None:
    """The label in a file's name, such as ``7_anything.png``; None if it begins with no digit."""
    label = re.match("([0-9])([-_.])?", path.name)
    if label and not label[2]:
        raise ImageError(f"{path}: which digit? Call it LABEL_{path.name}")
    return int(label[1]) if label else None


def baseline(image: Image.Image) -> Pixels:
    """The simplest way to MNIST's format: all that Otsu's threshold divides from the border."""
    levels = np.asarray(image.convert("L"))
    light = levels > otsu_threshold(levels)
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    strokes = light != (border.mean() > 1 / 2)
    if not strokes.any():
        return np.zeros(IMAGE_SIZE, np.uint8)
    return to_mnist_format(strokes.astype(np.float32))


def count(model: Model, pictures: Iterable[Picture]) -> Counter[str]:
    """How many pictures are read right, read wrong, and refused (``?``), and ``COMPARED``."""
    with ignore_warnings():
        return Counter(seen for picture in pictures for seen in _outcomes(model, *picture))


def _outcomes(model: Model, file: Path | bytes, label: int | None) -> Iterator[str]:
    """All that a picture counts as; of a file with several pages, the first is the picture."""
    name = str(file) if isinstance(file, Path) else "photograph"
    first, again = (file if isinstance(file, Path) else io.BytesIO(file) for _ in range(2))
    answer = next(predict(model, [ImageSource(first, name)], raw=False, threads=1))
    if answer.error is not None:
        raise ImageError(answer.error)
    digit = None if answer.probabilities is None else int(answer.probabilities.argmax())
    yield "pictures"
    yield "?" if digit is None else "right" if digit == label else "wrong"
    if label is None:
        return
    yield "digits"
    if answer.probabilities is not None:
        # To four decimals, since what is counted is text.
        yield f"{_ANSWERED} {answer.probabilities.max():.4f} {digit == label}"
    if digit is None and answer.pixels is not None:  # what was found, but rejected
        digit = _most_probable(model, tta_variants(answer.pixels))
    crude = baseline(to_grey_or_rgb(read_image(again, name), name))
    digits = (digit, _most_probable(model, crude[np.newaxis]))
    yield from (way for way, digit in zip(COMPARED, digits, strict=True) if digit == label)


def _most_probable(model: Model, variants: Pixels) -> int:
    return int(model.infer(variants)[1].mean(axis=0).argmax())


_model = cache(lookup.load_named)
_dataset = cache(datasets.load)


def _count(model: str, data_dir: Path, part: tuple[str, str, Pictures]) -> Counter[str]:
    _, kind, pictures = part
    if isinstance(pictures, list):
        return count(_model(model), pictures)
    return count(_model(model), files_of(kind, _dataset("mnist", data_dir).test, pictures))


def count_all(model: str, data_dir: Path, groups: Groups) -> Counts:
    """Count the pictures of all groups, in several processes."""
    parts = [
        (group, kind, pictures[first : first + _BATCH])
        for group, kinds in groups.items()
        for kind, pictures in kinds.items()
        for first in range(0, len(pictures), _BATCH)
    ]
    counts: Counts = {}
    with Pool() as pool:
        results = pool.imap(partial(_count, model, data_dir), parts)
        for (group, kind, _), more in zip(tqdm(parts), results, strict=True):
            counts.setdefault(group, {}).setdefault(kind, Counter()).update(more)
    return counts


def table(groups: Counts) -> str:
    """A table in Markdown: of each group a row for all its pictures, and one for each kind."""
    columns = ("pictures", *OUTCOMES, *COMPARED)
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " --: |" * len(columns)]
    for group, kinds in groups.items():
        rows = {f"**{group}**": sum(kinds.values(), Counter()), **kinds}
        for kind, counts in rows.items():
            number, digits = counts["pictures"], counts["digits"]
            shown = [f"{counts[outcome] / number:.1%}" for outcome in OUTCOMES]
            shown += [f"{counts[way] / digits:.1%}" if digits else "" for way in COMPARED]
            lines.append(f"| {kind} | {number:,} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def calibration(groups: Counts) -> str:
    """A table in Markdown of how well the probabilities of the answers of each group fit."""
    lines = [
        "| | answered | right | mean probability | calibration error | wrong above 0.99 |",
        "| --- |" + " --: |" * 5,
    ]
    for group, kinds in groups.items():
        answers = [
            (float(key.split()[2]), key.endswith("True"))
            for key in sum(kinds.values(), Counter()).elements()
            if key.startswith(_ANSWERED)
        ]
        if not answers:
            continue
        highest, is_right = (np.array(column) for column in zip(*answers, strict=True))
        # As of two classes: the prediction and all others.
        probabilities = np.column_stack([highest, np.zeros_like(highest)])
        error = expected_calibration_error(probabilities, (~is_right).astype(np.uint8))
        shown = [f"{value:.1%}" for value in (is_right.mean(), highest.mean(), error)]
        certain = np.count_nonzero(highest[~is_right] > _CERTAIN)
        lines.append(f"| {group} | {len(answers):,} | {' | '.join(shown)} | {certain} |")
    return "\n".join(lines) + "\n"


def render(model: Model, command: str, counts: Counts) -> str:
    """The page with the table."""
    sizes = "-".join(map(str, model.network.layer_sizes))
    return f"""# Pictures that `dlcli predict` reads

Written by `{command}`.
[tools/conditions.py](../tools/conditions.py) and [tools/photographs.py](../tools/photographs.py)
make synthetic photographs from the test images of MNIST and fixed seeds. The network is
{sizes}, trained on {model.metadata.dataset.name}. Rows in bold sum up those below.
The scans are scikit-learn's digits, of other writers (UCI, 1998). No network has learned them, but
five hands of tools/handwriting.py were drawn after a look at those that were misread, and settings
and models were chosen with this count in view: on scans of other writers expect less. So was the
higher threshold for few pixels, which rejects fewer of the scans of 7 to 16 pixels (tools/scans.py)
of letters and drawings.

`?` means that `predict` refused to answer and said why: rightly where there is no digit, or more
than one. The last two columns are ways that always answer: `predict` without rejection, and a
baseline (the same network, Otsu's threshold with the border as background, the box around the rest
scaled to 20x20 pixels and centred by mass).

{table(counts)}
The rejection network has learned from other digits under these conditions, and from other stars,
faces, houses, scribbles and touching digits. It has never seen the font of these letters. The
thresholds for refusing, and for trying more ways to find the digit, were set with some of these
very photographs in view.

The probabilities of the answers:

{calibration(counts)}
The calibration error is the mean difference between probability and accuracy, in 15 bins.
"""


@click.command()
@click.argument("model")
@click.option("--count", default=300, show_default=True, help="Synthetic photographs of a kind.")
@click.option(
    "--folder",
    type=options.PathType(exists=True, file_okay=False, path_type=Path),
    help="Count its pictures, too: 7_a.png or 7-a.png shows a 7, a_7.png no single digit.",
)
@options.data_dir
@click.option("--output", type=click.File("w", atomic=True), default="-", help="The page's file.")
def main(model: str, count: int, folder: Path | None, data_dir: Path, output: TextIO) -> None:
    """Count how many pictures of each kind MODEL reads, for a page in Markdown."""
    command = f"python -m tools.photograph_accuracy {model} --count {count}"
    groups: Groups = {name: dict.fromkeys(kinds, range(count)) for name, kinds in _KINDS.items()}
    groups["scans"] = {"8x8 pixels": small_scans() if count else []}
    groups["scans, no digit"] = {"letters and drawings": scans_of_no_digit(count)}
    try:
        if folder is not None:
            command += " --folder FOLDER"
            groups = pictures_in(folder) | groups
        if count:
            _dataset("mnist", data_dir)  # once, and not in each process
        output.write(render(_model(model), command, count_all(model, data_dir, groups)))
    except DlcliError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
