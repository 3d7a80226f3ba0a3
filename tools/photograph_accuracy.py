"""Count how many synthetic photographs of each kind a model reads: ``benchmarks/PHOTOGRAPHS.md``.

The photographs show MNIST's test digits, and things that are no digit; the same seeds give the same
pictures. Takes 20 minutes on two cores for 300 photographs of each of 50 kinds.

    make photographs MODEL=pretrained
"""

import io
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

# Each process has a core to itself; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
from tqdm import tqdm

from dlcli.cli import options
from dlcli.data import datasets
from dlcli.data.datasets import Examples
from dlcli.inference.predictor import predict
from dlcli.inference.sources import ImageSource
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from tools import conditions
from tools.photographs import photograph

OUTCOMES = ("right", "wrong", "?")
# So many photographs are one piece of work for a process.
_BATCH = 20


def files_of(kind: str, digits: Examples, numbers: range) -> Iterator[tuple[bytes, int | None]]:
    """Photographs of a kind, each with its label; None if it shows no single digit."""
    for number in numbers:
        random = np.random.default_rng([zlib.crc32(kind.encode()), number])
        chosen = random.integers(len(digits), size=3)
        images = digits.images[chosen].reshape(-1, 28, 28)
        if kind in conditions.NO_DIGIT:
            scene = conditions.any_photo(random)
            marks = conditions.NO_DIGIT[kind](random, images)
            yield photograph(marks, scene, random), None
        else:
            scene = conditions.CONDITIONS[kind](random)
            yield photograph(images[0], scene, random), int(digits.labels[chosen[0]])


def count(model: Model, kind: str, digits: Examples, numbers: range) -> Counter[str]:
    """How many photographs of a kind the model reads right, reads wrong, and refuses (``?``)."""
    made = list(files_of(kind, digits, numbers))
    pictures = [ImageSource(io.BytesIO(content), kind) for content, _ in made]
    counts: Counter[str] = Counter()
    for answer, (_, label) in zip(predict(model, pictures, raw=False), made, strict=True):
        if answer.error is not None:
            raise AssertionError(answer.error)
        if answer.probabilities is None:
            counts["?"] += 1
        else:
            counts["right" if answer.probabilities.argmax() == label else "wrong"] += 1
    return counts


def _count(job: tuple[str, str, Path, range]) -> Counter[str]:
    model, kind, data_dir, numbers = job
    digits = datasets.load("mnist", data_dir).test
    return count(lookup.load_named(model), kind, digits, numbers)


def table(title: str, rows: dict[str, Counter[str]]) -> str:
    """A table in Markdown: a row for each kind, and their mean."""
    lines = [f"| {title} | " + " | ".join(OUTCOMES) + " |", "| --- | --- | --- | --- |"]
    rates = {
        kind: [counts[outcome] / counts.total() for outcome in OUTCOMES]
        for kind, counts in rows.items()
    }
    rates["mean"] = np.mean(list(rates.values()), axis=0).tolist()
    for kind, row in rates.items():
        lines.append(f"| {kind} | " + " | ".join(f"{rate:.1%}" for rate in row) + " |")
    return "\n".join(lines) + "\n"


def render(model: Model, name: str, number: int, counts: dict[str, Counter[str]]) -> str:
    """The page with all tables."""
    sizes = "-".join(map(str, model.network.layer_sizes))
    tables = (
        ("plain", list(conditions.PLAIN)),
        ("hard", list(conditions.HARD)),
        ("no digit, or several", list(conditions.NO_DIGIT)),
    )
    body = "\n".join(
        table(title, {kind: counts[kind] for kind in kinds}) for title, kinds in tables
    )
    return f"""# Photographs that `dlcli predict` reads

Written by `make photographs MODEL={name}`: {number} pictures of each kind, made by
[tools/conditions.py](../tools/conditions.py) and [tools/photographs.py](../tools/photographs.py)
from the test images of MNIST and fixed seeds. The network is {sizes}, trained on
{model.metadata.dataset.name}. `?` means that `predict` refused to answer and said why.

{body}
The rejection network has learned from other stars, faces, houses, scribbles and touching digits,
drawn in other ways. It has never seen the font of these letters.

The thresholds for refusing, and for trusting another reading of a picture, were set with some of
these very pictures in view.
"""


@click.command()
@click.argument("model")
@click.option("--count", "number", default=300, show_default=True, help="Photographs of each kind.")
@options.data_dir
@click.option("--output", type=click.File("w", atomic=True), default="-")
def main(model: str, number: int, data_dir: Path, output: io.TextIOBase) -> None:
    """Predict synthetic photographs of each kind with MODEL and count the right answers."""
    kinds = [*conditions.CONDITIONS, *conditions.NO_DIGIT]
    batches = [range(first, min(first + _BATCH, number)) for first in range(0, number, _BATCH)]
    jobs = [(model, kind, data_dir, batch) for kind in kinds for batch in batches]
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    with Pool() as pool:
        for job, counted in zip(tqdm(jobs), pool.imap(_count, jobs), strict=True):
            counts[job[1]] += counted
    output.write(render(lookup.load_named(model), model, number, counts))


if __name__ == "__main__":
    main()
