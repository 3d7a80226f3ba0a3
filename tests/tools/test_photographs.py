"""Photographs and drawings of digits are read, each kind; what is no digit is refused.

A few pictures of each kind show that everything works; with ``--long`` there are more. How many
the pretrained model reads is counted by ``make photographs``.
"""

import io

import numpy as np
import pytest
from PIL import Image

from dlcli.runs import lookup
from tools.conditions import CONDITIONS, NO_DIGIT
from tools.photograph_accuracy import count, files_of
from tools.photographs import Scene, digit_box, photograph, skeleton


@pytest.fixture(scope="module")
def number(long) -> int:
    """How many photographs of each kind are read."""
    return 20 if long else 2


@pytest.fixture(scope="module")
def model():
    return lookup.load_named(lookup.PRETRAINED)


def test_most_photographs_of_digits_are_read(model, sample, number):
    right = {
        kind: count(model, files_of(kind, sample.test, range(number)))["right"]
        for kind in CONDITIONS
    }
    assert sum(right.values()) >= 0.95 * number * len(right)
    assert min(right.values()) >= number // 2


def test_photographs_of_no_digit_are_refused(model, sample, number):
    refused = {
        kind: count(model, files_of(kind, sample.test, range(number)))["?"] for kind in NO_DIGIT
    }
    assert sum(refused.values()) >= 0.95 * number * len(refused)
    assert min(refused.values()) >= number // 2


def test_photographs_come_from_their_seed(sample):
    first = list(files_of("everything", sample.test, range(2, 4)))
    again = list(files_of("everything", sample.test, range(4)))[2:]
    assert first == again


def test_files_are_of_the_kind_they_say(sample):
    modes = {}
    for condition in ("one bit", "palette", "16 bits", "CMYK", "grey", "dark ink on transparency"):
        ((content, _),) = files_of(condition, sample.test, range(1))
        with Image.open(io.BytesIO(content)) as image:
            modes[condition] = image.mode
    assert modes == {
        "one bit": "1",
        "palette": "P",
        "16 bits": "I;16",
        "CMYK": "CMYK",
        "grey": "L",
        "dark ink on transparency": "RGBA",
    }


def test_the_skeleton_of_a_bar_is_its_middle_line():
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 12:16] = 255
    factor, lines = skeleton(bar, 140)
    assert factor == 5
    rows, columns = np.nonzero(lines)
    assert lines.sum(axis=1).max() == 1
    assert np.ptp(rows) > 0.7 * 20 * factor
    assert np.abs(columns / factor - (14 + 2)).max() <= 2  # two pixels of margin


@pytest.mark.parametrize("pen_width", [None, 0.1])
@pytest.mark.parametrize("place", [(0, 0), (0.5, 0.5), (1, 0.3)])
def test_the_box_is_where_the_digit_is_on_the_photograph(sample, pen_width, place):
    marks = sample.test.images[0].reshape(28, 28)
    scene = Scene(size=(200, 160), digit=0.5, place=place, pen_width=pen_width)
    content = photograph(marks, scene, np.random.default_rng(0))
    with Image.open(io.BytesIO(content)) as image:
        dark = np.asarray(image.convert("L")) < 128
    rows, columns = np.nonzero(dark)
    seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    np.testing.assert_allclose(digit_box(marks, scene), seen, atol=2)
