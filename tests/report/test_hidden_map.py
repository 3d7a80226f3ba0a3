"""The map of images by the outputs of the last hidden layer."""

import numpy as np
import pytest

from dlcli.data.examples import Examples
from dlcli.nn.network import Network
from dlcli.report import hidden_map


@pytest.mark.parametrize("dimensions", [3, 40, 200])
def test_components_are_the_directions_of_the_largest_variance(dimensions):
    random = np.random.default_rng(0)
    scales = np.full(dimensions, 0.01)
    scales[:2] = 5.0, 2.0
    turn, _ = np.linalg.qr(random.normal(size=(dimensions, dimensions)))
    values = random.normal(size=(60, dimensions)) * scales
    components, explained = hidden_map.principal_components(values @ turn + 7)
    # An independent way: the singular value decomposition.
    centred = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    expected = np.abs(left[:, :2] * singular[:2])
    np.testing.assert_allclose(np.abs(components), expected, atol=1e-8)
    variance = np.square(singular)
    assert explained == pytest.approx(variance[:2].sum() / variance.sum())
    assert (np.abs(components).max(axis=0) == components.max(axis=0)).all()


def test_every_image_has_a_place_on_the_map(entry, sample):
    made = hidden_map.of_network(entry.model.network, sample.test)
    assert made is not None
    assert made.points.shape == (hidden_map.MAX_IMAGES, 2)
    assert made.points.min() >= 0
    assert made.points[:, 0].max() <= hidden_map.WIDTH
    assert made.points[:, 1].max() <= hidden_map.HEIGHT
    assert made.layer == 1
    assert 0.1 < made.explained < 1


def test_images_of_a_class_lie_together(entry, sample):
    made = hidden_map.of_network(entry.model.network, sample.test)
    assert made is not None
    points = made.points
    labels = sample.test.labels[: len(points)]
    ones = points[labels == 1]
    assert ones.std(axis=0).prod() < points.std(axis=0).prod() / 4


def test_without_a_hidden_layer_or_differences_there_is_no_map(sample):
    assert hidden_map.of_network(Network([784, 10], [], "softmax"), sample.test) is None
    silent = Network([784, 5, 10], ["relu"], "softmax")
    assert hidden_map.of_network(silent, sample.test) is None
    few = Examples(sample.test.images[:2], sample.test.labels[:2])
    assert hidden_map.of_network(silent, few) is None


@pytest.mark.parametrize("neurons", [1, 3])
def test_outputs_that_differ_in_one_direction_make_no_map(sample, neurons):
    network = Network([784, neurons, 10], ["tanh"], "softmax")
    network.initialize("auto", 0.1, np.random.default_rng(0))
    network.weights[0][:] = network.weights[0][:, :1]  # all neurons are alike
    assert hidden_map.of_network(network, sample.test) is None
