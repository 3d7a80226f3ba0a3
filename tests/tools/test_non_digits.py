"""Drawings of what is no digit come from their seed and show something."""

import cv2
import numpy as np
import pytest
from PIL import Image

from dlcli.runs import lookup
from dlcli.vision import localization
from tools import non_digits
from tools.non_digits import DRAWINGS, MIRRORED, SIDE, drawn, penned_digit, ruined, typed


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


@pytest.mark.parametrize("shape", non_digits._SHAPES)
def test_every_shape_is_drawn(shape):
    random = np.random.default_rng(0)
    marks = drawn(non_digits._SHAPES[shape](random), random)
    assert 0.01 < (marks > 127).mean() < 0.6


def test_penned_digits_are_read():
    random, model = np.random.default_rng(0), lookup.load_named(lookup.PRETRAINED)
    right = []
    for digit in [*range(10)] * 10:
        marks = drawn(penned_digit(random, digit), random)
        _, shares = model.infer(
            localization.locate_digit(Image.fromarray(255 - marks)).pixels[np.newaxis]
        )
        right.append(shares.argmax() == digit)
    assert np.mean(right) >= 0.85


def test_typed_characters_are_cropped_and_all_different():
    random = np.random.default_rng(0)
    marks = [typed(random) for _ in range(40)]
    for image in marks:
        assert 25 < max(image.shape) < 1.5 * SIDE
        assert (image[[0, -1]] > 127).any(axis=1).all()
        assert (image[:, [0, -1]] > 127).any(axis=0).all()
    assert len({image.tobytes() for image in marks}) == 40


def test_typed_digits_are_read():
    random, model = np.random.default_rng(0), lookup.load_named(lookup.PRETRAINED)
    right = []
    for digit in [*range(10)] * 5:
        page = Image.fromarray(255 - np.pad(typed(random, str(digit)), 20))
        _, shares = model.infer(localization.locate_digit(page).pixels[np.newaxis])
        right.append(shares.argmax() == digit)
    assert np.mean(right) >= 0.8


@pytest.mark.parametrize("columns", [0, 3, 12])
def test_touching_digits_are_one_piece_wider_than_each(sample, columns):
    for first in range(0, 40, 2):
        one, two = sample.train.images[first : first + 2].reshape(2, 28, 28)
        both = non_digits._touching(one, two, columns)
        assert cv2.connectedComponents((both > 127).view(np.uint8))[0] == 2 or columns == 12
        assert both.shape[1] >= max(one.any(axis=0).sum(), two.any(axis=0).sum())


def test_only_what_is_no_digit_in_a_mirror_is_mirrored(sample):
    random = np.random.default_rng(0)
    mirrored = set()
    for first in range(0, 1200, 2):
        digits = sample.train.images[first : first + 2].reshape(2, 28, 28)
        labels = sample.train.labels[first : first + 2]
        marks = ruined(digits, labels, random)
        assert not any(np.array_equal(marks, digit) for digit in digits)
        if np.array_equal(marks, digits[0, :, ::-1]):
            mirrored.add(int(labels[0]))
    assert mirrored == MIRRORED
