"""Whole strings teach the network that judges cuts which way through the candidates is right."""

import math
from itertools import product

import numpy as np
import pytest

from dlcli.nn.network import Network
from dlcli.vision.rejection import OOD_CLASS, cut_network
from tools import train_strings
from tools.train_strings import Candidates, candidates_of, cheapest, costs, string_loss
from tools.writers import Writers

RANDOM = np.random.default_rng(0)
# Candidates between five boundaries, and two between the same ones.
SPANS = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4), (2, 4), (3, 4), (0, 4)]


def string(digits):
    """A string with random candidates, of which the first is not judged by the network."""
    start, end = np.array(SPANS, np.int32).T
    return Candidates(
        digits,
        start,
        end,
        RANDOM.integers(0, 256, (len(SPANS), 2 * 784)).astype(np.uint8),
        np.arange(len(SPANS)) > 0,
        RANDOM.uniform(1, 3, (len(SPANS), 10)),
        RANDOM.uniform(0, 1, len(SPANS)),
        RANDOM.uniform(1, 4, 4),
        np.array([(1, 3), (5, OOD_CLASS)], np.int32),
    )


def ways(of, place=0):
    """All ways from a boundary to the end: the candidates, and the cost of what is left out."""
    if place == len(of.left_out):
        yield (), 0.0
        return
    for taken, cost in ways(of, place + 1):
        yield taken, cost + of.left_out[place]
    for candidate, (start, end) in enumerate(SPANS):
        if start == place:
            for taken, cost in ways(of, end):
                yield (candidate, *taken), cost


def loss_by_all_ways(of, digit_costs):
    """Each way as each string, one after the other."""
    right = everything = 0.0
    for taken, left_out in ways(of):
        for digits in product(range(10), repeat=len(taken)):
            cost = left_out + sum(digit_costs[c, d] for c, d in zip(taken, digits, strict=True))
            everything += math.exp(-cost)
            right += math.exp(-cost) * (digits == of.digits)
    return math.log(everything) - math.log(right)


def test_the_loss_is_that_of_all_ways():
    of = string((3, 7))
    digit_costs = RANDOM.uniform(0, 5, (len(SPANS), 10))
    loss, _ = string_loss(of, digit_costs)
    assert loss == pytest.approx(loss_by_all_ways(of, digit_costs), rel=1e-9)


def test_the_gradient_by_the_costs_is_that_of_finite_differences():
    of = string((4, 4, 1))
    digit_costs = RANDOM.uniform(0, 5, (len(SPANS), 10))
    _, gradient = string_loss(of, digit_costs)
    for place in np.ndindex(digit_costs.shape):
        up, down = digit_costs.copy(), digit_costs.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        slope = (string_loss(of, up)[0] - string_loss(of, down)[0]) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-7)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("digits", [(2, 0), None], ids=["digits", "letters"])
def test_the_gradient_by_the_logits_is_that_of_finite_differences(digits):
    of = string(digits)
    logits = RANDOM.normal(0, 1, (len(SPANS), 11))

    def cost(logits):
        probabilities = softmax(logits)
        single = -np.log(probabilities[of.chosen[:, 0], of.chosen[:, 1]]).mean()
        whole = 0.0 if digits is None else string_loss(of, costs(of, probabilities))[0]
        return whole + train_strings._SINGLE_WEIGHT * single

    loss, gradient = train_strings.logit_gradient(of, softmax(logits))
    assert (loss is None) == (digits is None)
    for place in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[place] += 1e-5
        down[place] -= 1e-5
        slope = (cost(up) - cost(down)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-6)


def test_a_string_that_no_way_gives_is_not_learned():
    of = string((1, 2, 3, 4, 5))
    probabilities = softmax(RANDOM.normal(0, 1, (len(SPANS), 11)))
    assert string_loss(of, costs(of, probabilities))[0] == math.inf
    loss, gradient = train_strings.logit_gradient(of, probabilities)
    assert loss is None
    assert set(np.flatnonzero(gradient.any(axis=1))) == {1, 5}


def test_the_cheapest_way_is_found():
    of = string((3, 7))
    digit_costs = RANDOM.uniform(0, 5, (len(SPANS), 10))

    def cost(way):
        taken, left_out = way
        return left_out + digit_costs[list(taken)].min(axis=1).sum()

    taken, _ = min(ways(of), key=cost)
    assert cheapest(of, digit_costs) == tuple(digit_costs[list(taken)].argmin(axis=1).tolist())


@pytest.fixture(scope="module")
def hands(sample):
    return Writers(sample.train)


@pytest.fixture(scope="module")
def learned(hands):
    strings = [candidates_of(number, hands) for number in range(100_000, 100_040)]
    return [of for of in strings if of is not None]


def test_a_string_depends_on_its_number_alone(hands):
    first, again = (candidates_of(100_001, hands) for _ in range(2))
    assert first is not None
    assert again is not None
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.chosen, again.chosen)


def test_the_costs_are_those_of_reading(learned):
    """By them, as by those of ``read``, the cheapest way through most strings is right."""
    right, count = train_strings.read_rightly(cut_network(), learned)
    assert count > 25
    assert right > 0.5 * count


def test_training_on_strings_lowers_their_loss(learned):
    network = cut_network()
    copy = Network(network.layer_sizes, network.activations, "softmax")
    copy.parameters[...] = network.parameters

    def mean_loss(network):
        losses = [
            string_loss(of, costs(of, network.infer(of.images)[1]))[0]
            for of in learned
            if of.digits is not None
        ]
        return np.mean(np.minimum(losses, train_strings._MAX_LOSS))

    before = mean_loss(network)
    trained = train_strings.train(copy, learned)
    assert mean_loss(trained) < 0.95 * before
