"""Statistics of neurons with known outputs."""

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.network import Network
from dlcli.report import neuron_statistics
from dlcli.runs import checkpoint

# Pixels of images of known brightness.
LEVELS = (0, 51, 102, 255)


def layer_of(make_checkpoint, activation, weights, biases, outgoing):
    network = Network([784, len(biases), 10], [activation], "softmax")
    network.weights[0][0] = weights
    network.biases[0][...] = biases
    network.weights[1][:, 0] = outgoing
    images = np.zeros((len(LEVELS), 784), np.uint8)
    images[:, 0] = LEVELS
    model = checkpoint.load(make_checkpoint("known.npz", network))
    (layer,) = neuron_statistics.hidden_layers(model, images, neurons=2, each=3)
    return layer


def test_neurons_are_ordered_by_deviation_times_outgoing_weights(make_checkpoint):
    layer = layer_of(make_checkpoint, "relu", [1, 2, 0], [0, 0, 5], [3, 1, 9])
    assert layer.order.tolist() == [0, 1, 2]
    assert layer.exciting.tolist() == [[3, 2, 1], [3, 2, 1]]


def test_dead_relus_respond_to_no_image(make_checkpoint):
    layer = layer_of(make_checkpoint, "relu", [1, -1, 1], [0, 0, -2], [1, 1, 1])
    assert (layer.dead, layer.saturated) == (2, None)
    # One output of the first neuron is 0 (for the black image), and all four of the others.
    assert layer.zeros == pytest.approx(9 / 12)
    assert layer.outputs.counts.sum() == 3


def test_saturated_sigmoids_are_at_an_end_of_their_range(make_checkpoint):
    layer = layer_of(make_checkpoint, "sigmoid", [1, 1, 0], [20, -20, 0], [1, 1, 1])
    assert layer.saturated == 2
    assert layer.dead == 3  # the output of the third is always 1/2
    layer = layer_of(make_checkpoint, "tanh", [4, 1, 9], [0, 9, 0], [1, 1, 1])
    assert (layer.saturated, layer.dead) == (1, 1)


def test_of_many_images_the_first_are_used(model, sample, monkeypatch):
    monkeypatch.setattr(neuron_statistics, "_MAX_IMAGES", 20)
    (few,) = neuron_statistics.hidden_layers(model, sample.test.images, 5, 4)
    (same,) = neuron_statistics.hidden_layers(model, sample.test.images[:20], 5, 4)
    assert few.exciting.tolist() == same.exciting.tolist()
    assert few.outputs.counts.tolist() == same.outputs.counts.tolist()


def test_histograms_count_every_weight_with_an_edge_at_zero(model):
    for histogram, weight in zip(
        neuron_statistics.weight_histograms(model.network), model.network.weights, strict=True
    ):
        assert histogram.counts.sum() == weight.size
        positive = histogram.counts[histogram.edges[:-1] > -1e-12].sum()
        assert positive == np.count_nonzero(weight >= 0)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_a_histogram_of_one_value_has_it_in_one_bin(value):
    network = Network([784, 10], [], "softmax")
    network.weights[0][...] = value
    (histogram,) = neuron_statistics.weight_histograms(network)
    assert sorted(histogram.counts.tolist())[-2:] == [0, 7840]


def test_sums_that_overflow_are_an_error(make_checkpoint):
    with pytest.raises(CheckpointError, match=r"known\.npz: its weights are so large"):
        layer_of(make_checkpoint, "relu", [3e38, 1, 1], [3e38, 0, 0], [1, 1, 1])


def test_weights_whose_squares_overflow_are_described_without_a_warning(make_checkpoint):
    layer = layer_of(make_checkpoint, "sigmoid", [0, 0.1], [0, 0], [1e38, 1e38])
    assert layer.order.tolist() == [1, 0]
