"""The digit is found among lines, specks and edges, whole even if it is broken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcli.pieces import find_digit, label


def canvas(*boxes: tuple[int, int, int, int], level: float = 200) -> np.ndarray:
    """Ink in boxes (left, top, right, bottom) on 100x120."""
    ink = np.zeros((100, 120), np.float32)
    for left, top, right, bottom in boxes:
        ink[top:bottom, left:right] = level
    return ink


ONE = (50, 20, 56, 80)


def test_the_digit_is_where_the_ink_is():
    found = find_digit(canvas(ONE), 0)
    assert found.box == ONE
    assert (found.marked == (canvas(ONE) > 0)).all()
    assert found.pieces.level == 200
    assert found.pieces.thickness[found.main] == 6
    assert found.doubt is None


@pytest.mark.parametrize(("level", "noise"), [(0, 0), (11, 0), (40, 9)])
def test_no_ink_is_no_digit(level, noise):
    assert find_digit(canvas(ONE, level=level), noise) is None


@pytest.mark.parametrize(
    "other",
    [
        (0, 0, 9, 100),  # the edge of a desk
        (0, 90, 120, 100),
        (0, 10, 120, 12),  # printed lines
        (20, 0, 22, 100),
        (90, 40, 93, 43),  # a speck
        (0, 60, 15, 75),  # a thumb
    ],
)
@pytest.mark.parametrize("level", [150, 200, 250])
def test_other_things_are_left_aside(other, level):
    ink = np.maximum(canvas(ONE), canvas(other, level=level))
    found = find_digit(ink, 0)
    assert found.box == ONE
    assert found.doubt is None


def test_faint_lines_across_the_digit_are_left_aside():
    ink = canvas(*((0, y, 120, y + 1) for y in range(5, 100, 10)), level=70)
    found = find_digit(np.maximum(ink, canvas(ONE)), 0)
    assert found.box == ONE


def test_what_is_darker_than_the_pen_but_no_digit_does_not_hide_it():
    ink = canvas((0, 0, 120, 8), level=250)
    found = find_digit(np.maximum(ink, canvas(ONE, level=60)), 0)
    assert found.box == ONE
    assert found.pieces.level == 60


def test_a_broken_digit_is_whole():
    bar, body = (40, 20, 70, 26), (38, 30, 44, 80)
    found = find_digit(canvas(bar, body), 0)
    assert found.box == (38, 20, 70, 80)
    assert np.count_nonzero(found.members) == 2
    assert found.doubt is None


def test_a_digit_that_touches_all_edges_is_found():
    found = find_digit(canvas((0, 0, 120, 10), (0, 0, 12, 100), (0, 90, 120, 100)), 0)
    assert found.box == (0, 0, 120, 100)


DOUBTS = {
    "more than one digit: show one at a time": [
        [(20, 20, 26, 80), (60, 20, 66, 80)],
        [(20, 20, 26, 80), (60, 30, 66, 80), (100, 20, 106, 70)],
        [(10, 40, 110, 46), (10, 46, 16, 80)],
    ],
    "a blot, no strokes of a pen": [[(40, 30, 80, 70)], [(40, 20, 70, 75)]],
    "a drawing, no digit": [
        [(20, 20, 26, 80), (40, 20, 46, 30), (40, 40, 46, 50), (40, 60, 46, 70)],
        [(x, 20, x + 4, 80) for x in (20, 40, 60, 80)] + [(20, y, 84, y + 4) for y in (20, 48, 76)],
    ],
}


@pytest.mark.parametrize(
    ("doubt", "boxes"), [(doubt, boxes) for doubt, cases in DOUBTS.items() for boxes in cases]
)
def test_what_is_no_single_digit_is_doubted(doubt, boxes):
    assert find_digit(canvas(*boxes), 0).doubt == doubt


@pytest.mark.parametrize(
    "boxes",
    [
        [(40, 20, 70, 26), (40, 20, 46, 80), (64, 20, 70, 80), (40, 74, 70, 80)],  # 0
        [(40, 20, 46, 50), (40, 50, 70, 56), (60, 20, 66, 80)],  # 4
        [
            (40, 20, 70, 26),
            (40, 20, 46, 80),
            (64, 20, 70, 80),
            (40, 74, 70, 80),
            (40, 47, 70, 53),
        ],  # 8
    ],
)
def test_shapes_of_digits_are_not_doubted(boxes):
    assert find_digit(canvas(*boxes), 0).doubt is None


def test_diagonal_neighbours_are_connected():
    marked = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], bool)
    labels, count = label(marked)
    assert count == 4
    expected = [[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [3, 3, 0, 4]]
    np.testing.assert_array_equal(labels, expected)


def test_nothing_marked_is_no_piece():
    labels, count = label(np.zeros((3, 4), bool))
    assert count == 0
    assert not labels.any()


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_pieces_are_those_a_flood_fill_finds(marked):
    labels, count = label(marked)
    expected = np.zeros(marked.shape, int)
    found = 0
    for start in np.argwhere(marked):
        if expected[tuple(start)]:
            continue
        found += 1
        waiting = [tuple(start)]
        while waiting:
            y, x = waiting.pop()
            if 0 <= y < marked.shape[0] and 0 <= x < marked.shape[1]:
                is_new = marked[y, x] and not expected[y, x]
                if is_new:
                    expected[y, x] = found
                    waiting += [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert count == found
    np.testing.assert_array_equal(labels, expected)
