"""Drawings of what is no digit: letters and signs, shapes, scribbles and ruined digits.

The rejection network learns from them what is no digit. Letters are drawn along the strokes of
``tools.characters`` with a pen of any width, or printed in a font.
"""

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dlcli.nn.types import Labels
from tools import characters
from tools.characters import Points, Strokes
from tools.photographs import Marks

Random = np.random.Generator

SIDE = 140
# Digits that are no digits when mirrored, or when lying on their side.
MIRRORED = frozenset({3, 4, 7, 9})
LYING = frozenset({2, 3, 4, 5, 7})
_MARGIN = 15
# Files of packages: Matplotlib's fonts, and some that look as if drawn by hand.
_FONTS = (
    *(
        f"matplotlib/mpl-data/fonts/ttf/{name}.ttf"
        for name in (
            *("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif"),
            *("STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10"),
        )
    ),
    *(f"font_amatic_sc/files/AmaticSC-{weight}.ttf" for weight in ("Regular", "Bold")),
    *(f"font_caladea/files/Caladea-{style}.ttf" for style in ("Italic", "Bold")),
    "font_fredoka_one/files/FredokaOne-Regular.ttf",
    *(f"font_hanken_grotesk/files/HankenGrotesk-{w}.otf" for w in ("Light", "Italic", "Bold")),
    "font_intuitive/files/Intuitive.ttf",
    *(f"font_manrope/files/Manrope-{weight}.ttf" for weight in ("Light", "Medium", "ExtraBold")),
)
# Characters that are seldom taken for a digit.
_TYPED = "ACEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy#&?"
# Letters of other alphabets, and Arabic and Persian digits, in a font that has them. Left out is
# what is easily taken for a digit of ours.
_ALPHABETS = (
    "ΓΔΘΛΞΠΣΦΨΩαβγδεζηκλμνξπτυχψω"
    "БДЖИЛПФЦЧШЩЫЭЮЯдёжилмпфцчшщэюя"
    "ԱԲԳԴԵԶԷԸԹԺԽԾԿՀՁՂՃՄ"
    "აბგდევზთიკლმნპჟრსტ"
    "אבגדהזחטכלמנעפצקרשת"
    "بجدرسشصضطعفقكلمن"
    "٢٣٤٦۴۵۶"
)
_ALPHABETS_FONT = "matplotlib/mpl-data/fonts/ttf/DejaVuSans.ttf"


def letter(random: Random) -> Strokes:
    """A letter, or a sign of punctuation."""
    return characters.any_of(characters.LETTERS, random)


def sign(random: Random) -> Strokes:
    """A Japanese character, or a sign of mathematics or astronomy."""
    return characters.any_of(characters.SCRIPTS_AND_SIGNS, random)


def typed(random: Random, alphabet: str = _TYPED, fonts: Sequence[str] = _FONTS) -> Marks:
    """One character of the alphabet, printed in a font, cropped and slightly askew."""
    package, _, file = str(random.choice(fonts)).partition("/")
    path = Path(str(resources.files(package))) / file
    font = ImageFont.truetype(path, SIDE - 2 * _MARGIN)
    image = Image.new("L", (2 * SIDE, 2 * SIDE))
    pen, middle = ImageDraw.Draw(image), (SIDE, SIDE)
    pen.text(middle, random.choice(list(alphabet)), fill=255, font=font, anchor="mm")
    slant, narrowing = random.uniform(-0.15, 0.3), random.uniform(0.85, 1.5)
    coefficients = (narrowing, slant, SIDE * (1 - narrowing - slant), 0, 1, 0)
    sheared = image.transform(
        image.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC
    )
    rotated = np.asarray(sheared.rotate(random.uniform(-10, 10), Image.Resampling.BICUBIC))
    rows, columns = np.nonzero(rotated > 127)
    return rotated[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def typed_foreign(random: Random) -> Marks:
    """One character of another alphabet, printed."""
    return typed(random, _ALPHABETS, [_ALPHABETS_FONT])


def penned_digit(random: Random, digit: int) -> Strokes:
    """A digit as it is taught at school, in America or Europe."""
    return characters.write(characters.DIGITS, str(digit), random)


def _line(*coordinates: float) -> Points:
    """A polyline through x, y, x, y, ..."""
    points: Points = np.array(coordinates, float).reshape(-1, 2)
    return points


def _curve(points: Points, count: int = 30) -> Points:
    """A smooth line near the points: a uniform cubic B-spline."""
    ends = np.vstack([points[[0, 0]], points, points[[-1, -1]]])
    positions = np.linspace(0, len(ends) - 3, count * len(points), endpoint=False)
    start = positions.astype(int)
    t = (positions - start)[:, np.newaxis]
    a, b, c, d = (ends[start + k] for k in range(4))
    b_weight, c_weight = 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1
    curve: Points = ((1 - t) ** 3 * a + b_weight * b + c_weight * c + t**3 * d) / 6
    return curve


def _circle(x: float, y: float, radius: float, corners: int = 30, turn: float = 0) -> Points:
    angles = turn + np.arange(corners + 1) * 2 * np.pi / corners
    return np.column_stack([x + radius * np.sin(angles), y - radius * np.cos(angles)])


def _rotated(points: Points, degrees: float) -> Points:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotated: Points = (points - 0.5) @ np.array([[cosine, sine], [-sine, cosine]]) + 0.5
    return rotated


def doodle(random: Random) -> Strokes:
    """A few strokes, straight or curved, or a single long one."""
    if random.random() < 0.3:
        return [_curve(random.uniform(0, 1, (random.integers(8, 25), 2)))]
    lines = [random.uniform(0, 1, (random.integers(2, 6), 2)) for _ in range(random.integers(2, 6))]
    return [_curve(line) if random.random() < 0.7 else line for line in lines]


def scrawl(random: Random) -> Strokes:
    """A zigzag, as when somebody tries a pen or strikes something out."""
    count = random.integers(4, 14)
    across = np.linspace(0, 1, count) + random.normal(0, 0.05, count)
    down = np.arange(count) % 2 * random.uniform(0.4, 1) + random.normal(0, 0.08, count)
    points = np.column_stack([across, down])
    return [_curve(points) if random.random() < 0.6 else points]


def shape(random: Random) -> Strokes:
    """A simple drawing: a star, a house, a face and the like."""
    names = list(_SHAPES)
    return _SHAPES[names[random.integers(len(names))]](random)


def _star(random: Random) -> Strokes:
    points, step = [(5, 2), (7, 3)][random.integers(2)]
    angles = random.uniform(0, 7) + np.arange(points + 1) * step * 2 * np.pi / points
    return [np.column_stack([np.sin(angles), np.cos(angles)])]


def _arrow(random: Random) -> Strokes:
    turn = 45 * int(random.integers(8))
    strokes = (_line(0, 0.5, 1, 0.5), _line(0.7, 0.25, 1, 0.5, 0.7, 0.75))
    return [_rotated(stroke, turn) for stroke in strokes]


def _heart(_random: Random) -> Strokes:
    t = np.linspace(0, 2 * np.pi, 40)
    down = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.column_stack([16 * np.sin(t) ** 3, -down])]


