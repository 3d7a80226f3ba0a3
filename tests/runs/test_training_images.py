"""Training records what its images look like, from the images alone."""

from dataclasses import replace

import numpy as np
import pytest

from dlcli.data import datasets
from dlcli.data.classes import DIGITS
from dlcli.data.examples import Examples
from dlcli.runs import lookup, training_images
from dlcli.runs.metadata import TrainingImages


def describe(train: Examples) -> TrainingImages:
    return training_images.describe(train, DIGITS)


def filling(image: np.ndarray) -> np.ndarray:
    """A digit of MNIST stretched to the whole image."""
    square = image.reshape(28, 28)
    rows, columns = np.flatnonzero(square.any(axis=1)), np.flatnonzero(square.any(axis=0))
    digit = square[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = digit.shape
    stretched = digit[np.arange(28) * height // 28][:, np.arange(28) * width // 28]
    return stretched.reshape(-1)


def test_mnist_is_digits_light_on_dark_in_its_own_format(sample):
    assert describe(sample.train) == training_images.MNIST
    assert training_images.of_dataset(sample) == training_images.MNIST


def test_a_folder_is_looked_at_whatever_its_name(tiny, sample):
    bars = replace(datasets.load(str(tiny)), name="mnist")
    assert not training_images.of_dataset(bars).digits
    few = sample.of_classes((3, 7))
    assert training_images.of_dataset(few).digits


def test_dark_digits_on_a_light_ground_are_noticed(sample):
    found = describe(Examples(255 - sample.train.images, sample.train.labels))
    assert (found.polarity, found.digits, found.mnist_format) == ("dark_on_light", True, True)


@pytest.mark.parametrize("ground", [0, 60])
def test_digits_of_another_format_are_digits(sample, ground):
    images = np.stack([filling(image) for image in sample.train.images[:300]])
    images = np.maximum(images, np.uint8(ground))
    found = describe(Examples(images, sample.train.labels[:300]))
    assert (found.digits, found.mnist_format) == (True, False)
    assert found.side_px >= 27


def test_images_whose_labels_are_not_the_digits_they_show_are_other_signs(sample):
    labels = (sample.train.labels + 1) % 10
    assert not describe(Examples(sample.train.images, labels)).digits


def test_bars_are_no_digits(tiny):
    assert not describe(datasets.load(str(tiny)).train).digits


@pytest.mark.parametrize("level", [0, 128, 255])
def test_images_of_one_colour_are_described_like_any_others(level):
    images = np.full((3, 784), level, np.uint8)
    found = describe(Examples(images, np.zeros(3, np.uint8)))
    assert not found.mnist_format


def test_a_single_image_is_enough(sample):
    assert (
        describe(Examples(sample.train.images[:1], sample.train.labels[:1]))
        == training_images.MNIST
    )


def test_the_ground_is_what_covers_most_even_where_strokes_reach_the_border():
    image = np.zeros((28, 28), np.uint8)
    image[:, :4] = image[:3] = image[-3:] = 200  # a C
    for image_of, polarity in ((image, "light_on_dark"), (255 - image, "dark_on_light")):
        images = np.stack([image_of.reshape(-1)] * 3)
        assert describe(Examples(images, np.zeros(3, np.uint8))).polarity == polarity


def test_a_run_records_it_in_its_checkpoints(trained_model):
    for name in ("best.npz", "last.npz"):
        assert lookup.load_named(str(trained_model / name)).metadata.images == training_images.MNIST
