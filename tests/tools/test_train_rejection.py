"""The rejection network learns from examples that depend on their number alone."""

import msgspec
import numpy as np
import pytest

from dlcli.vision import rejection
from tools.train_rejection import (
    _MAX_CANDIDATES,
    CONFIG,
    _label,
    collect,
    drawn,
    photographed,
    save,
    train,
)


def test_the_network_that_ships_has_the_layers_of_the_config():
    assert rejection.network().layer_sizes == (784, *CONFIG.hidden_layers, 11)


@pytest.mark.parametrize("number", [0, 5, 6])
def test_what_a_photograph_shows_depends_on_its_number_alone(sample, number):
    first, again = (photographed(number, sample.train) for _ in range(2))
    assert [label for _, label in first] == [label for _, label in again]
    for (pixels, _), (same, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(pixels, same)


def test_a_drawing_depends_on_its_number_alone(sample):
    (first, label), (again, same), (other, _) = (drawn(n, sample.train) for n in (5, 5, 6))
    assert label == same
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_photographs_teach_digits_and_mostly_other_things(sample):
    found = [photographed(number, sample.train) for number in range(60)]
    assert max(map(len, found)) <= _MAX_CANDIDATES
    labels = collect(found).labels
    assert 0.4 < np.mean(labels == rejection.OOD_CLASS) < 0.9
    assert len(set(labels)) >= 8


DIGIT = (100, 50, 140, 150)


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (DIGIT, 7),
        ((98, 48, 142, 152), 7),
        ((100, 50, 140, 90), None),  # a part of the digit
        ((80, 30, 160, 170), None),  # more than the digit
        ((0, 0, 300, 300), rejection.OOD_CLASS),  # the sheet
        ((10, 50, 50, 150), rejection.OOD_CLASS),
        ((135, 50, 175, 150), rejection.OOD_CLASS),  # hardly touches it
    ],
)
def test_a_candidate_is_labelled_by_where_it_lies(found, label):
    assert _label(found, DIGIT, 7) == label


def test_drawings_show_every_digit_and_mostly_other_things(sample):
    examples = collect([drawn(number, sample.train)] for number in range(200))
    assert set(examples.labels) == set(range(11))
    assert 0.7 < np.mean(examples.labels == rejection.OOD_CLASS) < 0.9
    assert examples.images.max(axis=1).min() > 200


def test_an_upright_bar_is_no_example_of_something_else():
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:15] = 255
    box = np.zeros((28, 28), np.uint8)
    box[8:20, 8:20] = 255
    photographs = [[(bar.reshape(-1), 1), (bar.reshape(-1), 10)], [], [(box.reshape(-1), 10)]]
    assert collect(photographs).labels.tolist() == [1, 10]


def test_predict_uses_the_network_that_was_trained(sample, tmp_path, monkeypatch):
    examples = collect([drawn(number, sample.train)] for number in range(60))
    config = msgspec.structs.replace(CONFIG, hidden_layers=(16,), epochs=2)
    network = train(examples, examples, config)
    save(network, tmp_path / "rejection.npz")
    monkeypatch.setattr(rejection, "WEIGHTS_FILE", tmp_path / "rejection.npz")
    used = rejection.network()
    assert used.layer_sizes == (784, 16, 11)
    _, expected = network.infer(examples.images)
    _, probabilities = used.infer(examples.images)
    np.testing.assert_allclose(probabilities, expected, atol=0.01)
