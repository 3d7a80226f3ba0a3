"""Drawings of what is no digit come from their seed and show something."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.nn.types import Pixels
from dlcli.runs import lookup
from dlcli.vision import localization
from tools import non_digits, shapes
from tools.non_digits import (
    DRAWINGS,
    MARKS,
    MIRRORED,
    REFLECTED,
    SIDE,
    TURNED,
    drawn,
    penned_digit,
    ruined,
    typed,
)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_drawings_are_as_large_as_they_may_be_and_all_different(kind):
    random = np.random.default_rng(0)
    marks = [drawn(DRAWINGS[kind](random), random) for _ in range(12)]
    for image in marks:
        assert image.shape == (SIDE, SIDE)
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) >= 100
    assert len({image.tobytes() for image in marks}) == 12


def test_the_same_seed_draws_the_same():
    one, two = (np.random.default_rng(3) for _ in range(2))
    assert (drawn(DRAWINGS["shape"](one), one) == drawn(DRAWINGS["shape"](two), two)).all()


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_every_shape_is_drawn(shape):
    random = np.random.default_rng(0)
    marks = drawn(shapes.SHAPES[shape](random), random)
    assert 0.01 < (marks > 127).mean() < 0.6


def pixels_of(page: Image.Image) -> Pixels:
    """The image of the only digit of a page, shape (1, 784)."""
    pixels = localization.locate_digit(page).pixels
    assert pixels is not None
    return pixels[np.newaxis]


def test_penned_digits_are_read():
    random, model = np.random.default_rng(0), lookup.load_named(lookup.PRETRAINED)
    right = []
    for digit in [*range(10)] * 10:
        marks = drawn(penned_digit(random, digit), random)
        _, shares = model.infer(pixels_of(Image.fromarray(255 - marks)))
        right.append(shares.argmax() == digit)
    assert np.mean(right) >= 0.85


@pytest.mark.parametrize("kind", MARKS)
def test_marks_are_cropped_or_on_a_canvas_and_all_different(kind):
    random = np.random.default_rng(0)
    marks = [MARKS[kind](random) for _ in range(40)]
    for image in marks:
        assert 25 < max(image.shape) < 1.5 * SIDE
        assert (image > 127).any()
        if kind.startswith("typed"):
            assert (image[[0, -1]] > 127).any(axis=1).all()
            assert (image[:, [0, -1]] > 127).any(axis=0).all()
    assert len({image.tobytes() for image in marks}) >= 38


def test_a_traced_character_is_a_printed_one_drawn_with_a_pen():
    random = np.random.default_rng(0)
    fractions = [(non_digits.traced(random) > 127).mean() for _ in range(60)]
    assert min(fractions) < 0.1
    assert max(fractions) > 0.5


def test_silhouettes_are_filled():
    random = np.random.default_rng(0)
    silhouettes = np.stack([non_digits.silhouette(random) for _ in range(40)])
    assert (silhouettes > 127).mean() > 0.2
    assert (silhouettes.max(axis=(1, 2)) == 255).all()


def test_invented_characters_have_several_strokes_that_mostly_touch():
    random = np.random.default_rng(0)
    pieces = []
    for _ in range(40):
        strokes = shapes.invented(random)
        assert 2 <= len(strokes) <= 5
        pieces.append(cv2.connectedComponents((drawn(strokes, random) > 127).view(np.uint8))[0] - 1)
    assert 1 <= np.mean(pieces) < 2.5


def test_typed_digits_are_read():
    random, model = np.random.default_rng(0), lookup.load_named(lookup.PRETRAINED)
    right = []
    for digit in [*range(10)] * 5:
        page = Image.fromarray(255 - np.pad(typed(random, str(digit)), 20))
        _, shares = model.infer(pixels_of(page))
        right.append(shares.argmax() == digit)
    assert np.mean(right) >= 0.8


@pytest.mark.parametrize("columns", [0, 3, 12])
def test_touching_digits_are_one_piece_wider_than_each(sample, columns):
    for first in range(0, 40, 2):
        one, two = sample.train.images[first : first + 2].reshape(2, 28, 28)
        both = non_digits._touching(one, two, columns)
        assert cv2.connectedComponents((both > 127).view(np.uint8))[0] == 2 or columns == 12
        assert both.shape[1] >= max(one.any(axis=0).sum(), two.any(axis=0).sum())


@pytest.mark.parametrize(
    ("digits_that_are_spoilt", "spoil"),
    [
        (MIRRORED, lambda digit: digit[:, ::-1]),
        (TURNED, lambda digit: np.rot90(digit, 2)),
        (REFLECTED, lambda digit: digit[::-1]),
    ],
    ids=["in a mirror", "upside down", "mirrored below"],
)
def test_only_what_becomes_no_digit_is_mirrored_or_turned(sample, digits_that_are_spoilt, spoil):
    random = np.random.default_rng(0)
    spoilt = set()
    for first in range(0, 2000, 2):
        digits = sample.train.images[first : first + 2].reshape(2, 28, 28)
        labels = sample.train.labels[first : first + 2]
        marks = ruined(digits, labels, random)
        assert not any(np.array_equal(marks, digit) for digit in digits)
        if np.array_equal(marks, spoil(digits[0])):
            spoilt.add(int(labels[0]))
    assert spoilt == digits_that_are_spoilt
