"""Lines whose digits touch: pieces, and images of what stands between two cuts."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dlcli.vision import line_image
from dlcli.vision.mnist_format import is_mnist_like
from dlcli.vision.segmentation import segment


def rings(*lefts, width=6, scale=1):
    """A page with rings side by side, 30 by 40 pixels."""
    picture = Image.new("L", (300 * scale, 100 * scale), 255)
    for left in lefts:
        box = [edge * scale for edge in (left, 30, left + 30, 70)]
        ImageDraw.Draw(picture).ellipse(box, outline=0, width=width * scale)
    return picture


def cut_page(picture):
    """The page and its only line, with everything on it cut."""
    page = segment(picture)
    (line,) = page.lines
    return page, page.cut(line, range(len(line.members)))


def spans_near(page, line, left, right, scale=1):
    """The candidates between two cuts, or a cut and an end, from about one column to another."""
    return [
        span
        for span in page.spans(line)
        if span.is_cut
        and abs(span.box[0] - left * scale) <= 4 * scale
        and abs(span.box[2] - right * scale) <= 4 * scale
    ]


@pytest.mark.parametrize("scale", [1, 4])
def test_a_candidate_is_shown_with_its_neighbours(scale):
    page, line = cut_page(rings(100, 128, 156, scale=scale))
    spans = spans_near(page, line, 128, 158, scale)
    assert spans
    images = line.image.in_context([span.labels for span in spans])
    candidate, neighbours = images[0].reshape(2, 28, 28)
    rows, columns = np.nonzero(candidate > 127)
    # In the middle, and 20 pixels high, as the line's digits are.
    assert abs(rows.min() + rows.max() - 27) <= 2
    assert abs(columns.min() + columns.max() - 27) <= 2
    assert rows.max() - rows.min() + 1 == pytest.approx(20, abs=2)
    # Each pixel belongs to one of the two, and there are neighbours on both sides.
    assert not np.any((candidate > 0) & (neighbours > 0))
    assert neighbours[:, :5].any()
    assert neighbours[:, -5:].any()


def test_a_shifted_candidate_is_shown_farther_right_with_its_neighbours():
    page, line = cut_page(rings(100, 128, 156))
    labels = [span.labels for span in spans_near(page, line, 128, 158)]
    shown, shifted = (line.image.in_context(labels, shift).reshape(-1, 28, 28) for shift in (0, 1))
    np.testing.assert_array_equal(shifted[..., 1:], shown[..., :-1])


def test_a_candidate_alone_is_in_the_format_of_mnist():
    page, line = cut_page(rings(100, 128))
    for span in spans_near(page, line, 100, 130):
        pixels = page.pixels(span)
        assert is_mnist_like(pixels.reshape(28, 28))


def test_thin_strokes_are_thickened_as_those_of_whole_digits_are():
    page, line = cut_page(rings(100, 129, width=1, scale=3))
    spans = spans_near(page, line, 100, 130, 3)
    covered = max(np.count_nonzero(page.pixels(span) > 127) for span in spans)
    assert covered >= 80  # a ring is about 55 pixels long


def test_the_slant_of_a_line_is_taken_out_of_its_context():
    extents = []
    for lean in (0, 24):  # pixels over the height
        picture = Image.new("L", (300, 100), 255)
        draw = ImageDraw.Draw(picture)
        for left in (60, 90, 120):
            draw.line([(left + lean, 30), (left, 70)], fill=0, width=6)
        draw.line([(60 + lean // 2, 50), (120 + lean // 2, 50)], fill=0, width=6)
        _, line = cut_page(picture)
        assert line.image.lean == pytest.approx(lean / 40, abs=0.11)
        strokes, _ = line.image.upright()
        extents.append(np.count_nonzero((strokes > 0.5).any(axis=0)))
    assert extents[0] == pytest.approx(extents[1], abs=4)


def test_of_many_equal_parts_none_is_a_scrap():
    dots = np.zeros((9, 200), np.float32)
    dots[3:6, 5::10] = dots[3:6, 6::10] = 1
    assert (line_image._without_scraps(dots) == dots).all()
    dots[:, 100:120] = 1
    assert line_image._without_scraps(dots).sum() == 9 * 20
