"""Gradients against PyTorch; batches, dropout and the L2 penalty."""

import json
import tracemalloc
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from dlcli.nn.activations import ACTIVATIONS
from dlcli.nn.backpropagation import Backpropagation, draw_mask
from dlcli.nn.losses import one_hot
from dlcli.nn.network import Network

ORACLE = json.loads((Path(__file__).parents[1] / "oracle" / "pytorch_values.json").read_text())[
    "network"
]
IMAGES = np.array(ORACLE["images"], np.uint8)
LABELS = np.array(ORACLE["labels"], np.uint8)


def recorded_network(activations, output_activation="softmax", dtype=np.float64):
    network = Network(ORACLE["layer_sizes"], activations, output_activation, dtype)
    network.parameters[...] = ORACLE["parameters"]
    return network


def make(activations=("tanh", "gelu"), **options):
    network = recorded_network(activations)
    return Backpropagation(network, "cross_entropy", batch_size=len(IMAGES), **options)


def run(backpropagation, images=IMAGES, labels=LABELS, seed=0):
    """The mean loss of a batch, whose gradient is computed."""
    network, loss = backpropagation.network, backpropagation.loss
    targets = one_hot(labels, network.layer_sizes[-1], network.parameters.dtype)
    logits = backpropagation.run(images, targets, np.random.default_rng(seed))
    return float(loss.value(network.output_activation, logits, targets).mean())


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 1e-5)])
@pytest.mark.parametrize(
    "record",
    ORACLE["gradients"],
    ids=lambda r: "-".join([*r["activations"], r["output_activation"], r["loss"]]),
)
def test_loss_and_gradient_of_a_network_agree_with_pytorch(record, dtype, tolerance):
    network = recorded_network(record["activations"], record["output_activation"], dtype)
    backpropagation = Backpropagation(
        network, record["loss"], batch_size=len(IMAGES), l2_penalty=record["l2_penalty"]
    )
    loss = run(backpropagation)
    largest = np.abs(record["gradient"]).max()
    assert loss == pytest.approx(record["value"], rel=tolerance)
    np.testing.assert_allclose(
        backpropagation.gradient, record["gradient"], rtol=tolerance, atol=tolerance * largest
    )


def test_pytorch_values_are_recorded_for_every_activation():
    recorded = [record["activations"] for record in ORACLE["gradients"]]
    missing = [name for name in ACTIVATIONS if [name, name] not in recorded]
    assert not missing, "make oracle records them"


def test_logits_are_those_of_the_network():
    backpropagation = make()
    targets = one_hot(LABELS, 3, np.float64)
    logits = backpropagation.run(IMAGES, targets, np.random.default_rng(0))
    np.testing.assert_allclose(logits, backpropagation.network.infer(IMAGES)[0], rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_both_passes_use_their_own_memory_and_allocate_next_to_nothing(activation):
    rows, width = 1000, 200
    network = Network([width, width, width, 10], [activation] * 2, "softmax")
    network.initialize("auto", 0.05, np.random.default_rng(0))
    backpropagation = Backpropagation(network, "cross_entropy", batch_size=rows)
    images, targets = np.ones((rows, width), np.uint8), one_hot(np.zeros(rows, np.uint8), 10)
    random = np.random.default_rng(0)
    tracemalloc.start()
    try:
        backpropagation.run(images, targets, random)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < rows * width * 4 / 5


def test_a_smaller_batch_gives_what_memory_of_its_own_size_gives():
    roomy = make()
    run(roomy)
    exact = Backpropagation(roomy.network, "cross_entropy", batch_size=5)
    assert run(roomy, IMAGES[:5], LABELS[:5]) == run(exact, IMAGES[:5], LABELS[:5])
    assert roomy.gradient.tobytes() == exact.gradient.tobytes()


def test_cost_is_a_mean_so_a_batch_seen_twice_has_the_same_gradient():
    once = make()
    twice = Backpropagation(once.network, "cross_entropy", batch_size=24)
    loss = run(once)
    doubled = run(twice, np.vstack([IMAGES, IMAGES]), np.concatenate([LABELS, LABELS]))
    assert doubled == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(twice.gradient, once.gradient, rtol=1e-10, atol=1e-14)


def test_running_changes_the_gradient_in_place_and_nothing_else():
    backpropagation = make(l2_penalty=0.1, dropout=0.5, input_dropout=0.2)
    gradient, images, labels = backpropagation.gradient, IMAGES.copy(), LABELS.copy()
    parameters = backpropagation.network.parameters.copy()
    run(backpropagation)
    assert backpropagation.gradient is gradient
    assert gradient.any()
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(backpropagation.network.parameters, parameters)


def test_the_gradient_does_not_depend_on_earlier_batches():
    used, fresh = make(), make()
    run(used, IMAGES[::-1], LABELS)
    assert run(used) == run(fresh)
    assert used.gradient.tobytes() == fresh.gradient.tobytes()


def test_the_penalty_is_no_part_of_the_loss_and_grows_with_the_weights_alone():
    plain, penalised = make(), make(l2_penalty=0.3)
    assert run(plain) == run(penalised)
    assert plain.penalty() == 0
    network = penalised.network
    once = penalised.penalty()
    network.parameters[network.weight_count :] += 5
    assert penalised.penalty() == once > 0
    network.parameters[: network.weight_count] *= 2
    assert penalised.penalty() == pytest.approx(4 * once)


def test_the_penalty_is_that_of_the_weights_that_are_not_frozen():
    backpropagation = make(l2_penalty=0.3, frozen_layers=1)
    weights = backpropagation.network.weights
    squares = sum(float(np.square(weight).sum()) for weight in weights[1:])
    assert backpropagation.penalty() == pytest.approx(0.3 / 2 * squares)


def test_the_penalty_pulls_at_the_weights_and_not_at_the_biases():
    plain, penalised = make(), make(l2_penalty=0.3)
    run(plain)
    run(penalised)
    pull = penalised.gradient - plain.gradient
    count = plain.network.weight_count
    np.testing.assert_allclose(pull[:count] / 0.3, plain.network.parameters[:count], rtol=1e-9)
    assert not pull[count:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_dropout_drops_its_fraction_and_keeps_the_mean(fraction, dtype):
    mask = np.empty((500, 200), dtype)
    draw_mask(mask, fraction, np.random.default_rng(0))
    assert np.mean(mask == 0) == pytest.approx(fraction, abs=0.005)
    np.testing.assert_allclose(mask[mask != 0], 1 / (1 - fraction), rtol=1e-4)
    assert mask.mean(dtype=np.float64) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("fraction", [0.2, 0.9999, 0.999_999_9])
def test_rounding_the_fraction_does_not_change_the_mean(fraction):
    counts = np.arange(1 << 16, dtype=np.uint16).view(np.uint64)

    class EveryNumberOnce:
        def integers(self, *_range, **_options):
            return counts

    mask = np.empty(1 << 16)
    draw_mask(mask, fraction, cast("np.random.Generator", EveryNumberOnce()))
    assert mask.any()
    assert np.mean(mask == 0) == pytest.approx(fraction, abs=1 / (1 << 16))
    assert mask.mean() == pytest.approx(1, rel=1e-12)


def test_dropout_treats_each_value_on_its_own():
    mask = np.empty((400, 400))
    draw_mask(mask, 0.5, np.random.default_rng(0))
    dropped = mask == 0
    for axis in (0, 1):
        # The fraction dropped of a row or column of 400 varies with sqrt(0.25 / 400) = 0.025.
        assert dropped.mean(axis=axis).std() == pytest.approx(0.025, rel=0.2)
    assert np.mean(dropped[:, 1:] & dropped[:, :-1]) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"input_dropout": 0.5}])
