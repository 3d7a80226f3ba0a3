"""Digits as the world writes them, in MNIST's format: the pretrained model learns them too.

MNIST's writers are from the United States. Elsewhere a 1 has an upstroke and often a foot, a 7 a
bar, a 0 a slash or a dot; and people use markers, brushes and mice. Each kind here writes digits in
one such way, with pens of every width; some are then damaged as drawings on a screen and on paper
are. The same seed gives the same digits.

    python -m tools.handwriting --grid docs/handwriting.png      # a row of each kind
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from dlcli.data.examples import Examples
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Pixels
from dlcli.vision.mnist_format import bounding_box
from dlcli.vision.normalization import STROKE_LEVEL, normalize_digit
from tools import alphabets, characters
from tools.alphabets import Alphabet
from tools.characters import Points, Strokes
from tools.damages import DAMAGES, Levels
from tools.photographs import Marks, skeleton

Random = np.random.Generator

# A digit is 100 pixels long before it is scaled to 20; the rest is room for the pen.
CANVAS_SIDE_PX = 160
DIGIT_LENGTH_PX = 100
# The pen's radius, as a fraction of the digit's length: from a ballpoint pen to a broad brush.
PEN_RADIUS = (0.01, 0.15)
# How much a digit leans (shear), is turned, and is narrower or wider than its form.
SHEAR, TURN_DEGREES, ASPECT = (-0.25, 0.3), (-10, 10), (0.45, 1.25)

# Forms of digits as in ``tools.characters``; those of 1 and 7 are computed.
SCHOOL: Alphabet = {digit: forms for digit, forms in alphabets.DIGITS.items() if digit not in "17"}
SPECIAL: dict[str, tuple[str, tuple[str, ...]]] = {
    "slashed 0": ("0", ("~20 02 04 26 44 42 20|41 05", "~20 01 05 26 45 41 20|50 06")),
    "dotted 0": ("0", ("~20 02 04 26 44 42 20|23 23", "~20 01 05 26 45 41 20|23 24")),
    "open 0": ("0", ("~31 20 02 04 26 44 42 30", "~20 11 03 16 36 43 31 10")),
    "looped 2": ("2", ("~01 20 41 23 06 04 15 46", "~02 10 30 42 15 05 14 26 46")),
    "2 with a small hook": (
        "2",
        ("~01 10 21 22 14 06|06 46", "~11 20 31 32 23 16|16 56", "~02 20 31 23 06|06 36"),
    ),
    "flat 3": ("3", ("00 40 23|~23 34 45 26 05", "00 40 22|~22 43 45 26 06")),
    "4 with a short stem": (
        "4",
        ("30 05 55|53 36", "40 05 65|43 46", "30 04 54|42 35", "40 06 56|53 38", "20 05 55|42 27"),
    ),
    "open 4": ("4", ("10 03 43|30 36", "00 03 43|40 46", "00 04 44|31 37", "10 03 43|31 36")),
    "closed 4": ("4", ("30 04 44|30 36", "20 04 54|20 26", "30 03 43|30 36", "30 04 34|30 36")),
    "5 with a detached bar": (
        "5",
        (
            "00 03|~03 22 44 35 16 05|10 40",
            "01 03|~03 32 44 26 05|10 50",
            "10 02|~02 33 45 26 06|20 60",
        ),
    ),
    "6 in two strokes": ("6", ("~40 11 04|~04 16 36 44 33 13 04", "20 04|~03 33 44 36 16 04")),
    "8 in two strokes": (
        "8",
        (
            "~20 11 22 31 20|~22 04 26 44 22",
            "~20 01 13 33 41 20|~23 04 16 36 44 23",
            "~41 20 11 34 36 15 05 31 41",
        ),
    ),
    "5 with a large bowl": (
        "5",
        (
            "60 30 33|~33 53 66 37 08 15 34",
            "50 20 23|~23 43 55 36 05",
            "60 10 13|~13 33 35 16 05",
            "40 10 12|~12 32 43 35 16 04",
            "30 10 13|~13 33 45 26 06 05",
        ),
    ),
    "narrow 5": (
        "5",
        ("40 10 13|~13 23 25 06", "50 10 13|~13 24 25 16 07", "40 00 13|~13 24 15 06"),
    ),
    "6 with a small loop": ("6", ("~20 03 05 17 37 45 34 15 06", "~30 12 05 07 18 27 26 16 07")),
    "9 with a small loop": ("9", ("~30 10 01 12 22 31 30|30 38", "~20 10 02 13 22 20|~20 24 28")),
    "9 with a tail to the right": (
        "9",
        ("~31 10 01 13 32|~32 34 48", "~30 10 02 13 31|31 35 47", "~41 20 01 13 32 41|~41 43 58"),
    ),
    "9 with a hook": (
        "9",
        (
            "~31 10 01 13 31|~31 43 46 27 07",
            "~31 11 02 13 32|31 44 47 28",
            "~31 20 01 13 32|31 35 26 06",
        ),
    ),
    "straight 9": (
        "9",
        ("~41 23 01 20 41|41 46", "~30 10 02 13 32 40|40 36", "~41 20 02 23 42|42 26"),
    ),
    "curved 9": ("9", ("~41 32 12 01 10 30 41|~41 43 26", "~41 20 01 23 41|~41 44 26 05")),
}


def one(random: Random) -> Strokes:
    """A 1 with an upstroke, which falls by at least 35 degrees, and perhaps a foot."""
    foot = random.random() < 0.45
    length, fall = random.uniform(0.15, 0.75), np.radians(random.uniform(35, 75))
    start = np.array([-np.cos(fall), np.sin(fall)]) * length
    bend = random.normal(0, 0.03, 2)
    strokes = [np.stack([start, start / 2 + bend, [0, 0], [random.normal(0, 0.02), 0.5], [0, 1]])]
    if foot:
        left, right = random.uniform(0.12, 0.4, 2)
        strokes.append(np.array([[-left, 1 + random.normal(0, 0.03)], [right, 1]]))
    return strokes


def plain_one(random: Random) -> Strokes:
    """A 1 of one stroke, with or without a foot."""
    strokes = [np.array([[random.normal(0, 0.05), 0], [random.normal(0, 0.02), 0.5], [0, 1]])]
    if random.random() < 0.4:
        left, right = random.uniform(0.12, 0.4, 2)
        strokes.append(np.array([[-left, 1 + random.normal(0, 0.03)], [right, 1]]))
    return strokes


def seven(random: Random, *, barred: bool = False) -> Strokes:
    """A 7, whose top rises by at most 15 degrees; perhaps with a bar or a serif."""
    width, rise = random.uniform(0.4, 0.8), np.tan(np.radians(random.uniform(-8, 15)))
    foot = random.uniform(0.05, 0.55) * width
    corner = np.array([width, 0])
    top = np.array([[0, width * rise], [width / 2, width * rise / 2 + random.normal(0, 0.03)]])
    if random.random() < 0.3:
        top = np.vstack([[random.normal(0, 0.02), random.uniform(0.08, 0.2) + width * rise], top])
    end = np.array([foot, 1])
    middle = (corner + end) / 2 + np.array([random.uniform(-0.12, 0.03), 0])
    stem = np.stack([corner, middle, end])
    strokes = [np.vstack([top, corner[np.newaxis]]), characters.smooth(stem)]
    if barred:
        height, tilt = random.uniform(0.38, 0.62), random.normal(0, 0.06)
        x = float(np.interp(height, [0, 1], [width, foot]))
        left, right = random.uniform(0.1, 0.32, 2)
        strokes.append(np.array([[x - left, height + tilt], [x + right, height - tilt]]))
    return strokes


def _form(name: str) -> Callable[[Random], Strokes]:
    digit, forms = SPECIAL[name]
    return lambda random: characters.write({digit: forms}, digit, random)


def _school(digit: str, random: Random) -> Strokes:
    return characters.write(SCHOOL, digit, random)


@dataclass(frozen=True)
class Kind:
    """One way of writing a digit.

    Attributes
    ----------
    digit
        The label.
    strokes
        Draws the strokes from a generator, in any unit.
    weight
        How often it is written, in proportion to the others.
    """

    digit: int
    strokes: Callable[[Random], Strokes]
    weight: float = 1.0


# As many sevens as ones, so that neither is favoured where they are alike.
KINDS: dict[str, Kind] = {
    "1 with an upstroke": Kind(1, one, 6),
    "1 without upstroke": Kind(1, plain_one, 1),
    "plain 7": Kind(7, seven, 4),
    "barred 7": Kind(7, lambda random: seven(random, barred=True), 3),
    **{name: Kind(int(SPECIAL[name][0]), _form(name), 1) for name in SPECIAL},
    **{f"{digit} as at school": Kind(int(digit), partial(_school, digit), 2.5) for digit in SCHOOL},
}


def deform(strokes: Strokes, random: Random) -> Strokes:
    """The strokes as one hand writes them: slanted, turned, narrow or wide, and uneven."""
    angle = np.radians(random.uniform(*TURN_DEGREES))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lean = np.array([[random.uniform(*ASPECT), 0], [-random.uniform(*SHEAR), 1]])
    waves, phases = random.uniform(2, 9, (2, 2)), random.uniform(0, 7, (2, 2))
    size = random.uniform(0, 0.025, 2)
    moved = []
    for stroke in strokes:
        points = _in_small_steps(stroke) @ lean @ turn
        for wave, phase, height in zip(waves, phases, size, strict=True):
            points = points + height * np.sin(points[:, ::-1] * wave + phase)
        moved.append(points)
    return moved


def _in_small_steps(stroke: Points) -> Points:
    positions = np.linspace(0, len(stroke) - 1, max(40, len(stroke) // 4))
    return np.column_stack([np.interp(positions, np.arange(len(stroke)), xs) for xs in stroke.T])


def fitted(strokes: Strokes) -> Strokes:
    """The strokes in the middle of the canvas, in pixels."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = DIGIT_LENGTH_PX / max((high - low).max(), 1e-6)
    return [(stroke - (low + high) / 2) * scale + CANVAS_SIDE_PX / 2 for stroke in strokes]


