"""MNIST's digits are like digits; other things are not."""

import numpy as np
import pytest
from PIL import Image

from dlcli.vision import localization, rejection
from tools import non_digits
from tools.train_rejection import PHOTOGRAPHS, collect, photographed


def test_the_first_look_is_the_picture_and_the_others_are_near(sample):
    pixels = sample.test.images[0]
    looks = rejection.looks(pixels)
    assert looks.shape == (46, 784)
    assert (looks[0] == pixels).all()
    vectors = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    assert (vectors @ vectors[0]).min() > 0.4
    turned_nothing = 1 + (1 * 3 + 1) * 5
    assert np.abs(looks[turned_nothing] - pixels.astype(int)).max() <= 1


def test_digits_are_like_digits(sample):
    unlike = [rejection.unlikeness(rejection.looks(pixels)) for pixels in sample.test.images[:500]]
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) <= 0.02


def test_unlikeness_is_the_mean_over_pictures(sample):
    pictures = np.stack([sample.test.images[0], np.full(784, 255, np.uint8)])
    each = [rejection.unlikeness(picture[np.newaxis]) for picture in pictures]
    assert each[0] < 0.1
    assert each[1] > 0.9
    assert rejection.unlikeness(pictures) == pytest.approx(np.mean(each), abs=1e-5)


@pytest.mark.parametrize("thing", ["stripes", "an M"])
def test_other_things_are_unlike_digits(thing):
    pixels = np.zeros((28, 28), np.uint8)
    if thing == "stripes":
        pixels[4:24:4, 4:24] = 255
    else:
        pixels[4:24, [4, 5, 13, 14, 22, 23]] = 255
        pixels[4:6, 4:24] = 255
    assert rejection.unlikeness(rejection.looks(pixels.reshape(-1))) > rejection.DOUBTFUL


@pytest.mark.parametrize(
    ("kind", "least"),
    {
        "letter": 0.8,
        "typed": 0.85,
        "sign": 0.6,  # the network has learned from other signs than these
        "doodle": 0.8,
        "scrawl": 0.9,
        "shape": 0.9,
    }.items(),
)
def test_drawings_are_unlike_digits(kind, least):
    random = np.random.default_rng(1)
    unlike = []
    while len(unlike) < 20:
        if kind == "typed":
            marks = np.pad(non_digits.typed(random), 20)
        else:
            marks = non_digits.drawn(non_digits.DRAWINGS[kind](random), random)
        seen = localization.look_at(Image.fromarray(255 - marks))
        if seen.pixels is not None and seen.doubt is None:
            unlike.append(rejection.unlikeness(rejection.looks(seen.pixels)))
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) >= least


def test_digits_on_photographs_are_like_digits(sample):
    numbers = range(PHOTOGRAPHS, PHOTOGRAPHS + 120)
    found = collect(photographed(number, sample.test) for number in numbers)
    digits = found.images[found.labels != rejection.SOMETHING_ELSE]
    unlike = [rejection.unlikeness(rejection.looks(pixels)) for pixels in digits]
    assert len(unlike) > 40
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) <= 0.03
