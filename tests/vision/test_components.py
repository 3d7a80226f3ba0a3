"""The digit is found among lines, specks and edges, even in several parts."""

import numpy as np
import pytest

from dlcli.vision.components import HIGH_THRESHOLD, LOW_THRESHOLD, ComponentGroup, find_digit
from dlcli.vision.foreground import Foreground
from dlcli.vision.rejection import RejectionReason


def canvas(*boxes: tuple[int, int, int, int], level: float = 200) -> np.ndarray:
    """Foreground in boxes (left, top, right, bottom) on 100x120."""
    levels = np.zeros((100, 120), np.float32)
    for left, top, right, bottom in boxes:
        levels[top:bottom, left:right] = level
    return levels


def find(
    levels: np.ndarray, noise: float = 0, threshold: float = LOW_THRESHOLD
) -> ComponentGroup | None:
    """The digit in a foreground on an even background."""
    gain = np.ones_like(levels)
    return find_digit(Foreground(levels, noise, levels, gain, dark_on_light=True), threshold)


ONE = (50, 20, 56, 80)


def test_the_digit_is_where_the_foreground_is():
    found = find(canvas(ONE))
    assert found.box == ONE
    assert (found.mask == (canvas(ONE) > 0)).all()
    assert found.components.level == 200
    assert found.components.thickness[found.main] == pytest.approx(6, rel=0.05)
    assert found.rejection is None


@pytest.mark.parametrize(("level", "noise"), [(0, 0), (15, 0), (40, 9)])
def test_without_foreground_there_is_no_digit(level, noise):
    assert find(canvas(ONE, level=level), noise) is None


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
def test_lines_specks_and_edges_are_not_the_digit(other, level):
    levels = np.maximum(canvas(ONE), canvas(other, level=level))
    found = find(levels)
    assert found.box == ONE
    assert found.rejection is None


def test_faint_lines_across_the_digit_are_ignored():
    levels = canvas(*((0, y, 120, y + 1) for y in range(5, 100, 10)), level=70)
    found = find(np.maximum(levels, canvas(ONE)))
    assert found.box == ONE


def test_the_parts_of_a_broken_digit_belong_together():
    bar, body = (40, 20, 70, 26), (38, 30, 44, 80)
    found = find(canvas(bar, body))
    assert found.box == (38, 20, 70, 80)
    assert np.count_nonzero(found.parts) == 2
    assert found.rejection is None


def test_a_digit_beside_it_is_another_digit():
    left, right = (20, 20, 26, 80), (36, 20, 42, 80)
    found = find(canvas(left, right))
    assert found.has_others


def test_a_digit_beside_it_may_be_thicker_or_cut_off_by_the_edge():
    thin = (60, 20, 64, 80)
    assert find(canvas(thin, (30, 20, 41, 80))).has_others
    assert find(canvas((60, 20, 70, 80), (80, 20, 120, 28), (100, 20, 108, 75))).has_others


def test_a_digit_that_touches_all_edges_is_found():
    slope = [(110 - 9 * i, 10 * i, 120 - 9 * i, 10 * i + 10) for i in range(10)]
    seven = canvas((0, 0, 120, 10), (0, 0, 10, 25), *slope, (20, 90, 45, 100))
    assert find(seven).box == (0, 0, 120, 100)


SLANTED = [(40 - 2 * i, 20 + 6 * i, 46 - 2 * i, 26 + 6 * i) for i in range(10)]


@pytest.mark.parametrize(
    ("boxes", "others"),
    [
        ([(20, 20, 26, 80), (60, 20, 66, 80)], True),
        ([(20, 20, 26, 80), (60, 30, 66, 80), (100, 20, 106, 70)], True),
        ([*SLANTED, (50, 22, 56, 80), (42, 74, 80, 80)], True),  # their boxes overlap
        ([(20, 20, 26, 80), (20, 60, 50, 66), (40, 40, 44, 82)], False),  # a 4 of two components
        ([ONE, (90, 60, 94, 64)], False),  # a speck
        ([ONE, (114, 20, 120, 80)], False),  # cut off
    ],
)
def test_other_digits_beside_it_are_found(boxes, others):
    assert find(canvas(*boxes)).has_others == others


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
def test_shapes_of_digits_are_not_rejected(boxes):
    assert find(canvas(*boxes)).rejection is None


def test_a_dot_is_rejected_as_a_blot():
    assert find(canvas((40, 40, 54, 54))).rejection == RejectionReason.BLOT


FRAME = [(30, 8, 80, 11), (30, 89, 80, 92), (30, 8, 33, 92), (77, 8, 80, 92)]


@pytest.mark.parametrize("sides", [slice(4), slice(0, 3), slice(1, 4)])
def test_a_frame_around_the_digit_is_not_part_of_it(sides):
    found = find(canvas(ONE, *FRAME[sides]))
    assert found.box == ONE
    assert found.rejection is None


@pytest.mark.parametrize("underline", [(30, 82, 80, 85), (48, 84, 62, 86), (10, 83, 115, 86)])
def test_a_line_below_the_digit_is_not_part_of_it(underline):
    found = find(canvas(ONE, underline))
    assert found.box == ONE
    assert found.rejection is None


def test_a_line_is_not_a_digit_however_long_it_is():
    assert find(canvas((30, 50, 80, 54), (60, 70, 64, 95))).box == (60, 70, 64, 95)


def test_an_empty_frame_is_taken_for_a_digit():
    assert find(canvas(*FRAME)).box == (30, 8, 80, 92)


def test_a_zero_around_a_speck_is_not_a_frame():
    assert find(canvas(*FRAME, (50, 40, 56, 50))).box == (30, 8, 80, 92)


@pytest.mark.parametrize(
    "edges",
    [
        [(0, 0, 120, 12)],  # covers the upper side
        [(0, 20, 9, 80)],  # lies along a side
        [(0, 0, 40, 9), (0, 0, 9, 40)],  # a corner
        [(0, 0, 120, 9), (0, 91, 120, 100), (0, 0, 9, 100), (111, 0, 120, 100)],  # a rim
    ],
)
def test_what_lies_along_the_sides_is_not_a_digit(edges):
    assert find(canvas(*edges)) is None


def test_long_strokes_score_higher_than_a_large_shadow():
    shadow = np.zeros((100, 120), np.float32)
    for row in range(60):
        shadow[20 + row, 5 : 5 + row // 2] = 150
    assert find(np.maximum(shadow, canvas((80, 30, 84, 90)))).box == (80, 30, 84, 90)


def test_a_bar_as_dark_as_what_is_beside_it_is_an_edge():
    levels = canvas(ONE)
    darkness = levels.copy()
    darkness[:, 56:] = 200
    found = find_digit(Foreground(levels, 0, darkness, np.ones_like(levels), dark_on_light=True))
    assert found.box == ONE
    assert found.rejection == "a blot or an edge, not pen strokes"


def test_the_high_threshold_separates_the_pen_from_strong_lines():
    lines = canvas(*((0, y, 120, y + 2) for y in range(5, 100, 10)), level=110)
    levels = np.maximum(lines, canvas(ONE))
    assert find(levels).box != ONE
    assert find(levels, threshold=HIGH_THRESHOLD).box == ONE
