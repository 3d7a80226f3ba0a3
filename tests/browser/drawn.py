"""Digits as strokes: the skeletons of MNIST's images, to be drawn with a mouse."""

import numpy as np

# From one pixel to its neighbours, those that share a side first.
_NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))
_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def strokes(pixels):
    """The paths that a pen takes, as lists of (x, y) from 0 to 1; pixels of shape (784,)."""
    left = {(int(row), int(column)) for row, column in np.argwhere(_skeleton(pixels))}
    paths = []
    while left:
        # Begin at an end of a line, if there is one.
        place = min(left, key=lambda at: (len(_beside(at, left)), at))
        path = []
        while place is not None:
            left.discard(place)
            path.append(place)
            place = next(iter(_beside(place, left)), None)
        if len(path) > 2 or not paths:
            every_other = [*path[:-1:2], path[-1]]
            paths.append([((column + 0.5) / 28, (row + 0.5) / 28) for row, column in every_other])
    return paths


def _beside(place, places):
    around = [(place[0] + down, place[1] + right) for down, right in _NEIGHBOURS]
    return [each for each in around if each in places]


def _skeleton(pixels):
    """Thinned to lines. Source: Zhang and Suen, "A fast parallel algorithm", 1984."""
    ink = np.pad(pixels.reshape(28, 28) > 100, 1)
    changed = True
    while changed:
        changed = False
        for first in (True, False):
            ring = np.stack([np.roll(ink, (-down, -right), (0, 1)) for down, right in _RING])
            count = ring.sum(axis=0)
            turns = (~ring & np.roll(ring, -1, axis=0)).sum(axis=0)
            north, east, south, west = ring[0], ring[2], ring[4], ring[6]
            if first:
                sides = ~(north & east & south) & ~(east & south & west)
            else:
                sides = ~(north & east & west) & ~(north & south & west)
            gone = ink & (count >= 2) & (count <= 6) & (turns == 1) & sides
            changed |= bool(gone.any())
            ink = ink & ~gone
    return ink[1:-1, 1:-1]


def drawings(images, count, seed=20):
    """Make drawings for the page: digits, several digits, scribbles, shapes and an empty canvas.

    Returns
    -------
    list
        A pair of a name and of strokes for each drawing; the strokes are as the page stores them:
        the width of the pen and points from 0 to 128.
    """
    random = np.random.default_rng(seed)
    made = [("nothing", [])]
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


_SHAPES = [
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
