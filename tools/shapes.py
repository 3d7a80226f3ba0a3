"""Stars, faces, doodles, scrawls and invented characters, as the strokes of a pen."""

from collections.abc import Callable

import numpy as np

from tools.characters import Points, Strokes

Random = np.random.Generator


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


def rotated(points: Points, degrees: float) -> Points:
    """Points in the unit square, turned around its middle."""
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


def invented(random: Random) -> Strokes:
    """A character of no script: a few lines, arcs, hooks, loops and waves, most of which touch."""
    strokes: Strokes = []
    for _ in range(random.integers(2, 6)):
        size, turn = random.uniform(0.3, 1), random.uniform(0, 360)
        stroke = rotated(_ELEMENTS[random.integers(len(_ELEMENTS))](random), turn) * size
        start = random.uniform(0, 1, 2)
        if strokes and random.random() < _JOINED:
            touched = strokes[random.integers(len(strokes))]
            start = touched[random.choice([0, len(touched) // 2, -1])]
        strokes.append(stroke + start - stroke[random.choice([0, 0, len(stroke) // 2])])
    return strokes


def _arc(random: Random) -> Points:
    circle = _circle(0.5, 0.5, 0.5)[: random.integers(8, 24)]
    return circle * [1, random.uniform(0.4, 1)]


def _hook(random: Random) -> Points:
    bend = random.uniform(0.1, 0.4, 2)
    return _curve(
        np.vstack([_line(0, 0, 1, 0), [1 + bend[0] / 2, bend[0]], [1 - bend[0], bend[1]]])
    )


# What invented characters consist of.
_JOINED = 0.75
_ELEMENTS: tuple[Callable[[Random], Points], ...] = (
    lambda _: _line(0, 0, 1, 0),
    lambda _: _line(0, 0, 1, 0),
    lambda r: r.uniform(0, 1, (3, 2)),
    _arc,
    _arc,
    _hook,
    lambda r: _circle(0.5, 0.5, r.uniform(0.15, 0.45)),
    lambda r: _curve(np.column_stack([np.linspace(0, 1, 6), r.uniform(0, 0.4, 6)])),
)


def shape(random: Random) -> Strokes:
    """A simple drawing: a star, a house, a face and the like."""
    names = list(SHAPES)
    return SHAPES[names[random.integers(len(names))]](random)


def _star(random: Random) -> Strokes:
    points, step = [(5, 2), (7, 3)][random.integers(2)]
    angles = random.uniform(0, 7) + np.arange(points + 1) * step * 2 * np.pi / points
    return [np.column_stack([np.sin(angles), np.cos(angles)])]


def _arrow(random: Random) -> Strokes:
    turn = 45 * int(random.integers(8))
    strokes = (_line(0, 0.5, 1, 0.5), _line(0.7, 0.25, 1, 0.5, 0.7, 0.75))
    return [rotated(stroke, turn) for stroke in strokes]


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


def _bent_arrow(random: Random) -> Strokes:
    shaft = _curve(random.uniform(0, 1, (3, 2)))
    back = shaft[-8] - shaft[-1]
    back = back * (random.uniform(0.2, 0.4) / max(float(np.hypot(*back)), 1e-6))
    barbs = [np.array([[c, s], [-s, c]]) @ back for c, s in ((0.8, 0.6), (0.8, -0.6))]
    return [shaft, np.stack([shaft[-1] + barbs[0], shaft[-1], shaft[-1] + barbs[1]])]


def _smiley(random: Random) -> Strokes:
    """A face with other eyes and another mouth, open at the chin or without its outline."""
    eye, y = random.uniform(0.02, 0.1), random.uniform(0.25, 0.42)
    eyes = [_circle(x, y, eye) for x in (0.3, 0.7)]
    if random.random() < 0.5:
        eyes = [_line(x, y - eye, x, y + eye) for x in (0.35, 0.65)]
    mouth = _circle(0.5, random.uniform(0.4, 0.6), random.uniform(0.15, 0.3))[9:22]
    if random.random() < 0.3:
        mouth = mouth * [1, -1] + [0, 1.4]
    outline = _circle(0.5, 0.5, 0.5)[: random.choice([31, 27])]
    return [*eyes, mouth, *[outline] * (random.random() < 0.8)]


SHAPES: dict[str, Callable[[Random], Strokes]] = {
    "polygon": lambda r: [_circle(0, 0, 1, int(r.integers(3, 6)), r.uniform(0, 7))],
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
    "bent arrow": _bent_arrow,
    "smiley": _smiley,
    "fish": lambda _: [np.vstack([_circle(0.4, 0.5, 0.4, turn=np.pi / 2)[3:28] * [1, 0.6]])],
    "ladder": lambda _: [
        *[_line(x, 0, x, 1) for x in (0.2, 0.7)],
        *[_line(0.2, y, 0.7, y) for y in (0.2, 0.5, 0.8)],
    ],
    "umbrella": lambda _: [
        np.vstack([_circle(0.5, 0.5, 0.5, turn=-np.pi / 2)[:16], [[0, 0.5]]]),
        _line(0.5, 0.5, 0.5, 1, 0.35, 1),
    ],
    "flag": lambda r: [_line(0, 0, 0, 1), _line(0, 0, 0.6, 0.2 * r.random(), 0.6, 0.4, 0, 0.4)],
    "cup": lambda _: [
        _line(0, 0, 0.1, 1, 0.6, 1, 0.7, 0, 0, 0),
        _circle(0.72, 0.45, 0.22)[1:15],
    ],
    "two circles": lambda r: [_circle(0, 0, 0.3), _circle(0.3 + 0.4 * r.random(), 0.1, 0.3)],
    "ring": lambda r: [_circle(0.5, 0.5, 0.5), _circle(0.5, 0.5, r.uniform(0.15, 0.35))],
    "dots": lambda r: [_circle(x, y, 0.03) for x, y in r.uniform(0, 1, (r.integers(3, 12), 2))],
    "stripes": lambda r: [
        _line(x, 0, x, 1) for x in np.arange(r.integers(3, 6)) * r.uniform(0.2, 0.4)
    ],
}
