"""Scenes of many kinds, each a function that draws one from a seeded generator.

``CONDITIONS`` are what a single digit may be drawn, scanned or photographed under; ``NO_DIGIT`` is
what ``dlcli predict`` must refuse. ``tools.photographs`` makes the picture files.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tools.photographs import BLACK, WHITE, Marks, Scene

Random = np.random.Generator

PENS = {
    "black": (25, 25, 30),
    "blue": (30, 50, 150),
    "red": (200, 30, 40),
    "green": (20, 130, 70),
    "orange": (240, 130, 20),
    "light blue": (110, 190, 240),
    "yellow": (245, 220, 40),
    "pencil": (120, 120, 122),
}
PAPERS = [(252, 252, 250), (245, 240, 225), (250, 245, 160), (200, 225, 240), (205, 185, 150)]


def _anywhere(random: Random, **changes: Any) -> Scene:
    """A picture of usual size with a digit of usual size somewhere on it."""
    long = int(random.integers(240, 1200))
    short = int(long * random.uniform(0.6, 1))
    scene = Scene(
        size=(long, short) if random.random() < 0.5 else (short, long),
        digit=random.uniform(0.3, 0.8),
        place=(random.uniform(0, 1), random.uniform(0, 1)),
        pen_width=random.uniform(0.05, 0.14),
    )
    if random.random() < 0.4:
        scene = replace(scene, pen_width=None)
    return replace(scene, **changes)


def _photo(random: Random, **changes: Any) -> Scene:
    """A phone's photograph of a sheet of paper, which is not quite white, even, sharp or clean."""
    level = int(random.integers(170, 245))
    return _anywhere(
        random,
        **{
            "paper": (level, level - 2, level - int(random.integers(0, 14))),
            "pen": PENS[str(random.choice(["black", "blue"]))],
            "opacity": random.uniform(0.8, 1),
            "texture": random.uniform(1, 3),
            "gradient": random.uniform(0, 0.25),
            "blur": random.uniform(0, 0.012),
            "noise": random.uniform(0, 4),
            "file": "JPEG 95",
        }
        | changes,
    )


def any_photo(random: Random) -> Scene:
    """A drawing, a photograph, or one on squared paper."""
    kind = random.integers(3)
    if kind == 0:
        return _anywhere(random)
    return _photo(random) if kind == 1 else _lined(random, "grid", 0.1, 0.4)


def _square(random: Random, low: int, high: int) -> tuple[int, int]:
    side = round(float(np.exp(random.uniform(np.log(low), np.log(high)))))
    return side, side


def _lined(random: Random, kind: str, low: float, high: float, **more: Any) -> Scene:
    return _photo(
        random,
        lines=kind,
        pitch=random.uniform(0.05, 0.3),
        line_strength=random.uniform(low, high),
        line_colour=[(110, 150, 210), (150, 150, 150), (190, 120, 120)][random.integers(3)],
        tilt=random.uniform(-4, 4),
        **more,
    )


# ``predict`` must read these almost as well as MNIST's own images.
PLAIN: dict[str, Callable[[Random], Scene]] = {
    "dark on light, anywhere": _anywhere,
    "light on dark": lambda r: _anywhere(r, paper=BLACK, pen=WHITE),
    "28x28, not centred as MNIST": lambda r: Scene(
        size=(28, 28),
        digit=r.uniform(0.55, 0.95),
        place=(r.uniform(0, 1), r.uniform(0, 1)),
        paper=BLACK,
        pen=WHITE,
    ),
    "28x28, dark on light": lambda r: Scene(
        size=(28, 28), digit=r.uniform(0.55, 0.95), place=(r.uniform(0, 1), r.uniform(0, 1))
    ),
    "20 to 28 pixels": lambda r: Scene(size=_square(r, 20, 28), digit=r.uniform(0.8, 1)),
    "28 to 100 pixels": lambda r: Scene(size=_square(r, 28, 100), digit=r.uniform(0.6, 0.95)),
    "1,000 to 3,000 pixels": lambda r: _anywhere(r, size=_square(r, 1000, 3000)),
    "a small digit in a corner": lambda r: _anywhere(
        r,
        size=_square(r, 300, 1000),
        digit=r.uniform(0.12, 0.25),
        place=(int(r.integers(2)) * 0.9 + 0.05, int(r.integers(2)) * 0.9 + 0.05),
    ),
    "cropped to the digit": lambda r: _anywhere(r, digit=0.99, pen_width=None),
    "grey": lambda r: _anywhere(r, file="grey"),
    "one bit": lambda r: _anywhere(r, file="one bit"),
    "palette": lambda r: _anywhere(r, file="palette"),
    "16 bits": lambda r: _anywhere(r, file="16 bits"),
    "CMYK": lambda r: _anywhere(r, file="CMYK"),
    "dark ink on transparency": lambda r: _anywhere(r, file="transparent"),
    "light ink on transparency": lambda r: _anywhere(r, file="transparent", pen=(250, 250, 240)),
    "turned by EXIF": lambda r: _anywhere(r, file="EXIF"),
    "JPEG, quality 95": lambda r: _anywhere(r, file="JPEG 95"),
    "JPEG, quality 60": lambda r: _anywhere(r, file="JPEG 60"),
}

