"""The network that judges cuts learns from strings that depend on their number alone."""

import numpy as np
import pytest

from dlcli.data.examples import Examples
from dlcli.vision import rejection
from tools.train_cuts import CONFIG, examples, with_copies
from tools.writers import Writers


@pytest.fixture(scope="module")
def hands(sample):
    return Writers(sample.train)


@pytest.fixture(scope="module")
def some(hands):
    """The examples of a few strings."""
    return [example for number in range(12) for example in examples(number, hands)]


def test_the_network_that_ships_has_the_layers_of_the_config():
    network = rejection.cut_network()
    assert network.layer_sizes == (2 * 784, *CONFIG.hidden_layers, rejection.OOD_CLASS + 1)


def test_a_string_depends_on_its_number_alone(hands):
    first, again = (examples(3, hands) for _ in range(2))
    assert [label for _, label in first] == [label for _, label in again]
    for (pixels, _), (same, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(pixels, same)


def test_strings_teach_digits_and_what_wrong_cuts_leave_of_them(some):
    labels = np.array([label for _, label in some])
    assert 0.5 < np.mean(labels == rejection.OOD_CLASS) < 0.9
    assert len(np.unique(labels)) == 11


def test_the_network_that_ships_names_most_candidates(some):
    images, labels = np.stack([pixels for pixels, _ in some]), [label for _, label in some]
    named = rejection.cut_probabilities(images).argmax(axis=1)
    assert np.mean(named == np.array(labels)) > 0.8


def test_copies_are_distorted_with_their_neighbours(some):
    images = np.stack([pixels for pixels, _ in some[:20]])
    images[:, 784:] = images[:, :784]
    copied = with_copies(Examples(images, np.arange(20, dtype=np.uint8)))
    assert len(copied) > 20
    np.testing.assert_array_equal(copied.images[:20], images)
    assert not np.array_equal(copied.images[20:40], images)
    np.testing.assert_array_equal(copied.images[:, :784], copied.images[:, 784:])
    assert copied.labels[20:40].tolist() == list(range(20))
