"""Strokes are joined to a digit, and specks, frames and what lies at the border are left out."""

from dataclasses import replace

import numpy as np
import pytest

from dlcli.vision.components import (
    Components,
    all_parts,
    connected_components,
    digit_groups,
    has_neighbour,
    strokes_of,
)
from dlcli.vision.foreground import local_foreground

Box = tuple[int, int, int, int]

ONE = (50, 20, 58, 80)


def canvas(*boxes: Box, level: int = 200) -> np.ndarray:
    """Foreground in boxes (left, top, right, bottom) on 100x120."""
    levels = np.zeros((100, 120), np.uint8)
    for left, top, right, bottom in boxes:
        levels[top:bottom, left:right] = level
    return levels


def components_of(levels: np.ndarray) -> Components:
    found = connected_components(levels)
    assert found is not None
    return found


def boxes_of(levels: np.ndarray) -> list[Box]:
    """The box of each group that may be a digit, from the likeliest on."""
    components = components_of(levels)
    return [components.box(group) for group in digit_groups(components)]


@pytest.mark.parametrize("level", [0, 15])
def test_noise_has_no_components(level):
    assert connected_components(canvas(ONE, level=level)) is None


@pytest.mark.parametrize("level", [16, 90, 255])
def test_a_component_has_its_box_and_its_mass(level):
    components = components_of(canvas(ONE, level=level))
    assert components.box([1]) == ONE
    assert components.mass.tolist() == [0, 8 * 60 * level]
    assert components.length[1] == 60
    assert not components.touches_border[1]
    assert ((components.labels == 1) == (canvas(ONE) > 0)).all()


def test_components_that_meet_at_a_corner_are_one():
    components = components_of(canvas((20, 20, 30, 30), (30, 30, 40, 40)))
    assert len(components.mass) == 2
    assert components.box([1]) == (20, 20, 40, 40)


def test_the_box_of_several_components_holds_all():
    components = components_of(canvas((20, 30, 30, 40), (60, 10, 70, 20)))
    assert components.box([1, 2]) == (20, 10, 70, 40)


def test_the_faint_end_of_a_stroke_belongs_to_it_and_a_faint_stroke_alone_is_none():
    levels = canvas(ONE)
    levels[80:90, 50:58] = 70  # as dark as half of Otsu's threshold and more
    levels[20:80, 90:98] = 70
    components = components_of(levels)
    (heavy,) = np.flatnonzero(components.mass)
    assert components.box([int(heavy)]) == (50, 20, 58, 90)


@pytest.mark.parametrize(
    "at_border", [(0, 30, 8, 60), (112, 30, 120, 60), (30, 0, 60, 8), (30, 92, 60, 100)]
)
def test_what_reaches_the_border_is_known(at_border):
    components = components_of(canvas(at_border, ONE))
    expected = [components.box([part]) == at_border for part in range(1, 3)]
    assert components.touches_border[1:].tolist() == expected
    assert sum(expected) == 1


def boxed(*boxes: Box) -> Components:
    """Components of which only the boxes matter."""
    edges = np.array([(0, 0, 120, 100), *boxes]).T
    return Components(canvas(), np.zeros((100, 120), np.int32), np.ones(1 + len(boxes)), *edges)


@pytest.mark.parametrize(
    ("inner", "is_inside"),
    [
        ((50, 45, 56, 55), True),
        ((30, 70, 90, 88), True),  # only its middle is asked for
        ((20, 22, 91, 28), False),  # longer
        ((95, 45, 100, 55), False),
        ((50, 85, 56, 95), False),
    ],
)
def test_inside_is_where_the_middle_of_a_shorter_part_is(inner, is_inside):
    assert boxed((20, 20, 90, 80), inner).is_inside(2, 1) == is_inside


@pytest.mark.parametrize(
    ("box", "is_strip"),
    [
        ((0, 10, 20, 70), True),
        ((0, 10, 21, 70), False),  # less than three times as long as wide
        ((100, 0, 120, 100), True),
        ((10, 0, 100, 30), True),
        ((0, 80, 120, 100), True),
        ((0, 0, 20, 70), True),  # along one side, from a corner
        ((0, 20, 60, 30), False),  # it ends at the side
        ((40, 0, 50, 60), False),
        ((50, 0, 60, 100), False),  # a 1 that fills its crop
        ((0, 40, 120, 50), False),
        ((50, 20, 58, 80), False),
    ],
)
def test_a_strip_lies_along_one_side(box, is_strip):
    assert boxed(box).is_strip[1] == is_strip


