"""Characters of the alphabets as the strokes of a pen, no two alike."""

from typing import Final

import numpy as np
import numpy.typing as npt

from tools.alphabets import Alphabet

Points = npt.NDArray[np.float64]  # x to the right and y down, shape (points, 2)
Strokes = list[Points]

CAP_HEIGHT: Final = 6
_GRID: Final = 10
_POINTS_PER_CURVE: Final = 12  # between two of the points that a curve passes through


def any_of(alphabets: tuple[tuple[Alphabet, float], ...], random: np.random.Generator) -> Strokes:
    """A character of one of the alphabets, which come as often as the numbers beside them say."""
    alphabet = alphabets[random.choice(len(alphabets), p=[share for _, share in alphabets])][0]
    return write(alphabet, str(random.choice(list(alphabet))), random)


def write(alphabet: Alphabet, character: str, random: np.random.Generator) -> Strokes:
    """The strokes of a character in one of its forms, no two alike; capitals have height 1."""
    forms = alphabet[character]
    form = forms[random.integers(len(forms))]
    # The same grid point is moved by the same amount in each stroke, so that joints stay closed.
    moves = random.normal(0, random.uniform(0.05, 0.25), (_GRID, _GRID, 2))
    return [_stroke(text, moves) / CAP_HEIGHT for text in form.split("|")]


def _stroke(text: str, moves: Points) -> Points:
    grid = np.array([[int(digit) for digit in point] for point in text.lstrip("~").split()])
    points: Points = grid + moves[grid[:, 0], grid[:, 1]]
    return smooth(points) if text.startswith("~") else points


def smooth(points: Points) -> Points:
    """A curve that passes through the points: a uniform Catmull-Rom spline.

    Catmull and Rom, "A class of local interpolating splines", 1974. A curve that ends where it
    begins is smooth there, too.
    """
    closed = len(points) > 2 and (points[0] == points[-1]).all()
    before, after = (points[-2], points[1]) if closed else (points[0], points[-1])
    p = np.vstack([before, points, after])
    t = np.linspace(0, 1, _POINTS_PER_CURVE, endpoint=False)[:, np.newaxis]
    pieces = [
        b
        + (c - a) / 2 * t
        + (a - 2.5 * b + 2 * c - d / 2) * t**2
        + (1.5 * (b - c) + (d - a) / 2) * t**3
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
    ]
    return np.vstack([*pieces, points[-1:]])
