"""Datasets of any number of classes."""

from dataclasses import replace

import numpy as np
import pytest

from dlcli.data import classes, datasets, idx, registry
from dlcli.data.classes import DIGITS
from dlcli.data.examples import Dataset, Examples
from dlcli.errors import ConfigError, DatasetError


def write_labels(folder, train: list[int], test: list[int]) -> None:
    """A dataset of black images with these labels."""
    folder.mkdir()
    for files, labels in ((registry.FILES[:2], train), (registry.FILES[2:], test)):
        images = np.zeros((len(labels), 28, 28), np.uint8)
        (folder / files[0]).write_bytes(idx.serialize(images))
        (folder / files[1]).write_bytes(idx.serialize(np.array(labels, np.uint8)))


@pytest.mark.parametrize(
    ("train", "names"),
    [
        (range(10), DIGITS),
        ([0, 1], DIGITS),
        (range(11), (*DIGITS, "10")),
        (range(256), tuple(map(str, range(256)))),
    ],
)
def test_idx_files_without_names_have_the_ten_digits_or_more_numbers(tmp_path, train, names):
    write_labels(tmp_path / "numbers", list(train), [1])
    assert datasets.load(str(tmp_path / "numbers")).class_names == names


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 1, 11], [0], "train-labels-idx1-ubyte: label 2 is 11, but no training image has the"),
        (list(range(10)), [3, 10], "t10k-labels-idx1-ubyte: label 1 is 10, but no training image"),
    ],
)
def test_a_stray_label_makes_no_class(tmp_path, train, test, message):
    write_labels(tmp_path / "stray", train, test)
    with pytest.raises(DatasetError, match=message):
        datasets.load(str(tmp_path / "stray"))


def dataset_of(names: tuple[str, ...]) -> Dataset:
    labels = np.arange(len(names), dtype=np.uint8)
    examples = Examples(np.zeros((len(names), 784), np.uint8), labels)
    return Dataset("mine", examples, examples, "abc", names)


def test_labels_follow_the_order_of_the_classes():
    found = dataset_of(("b", "a")).with_classes(("a", "b", "c"))
    assert found.train.labels.tolist() == found.test.labels.tolist() == [1, 0]
    assert found.class_names == ("a", "b", "c")


def test_more_classes_than_a_byte_counts_get_wider_labels():
    names = tuple(f"class {number}" for number in range(1000))
    found = dataset_of(names[998:]).with_classes(names)
    assert found.train.labels.tolist() == [998, 999]


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(DatasetError, match=r"mine: its class 'x' is none of a, b \(2 classes\)"):
        dataset_of(("a", "x")).with_classes(("a", "b"))


def test_many_names_are_shortened_in_messages():
    assert classes.summary(classes.numbered(47)) == "0, 1, 2, ..., 46 (47 classes)"


def test_some_classes_are_the_images_of_these_in_the_order_of_the_dataset():
    found = dataset_of(("a", "b", "3", "d")).of_classes(["d", 3])
    assert found.class_names == ("3", "d")
    assert found.train.labels.tolist() == found.test.labels.tolist() == [0, 1]
    assert found.train.labels.dtype == np.uint8
    assert found.checksum == "abc"
    whole = dataset_of(("a", "b"))
    assert whole.of_classes(None) is whole


def test_a_wanted_class_that_is_not_there_is_named():
    with pytest.raises(
        ConfigError, match=r"^classes: mine has no class 'x'; it has a, b \(2 classes"
    ):
        dataset_of(("a", "b")).of_classes(["a", "x"])


@pytest.mark.parametrize(("missing", "part"), [("test", "test"), ("train", "training")])
def test_wanted_classes_without_images_are_refused(missing, part):
    whole = dataset_of(("a", "b", "c"))
    examples = getattr(whole, missing)
    without = replace(whole, **{missing: examples.take(examples.labels == 2)})
    with pytest.raises(ConfigError, match=f"^classes: mine has no {part} images of these classes"):
        without.of_classes(["a", "b"])
