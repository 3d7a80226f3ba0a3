"""The network's memory, its forward pass, and inference in blocks."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.network import Buffers, Network, count_parameters, scale_pixels, split_parameters


def make_network(
    *layer_sizes, activation="relu", output_activation="softmax", dtype=np.float32, seed=0
):
    network = Network(layer_sizes, [activation] * (len(layer_sizes) - 2), output_activation, dtype)
    network.initialize("auto", 0.05, np.random.default_rng(seed))
    return network


def random_images(count, pixels=12):
    return np.random.default_rng(1).integers(0, 256, (count, pixels), dtype=np.uint8)


def test_a_new_network_is_all_zero():
    network = Network([4, 3, 2], ["relu"], "softmax")
    assert not network.parameters.any()
    assert network.parameters.dtype == np.float32


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_parameters_are_all_weights_then_all_biases_each_once(layer_sizes):
    vector = np.arange(float(count_parameters(layer_sizes)))
    weights, biases, scales = split_parameters(vector, layer_sizes)
    assert scales == []
    assert [weight.shape for weight in weights] == list(pairwise(layer_sizes))
    assert [bias.shape for bias in biases] == [(size,) for size in layer_sizes[1:]]
    laid_out = np.concatenate([array.reshape(-1) for array in (*weights, *biases)])
    np.testing.assert_array_equal(laid_out, vector)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=6))
def test_with_batch_normalisation_scales_of_hidden_neurons_follow(layer_sizes):
    activations = ["relu"] * (len(layer_sizes) - 2)
    network = Network(layer_sizes, activations, "softmax", batch_norm=True)
    arrays = (*network.weights, *network.biases, *network.scales)
    assert [scale.shape for scale in network.scales] == [(size,) for size in layer_sizes[1:-1]]
    network.parameters[...] = np.arange(network.parameters.size)
    laid_out = np.concatenate([array.reshape(-1) for array in arrays])
    np.testing.assert_array_equal(laid_out, network.parameters)
    network.statistics[...] = np.arange(network.statistics.size)
    laid_out = np.concatenate([*network.means, *network.variances, []])
    np.testing.assert_array_equal(laid_out, network.statistics)


def test_normalised_networks_start_with_scales_and_variances_of_1_and_means_of_0():
    network = Network([5, 4, 3], ["relu"], "softmax", batch_norm=True)
    network.parameters[:] = network.statistics[:] = 9
    network.initialize("auto", 0.05, np.random.default_rng(0))
    assert network.scales[0].tolist() == network.variances[0].tolist() == [1] * 4
    assert network.means[0].tolist() == [0] * 4
    assert not network.biases[0].any()


def test_norms_are_limited_neuron_by_neuron_and_the_last_layers_are_not():
    network = Network([2, 3, 2], ["relu"], "softmax")
    network.weights[0][...] = [[3, 0, 30], [4, 1, 40]]
    network.weights[1][...] = 100
    network.biases[0][...] = 100
    network.limit_norms(5)
    np.testing.assert_allclose(network.weights[0], [[3, 0, 3], [4, 1, 4]], rtol=1e-6)
    assert (network.weights[1] == 100).all()
    assert (network.biases[0] == 100).all()


def test_weights_and_biases_are_views_of_the_one_vector():
    network = make_network(5, 4, 3)
    for array in (*network.weights, *network.biases):
        array[...] = 7
        assert np.shares_memory(array, network.parameters)
    assert (network.parameters == 7).all()
    assert network.weight_count == 5 * 4 + 4 * 3
    assert network.parameters.size == count_parameters([5, 4, 3]) == network.weight_count + 4 + 3


def test_initializing_sets_biases_to_0_and_weights_to_other_values():
    network = make_network(5, 4, 3)
    network.parameters[:] = 9
    network.initialize("auto", 0.05, np.random.default_rng(0))
    assert not network.parameters[network.weight_count :].any()
    assert network.parameters[: network.weight_count].all()
    assert abs(network.parameters).max() < 9


def test_equal_seeds_make_equal_networks_and_others_do_not():
    assert make_network(5, 4, 3, seed=1).parameters.tobytes() == (
        make_network(5, 4, 3, seed=1).parameters.tobytes()
    )
    assert make_network(5, 4, 3, seed=1).parameters.tobytes() != (
        make_network(5, 4, 3, seed=2).parameters.tobytes()
    )


def test_a_layer_is_weighted_sums_plus_bias_then_the_activation():
    network = Network([2, 2, 2], ["relu"], "linear", np.float64)
    network.weights[0][...] = [[1, 2], [3, -4]]
    network.biases[0][...] = [0.5, 1]
    network.weights[1][...] = [[1, 0], [10, 1]]
    network.biases[1][...] = [100, 200]
    buffers = Buffers(network.layer_sizes, 2, np.float64)
    outputs = network.forward(np.array([[1.0, 1.0], [0.0, -1.0]]), buffers)
    assert buffers.values[0].tolist() == [[4.5, 0], [0, 5]]
    assert buffers.values[1].tolist() == [[104.5, 200], [150, 205]]
    assert outputs.tolist() == [[104.5, 200], [150, 205]]


def test_without_hidden_layers_the_outputs_are_of_the_inputs_sums():
    network = make_network(12, 3, output_activation="linear", dtype=np.float64)
    network.biases[0][...] = [1, 2, 3]
    images = random_images(4)
    logits, outputs = network.infer(images)
    np.testing.assert_allclose(outputs, images / 255 @ network.weights[0] + [1, 2, 3], rtol=1e-12)
    np.testing.assert_array_equal(outputs, logits)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_uses_the_given_buffers_and_allocates_next_to_nothing(activation):
    rows, width = 1000, 200
    network = make_network(width, width, width, 10, activation=activation)
    inputs = np.ones((rows, width), np.float32)
    buffers = Buffers(network.layer_sizes, rows, np.float32)
    tracemalloc.start()
    try:
        outputs = network.forward(inputs, buffers)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.shares_memory(outputs, buffers.outputs)
    assert peak < rows * width * 4 / 5


def test_buffers_for_fewer_rows_are_the_same_memory():
    buffers = Buffers([4, 3, 2], 10, np.float32, with_derivatives=True)
    part = buffers.first(6)
    arrays = (*part.values, *part.derivatives, part.outputs)
    assert [array.shape for array in arrays] == [(6, 3), (6, 2), (6, 3), (6, 2)]
    whole = (*buffers.values, *buffers.derivatives, buffers.outputs)
    assert all(map(np.shares_memory, whole, arrays))


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2500])
def test_inference_in_blocks_equals_inference_row_by_row(count):
    network = make_network(12, 8, 3, dtype=np.float64)
    images = random_images(count)
    logits, outputs = network.infer(images)
    singles = [network.infer(image[np.newaxis]) for image in images]
    np.testing.assert_allclose(logits, np.vstack([z for z, _ in singles]), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(outputs, np.vstack([a for _, a in singles]), rtol=1e-10)


def test_inference_on_no_images_gives_no_outputs():
    logits, outputs = make_network(12, 8, 3).infer(random_images(0))
    assert logits.shape == outputs.shape == (0, 3)


def test_inference_changes_neither_images_nor_parameters():
    network, images = make_network(12, 8, 3), random_images(5)
    before = network.parameters.tobytes(), images.tobytes()
    network.infer(images)
    assert (network.parameters.tobytes(), images.tobytes()) == before


def test_probabilities_are_softmax_outputs_as_they_are_and_others_normalised():
    outputs = np.array([[1.0, 3.0]])
    assert make_network(2, 2).probabilities(outputs).tolist() == [[1, 3]]
    sigmoid = make_network(2, 2, output_activation="sigmoid")
    assert sigmoid.probabilities(outputs).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_are_scaled_from_0_to_255_to_0_to_1(dtype):
    pixels = np.arange(256, dtype=np.uint8)
    scaled = np.empty(256, dtype)
    scale_pixels(pixels, out=scaled)
    assert scaled[0] == 0
    assert scaled[255] == 1
    np.testing.assert_allclose(scaled, np.linspace(0, 1, 256), rtol=2 * np.finfo(dtype).eps)
