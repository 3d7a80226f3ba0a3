"""The spread and shape of random initial weights, by fan-in and fan-out."""

import numpy as np
import pytest

from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.initializers import INITIALIZERS, initial_weights, receptive_fields
from dlcli.nn.network import Network

FAN_IN, FAN_OUT = 400, 200
# The square roots of 2/400, 2/600 and 1/400.
STANDARD_DEVIATIONS = {"he": 0.0707107, "glorot": 0.0577350, "lecun": 0.05}

each_family = pytest.mark.parametrize(
    ("family", "deviation"), STANDARD_DEVIATIONS.items(), ids=STANDARD_DEVIATIONS
)


def draw(name, *, stddev=0.05, shape=(FAN_IN, FAN_OUT), seed=0):
    return initial_weights(name, shape, stddev, np.random.default_rng(seed))


def fraction_beyond(weights, limit):
    return np.mean(np.abs(weights) > limit)


@pytest.mark.parametrize("shape", ["normal", "uniform"])
@each_family
def test_mean_is_0_and_spread_follows_the_fans(family, deviation, shape):
    weights = draw(f"{family}_{shape}")
    assert weights.shape == (FAN_IN, FAN_OUT)
    assert weights.std() == pytest.approx(deviation, rel=0.01)
    assert abs(weights.mean()) < 5 * deviation / np.sqrt(weights.size)


@each_family
def test_uniform_weights_fill_their_range_evenly_and_never_leave_it(family, deviation):
    weights = draw(f"{family}_uniform")
    limit = deviation * 3**0.5
    assert 0.999 * limit < np.abs(weights).max() <= 1.00001 * limit
    assert fraction_beyond(weights, limit / 2) == pytest.approx(0.5, abs=0.01)


@each_family
def test_normal_weights_have_the_tails_of_a_bell(family, deviation):
    weights = draw(f"{family}_normal")
    assert fraction_beyond(weights, 1 * deviation) == pytest.approx(0.3173, abs=0.01)
    assert fraction_beyond(weights, 2 * deviation) == pytest.approx(0.0455, abs=0.005)
    assert fraction_beyond(weights, 3 * deviation) == pytest.approx(0.0027, abs=0.001)


def test_auto_is_he_before_rectifiers_and_glorot_elsewhere():
    rectifiers = [ACTIVATIONS[name] for name in ("relu", "leaky_relu", "gelu")]
    assert {row.initializer for row in rectifiers} == {"he_normal"}
    others = [ACTIVATIONS["sigmoid"].initializer, ACTIVATIONS["tanh"].initializer]
    others += [row.initializer for row in OUTPUT_ACTIVATIONS.values()]
    assert {*others} == {"glorot_uniform"}


def test_auto_draws_the_weights_that_each_activation_wants():
    network = Network([60, 50, 40, 3], ["relu", "tanh"], "softmax", np.float64)
    network.initialize("auto", 0.05, np.random.default_rng(0))
    random = np.random.default_rng(0)
    for weight, name in zip(
        network.weights, ["he_normal", "glorot_uniform", "glorot_uniform"], strict=True
    ):
        np.testing.assert_array_equal(weight, initial_weights(name, weight.shape, 0.05, random))


@pytest.mark.parametrize("stddev", [0.01, 0.5])
def test_normal_has_the_standard_deviation_asked_for_with_any_fans(stddev):
    weights = draw("normal", stddev=stddev, shape=(1000, 100))
    assert weights.std() == pytest.approx(stddev, rel=0.01)
    assert abs(weights.mean()) < 0.02 * stddev


@pytest.mark.parametrize("name", [name for name, row in INITIALIZERS.items() if row.variance])
def test_other_initializers_ignore_the_standard_deviation(name):
    assert draw(name, stddev=0.01).tobytes() == draw(name, stddev=0.5).tobytes()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_equal_seeds_give_equal_weights_and_others_do_not(name):
    assert draw(name, seed=1).tobytes() == draw(name, seed=1).tobytes()
    assert draw(name, seed=1).tobytes() != draw(name, seed=2).tobytes()


@pytest.mark.parametrize(
    ("initializer", "activation", "growth"),
    [
        ("he_normal", "relu", 1),
        ("he_uniform", "relu", 1),
        ("lecun_normal", "linear", 1),
        ("glorot_uniform", "linear", 1),
        ("lecun_normal", "relu", 2**-10),
        ("he_normal", "linear", 2**10),
    ],
)
def test_signals_keep_their_size_through_ten_layers_if_the_weights_suit_the_activation(
    initializer, activation, growth
):
    random = np.random.default_rng(0)
    values = random.normal(size=(100, 500))
    before = np.mean(values**2)
    for _ in range(10):
        values @= initial_weights(initializer, (500, 500), 0, random)
        if activation == "relu":
            values = np.maximum(values, 0)
    assert np.mean(values**2) / before == pytest.approx(growth, rel=0.5)


@pytest.mark.parametrize("stddev", [1.5, 4.0])
def test_a_receptive_field_is_a_gaussian_around_a_random_point(stddev):
    fields = receptive_fields(500, stddev, np.random.default_rng(0)).T.reshape(-1, 28, 28)
    rows, columns = np.mgrid[:28, :28]
    for field in fields[:20]:
        weights = field**2 / np.sum(field**2)
        x, y = np.sum(weights * columns), np.sum(weights * rows)
        at = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * stddev**2))
        if 3 * stddev < min(x, y) and max(x, y) < 27 - 3 * stddev:  # not cut off at the border
            np.testing.assert_allclose(field / field.max(), at / at.max(), atol=0.02)
    peaks = np.array([divmod(field.argmax(), 28) for field in fields])
    assert (peaks.min(), peaks.max()) == (4, 23)
    assert peaks.mean(axis=0) == pytest.approx([13.5, 13.5], abs=1)
    assert len(np.unique(peaks, axis=0)) > 250


def test_the_smallest_receptive_field_is_a_few_pixels():
    fields = receptive_fields(500, 0.5, np.random.default_rng(0))
    assert np.isfinite(fields).all()
    assert ((fields > 0.1 * fields.max(axis=0)).sum(axis=0) <= 9).all()


def test_receptive_fields_keep_the_variance_of_the_weights_and_leave_other_layers_alone():
    networks = [Network([784, 300, 50, 10], ["relu", "relu"], "softmax") for _ in range(2)]
    for network, field in zip(networks, (None, 3.0), strict=True):
        network.initialize("auto", 0.05, np.random.default_rng(1), field)
    whole, local = networks
    assert local.weights[0].std() == pytest.approx(whole.weights[0].std(), rel=0.02)
    largest = np.sort(local.weights[0] ** 2, axis=0)[::-1]
    assert (largest[:100].sum(axis=0) > 0.95 * largest.sum(axis=0)).all()
    assert ((local.weights[0] == 0) | (np.abs(local.weights[0]) > np.finfo("f4").tiny)).all()
    for one, other in zip(whole.weights[1:], local.weights[1:], strict=True):
        np.testing.assert_array_equal(one, other)
