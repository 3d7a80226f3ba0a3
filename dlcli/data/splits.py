"""Training examples divided: to train on and to validate on, a part of them, folds."""

import numpy as np

from dlcli.data.examples import Examples
from dlcli.data.writers import FILE
from dlcli.errors import ConfigError
from dlcli.nn.random import random_stream
from dlcli.nn.types import Labels


def split_validation(train: Examples, size: float, seed: int) -> tuple[Examples, Examples]:
    """Divide training examples at random; return those to train on and those to validate on.

    Parameters
    ----------
    train
        All training examples.
    size
        The number of validation examples or, below 1, their fraction.
    seed
        Decides which examples are taken; both parts keep the order of the whole.

    Raises
    ------
    ConfigError
        No example would be left to train on.
    """
    count = _validation_count(train, size)
    if not count:  # a copy of all images would take as long as a fifth of an epoch
        return train, train.take(np.arange(0))
    held_out = np.zeros(len(train), dtype=bool)
    held_out[random_stream(seed, "validation").permutation(len(train))[:count]] = True
    return train.take(~held_out), train.take(held_out)


def split_writers(train: Examples, size: float, seed: int) -> tuple[Examples, Examples]:
    """Divide training examples by their writers; no writer is in both parts.

    Parameters
    ----------
    train
        All training examples.
    size
        At least so many validation examples or, below 1, at least this fraction: all images of
        one more writer are taken until there are enough.
    seed
        Decides which writers are taken; both parts keep the order of the whole.

    Raises
    ------
    ConfigError
        The writers are not known, or no example would be left to train on.
    """
    if train.writers is None:
        raise ConfigError(
            "validation_split writers: nothing says who wrote the training images; put "
            f"{FILE} into the dataset's folder, or use validation_split: random"
        )
    count = _validation_count(train, size)
    known, numbers = np.unique(train.writers, return_counts=True)
    order = random_stream(seed, "validation").permutation(len(known))
    before = np.concatenate([[0], np.cumsum(numbers[order])[:-1]])  # images of the writers before
    held_out = np.isin(train.writers, known[order[before < count]])
    if held_out.all():
        raise ConfigError(
            f"validation_size {size:g}: no writers would be left to train on; "
            f"there are {len(known):,}"
        )
    return train.take(~held_out), train.take(held_out)


def _validation_count(train: Examples, size: float) -> int:
    """The number of validation examples."""
    count = max(1, round(size * len(train))) if 0 < size < 1 else int(size)
    if count >= len(train):
        raise ConfigError(
            f"validation_size {size:g}: no images would be left to train on; there are "
            f"{len(train):,} training images; hold out a tenth with --set validation_size=0.1"
        )
    return count


def stratified_subset(train: Examples, size: float, seed: int) -> Examples:
    """Choose examples at random, of each class in proportion to its number of examples.

    Parameters
    ----------
    train
        The examples to choose from.
    size
        The number of examples or, below 1, their fraction. If it suffices, every class that is
        there has at least one.
    seed
        Decides which examples are taken; they keep the order of the whole. A larger subset of
        the same seed has nearly all examples of a smaller one.

    Raises
    ------
    ConfigError
        There are not so many.
    """
    count = max(1, round(size * len(train))) if size < 1 else int(size)
    if count > len(train):
        raise ConfigError(
            f"train_size {size:g}: there are only {len(train):,} training images "
            "beside those for validation"
        )
    random = random_stream(seed, "subset")
    chosen = np.zeros(len(train), dtype=bool)
    members = [np.flatnonzero(train.labels == label) for label in np.unique(train.labels)]
    numbers = _apportioned(count, [len(rows) for rows in members])
    for rows, number in zip(members, numbers, strict=True):
        chosen[random.permutation(rows)[:number]] = True
    return train.take(chosen)


def _apportioned(count: int, sizes: list[int]) -> list[int]:
    """Divide a number in proportion to sizes, at least 1 each where it suffices.

    What is left over by rounding down goes to the largest remainders (Hamilton's method).
    """
    exact = count * np.array(sizes) / sum(sizes)
    numbers = exact.astype(np.int64)
    remainders = np.argsort(numbers - exact, kind="stable")
    numbers[remainders[: count - int(numbers.sum())]] += 1
    if count >= len(sizes):
        for empty in np.flatnonzero(numbers == 0):
            numbers[numbers.argmax()] -= 1
            numbers[empty] = 1
    found: list[int] = numbers.tolist()
    return found


def stratified_folds(labels: Labels, folds: int, seed: int) -> Labels:
    """Divide examples at random into folds that have all classes in nearly the same proportion.

    Returns
    -------
    The number of each example's fold, shape (n,).
    """
    random = random_stream(seed, "folds")
    fold_of = np.empty(len(labels), np.uint8)
    start = 0
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        # Each class continues where the one before ended, so that the folds are equally large.
        fold_of[rows] = (np.arange(len(rows)) + start) % folds
        start += len(rows)
    return fold_of
