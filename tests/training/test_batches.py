"""Mixtures of images: shares, targets and weights belong together, and stay in their batch."""

import numpy as np
import pytest

from dlcli.nn.losses import one_hot
from dlcli.training.batches import Block, mixed

BATCH, IMAGES = 16, 40  # two whole batches and half of a third


def block(dtype=np.uint8, weights=None):
    """Image i is of one level, 5 i, and of class i % 10; the batches show the images backwards."""
    images = np.repeat(np.arange(IMAGES)[:, np.newaxis] * 5, 784, axis=1).astype(dtype)
    rows = np.arange(IMAGES)[::-1].copy()
    labels = (rows % 10).astype(np.uint8)
    return Block(0, images, rows, labels, one_hot(labels, 10), weights)


def partners(found):
    """The image that each is mixed with: the one at that place, the other one, and its share."""
    own = np.arange(IMAGES)[::-1]
    share = found.targets[np.arange(IMAGES), found.labels]
    with np.errstate(divide="ignore", invalid="ignore"):
        others = (found.images[:, 0] / 5 - share * own) / (1 - share)
    return own, others, share


def test_an_image_and_its_target_are_mixed_by_the_same_share():
    found = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(1))
    own, others, share = partners(found)
    np.testing.assert_allclose(found.targets.sum(axis=1), 1, rtol=1e-6)
    assert (share >= 0.5).all()
    assert found.targets.argmax(axis=1).tolist() == (own % 10).tolist()
    between = share < 0.95  # others would be divided by nearly 0; or both are of one class
    assert between.sum() > 20
    np.testing.assert_allclose(others[between], others[between].round(), atol=0.01)
    for row in np.flatnonzero(between):
        expected = np.zeros(10)
        expected[own[row] % 10] += share[row]
        expected[int(others[row].round()) % 10] += 1 - share[row]
        np.testing.assert_allclose(found.targets[row], expected, atol=1e-5)


def test_images_are_mixed_with_others_of_their_batch():
    found = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(1))
    _, others, share = partners(found)
    between = share < 0.95
    places = np.arange(IMAGES)[between], IMAGES - 1 - others[between].round()
    np.testing.assert_array_equal(places[0] // BATCH, places[1] // BATCH)
    assert (places[0] != places[1]).any()


@pytest.mark.parametrize(("alpha", "share"), [(0.01, 0.99), (100.0, 0.53)])
def test_alpha_says_how_alike_the_shares_are(alpha, share):
    found = mixed(block(np.float32), BATCH, alpha, np.random.default_rng(0))
    assert np.median(partners(found)[2]) == pytest.approx(share, abs=0.03)


def test_pixels_stay_whole_numbers_rounded_to_the_nearest():
    exact = mixed(block(np.float32), BATCH, 1.0, np.random.default_rng(3))
    whole = mixed(block(), BATCH, 1.0, np.random.default_rng(3))
    assert whole.images.dtype == np.uint8
    np.testing.assert_array_equal(whole.images, np.rint(exact.images))


def test_the_weights_of_images_are_mixed_too():
    weights = np.linspace(1, 2, IMAGES, dtype=np.float32)
    found = mixed(block(np.float32, weights), BATCH, 1.0, np.random.default_rng(1))
    _, others, share = partners(found)
    between = share < 0.95
    of_others = weights[(IMAGES - 1 - others[between].round()).astype(int)]
    expected = share[between] * weights[between] + (1 - share[between]) * of_others
    assert found.weights is not None
    np.testing.assert_allclose(found.weights[between], expected, rtol=1e-5)