def draw(strokes: Strokes, radius: float, *, blots: bool = False) -> Levels:
    """Draw strokes, in pixels, with a round pen; ``blots`` mark where it is set down."""
    image = Image.new("L", (CANVAS_SIDE_PX, CANVAS_SIDE_PX))
    pen = ImageDraw.Draw(image)
    for path in strokes:
        pen.line([tuple(p) for p in path], fill=255, width=max(1, round(2 * radius)), joint="curve")
        for end, (x, y) in enumerate(path[[0, -1]]):
            r = radius * (1.7 if blots and end == 0 else 1)
            pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return np.asarray(image, np.float32) / np.float32(255)


# Fractions of the digits: damaged by one or two of these, drawn with a mouse, with blots, and
# rewritten from MNIST.
DAMAGED_FRACTION, JAGGED_FRACTION, BLOTS_FRACTION, REWRITTEN_FRACTION = 0.4, 0.15, 0.1, 0.35


def jagged(strokes: Strokes, random: Random) -> Strokes:
    """Drawn with a mouse: in straight segments between points on a coarse grid."""
    step = random.uniform(1, 5)
    keep = int(random.integers(2, 6))
    return [
        np.round(np.vstack([stroke[:-1:keep], stroke[-1:]]) / step) * step for stroke in strokes
    ]


