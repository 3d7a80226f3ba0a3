"""MNIST's digits are like digits; other things are not."""

import msgspec
import numpy as np
import pytest
from PIL import Image

from dlcli.vision import localization, rejection
from tools import non_digits
from tools.train_rejection import CONFIG, COUNT, example, gathered, save, train


def test_the_first_look_is_the_picture_and_the_others_are_near(sample):
    pixels = sample.test.images[0]
    looks = rejection.looks(pixels)
    assert looks.shape == (46, 784)
    assert (looks[0] == pixels).all()
    vectors = looks / np.linalg.norm(looks, axis=1, keepdims=True)
    assert (vectors @ vectors[0]).min() > 0.4
    turned_nothing = 1 + (1 * 3 + 1) * 5
    assert np.abs(looks[turned_nothing] - pixels.astype(int)).max() <= 1


def test_digits_are_like_digits(sample):
    unlike = [rejection.unlikeness(rejection.looks(pixels)) for pixels in sample.test.images[:500]]
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) <= 0.02


def test_unlikeness_is_the_mean_over_pictures(sample):
    pictures = np.stack([sample.test.images[0], np.full(784, 255, np.uint8)])
    each = [rejection.unlikeness(picture[np.newaxis]) for picture in pictures]
    assert each[0] < 0.1
    assert each[1] > 0.9
    assert rejection.unlikeness(pictures) == pytest.approx(np.mean(each), abs=1e-5)


@pytest.mark.parametrize("thing", ["stripes", "an M"])
def test_other_things_are_unlike_digits(thing):
    pixels = np.zeros((28, 28), np.uint8)
    if thing == "stripes":
        pixels[4:24:4, 4:24] = 255
    else:
        pixels[4:24, [4, 5, 13, 14, 22, 23]] = 255
        pixels[4:6, 4:24] = 255
    assert rejection.unlikeness(rejection.looks(pixels.reshape(-1))) > rejection.DOUBTFUL


@pytest.mark.parametrize(
    ("kind", "least"),
    {
        "letter": 0.8,
        "typed": 0.85,
        "sign": 0.6,  # the network has learned from other signs than these
        "doodle": 0.8,
        "scrawl": 0.9,
        "shape": 0.9,
    }.items(),
)
def test_drawings_are_unlike_digits(kind, least):
    random = np.random.default_rng(1)
    unlike = []
    while len(unlike) < 60:
        if kind == "typed":
            marks = np.pad(non_digits.typed(random), 20)
        else:
            marks = non_digits.drawn(non_digits.DRAWINGS[kind](random), random)
        seen = localization.look_at(Image.fromarray(255 - marks))
        if seen.pixels is not None and seen.doubt is None:
            unlike.append(rejection.unlikeness(rejection.looks(seen.pixels)))
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) >= least


def test_digits_on_photographs_are_like_digits(sample):
    found = gathered(example(number, sample.test) for number in range(COUNT, COUNT + 250))
    digits = found.images[found.labels != rejection.SOMETHING_ELSE]
    unlike = [rejection.unlikeness(rejection.looks(pixels)) for pixels in digits]
    assert len(unlike) > 100
    assert np.mean(np.array(unlike) > rejection.DOUBTFUL) <= 0.03


def test_the_network_is_of_the_shape_that_is_trained():
    assert rejection.network().layer_sizes == (784, *CONFIG.hidden_layers, 11)


def test_an_example_comes_from_its_number(sample):
    (pixels, label), again, other = (example(number, sample.train) for number in (5, 5, 6))
    assert label == again[1]
    np.testing.assert_array_equal(pixels, again[0])
    assert not np.array_equal(pixels, other[0])


def test_half_of_the_examples_are_digits_and_no_label_is_missing(sample):
    labels = gathered(example(number, sample.train) for number in range(COUNT, COUNT + 150)).labels
    assert 0.35 < np.mean(labels == rejection.SOMETHING_ELSE) < 0.65
    assert set(labels) == set(range(11))


def test_an_upright_bar_is_no_example_of_something_else():
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:15] = 255
    box = np.zeros((28, 28), np.uint8)
    box[8:20, 8:20] = 255
    found = [(bar.reshape(-1), 1), (bar.reshape(-1), 10), (None, 10), (box.reshape(-1), 10)]
    assert gathered(found).labels.tolist() == [1, 10]


def test_what_was_trained_is_what_is_used(sample, tmp_path, monkeypatch):
    examples = gathered(example(number, sample.train) for number in range(60))
    config = msgspec.structs.replace(CONFIG, hidden_layers=(16,), epochs=2)
    network = train(examples, examples, config)
    save(network, tmp_path / "likeness.npz")
    monkeypatch.setattr(rejection, "FILE", tmp_path / "likeness.npz")
    used = rejection.network.__wrapped__()
    assert used.layer_sizes == (784, 16, 11)
    _, expected = network.infer(examples.images)
    _, shares = used.infer(examples.images)
    np.testing.assert_allclose(shares, expected, atol=0.01)
