"""Pages of handwritten numbers, with what is written where: for tests, tuning and measuring.

Numbers of up to 12 digits in one hand (``tools.writers``), apart or touching, in lines and columns,
on blank, ruled and squared paper and in the boxes of forms, in light and with pens of many kinds
(``tools.conditions``). The same condition, seed and number give the same page.

    python -m tools.number_pages FOLDER --condition touching --count 20 --seed 7 --split train
"""

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import click
import numpy as np
from PIL import Image

from dlcli.vision.mnist_format import bounding_box
from tools.conditions import CONDITIONS as SCENES
from tools.forms import ROOM, Text, printed
from tools.number_layout import COVERED, Condition, Placed, Plan, Written, fit, make_plan
from tools.photographs import Levels, Marks, Scene, canvas_size, compose
from tools.writers import Writers, load_digits

Random = np.random.Generator
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(frozen=True)
class Number:
    """A number on a page.

    Attributes
    ----------
    text
        Its digits.
    box
        Where it lies, in pixels of the picture.
    line
        The line it stands on, from 1.
    digits
        Where its digits lie.
    """

    text: str
    box: Box
    line: int
    digits: tuple[Box, ...]


@dataclass(frozen=True)
class Page:
    """The content of a picture file, and the numbers on it in reading order."""

    content: bytes
    numbers: tuple[Number, ...]

    @property
    def picture(self) -> Image.Image:
        """The picture."""
        return Image.open(io.BytesIO(self.content))


_MANY_LINES = Condition(
    digits=(1, 6), numbers=(1, 3), lines=(2, 6), side=(800, 2400), aspect=(0.6, 1)
)
_PHOTO = Condition(scene=SCENES["photograph"])


def _lined(random: Random) -> Scene:
    """Paper with faint or strong lines."""
    kind = "faint grid" if random.random() < 0.5 else "strong grid"
    return SCENES[kind](random)


def _printed(random: Random) -> Scene:
    """A form printed in black or a colour."""
    colours = [(40, 40, 40), (110, 150, 210), (60, 140, 90), (200, 80, 80)]
    strength, colour = random.uniform(0.4, 1), colours[random.integers(len(colours))]
    return replace(SCENES["photograph"](random), line_strength=strength, line_colour=colour)


PLAIN: dict[str, Condition] = {
    "6 digits": Condition(),
    "1 to 12 digits": Condition(digits=(1, 12)),
    "light on dark": Condition(scene=SCENES["light on dark"]),
    "close together": Condition(gap=(0.04, 0.1)),
    "a row of numbers": Condition(digits=(1, 4), numbers=(2, 5), side=(800, 2400)),
    "a column of numbers": Condition(digits=(1, 6), lines=(3, 9), right=True, aspect=(0.5, 1)),
    "several lines": _MANY_LINES,
    "slanted lines": replace(_MANY_LINES, slope=8.0),
    "200 to 400 pixels": Condition(side=(200, 400), aspect=(0.3, 0.7)),
    "2,000 to 4,000 pixels": Condition(side=(2000, 4000), scene=SCENES["photograph"]),
}
TOUCHING: dict[str, Condition] = {
    "touching": Condition(touching=0.4),
    "touching, photographs": replace(_PHOTO, touching=0.4),
    "every digit touching": Condition(touching=1.0),
}
PAPER: dict[str, Condition] = {
    "ruled paper": Condition(form="ruled", scene=_lined),
    "squared paper": Condition(form="squared", scene=_lined),
    "form boxes": Condition(
        digits=(1, 8), lines=(1, 3), form="boxes", scene=_printed, aspect=(0.5, 1)
    ),
    "a form box for each digit": Condition(
        digits=(2, 8), lines=(1, 3), form="cells", scene=_printed, aspect=(0.5, 1)
    ),
    "several lines, ruled": replace(_MANY_LINES, form="ruled", scene=_lined),
    "several lines, squared": replace(_MANY_LINES, form="squared", scene=_lined),
}
LIGHT_AND_PENS: dict[str, Condition] = {
    name: Condition(scene=SCENES[scene])
    for name, scene in {
        "photograph": "photograph",
        "soft shadow": "soft shadow",
        "hard shadow": "hard shadow",
        "edge of a desk": "edge of a desk",
        "thin pen": "thin pen",
        "thick marker": "thick marker",
        "pencil": "pencil",
        "coloured pen": "coloured pen",
        "whiteboard": "whiteboard",
        "JPEG, quality 20": "JPEG, quality 20",
    }.items()
}
LIGHT_AND_PENS["everything"] = replace(
    _MANY_LINES, touching=0.2, slope=5.0, form="squared", scene=SCENES["shadow on a grid"]
)
GROUPS: dict[str, dict[str, Condition]] = {
    "plain": PLAIN,
    "touching": TOUCHING,
    "ruled and squared paper, forms": PAPER,
    "light and pens": LIGHT_AND_PENS,
}
# 100 digits at 3 megapixels: how long they take is measured.
HUNDRED_DIGITS = Condition(
    digits=(5, 5), numbers=(2, 2), lines=(10, 10), side=(2000, 2000), aspect=(0.75, 0.75)
)
CONDITIONS: dict[str, Condition] = {
    **{name: condition for group in GROUPS.values() for name, condition in group.items()},
    "100 digits": HUNDRED_DIGITS,
}


