"""Drawings made of strokes: digits, from the skeletons of MNIST's images, and other things."""

from typing import Any

import numpy as np

# Offsets from a pixel to its neighbours; first those that share a side.
_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


Line = list[tuple[float, float]]


def strokes(pixels) -> list[Line]:
    """Trace the digit on an image, shape (784,): lists of points (x, y) from 0 to 1."""
    skeleton = {(int(row), int(column)) for row, column in np.argwhere(_skeleton(pixels))}
    remaining = set(skeleton)
    paths: list[Line] = []
    while remaining:
        # Begin at an end of a line, if there is one.
        place: Any = min(remaining, key=lambda at: (len(_neighbours(at, remaining)), at))
        path = _neighbours(place, skeleton - remaining)[:1]  # a junction with an earlier path
        while place:
            remaining.discard(place)
            path.append(place)
            place = next(iter(_neighbours(place, remaining)), ())
        path += _neighbours(path[-1], skeleton - remaining - set(path[-3:]))[:1]
        if len(path) > 2 or not paths:
            every_other = [*path[:-1:2], path[-1]]
            paths.append([((column + 0.5) / 28, (row + 0.5) / 28) for row, column in every_other])
    return paths


def _neighbours(place, places):
    around = [(place[0] + down, place[1] + right) for down, right in _NEIGHBOURS]
    return [each for each in around if each in places]


def _skeleton(pixels):
    """Thin strokes to lines.

    Source: Zhang and Suen, "A fast parallel algorithm for thinning digital patterns", 1984.
    """
    foreground = np.pad(pixels.reshape(28, 28) > 100, 1)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            ring = np.stack([np.roll(foreground, (-down, -right), (0, 1)) for down, right in _RING])
            count = ring.sum(axis=0)
            turns = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
            north, east, south, west = ring[0], ring[2], ring[4], ring[6]
            if first:
                sides = ~(north & east & south) & ~(east & south & west)
            else:
                sides = ~(north & east & west) & ~(north & south & west)
            gone = foreground & (count >= 2) & (count <= 6) & (turns == 1) & sides
            changed |= bool(gone.any())
            foreground = foreground & ~gone
    return foreground[1:-1, 1:-1]


def drawings(images, count, seed=20):
    """Make drawings for the page: digits, several digits, scribbles, shapes and an empty canvas.

    Returns
    -------
    list
        A pair of a name and of strokes for each drawing; the strokes are as the page stores them:
        the width of the pen and points from 0 to 128.
    """
    random = np.random.default_rng(seed)
    made: list[tuple[str, list[dict[str, Any]]]] = [("nothing", [])]
    while len(made) < count:
        kind = str(random.choice(["digit", "digits", "scribble", "shape"], p=[0.7, 0.1, 0.1, 0.1]))
        if kind == "digit":
            length = random.uniform(24, 112)
            pen = random.uniform(3, min(20, length / 4))
            at = pen / 2 + random.uniform(0, max(128 - length - pen, 0), 2)
            made.append((kind, _digit(images, random, pen, at, length)))
        elif kind == "digits":
            length, pen = random.uniform(34, 56), random.uniform(3, 9)
            top = random.uniform(8, 56)
            first = _digit(images, random, pen, (4, top), length)
            second = _digit(images, random, pen, (66, top + random.uniform(-6, 6)), length)
            made.append((kind, first + second))
        elif kind == "scribble":
            points = random.uniform(16, 112, (random.integers(6, 24), 2))
            made.append((kind, [_stroke(random.uniform(3, 16), points)]))
        else:
            name, shape = _SHAPES[random.integers(len(_SHAPES))]
            pen, length = random.uniform(3, 12), random.uniform(50, 110)
            at = 8 + random.uniform(0, 112 - length, 2)
            made.append((name, [_stroke(pen, at + length * np.array(path)) for path in shape]))
    return made


def _stroke(pen, points):
    return {"width": float(pen), "points": np.asarray(points, float).tolist()}


def _digit(images, random, pen, place, length):
    """One of the images as strokes, its skeleton scaled to a length."""
    paths = strokes(images[random.integers(len(images))])
    points = np.concatenate(paths)
    scale = length / (np.ptp(points, axis=0).max() or 1)
    return [
        _stroke(pen, np.add(place, (np.array(path) - points.min(axis=0)) * scale)) for path in paths
    ]


def _circle(x, y, radius):
    angles = np.linspace(0, 2 * np.pi, 25)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1).tolist()


_SHAPES: list[tuple[str, list[Any]]] = [
    ("dot", [[(0.5, 0.5)]]),
    ("bar", [[(0, 0.5), (1, 0.5)]]),
    ("cross", [[(0, 0), (1, 1)], [(1, 0), (0, 1)]]),
    ("plus", [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]]),
    ("box", [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]]),
    ("triangle", [[(0, 1), (0.5, 0), (1, 1), (0, 1)]]),
    ("zigzag", [[(0, 0), (0.2, 1), (0.4, 0), (0.6, 1), (0.8, 0), (1, 1)]]),
    ("dots", [[(0.1, 0.1)], [(0.9, 0.2)], [(0.5, 0.9)]]),
    ("star", [[(0.2, 1), (0.5, 0), (0.8, 1), (0, 0.35), (1, 0.35), (0.2, 1)]]),
    ("letter H", [[(0, 0), (0, 1)], [(0.8, 0), (0.8, 1)], [(0, 0.5), (0.8, 0.5)]]),
    ("letter A", [[(0, 1), (0.4, 0), (0.8, 1)], [(0.2, 0.6), (0.6, 0.6)]]),
    (
        "house",
        [
            [(0, 0.4), (0.5, 0), (1, 0.4), (1, 1), (0, 1), (0, 0.4), (1, 0.4)],
            [(0.4, 1), (0.4, 0.7), (0.6, 0.7), (0.6, 1)],
        ],
    ),
    (
        "face",
        [
            _circle(0.5, 0.5, 0.5),
            [(0.3, 0.35)],
            [(0.7, 0.35)],
            [(0.3, 0.7), (0.5, 0.8), (0.7, 0.7)],
        ],
    ),
]