def test_equal_generators_drop_alike_and_others_do_not(options):
    first, second, other = make(**options), make(**options), make(**options)
    assert run(first, seed=1) == run(second, seed=1)
    assert first.gradient.tobytes() == second.gradient.tobytes()
    run(other, seed=2)
    assert first.gradient.tobytes() != other.gradient.tobytes()


def test_without_dropout_no_random_number_is_drawn():
    random = np.random.default_rng(0)
    make().run(IMAGES, one_hot(LABELS, 3, np.float64), random)
    assert random.bit_generator.state == np.random.default_rng(0).bit_generator.state


def test_each_image_and_layer_drops_other_neurons():
    network = Network([50, 40, 40, 3], ["sigmoid", "sigmoid"], "softmax", np.float64)
    backpropagation = Backpropagation(network, "cross_entropy", batch_size=2, dropout=0.5)
    same = np.full((2, 50), 200, np.uint8)
    run(backpropagation, same, np.zeros(2, np.uint8))
    dropped = [v[row] == 0 for v in backpropagation._buffers.values[:-1] for row in (0, 1)]
    assert len({pattern.tobytes() for pattern in dropped}) == 4
    without = [d[row] == 0 for d in backpropagation._buffers.derivatives for row in (0, 1)]
    np.testing.assert_array_equal(without, dropped)


def test_a_dropped_pixel_moves_none_of_its_weights():
    network = Network([100, 10], [], "softmax", np.float64)
    backpropagation = Backpropagation(network, "cross_entropy", batch_size=1, input_dropout=0.3)
    run(backpropagation, np.full((1, 100), 255, np.uint8), np.zeros(1, np.uint8))
    gradient = backpropagation.gradient[: network.weight_count].reshape(100, 10)
    assert 15 < np.count_nonzero(~gradient.any(axis=1)) < 45


def test_dropout_leaves_the_mean_output_of_a_linear_network_as_it_was():
    network = Network([30, 3], [], "linear", np.float64)
    network.initialize("auto", 0.05, np.random.default_rng(3))
    backpropagation = Backpropagation(network, "mse", batch_size=20_000, input_dropout=0.4)
    image = np.random.default_rng(0).integers(0, 256, (1, 30), dtype=np.uint8)
    many = np.repeat(image, 20_000, axis=0)
    run(backpropagation, many, np.zeros(20_000, np.uint8))
    _, outputs = network.infer(image)
    np.testing.assert_allclose(backpropagation._buffers.outputs.mean(axis=0), outputs[0], atol=0.02)
