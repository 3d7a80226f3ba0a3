"""Lines, cuts, printed lines and grids on pages drawn here."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dlcli.vision import printed_lines
from dlcli.vision.cuts import candidate_cuts, slant
from dlcli.vision.page_foreground import page_channels
from dlcli.vision.segmentation import segment


def drawn(size, *strokes, width=5):
    """A white page with black strokes, each a list of points."""
    page = Image.new("L", size, 255)
    draw = ImageDraw.Draw(page)
    for points in strokes:
        draw.line(points, fill=0, width=width)
    return page


def ring(left, top, width=24, height=40):
    """The strokes of a 0."""
    angles = np.linspace(0, 2 * np.pi, 40)
    x = left + width / 2 * (1 + np.cos(angles))
    y = top + height / 2 * (1 + np.sin(angles))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def boxes(page, line):
    """The boxes of a line's components."""
    return [page.components.box(list(labels)) for labels in line.members]


def test_lines_go_down_the_page_though_they_slant():
    strokes = [
        ring(30 + 50 * column, 40 + 80 * row - 6 * column)
        for row in range(3)
        for column in range(8)
    ]
    page = segment(drawn((500, 300), *strokes))
    assert [len(line.members) for line in page.lines] == [8, 8, 8]
    tops = [boxes(page, line)[0][1] for line in page.lines]
    assert tops == sorted(tops)


def test_digits_that_dance_are_on_one_line():
    strokes = [ring(30 + 60 * column, 80 + 20 * (column % 2)) for column in range(6)]
    (line,) = segment(drawn((420, 220), *strokes)).lines
    assert len(line.members) == 6


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_page_has_as_many_lines_as_are_said_to_be_on_it(count):
    strokes = [ring(30 + 60 * column, 60 + 60 * row) for row in range(3) for column in range(4)]
    lines = segment(drawn((300, 280), *strokes), count).lines
    assert len(lines) == count
    assert sum(len(line.members) for line in lines) == 12


def test_specks_and_the_edge_of_a_page_are_on_no_line():
    page = drawn((400, 300), ring(100, 100), ring(150, 100), [(300, 30), (302, 32)])
    ImageDraw.Draw(page).rectangle((0, 0, 12, 300), fill=0)
    (line,) = segment(page).lines
    assert len(line.members) == 2


def test_lines_of_a_page_far_longer_than_wide_are_looked_for_on_a_small_one():
    """Its length is reduced as any other page's, in spite of its width."""
    small = printed_lines._shrunk(np.ones((100_000, 64), np.uint8))
    assert max(small.shape) <= printed_lines._SIDE_PX
    assert small.all()


@pytest.mark.parametrize("pitch", [30, 60])
@pytest.mark.parametrize("squared", [False, True])
def test_printed_lines_are_removed_and_what_crosses_them_stays(pitch, squared):
    page = drawn((500, 400), ring(100, 110, 40, 90), ring(180, 110, 40, 90))
    draw = ImageDraw.Draw(page)
    for y in range(20, 400, pitch):
        draw.line((0, y, 500, y + 6), fill=110, width=2)
    for x in range(20, 500, pitch) if squared else ():
        draw.line((x, 0, x - 6, 400), fill=110, width=2)
    lines = segment(page).lines
    assert len(lines) == 1
    assert boxes(segment(page), lines[0])[0][1] == pytest.approx(110, abs=5)


def test_the_boxes_of_a_form_are_removed():
    strokes = [ring(60 + 60 * column, 105) for column in range(4)]
    page = drawn((400, 300), *strokes)
    draw = ImageDraw.Draw(page)
    for column in range(4):
        draw.rectangle((42 + 60 * column, 92, 102 + 60 * column, 158), outline=0, width=3)
    (line,) = segment(page).lines
    assert len(line.members) == 4


def test_the_box_around_a_number_is_removed_though_it_is_askew():
    page = drawn((400, 240), *(ring(90 + 45 * column, 105) for column in range(5)))
    corners = [(60, 80), (340, 92), (338, 172), (58, 160), (60, 80)]
    ImageDraw.Draw(page).line(corners, fill=0, width=3)
    (line,) = segment(page).lines
    assert len(line.members) == 5


