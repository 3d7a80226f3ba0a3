"""Validation splits are random, complete and depend on the seed alone."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.datasets import Examples
from dlcli.data.splits import split_validation
from dlcli.errors import ConfigError


def numbered(count):
    """Examples with their number i in the first two pixels."""
    images = np.zeros((count, 784), np.uint8)
    images[:, :2] = [struct.unpack("BB", struct.pack(">H", i)) for i in range(count)]
    return Examples(images, (np.arange(count) % 10).astype(np.uint8))


def numbers(examples):
    return (examples.images[:, 0].astype(int) * 256 + examples.images[:, 1]).tolist()


@pytest.mark.parametrize(
    ("size", "count"),
    [(0, 0), (0.1, 60), (0.25, 150), (0.9, 540), (0.001, 1), (1, 1), (100, 100), (599, 599)],
)
def test_the_validation_size_is_a_number_or_below_1_a_fraction(size, count):
    train, validation = split_validation(numbered(600), size, seed=1)
    assert (len(train), len(validation)) == (600 - count, count)


@given(size=st.integers(0, 299) | st.floats(0, 0.99), seed=st.integers(0, 2**32))
def test_a_split_keeps_every_example_once_with_its_label_and_in_order(size, seed):
    whole = numbered(300)
    parts = split_validation(whole, size, seed)
    assert sorted(numbers(parts[0]) + numbers(parts[1])) == list(range(300))
    for part in parts:
        assert numbers(part) == sorted(numbers(part))
        assert part.labels.tolist() == [number % 10 for number in numbers(part)]


def test_the_split_depends_on_the_seed_alone():
    first, again, other = (numbers(split_validation(numbered(600), 60, s)[1]) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_validation_examples_come_from_all_parts_of_the_dataset():
    _, validation = split_validation(numbered(600), 0.5, seed=0)
    first_half = sum(number < 300 for number in numbers(validation))
    assert 100 < first_half < 200


@pytest.mark.parametrize("size", [600, 601, 1_000_000, 0.9999])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(size):
    with pytest.raises(ConfigError) as refusal:
        split_validation(numbered(600), size, seed=1)
    assert str(refusal.value) == (
        f"validation_size {size:g}: no images would be left to train on; "
        "there are 600 training images"
    )