def written(kind: Kind, random: Random) -> Pixels:
    """A digit of a kind in MNIST's format, shape (784,)."""
    return finished(drawing(kind.strokes(random), random), random)


def marks(kind: Kind, random: Random) -> Marks:
    """A digit of a kind as marks for ``tools.photographs``."""
    return cropped(drawing(kind.strokes(random), random))


def cropped(levels: Levels) -> Marks:
    """What is drawn on a canvas, as marks."""
    rows, columns = bounding_box(levels >= STROKE_LEVEL)
    return np.rint(levels[rows, columns] * 255).astype(np.uint8)


def on_canvas(marks: Marks) -> Levels:
    """Marks of any size in the middle of a canvas, as long as a digit."""
    strokes = marks[bounding_box(marks > 0)].astype(np.float32) / np.float32(255)
    height, width = strokes.shape
    scale = DIGIT_LENGTH_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return _padded(np.clip(cv2.resize(strokes, size, interpolation=method), 0, 1))


def drawing(strokes: Strokes, random: Random) -> Levels:
    """Strokes on a canvas, as any hand draws them with any pen."""
    strokes = fitted(deform(strokes, random))
    if random.random() < JAGGED_FRACTION:
        strokes = jagged(strokes, random)
    return draw(strokes, _radius(random), blots=random.random() < BLOTS_FRACTION)


