"""Validation splits are random, complete and depend on the seed alone."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data.examples import Examples
from dlcli.data.splits import split_validation, stratified_folds, stratified_subset
from dlcli.errors import ConfigError

SEEDS = st.integers(0, 2**32)


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
        "there are 600 training images; hold out a tenth with --set validation_size=0.1"
    )


@pytest.mark.parametrize(
    ("size", "count"), [(10, 10), (57, 57), (0.5, 300), (0.001, 1), (600, 600)]
)
def test_a_stratified_subset_has_the_number_wanted_and_all_classes_alike(size, count):
    subset = stratified_subset(numbered(600), size, seed=1)
    assert len(subset) == len(set(numbers(subset))) == count
    assert numbers(subset) == sorted(numbers(subset))
    assert subset.labels.tolist() == [number % 10 for number in numbers(subset)]
    per_class = np.bincount(subset.labels, minlength=10)
    assert per_class.max() - per_class.min() <= 1


def test_a_rare_class_is_in_a_subset_that_has_room_for_every_class():
    labels = np.array([0] * 900 + [1] * 95 + [2] * 5, np.uint8)
    whole = Examples(np.zeros((1000, 784), np.uint8), labels)
    assert np.bincount(stratified_subset(whole, 3, 0).labels).tolist() == [1, 1, 1]
    assert np.bincount(stratified_subset(whole, 200, 0).labels).tolist() == [180, 19, 1]
    assert np.bincount(stratified_subset(whole, 0.5, 0).labels).tolist() == [450, 48, 2]


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), part=st.floats(0.01, 1), seed=SEEDS
)
def test_a_stratified_subset_takes_no_more_of_a_class_than_there_are(sizes, part, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes).astype(np.uint8)
    whole = Examples(np.zeros((len(labels), 784), np.uint8), labels)
    count = max(1, round(part * len(labels)))
    found = np.bincount(stratified_subset(whole, count, seed).labels, minlength=len(sizes))
    assert found.sum() == count
    assert (found <= sizes).all()


def test_a_subset_depends_on_the_seed_alone_and_grows():
    small, again, other, large = (
        numbers(stratified_subset(numbered(600), size, seed))
        for size, seed in ((50, 1), (50, 1), (50, 2), (200, 1))
    )
    assert small == again
    assert small != other
    assert set(small) <= set(large)


def test_a_subset_of_more_images_than_there_are_is_refused():
    with pytest.raises(ConfigError, match=r"^train_size 601: there are only 600 training images"):
        stratified_subset(numbered(600), 601, seed=1)


def test_folds_are_equally_large_and_have_all_classes_alike():
    labels = np.array([0] * 33 + [1] * 41 + [2] * 7, np.uint8)
    folds = stratified_folds(labels, 4, seed=0)
    assert sorted(np.bincount(folds).tolist()) == [20, 20, 20, 21]
    for label in range(3):
        per_fold = np.bincount(folds[labels == label], minlength=4)
        assert per_fold.max() - per_fold.min() <= 1
    assert folds.tolist() == stratified_folds(labels, 4, seed=0).tolist()
    assert folds.tolist() != stratified_folds(labels, 4, seed=1).tolist()


def test_without_validation_images_nothing_is_copied(sample):
    learning, validation = split_validation(sample.train, 0, seed=0)
    assert learning is sample.train
    assert len(validation) == 0