def test_the_detached_bar_of_a_digit_makes_no_frame_of_its_neighbours():
    strokes = [[(100, 60), (100, 140)], [(100, 100), (150, 100)], [(150, 60), (150, 140)]]
    bar = [[(115, y), (140, y)] for y in range(53, 70, 4)]
    page = segment(drawn((400, 300), *strokes, *bar))
    (line,) = page.lines
    assert (98, 60, 153, 141) in boxes(page, line)


def test_two_rings_that_touch_can_be_cut_where_they_touch():
    page = segment(drawn((300, 200), ring(100, 80), ring(123, 80)))
    (line,) = page.lines
    assert len(line.members) == 1
    cut = page.cut(line, [0])
    middles = [
        page.components.box(list(cut.labels(0, place)))[2]
        for place in range(1, len(cut.boundaries) - 1)
    ]
    assert min(abs(middle - 125) for middle in middles) <= 5  # the stroke's width
    # Every part of the strokes is in some piece.
    assert cut.labels(0, len(cut.boundaries) - 1) == cut.members[0]


def test_a_cut_leans_as_the_strokes_do():
    strokes = [[(60 + 40 * n, 20), (20 + 40 * n, 100)] for n in range(3)]
    mask = np.asarray(drawn((180, 120), *strokes)) < 128
    rows, columns = np.nonzero(mask)
    assert slant([(rows, columns)]) == pytest.approx(0.5, abs=0.11)


def test_what_is_too_narrow_is_not_cut():
    mask = np.ones((40, 4), np.bool_)
    assert candidate_cuts(mask, 40, 0.0) == []


@pytest.mark.parametrize("pen", [(245, 220, 40), (110, 190, 240)])
def test_a_pen_lighter_than_the_paper_in_some_colours_leaves_gaps_between_digits(pen):
    page = Image.new("RGB", (500, 200), (168, 167, 165))
    draw = ImageDraw.Draw(page)
    for column in range(6):
        draw.line(ring(80 + 50 * column, 70, 36, 60), fill=pen, width=7)
    (line,) = segment(page).lines
    assert len(line.members) == 6


def test_thin_strokes_on_a_large_page_are_not_taken_for_its_ground():
    page = drawn(
        (1000, 750), *(ring(150 + 160 * column, 250, 50, 70) for column in range(3)), width=4
    )
    y, x = np.mgrid[:750, :1000]
    light = 1 - 0.4 * np.clip(np.hypot(x - 558, y - 605) / 600, 0, 1)
    lit = Image.fromarray(((100 + np.asarray(page) / 2) * light).astype(np.uint8))
    (line,) = segment(lit).lines
    assert len(line.members) == 3


def test_noise_on_blank_paper_leaves_out_no_colour():
    noise = np.random.default_rng(0).normal(210, 3, (200, 300, 3))
    page = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8))
    assert len(page_channels(page)) == 3
    assert not segment(page).lines


def test_a_blank_page_has_no_lines():
    blank = Image.new("RGB", (300, 200), (250, 250, 240))
    assert segment(blank).lines == []


def test_what_is_higher_than_three_lines_is_no_digit_of_parts_and_is_not_cut():
    """A strip of thousands of dots, said to be one line, took minutes."""
    dots = np.random.default_rng(0).random((1000, 4)) < 0.25
    picture = Image.fromarray(np.where(dots, 0, 255).astype(np.uint8))
    page = segment(picture, 1)
    (line,) = page.lines
    assert len(line.members) > 50
    assert all(span.height <= 3 or not span.parts for span in page.spans(line))
    bar = np.ones((61, 90), np.bool_)
    bar[:, 40:45] = bar[5:, ::9] = bar[5:, 1::9] = False
    assert candidate_cuts(bar, 30, 0)
    assert candidate_cuts(bar, 20, 0) == []