def _spiral(random: Random) -> Strokes:
    t = np.linspace(0, random.uniform(3.5, 7) * np.pi, 90)
    return [np.column_stack([np.sin(t), np.cos(t)]) * t[:, np.newaxis]]


def _face(_random: Random) -> Strokes:
    mouth = _circle(0.5, 0.5, 0.25)[10:21]
    return [_circle(0.5, 0.5, 0.5), _circle(0.35, 0.38, 0.05), _circle(0.65, 0.38, 0.05), mouth]


def _house(random: Random) -> Strokes:
    roof, walls = _line(0, 0.4, 0.5, 0, 1, 0.4), _line(0.1, 0.4, 0.1, 1, 0.9, 1, 0.9, 0.4)
    return [roof, walls, _line(0.4, 1, 0.4, 0.7, 0.6, 0.7, 0.6, 1)][: random.integers(2, 4)]


def _box(random: Random) -> Strokes:
    crossed = [_line(0, 0, 1, 1), _line(0, 1, 1, 0)][: random.integers(3)]
    return [_line(0, 0, 1, 0, 1, 1, 0, 1, 0, 0), *crossed]


def _stairs(random: Random) -> Strokes:
    steps = np.repeat(np.arange(random.integers(3, 6)), 2)
    return [np.column_stack([steps[:-1], steps[1:]])]


def _wave(random: Random) -> Strokes:
    t = np.linspace(0, random.uniform(2, 5), 60)
    return [np.column_stack([t, random.uniform(0.3, 1) * np.sin(2 * np.pi * t)])]


def _sun(random: Random) -> Strokes:
    count = int(random.integers(6, 10))
    inner, outer = _circle(0, 0, 0.3, count), _circle(0, 0, 0.5, count)
    return [_circle(0, 0, 0.22), *(np.stack(ray) for ray in zip(inner, outer, strict=True))]


def _crossed_lines(random: Random) -> Strokes:
    left, right, lower = random.uniform([0.2, 0.3, 0.4], [0.8, 1.0, 1.0])
    return [_line(0, 0, 1, right), _line(0, left, lower, 0)]


