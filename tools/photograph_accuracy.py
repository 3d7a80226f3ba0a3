"""How many photographs of each kind a model reads: ``make photographs MODEL=runs/latest``."""

import io
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

# Each process has a core; BLAS threads would only be in its way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import click
import numpy as np
from tqdm import tqdm

from dlcli.data import datasets
from dlcli.data.datasets import Examples
from dlcli.files import DEFAULT_DATA_DIR
from dlcli.inference.predictor import Picture, predict
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from tools import photographs as ph


def files_of(
    condition: str, digits: Examples, numbers: range
) -> Iterator[tuple[bytes, int | None]]:
    """Photographs of a condition, each with its label; None if it shows no single digit."""
    for number in numbers:
        random = np.random.default_rng([zlib.crc32(condition.encode()), number])
        chosen = random.integers(len(digits), size=3)
        images = digits.images[chosen].reshape(-1, 28, 28)
        if condition in ph.NO_DIGIT:
            scene = ph.any_photo(random)
            yield ph.photograph(ph.NO_DIGIT[condition](random, images), scene, random), None
        else:
            scene = ph.CONDITIONS[condition](random)
            yield ph.photograph(images[0], scene, random), int(digits.labels[chosen[0]])


def judge(model: Model, condition: str, digits: Examples, numbers: range) -> Counter[str]:
    """How many photographs of a condition are answered rightly, wrongly and not at all."""
    made = list(files_of(condition, digits, numbers))
    pictures = [Picture(io.BytesIO(content), condition) for content, _ in made]
    counts: Counter[str] = Counter()
    for answer, (_, label) in zip(predict(model, pictures, raw=False), made, strict=True):
        if answer.error is not None:
            raise AssertionError(answer.error)
        if answer.probabilities is None:
            counts["?"] += 1
        elif answer.probabilities.argmax() == label:
            counts["right"] += 1
        else:
            counts["wrong"] += 1
    return counts


def _judge(job: tuple[str, str, Path, range]) -> Counter[str]:
    model, condition, data_dir, numbers = job
    digits = datasets.load("mnist", data_dir).test
    return judge(lookup.load_named(model), condition, digits, numbers)


def table(title: str, rows: dict[str, Counter[str]]) -> str:
    """Markdown: a row a condition, and their mean."""
    lines = [f"| {title} | right | wrong | ? |", "| --- | --- | --- | --- |"]
    shares = {
        name: [counts[kind] / counts.total() for kind in ("right", "wrong", "?")]
        for name, counts in rows.items()
    }
    shares["mean"] = np.mean(list(shares.values()), axis=0).tolist()
    for name, (right, wrong, doubt) in shares.items():
        lines.append(f"| {name} | {right:.1%} | {wrong:.1%} | {doubt:.1%} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("model")
@click.option("--count", default=300, show_default=True, help="Photographs a condition.")
@click.option("--data-dir", type=click.Path(path_type=Path), default=DEFAULT_DATA_DIR)
@click.option("--output", type=click.File("w", atomic=True), default="-")
def main(model: str, count: int, data_dir: Path, output: io.TextIOBase) -> None:
    """Predict COUNT photographs of each condition, made from the test images of MNIST."""
    names = [*ph.CONDITIONS, *ph.NO_DIGIT]
    steps = [range(start, min(start + 20, count)) for start in range(0, count, 20)]
    jobs = [(model, name, data_dir, step) for name in names for step in steps]
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    with Pool() as pool:
        for job, found in zip(tqdm(jobs), pool.imap(_judge, jobs), strict=True):
            counts[job[1]] += found
    loaded = lookup.load_named(model)
    sizes = "-".join(map(str, loaded.network.layer_sizes))
    output.write(
        f"""# Photographs that `dlcli predict` reads

Written by `make photographs MODEL={model}`: {count} pictures of each kind, made by
[tests/photographs.py](../tests/photographs.py) from the test images of MNIST, from a fixed seed.
The network is {sizes}, trained on {loaded.metadata.dataset.name}. `?` is no answer, with a
reason.

"""
    )
    output.write(table("plain", {name: counts[name] for name in ph.PLAIN}) + "\n")
    output.write(table("hard", {name: counts[name] for name in ph.HARD}) + "\n")
    output.write(table("no digit, or several", {name: counts[name] for name in ph.NO_DIGIT}))
    output.write(
        """
Stars, faces, houses, scribbles and digits that touch are kinds of which the network that knows
digits from other things has seen others, drawn in other ways; the letters are of a font that it
has never seen.

The limits of doubt, and of what counts as another digit, were set with some of these very pictures
in view.
"""
    )


if __name__ == "__main__":
    main()