def test_a_strip_along_the_border_is_no_digit_even_if_it_is_the_heaviest():
    strip = (0, 0, 30, 100)
    assert strip not in boxes_of(canvas(strip, ONE))
    assert boxes_of(canvas(strip)) == []


@pytest.mark.parametrize(
    ("other", "is_neighbour"),
    [
        ((70, 20, 78, 80), True),
        ((10, 20, 18, 80), True),  # on the other side
        ((110, 20, 118, 80), True),  # however far away
        ((70, 72, 78, 110), True),  # lower, but in part on the same rows
        ((70, 80, 78, 118), False),
        ((70, 20, 78, 55), False),  # less than 0.6 times as high
        ((56, 20, 72, 60), True),  # a slanted one overlaps by a quarter of the narrower one
        ((55, 20, 72, 60), False),
        ((70, 20, 72, 70), True),  # a fifth of the mass
        ((70, 20, 71, 80), False),  # a thin line
        ((112, 20, 120, 80), False),  # at the border
        ((50, 84, 58, 96), False),  # below
    ],
)
def test_a_neighbour_is_as_high_and_heavy_as_a_digit(other, is_neighbour):
    mass = [0, *((right - left) * (bottom - top) for left, top, right, bottom in (ONE, other))]
    components = replace(boxed(ONE, other), mass=np.array(mass, float))
    assert has_neighbour(components, [1]) == is_neighbour
    assert not has_neighbour(components, [1, 2])


@pytest.mark.parametrize(
    "part", [(40, 14, 70, 18), (62, 40, 70, 60), (50, 84, 58, 88), (40, 40, 46, 46)]
)
def test_a_part_near_the_main_one_joins(part):
    left, top, right, bottom = part
    both = min(50, left), min(20, top), max(58, right), max(80, bottom)
    first, *others = boxes_of(canvas(ONE, part))
    assert first == both
    assert (ONE in others) == (part != (50, 40, 58, 60))


def test_a_heavier_component_is_no_part():
    thin = (62, 20, 66, 80)
    assert boxes_of(canvas(ONE, thin)) == [(50, 20, 66, 80), ONE, thin]


@pytest.mark.parametrize(
    "other",
    [
        (90, 40, 110, 50),  # far away
        (62, 40, 65, 43),  # a speck
        (62, 0, 70, 60),  # cut off by the border
        (0, 90, 120, 94),  # a line from border to border
    ],
)
def test_specks_and_what_is_far_or_at_the_border_stay_outside(other):
    assert boxes_of(canvas(ONE, other))[0] == ONE


RING = [(30, 20, 80, 26), (30, 74, 80, 80), (30, 20, 36, 80), (74, 20, 80, 80)]


@pytest.mark.parametrize("inner", [(52, 40, 58, 60), (45, 47, 65, 53)])
def test_what_lies_inside_a_ring_belongs_to_it(inner):
    components = components_of(canvas(*RING, inner))
    groups = [set(group) for group in digit_groups(components)]
    main = int(np.argmax(components.mass))
    assert all(groups[0] <= group for group in groups if main in group)
    assert len(groups[0]) == 2


def test_what_stands_inside_a_frame_is_tried_as_well():
    inner = (50, 30, 60, 70)
    assert inner in boxes_of(canvas(*RING, inner))


def test_a_digit_that_touches_the_border_keeps_its_parts_there():
    stem, foot = (0, 10, 24, 70), (0, 74, 50, 80)
    assert boxes_of(canvas(stem, foot))[0] == (0, 10, 50, 80)


def test_a_heavy_edge_is_less_likely_than_a_lighter_digit():
    assert boxes_of(canvas((0, 0, 12, 100), ONE))[0] == ONE


def test_the_heavier_of_two_digits_comes_first_and_the_lighter_next():
    thin, thick = (20, 20, 26, 80), (80, 20, 92, 80)
    assert boxes_of(canvas(thin, thick)) == [thick, thin]


def test_no_group_comes_twice():
    groups = [set(group) for group in digit_groups(components_of(canvas(ONE, (62, 40, 70, 60))))]
    assert len({frozenset(group) for group in groups}) == len(groups) > 1


def test_specks_alone_are_no_digit():
    assert boxes_of(canvas((40, 40, 44, 44), (80, 20, 84, 24))) == []


