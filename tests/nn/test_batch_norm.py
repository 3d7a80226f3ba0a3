"""Batch normalisation against PyTorch, in training and folded into the weights for use."""

import json
from pathlib import Path

import numpy as np
import pytest

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.batch_norm import BatchNorm, fuse
from dlcli.nn.losses import one_hot
from dlcli.nn.network import Network

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())[
    "batch_norm"
]


def recorded_network(dtype=np.float64):
    network = Network(
        ORACLE["layer_sizes"], ORACLE["activations"], "softmax", dtype, batch_norm=True
    )
    network.initialize("auto", 0.05, np.random.default_rng(0))
    network.parameters[...] = ORACLE["parameters"]
    return network


def run(backpropagation, batch):
    """The mean loss of a recorded batch."""
    network, loss = backpropagation.network, backpropagation.loss
    labels = np.array(batch["labels"], np.uint8)
    targets = one_hot(labels, network.layer_sizes[-1], network.parameters.dtype)
    images = np.array(batch["images"], np.uint8)
    logits = backpropagation.run(images, targets, np.random.default_rng(0))
    return float(loss.value(network.output_activation, logits, targets).mean())


def batch_norm(size=3, rows=10):
    arrays = np.ones(size), np.zeros(size), np.ones(size)
    return BatchNorm(*arrays, rows)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_loss_gradient_and_running_statistics_agree_with_pytorch(dtype, tolerance):
    network = recorded_network(dtype)
    backpropagation = Backpropagation(network, "cross_entropy", batch_size=8)
    for batch in ORACLE["batches"]:
        assert run(backpropagation, batch) == pytest.approx(batch["value"], rel=tolerance)
        largest = np.abs(batch["gradient"]).max()
        np.testing.assert_allclose(
            backpropagation.gradient, batch["gradient"], rtol=tolerance, atol=tolerance * largest
        )
        np.testing.assert_allclose(network.statistics, batch["statistics"], rtol=tolerance)


def test_the_network_in_use_answers_as_pytorch_does_by_the_running_statistics():
    network = recorded_network()
    backpropagation = Backpropagation(network, "cross_entropy", batch_size=8)
    for batch in ORACLE["batches"]:
        run(backpropagation, batch)
    images = np.array(ORACLE["batches"][0]["images"], np.uint8)
    logits, _ = network.infer(images)
    np.testing.assert_allclose(logits, ORACLE["logits"], rtol=1e-10)
    fused_logits, _ = network.fuse_batch_norm().infer(images)
    np.testing.assert_array_equal(fused_logits, logits)


def test_a_fused_network_is_plain_and_shares_no_memory():
    network = recorded_network()
    plain = network.fuse_batch_norm()
    assert not plain.batch_norm
    assert plain.scales == []
    assert not np.shares_memory(plain.parameters, network.parameters)
    np.testing.assert_array_equal(plain.weights[-1], network.weights[-1])
    assert plain.fuse_batch_norm() is plain


def test_sums_get_the_mean_0_and_the_spread_of_the_scale():
    sums = np.random.default_rng(0).normal(50, 20, (10, 3))
    arrays = np.array([1.0, 2.0, -3.0]), np.zeros(3), np.ones(3)
    BatchNorm(*arrays, 10).forward(sums)
    np.testing.assert_allclose(sums.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(sums.std(axis=0), [1, 2, 3], rtol=1e-6)


def test_a_neuron_that_is_always_the_same_becomes_0():
    sums = np.full((10, 3), 7.0)
    batch_norm().forward(sums)
    assert not sums.any()


def test_one_image_alone_teaches_no_statistics():
    layer = batch_norm()
    sums = np.ones((1, 3))
    layer.forward(sums)
    assert not sums.any()
    assert layer.mean.tolist() == [0, 0, 0]
    assert layer.variance.tolist() == [1, 1, 1]


def test_running_statistics_come_to_those_of_the_images():
    layer, random = batch_norm(rows=500), np.random.default_rng(0)
    for _ in range(100):
        layer.forward(random.normal([1, 2, 3], [4, 5, 6], (500, 3)))
    np.testing.assert_allclose(layer.mean, [1, 2, 3], atol=0.3)
    np.testing.assert_allclose(layer.variance, [16, 25, 36], rtol=0.1)


def test_fusing_scales_the_weights_of_each_neuron():
    weight, bias = fuse(
        np.ones((2, 2)),
        np.array([1.0, 1.0]),
        np.array([2.0, 1.0]),
        np.array([3.0, 0.0]),
        np.array([4.0, 1.0]),
    )
    np.testing.assert_allclose(weight, [[1, 1], [1, 1]], rtol=1e-5)
    np.testing.assert_allclose(bias, [-2, 1], rtol=1e-5)
