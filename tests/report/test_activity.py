"""What is told of neurons whose answers are known."""

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.network import Network
from dlcli.report import activity
from dlcli.runs import checkpoint

"""A network whose neurons answer with known values to images of known brightness."""

LEVELS = (0, 51, 102, 255)


def survey(make_checkpoint, activation, weights, biases, outgoing):
    network = Network([784, len(biases), 10], [activation], "softmax")
    network.weights[0][0] = weights
    network.biases[0][...] = biases
    network.weights[1][:, 0] = outgoing
    images = np.zeros((len(LEVELS), 784), np.uint8)
    images[:, 0] = LEVELS
    model = checkpoint.load(make_checkpoint("known.npz", network))
    (layer,) = activity.survey(model, images, units=2, each=3)
    return layer


def test_neurons_are_ordered_by_deviation_times_outgoing_weights(make_checkpoint):
    layer = survey(make_checkpoint, "relu", [1, 2, 0], [0, 0, 5], [3, 1, 9])
    deviation = np.std(np.array(LEVELS) / 255)
    assert layer.importance == pytest.approx([3 * deviation, 2 * deviation, 0], abs=1e-6)
    assert layer.order.tolist() == [0, 1, 2]
    assert layer.exciting.tolist() == [[3, 2, 1], [3, 2, 1]]


def test_dead_relus_answer_no_image(make_checkpoint):
    layer = survey(make_checkpoint, "relu", [1, -1, 1], [0, 0, -2], [1, 1, 1])
    assert (layer.dead, layer.saturated) == (2, None)
    # Of the first neuron one answer is 0 (no ink), of the others all four.
    assert layer.zeros == pytest.approx(9 / 12)
    assert layer.answers.counts.sum() == 3


def test_saturated_sigmoids_are_at_an_end_of_their_range(make_checkpoint):
    layer = survey(make_checkpoint, "sigmoid", [1, 1, 0], [20, -20, 0], [1, 1, 1])
    assert layer.saturated == 2
    assert layer.dead == 3  # the third always answers 1/2
    layer = survey(make_checkpoint, "tanh", [4, 1, 9], [0, 9, 0], [1, 1, 1])
    assert (layer.saturated, layer.dead) == (1, 1)


def test_the_size_of_a_pass_changes_nothing(model, sample, monkeypatch):
    images = sample.test.images[:50]
    (whole,) = activity.survey(model, images, 5, 4)
    monkeypatch.setattr(activity, "_ROWS", 7)
    (parts,) = activity.survey(model, images, 5, 4)
    assert parts.importance == pytest.approx(whole.importance, rel=1e-5)
    assert parts.exciting.tolist() == whole.exciting.tolist()
    assert parts.answers.counts.sum() == whole.answers.counts.sum()


def test_histograms_count_every_weight_with_an_edge_at_zero(model):
    for histogram, weight in zip(
        activity.weight_histograms(model.network), model.network.weights, strict=True
    ):
        assert histogram.counts.sum() == weight.size
        positive = histogram.counts[histogram.edges[:-1] > -1e-12].sum()
        assert positive == np.count_nonzero(weight >= 0)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_a_histogram_of_one_value_has_it_in_one_bin(value):
    network = Network([784, 10], [], "softmax")
    network.weights[0][...] = value
    (histogram,) = activity.weight_histograms(network)
    assert sorted(histogram.counts.tolist())[-2:] == [0, 7840]


def test_sums_that_overflow_are_told(make_checkpoint):
    with pytest.raises(CheckpointError, match=r"known\.npz: its weights are so large"):
        survey(make_checkpoint, "relu", [3e38, 1, 1], [3e38, 0, 0], [1, 1, 1])
