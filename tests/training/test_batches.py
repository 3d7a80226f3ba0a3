"""Mixtures of images: fractions, targets and weights belong together, and stay in their batch."""

import numpy as np
import pytest

from dlcli.data.examples import Examples
from dlcli.nn.losses import one_hot
from dlcli.training.batches import Batches, Block, mixed
from dlcli.training.builders import make_network
from tests.training.trainings import small

BATCH, IMAGES = 16, 40  # two whole batches and half of a third


def block(dtype=np.uint8, weights=None):
    """Image i is of one level, 5 i, and of class i % 10; the batches show the images backwards."""
    images = np.repeat(np.arange(IMAGES)[:, np.newaxis] * 5, 784, axis=1).astype(dtype)
    rows = np.arange(IMAGES)[::-1].copy()
    labels = (rows % 10).astype(np.uint8)
    return Block(0, images, rows, labels, one_hot(labels, 10), weights)


def partners(found):
    """The image that each is mixed with: the one at that place, the other one, and its fraction."""
    own = np.arange(IMAGES)[::-1]
    fraction = found.targets[np.arange(IMAGES), found.labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (found.images[:, 0] / 5 - fraction * own) / (1 - fraction)
    return own, others, fraction


def test_an_image_and_its_target_are_mixed_by_the_same_fraction():
    found = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(1))
    own, others, fraction = partners(found)
    np.testing.assert_allclose(found.targets.sum(axis=1), 1, rtol=1e-6)
    assert (fraction >= 0.5).all()
    assert found.targets.argmax(axis=1).tolist() == (own % 10).tolist()
    between = fraction < 0.95  # others would be divided by nearly 0; or both are of one class
    assert between.sum() > 20
    np.testing.assert_allclose(others[between], others[between].round(), atol=0.01)
    for row in np.flatnonzero(between):
        expected = np.zeros(10)
        expected[own[row] % 10] += fraction[row]
        expected[int(others[row].round()) % 10] += 1 - fraction[row]
        np.testing.assert_allclose(found.targets[row], expected, atol=1e-5)


def test_images_are_mixed_with_others_of_their_batch():
    found = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(1))
    _, others, fraction = partners(found)
    between = fraction < 0.95
    places = np.arange(IMAGES)[between], IMAGES - 1 - others[between].round()
    np.testing.assert_array_equal(places[0] // BATCH, places[1] // BATCH)
    assert (places[0] != places[1]).any()


@pytest.mark.parametrize(("alpha", "fraction"), [(0.01, 0.99), (100.0, 0.53)])
def test_alpha_says_how_alike_the_fractions_are(alpha, fraction):
    found = mixed(block(np.float32), BATCH, alpha, np.random.default_rng(0))
    assert np.median(partners(found)[2]) == pytest.approx(fraction, abs=0.03)


def test_pixels_stay_whole_numbers_rounded_to_the_nearest():
    exact = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(3))
    whole = mixed(block(), BATCH, 1.0, np.random.default_rng(3))
    assert whole.images.dtype == np.uint8
    np.testing.assert_array_equal(whole.images, np.rint(exact.images))


def test_each_image_of_a_mixture_counts_with_its_own_weight():
    weights = np.linspace(1, 2, IMAGES, dtype=np.float32)
    plain = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(1))
    found = mixed(block(np.float32, weights), BATCH, 1.0, np.random.default_rng(1))
    own, others, fraction = partners(plain)
    between = fraction < 0.95
    expected = np.zeros((IMAGES, 10))
    for row in np.flatnonzero(between):
        other = int(others[row].round())
        expected[row, own[row] % 10] += fraction[row] * weights[row]
        expected[row, other % 10] += (1 - fraction[row]) * weights[IMAGES - 1 - other]
    assert found.weights is not None
    np.testing.assert_allclose(found.weights[between], expected[between].sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(
        (found.weights[:, np.newaxis] * found.targets)[between], expected[between], atol=1e-4
    )


def test_each_epoch_draws_mixtures_of_its_own():
    """Every image is a class, so that the fractions do not depend on the order of the images."""
    train = Examples(np.zeros((IMAGES, 784), np.uint8), np.arange(IMAGES, dtype=np.uint8))
    config = small(mixup=1.0)
    batches = Batches(config, train, make_network(config, IMAGES), None)
    (first,), (second,) = batches.epoch(0), batches.epoch(1)
    assert (first.targets.max(axis=1) != second.targets.max(axis=1)).any()
