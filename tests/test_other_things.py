"""Drawings of what is no digit come from their seed and show something."""

import numpy as np
import pytest

from tests import other_things
from tests.other_things import DRAWINGS, SIDE, drawn, printed_digit, ruined


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


@pytest.mark.parametrize("shape", other_things._SHAPES)
def test_every_shape_is_drawn(shape):
    random = np.random.default_rng(0)
    assert drawn(other_things._SHAPES[shape](random), random).any()


@pytest.mark.parametrize("digit", range(10))
def test_every_digit_is_printed(digit):
    random = np.random.default_rng(0)
    for _ in range(10):
        assert drawn(printed_digit(random, digit), random).any()


def test_ruined_digits_are_none_of_the_two(sample):
    random = np.random.default_rng(0)
    kinds = set()
    for first in range(0, 100, 2):
        digits = sample.train.images[first : first + 2].reshape(2, 28, 28)
        marks = ruined(digits, sample.train.labels[first : first + 2], random)
        assert marks.any()
        assert not any(np.array_equal(marks, digit) for digit in digits)
        kinds.add(marks.shape)
    assert {(28, 28), (SIDE, SIDE)} < kinds