def pages(name: str, writers: Writers, numbers: Iterable[int], seed: int = 0) -> Iterator[Page]:
    """Pages of a condition, by its name, one for each number."""
    key = zlib.crc32(name.encode())
    for number in numbers:
        yield page(CONDITIONS[name], writers, np.random.default_rng([key, seed, number]))


def page(condition: Condition, writers: Writers, random: Random) -> Page:
    """One page."""
    scene = _scene(condition, random)
    plan = make_plan(condition, writers.any_writer(random), scene.pen_width, random)
    canvas = canvas_size(scene)
    written = fit(plan, scene, ROOM[condition.form] if condition.form else 0.0, random)
    pen = np.zeros(canvas[::-1], np.uint8)
    for digit in written.placed:
        part = pen[digit.top : digit.bottom, digit.left : digit.right]
        np.maximum(part, digit.patch, out=part)
    form = None
    if condition.form:
        form = _fraction(printed(condition.form, _text(plan, written, canvas), random))
    scene = replace(scene, digit=written.height / min(canvas))
    content = compose(_fraction(pen), scene, random, form)
    return Page(content, _numbers(written.placed, canvas[0] // scene.size[0]))


def _fraction(levels: Marks) -> Levels:
    return levels.astype(np.float32) / np.float32(255)


def _scene(condition: Condition, random: Random) -> Scene:
    """The scene in the picture's size; lines are left to ``tools.forms``."""
    long = round(float(np.exp(random.uniform(*np.log(condition.side)))))
    short = round(long * random.uniform(*condition.aspect))
    landscape = condition.lines[1] == 1 or random.random() < 0.5
    size = (long, short) if landscape else (short, long)
    return replace(condition.scene(random), size=size, lines=None)


def _text(plan: Plan, written: Written, canvas: tuple[int, int]) -> Text:
    lines = [digit.line for digit in plan.digits]
    return Text(
        size=canvas,
        height=written.height,
        slope=plan.slope,
        origin=written.origin,
        pitch=plan.pitch * written.height,
        cell=plan.cell * written.height,
        numbers=tuple(
            (digits[0].digit.line, digits[0].left, digits[-1].right)
            for digits in _by_number(written.placed)
        ),
        lengths=tuple(lines.count(line) for line in range(lines[-1] + 1)),
    )


def _by_number(placed: list[Placed]) -> list[list[Placed]]:
    groups = groupby(placed, key=lambda placed: (placed.digit.line, placed.digit.number))
    return [list(digits) for _, digits in groups]


def _numbers(placed: list[Placed], enlarged: int) -> tuple[Number, ...]:
    """What is written where, in pixels of the picture."""
    numbers = []
    for digits in _by_number(placed):
        boxes = [_box(digit, enlarged) for digit in digits]
        edges = np.array(boxes)
        whole = (*edges[:, :2].min(axis=0).tolist(), *edges[:, 2:].max(axis=0).tolist())
        text = "".join(str(digit.digit.value) for digit in digits)
        numbers.append(Number(text, whole, digits[0].digit.line + 1, tuple(boxes)))
    return tuple(numbers)


def _box(digit: Placed, enlarged: int) -> Box:
    rows, columns = bounding_box(digit.patch >= COVERED)
    left, top = digit.left + columns.start, digit.top + rows.start
    right, bottom = digit.left + columns.stop, digit.top + rows.stop
    return left // enlarged, top // enlarged, -(-right // enlarged), -(-bottom // enlarged)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--condition", "name", type=click.Choice([*CONDITIONS]), help="One condition; all by default."
)
@click.option("--count", default=10, show_default=True, help="Pages of a condition.")
@click.option("--seed", default=0, show_default=True)
@click.option("--split", type=click.Choice(["train", "test"]), default="test", show_default=True)
@click.option("--dataset", help="A name or a folder; MNIST or else the embedded sample by default.")
def main(
    folder: Path, name: str | None, count: int, seed: int, split: str, dataset: str | None
) -> None:
    """Write pages of numbers into FOLDER, with the digits of each in labels.csv."""
    loaded = load_digits(dataset)
    writers = Writers(loaded.test if split == "test" else loaded.train)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,digits"]
    for condition in [name] if name else CONDITIONS:
        for number, made in enumerate(pages(condition, writers, range(count), seed)):
            stem = f"{condition.replace(',', '').replace(' ', '-')}_{number:03d}"
            suffix = (made.picture.format or "PNG").lower()
            file = folder / f"{stem}.{suffix}"
            file.write_bytes(made.content)
            lines.append(f"{file.name},{''.join(n.text for n in made.numbers)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    print(f"{folder}: {len(lines) - 1:,} pages of digits of {loaded.name}")


if __name__ == "__main__":
    main()
