"""One seed, divided: equal where it must be and different everywhere else."""

from itertools import product

import numpy as np
import pytest

from dlcli.nn.random import PURPOSES, random_stream


def first_draws(seed, purpose, epoch=0):
    return random_stream(seed, purpose, epoch).bytes(16)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_equal_arguments_give_equal_streams(purpose):
    assert first_draws(7, purpose, 3) == first_draws(7, purpose, 3)


def test_every_seed_purpose_and_epoch_has_a_stream_of_its_own():
    arguments = list(product(range(5), PURPOSES, range(20)))
    assert len({first_draws(*each) for each in arguments}) == len(arguments)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_streams_are_those_of_numpys_own_spawning(purpose):
    by_purpose = np.random.SeedSequence(42).spawn(len(PURPOSES))
    by_epoch = by_purpose[PURPOSES.index(purpose)].spawn(4)
    for epoch, sequence in enumerate(by_epoch):
        expected = np.random.default_rng(sequence).bytes(16)
        assert first_draws(42, purpose, epoch) == expected


@pytest.mark.parametrize(
    ("purpose", "number"),
    [
        ("initial_weights", 596_679),
        ("validation", 400_141),
        ("shuffling", 203_566),
        ("dropout", 133_741),
        ("gradient_check", 385_974),
    ],
)
def test_what_a_seed_means_never_changes(purpose, number):
    assert random_stream(0, purpose, 1).integers(1_000_000) == number


def test_largest_seed_of_the_config_works():
    assert random_stream(2**32 - 1, "shuffling").permutation(3).size == 3


def test_unknown_purpose_is_refused():
    with pytest.raises(ValueError, match="tuple"):
        random_stream(0, "weather")