def _radius(random: Random) -> float:
    """The radius of a pen: thin ones are as frequent as broad ones (uniform in the logarithm)."""
    return float(DIGIT_LENGTH_PX * np.exp(random.uniform(*np.log(PEN_RADIUS))))


def rewritten(digit: Pixels, random: Random) -> Pixels:
    """One of MNIST's digits, written along the same lines with another pen."""
    image = digit.reshape(IMAGE_SIDE, IMAGE_SIDE)
    return finished(retraced(image[bounding_box(image > 0)], random), random)


def retraced(marks: Marks, random: Random) -> Levels:
    """The middle lines of strokes on a canvas, drawn with any pen."""
    _, lines = skeleton(marks, DIGIT_LENGTH_PX)
    side = 2 * max(1, round(_radius(random))) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(_padded(lines.astype(np.float32)), disc).astype(np.float32)


def _padded(levels: Levels) -> Levels:
    """Levels in the middle of a canvas."""
    margin = CANVAS_SIDE_PX - np.array(levels.shape)
    return np.pad(levels, [(room // 2, room - room // 2) for room in margin])


def finished(levels: Levels, random: Random) -> Pixels:
    """What is drawn on a canvas, perhaps damaged, in MNIST's format."""
    if random.random() < DAMAGED_FRACTION:
        for number in random.choice(len(DAMAGES), random.integers(1, 3), replace=False):
            damaged = DAMAGES[number](levels, random)
            levels = damaged / damaged.max() if damaged.max() > 0.2 else levels
    return normalize_digit(levels)


def any_kind(random: Random) -> Kind:
    """A kind, as often as its weight says."""
    kinds = list(KINDS.values())
    weights = np.array([kind.weight for kind in kinds])
    return kinds[random.choice(len(kinds), p=weights / weights.sum())]


def example(number: int, mnist: Examples) -> tuple[Pixels, int]:
    """One of MNIST's digits rewritten, or one of any kind, and its label."""
    random = np.random.default_rng([2, number])
    if random.random() < REWRITTEN_FRACTION:
        chosen = random.integers(len(mnist))
        return rewritten(mnist.images[chosen], random), int(mnist.labels[chosen])
    kind = any_kind(random)
    return written(kind, random), kind.digit


def main() -> None:
    """Show digits of each kind in a picture."""
    from dlcli.vision.preview import write_grid

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--grid", type=Path, required=True)
    path = parser.parse_args().grid
    random = np.random.default_rng(0)
    write_grid(
        [np.stack([written(kind, random) for _ in range(24)]) for kind in KINDS.values()], path
    )


if __name__ == "__main__":
    main()
