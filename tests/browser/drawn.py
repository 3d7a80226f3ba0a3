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