def test_all_parts_are_taken_together_however_far_apart():
    components = components_of(canvas(ONE, (90, 20, 98, 80), (20, 90, 22, 92)))
    parts = all_parts(components)
    assert parts is not None
    assert components.box(parts) == (50, 20, 98, 80)


def grid_of_dots(count: int) -> list[Box]:
    corners = [(10 + 12 * (n % 8), 10 + 12 * (n // 8)) for n in range(count)]
    return [(left, top, left + 6, top + 6) for left, top in corners]


@pytest.mark.parametrize(
    ("boxes", "is_some"),
    [
        ([ONE], False),  # a single one is a group already
        ([ONE, (0, 20, 8, 80)], False),  # the other touches the border
        (grid_of_dots(2), True),
        (grid_of_dots(12), True),
        (grid_of_dots(13), False),  # a texture
    ],
)
def test_a_few_parts_may_be_one_digit(boxes, is_some):
    assert (all_parts(components_of(canvas(*boxes))) is not None) == is_some


def test_strokes_are_cut_out_with_a_margin_for_grey_edges():
    components = components_of(canvas(ONE))
    strokes = strokes_of(components, [1])
    assert strokes.dtype == np.float32
    assert strokes.shape == (62, 10)
    assert (strokes[1:-1, 1:-1] == 1).all()
    assert strokes.sum() == 60 * 8


@pytest.mark.parametrize("at_border", [(0, 0, 8, 60), (112, 40, 120, 100)])
def test_strokes_at_the_border_have_no_margin_there(at_border):
    assert strokes_of(components_of(canvas(at_border)), [1]).shape == (61, 9)


def test_strokes_of_others_are_left_out():
    components = components_of(canvas(ONE, (66, 20, 72, 80), (50, 86, 72, 92)))
    members = [part for part in range(1, 4) if components.box([part])[3] != 80]
    strokes = strokes_of(components, [*members, int(components.labels[50, 52])])
    assert strokes.shape == (74, 24)
    assert not strokes[:60, 12:].any()


@pytest.mark.parametrize("level", [40, 120, 255])
def test_the_level_of_the_pen_makes_no_difference(level):
    soft = canvas(ONE, level=level)
    soft[20:80, 58] = level // 2  # the antialiased edge
    strokes = strokes_of(components_of(soft), [1])
    assert strokes.max() == 1
    assert strokes[30, 9] == pytest.approx(0.7, abs=0.03)


def test_faint_parts_of_a_stroke_are_kept_though_a_spot_is_much_stronger():
    levels = canvas(ONE, level=130)
    levels[40:43, 50:58] = 255
    strokes = strokes_of(components_of(levels), [1])
    assert strokes[1:-1, 1:-1].min() > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (90, 1)])
def test_an_image_without_background_has_no_components(shape):
    assert connected_components(np.full(shape, 200, np.uint8)) is None


def noisy(page: np.ndarray, noise: float) -> np.ndarray:
    """The foreground of a page on which each pixel is lighter or darker by chance."""
    levels = np.random.default_rng(0).normal(page, noise)
    return local_foreground([np.clip(levels, 0, 255).astype(np.uint8)], 0.35)


@pytest.mark.parametrize("noise", [5, 20, 40])
def test_noise_of_any_strength_has_no_components(noise):
    assert connected_components(noisy(np.full((200, 280), 200), noise)) is None


def test_a_faint_stroke_needs_a_cleaner_page():
    levels = np.full((100, 120), 8, np.uint8)
    levels[20:80, 50:58] = 36
    assert connected_components(levels) is not None
    levels[levels == 8] = 9
    assert connected_components(levels) is None
    levels[levels == 36] = 72
    levels[levels == 9] = 18
    assert connected_components(levels) is not None


def test_a_stroke_is_found_in_noise():
    page = np.full((200, 280), 200)
    page[50:150, 130:142] = 60
    components = connected_components(noisy(page, 14))
    assert components is not None
    assert components.length.max() >= 98


@pytest.mark.parametrize("shape", [(1, 90), (2, 2)])
def test_the_smallest_images_are_divided(shape):
    components = components_of(np.full(shape, 200, np.uint8) * (np.arange(shape[1]) % 2 == 0))
    for group in digit_groups(components):
        strokes = strokes_of(components, group)
        assert strokes.max() == 1
