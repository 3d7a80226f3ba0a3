"""MNIST's digits are like digits; other things are not."""

import io

import numpy as np
import pytest

from dlcli import likeness
from tests.generated_planes import PLANES, planes_of, render


def test_the_file_is_what_the_sample_gives():
    with np.load(PLANES) as stored, np.load(io.BytesIO(render())) as made:
        np.testing.assert_allclose(stored["means"], made["means"], atol=1e-3)
        # A component's sign, and which of two alike comes first, is chance: compare the planes.
        for ours, theirs in zip(stored["components"], made["components"], strict=True):
            cosines = np.linalg.svd(ours.astype(float) @ theirs.astype(float).T)[1]
            assert cosines.min() > 0.9


def test_the_components_of_a_class_are_those_of_its_covariance(sample):
    means, components = planes_of(sample.train.images, sample.train.labels)
    threes = likeness.smooth(sample.train.images[sample.train.labels == 3])
    np.testing.assert_allclose(means[3], threes.mean(axis=0), atol=1e-6)
    values = np.linalg.eigvalsh(np.cov(threes.T.astype(float)))[::-1][: likeness.COMPONENTS]
    along = (threes - means[3]) @ components[3].T
    np.testing.assert_allclose(along.var(axis=0, ddof=1), values, rtol=1e-3)


def test_the_first_look_is_the_picture_and_the_others_are_near(sample):
    pixels = sample.test.images[0]
    looks = likeness.looks(pixels)
    assert looks.shape == (46, 784)
    assert (looks[0] == pixels).all()
    vectors = likeness.smooth(looks)
    assert (vectors @ vectors[0]).min() > 0.6
    turned_nothing = 1 + (1 * 3 + 1) * 5
    assert np.abs(looks[turned_nothing] - pixels.astype(int)).max() <= 1


def test_smooth_vectors_have_length_one(sample):
    lengths = np.linalg.norm(likeness.smooth(sample.test.images[:50]), axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)
    assert not likeness.smooth(np.zeros((1, 784), np.uint8)).any()


def test_digits_are_like_their_class_and_unlike_others(sample):
    pairs = list(zip(sample.test.images[:300], sample.test.labels[:300], strict=True))
    own = [likeness.unlikeness(likeness.looks(pixels), label) for pixels, label in pairs]
    other = [likeness.unlikeness(pixels[None], (label + 3) % 10) for pixels, label in pairs]
    assert np.mean(np.array(own) > likeness.UNLIKE) <= 0.02
    assert np.mean(np.array(other) > likeness.UNLIKE) >= 0.8


@pytest.mark.parametrize("thing", ["stripes", "an M"])
def test_other_things_are_unlike_every_digit(thing):
    pixels = np.zeros((28, 28), np.uint8)
    if thing == "stripes":
        pixels[4:24:4, 4:24] = 255
    else:
        pixels[4:24, [4, 5, 13, 14, 22, 23]] = 255
        pixels[4:6, 4:24] = 255
    looks = likeness.looks(pixels.reshape(-1))
    assert min(likeness.unlikeness(looks, digit) for digit in range(10)) > likeness.UNLIKE