_SHAPES: dict[str, Callable[[Random], Strokes]] = {
    "polygon": lambda r: [_circle(0, 0, 1, int(r.integers(3, 7)), r.uniform(0, 7))],
    "star": _star,
    "arrow": _arrow,
    "cross": lambda _: [_line(0, 0, 1, 1), _line(0, 1, 1, 0)],
    "plus": lambda _: [_line(0.5, 0, 0.5, 1), _line(0, 0.5, 1, 0.5)],
    "tick": lambda _: [_line(0, 0.6, 0.35, 1, 1, 0)],
    "heart": _heart,
    "spiral": _spiral,
    "face": _face,
    "house": _house,
    "hash": lambda _: [
        *[_line(x, 0, x, 1) for x in (0.33, 0.66)],
        *[_line(0, y, 1, y) for y in (0.33, 0.66)],
    ],
    "box": _box,
    "stairs": _stairs,
    "wave": _wave,
    "tree": lambda _: [_circle(0.5, 0.5, 0.5, 3), _line(0.5, 0.75, 0.5, 1.2)],
    "person": lambda _: [
        _circle(0.5, 0.15, 0.15),
        _line(0.5, 0.3, 0.5, 0.7),
        _line(0.2, 0.45, 0.8, 0.45),
        _line(0.2, 1, 0.5, 0.7, 0.8, 1),
    ],
    "sun": _sun,
    "flower": lambda _: [
        _circle(0, 0, 0.15),
        *(_circle(x, y, 0.17) for x, y in _circle(0, 0, 0.3, 5)[:-1]),
    ],
    "lightning": lambda _: [_line(0.6, 0, 0.2, 0.55, 0.7, 0.45, 0.3, 1)],
    "lens": lambda _: [_circle(0.4, 0.4, 0.3), _line(0.62, 0.62, 1, 1)],
    "crossed lines": _crossed_lines,
}


def drawn(strokes: Strokes, random: Random) -> Marks:
    """Strokes drawn with a pen, slanted and wobbly as by hand."""
    fine = [_in_small_steps(stroke) for stroke in strokes]
    points = _rotated(np.concatenate(fine), random.uniform(-12, 12))
    points = points * [random.uniform(0.65, 1.2), 1]
    points[:, 0] += random.uniform(-0.3, 0.3) * points[:, 1]
    points = _fitted(points, 1)
    for _ in range(2):
        waves, phases = random.uniform(2, 9, 2), random.uniform(0, 7, 2)
        points = points + random.uniform(0, 0.03) * np.sin(points[:, ::-1] * waves + phases)
    points = _fitted(points, SIDE - 2 * _MARGIN) + _MARGIN
    image = Image.new("L", (SIDE, SIDE))
    pen, radius = ImageDraw.Draw(image), random.uniform(1.5, 8)
    for path in np.split(points, np.cumsum([len(stroke) for stroke in fine])[:-1]):
        pen.line([tuple(p) for p in path], fill=255, width=round(2 * radius), joint="curve")
        for x, y in path[[0, -1]]:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


def _in_small_steps(stroke: Points) -> Points:
    positions = np.linspace(0, len(stroke) - 1, max(2, 60 // len(stroke)) * len(stroke))
    return np.column_stack([np.interp(positions, np.arange(len(stroke)), xs) for xs in stroke.T])


def _fitted(points: Points, length: float) -> Points:
    """Points moved and scaled to a box with a corner at 0 and sides of at most this length."""
    moved = points - points.min(axis=0)
    fitted: Points = moved * (length / max(moved.max(), 1e-6))
    return fitted


def ruined(digits: Marks, labels: Labels, random: Random) -> Marks:
    """A digit spoilt so that it is no digit any more, or two digits that touch.

    Parameters
    ----------
    digits
        Two of MNIST's images, shape (2, 28, 28).
    labels
        Their digits.
    """
    one, two = digits
    kinds: list[Callable[[], Marks]] = [
        lambda: _struck_out(one, random),
        lambda: _touching(one, two, int(random.integers(0, 6))),
        lambda: _touching(one, two, int(random.integers(6, 14))),
        lambda: np.vstack([np.roll(one[:14], random.integers(5, 10), axis=1), two[14:]]),
    ]
    if labels[0] in MIRRORED:
        kinds.append(lambda: one[:, ::-1])
    if labels[0] in LYING:
        kinds.append(lambda: np.rot90(one, random.choice([1, 3])))
    return kinds[random.integers(len(kinds))]()


def _struck_out(digit: Marks, random: Random) -> Marks:
    image = Image.fromarray(digit).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pen, width = ImageDraw.Draw(image), int(random.integers(6, 14))
    left, right, top, bottom = random.integers(20, 120, 4).tolist()
    pen.line([(20, left), (120, right)], fill=255, width=width)
    pen.line([(top, 20), (bottom, 120)], fill=255, width=width)
    return np.asarray(image)


def _touching(one: Marks, two: Marks, columns: int) -> Marks:
    """Two digits that overlap by this many columns, or by as many more as make them touch."""
    left, right = (digit[:, digit.any(axis=0)] for digit in (one, two))
    most = min(left.shape[1], right.shape[1])
    for shared in range(min(columns, most), most + 1):
        middle = np.maximum(left[:, left.shape[1] - shared :], right[:, :shared])
        both = np.hstack([left[:, : left.shape[1] - shared], middle, right[:, shared:]])
        if cv2.connectedComponents((both > 127).view(np.uint8))[0] == 2:
            break
    return both


DRAWINGS: dict[str, Callable[[Random], Strokes]] = {
    "letter": letter,
    "sign": sign,
    "doodle": doodle,
    "scrawl": scrawl,
    "shape": shape,
}