HARD: dict[str, Callable[[Random], Scene]] = {
    "photograph": _photo,
    "soft shadow": lambda r: _photo(
        r, shadow=r.uniform(0.3, 0.6), shadow_edge=r.uniform(0.1, 0.4), gradient=r.uniform(0, 0.5)
    ),
    "hard shadow": lambda r: _photo(
        r, shadow=r.uniform(0.25, 0.6), shadow_edge=r.uniform(0.005, 0.05)
    ),
    "coloured pen": lambda r: _photo(
        r, pen=PENS[str(r.choice(["red", "green", "orange", "light blue", "yellow"]))]
    ),
    "tinted paper": lambda r: _photo(
        r,
        paper=PAPERS[r.integers(len(PAPERS))],
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
    ),
    "pencil": lambda r: _photo(r, pen=PENS["pencil"], opacity=r.uniform(0.5, 0.9)),
    "thin pen": lambda r: _photo(r, pen_width=r.uniform(0.015, 0.04), digit=r.uniform(0.4, 0.8)),
    "thick marker": lambda r: _photo(r, pen_width=r.uniform(0.15, 0.2)),
    "faint grid": lambda r: _lined(r, "grid", 0.1, 0.3),
    "strong grid": lambda r: _lined(r, "grid", 0.3, 0.7),
    "faint ruled lines": lambda r: _lined(r, "ruled", 0.1, 0.3),
    "strong ruled lines": lambda r: _lined(r, "ruled", 0.3, 0.8),
    "thin pen on a grid": lambda r: _lined(r, "grid", 0.1, 0.5, pen_width=r.uniform(0.03, 0.06)),
    "shadow on a grid": lambda r: _lined(r, "grid", 0.1, 0.4, shadow=r.uniform(0.2, 0.5)),
    "whiteboard": lambda r: _photo(
        r,
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
        gradient=r.uniform(0.2, 0.5),
        opacity=r.uniform(0.7, 0.95),
        pen_width=r.uniform(0.05, 0.1),
    ),
    "blackboard": lambda r: _photo(
        r,
        paper=(45, 60, 52),
        pen=(225, 225, 215),
        opacity=r.uniform(0.6, 0.95),
        texture=r.uniform(2, 6),
    ),
    "edge of a desk": lambda r: _photo(
        r,
        desk=[(60, 40, 30), (120, 90, 60), (20, 20, 22)][r.integers(3)],
        digit=r.uniform(0.3, 0.6),
        place=(r.uniform(0.4, 0.8), r.uniform(0.4, 0.8)),
    ),
    "specks": lambda r: _photo(r, specks=int(r.integers(3, 25))),
    "blurred": lambda r: _photo(r, blur=r.uniform(0.02, 0.045)),
    "noisy": lambda r: _photo(r, noise=r.uniform(10, 25)),
    "JPEG, quality 20": lambda r: _photo(r, file="JPEG 20"),
    "everything": lambda r: _lined(
        r,
        str(r.choice(["grid", "ruled"])),
        0.1,
        0.4,
        shadow=r.uniform(0.1, 0.5),
        shadow_edge=r.uniform(0.01, 0.3),
        gradient=r.uniform(0, 0.4),
        noise=r.uniform(0, 8),
        pen=PENS[str(r.choice(["black", "blue", "red", "green"]))],
        specks=int(r.integers(0, 5)),
        pen_width=r.uniform(0.04, 0.12),
        file="JPEG 60",
    ),
}

CONDITIONS = PLAIN | HARD


def _several(digits: Marks, count: int) -> Marks:
    """Digits side by side, with a small gap between them."""
    return np.hstack(
        [digit[:, digit.any(axis=0)] for digit in np.pad(digits[:count], ((0, 0), (0, 0), (2, 2)))]
    )


def _drawn(draw: Callable[[ImageDraw.ImageDraw], None]) -> Marks:
    image = Image.new("L", (140, 140))
    draw(ImageDraw.Draw(image))
    return np.asarray(image)


def _text(characters: str) -> Marks:
    font = ImageFont.load_default(100)
    return _drawn(lambda draw: draw.text((10, 5), characters, fill=255, font=font))


def _scribble(random: Random) -> Marks:
    points = [tuple(point) for point in random.uniform(10, 130, (int(random.integers(12, 30)), 2))]
    return _drawn(lambda draw: draw.line(points, fill=255, width=7, joint="curve"))


def _star(random: Random) -> Marks:
    angles = np.arange(6) * 4 * np.pi / 5 + random.uniform(0, 1)
    points = [(70 + 60 * np.sin(angle), 70 + 60 * np.cos(angle)) for angle in angles]
    return _drawn(lambda draw: draw.line(points, fill=255, width=7, joint="curve"))


def _face(draw: ImageDraw.ImageDraw) -> None:
    draw.ellipse((10, 10, 130, 130), outline=255, width=7)
    draw.ellipse((42, 45, 54, 57), fill=255)
    draw.ellipse((86, 45, 98, 57), fill=255)
    draw.arc((40, 50, 100, 105), 20, 160, fill=255, width=7)


def _house(draw: ImageDraw.ImageDraw) -> None:
    draw.rectangle((25, 60, 115, 130), outline=255, width=7)
    draw.line([(15, 65), (70, 12), (125, 65)], fill=255, width=7)
    draw.rectangle((60, 90, 82, 130), outline=255, width=7)


EMPTY = np.zeros((28, 28), np.uint8)

# What shows no digit, or more than one: marks for a scene, from MNIST's images.
NO_DIGIT: dict[str, Callable[[Random, Marks], Marks]] = {
    "two digits": lambda _r, digits: _several(digits, 2),
    "three digits": lambda _r, digits: _several(digits, 3),
    "a letter": lambda r, _digits: _text("ACEFGHKMNPRTUVWXYadefhkmnprtuwx"[r.integers(31)]),
    "a scribble": lambda r, _digits: _scribble(r),
    "a star": lambda r, _digits: _star(r),
    "a face": lambda _r, _digits: _drawn(_face),
    "a house": lambda _r, _digits: _drawn(_house),
    "a filled square": lambda _r, _digits: np.full((28, 28), 255, np.uint8),
    "a blank page": lambda _r, _digits: EMPTY,
}
