"""The rejection network learns from examples that depend on their number alone."""

import msgspec
import numpy as np

from dlcli.vision import rejection
from tools.train_rejection import CONFIG, collect, drawn, photographed, save, train


def test_the_network_that_ships_has_the_layers_of_the_config():
    assert rejection.network().layer_sizes == (784, *CONFIG.hidden_layers, 11)


def test_an_example_depends_on_its_number_alone(sample):
    for make in (photographed, drawn):
        first, again, other = (make(number, sample.train) for number in (5, 5, 6))
        assert first[1] == again[1]
        np.testing.assert_array_equal(first[0], again[0])
        assert not np.array_equal(first[0], other[0])


def test_about_half_of_the_photographs_show_digits(sample):
    labels = collect(photographed(number, sample.train) for number in range(60)).labels
    assert 0.3 < np.mean(labels == rejection.OOD_CLASS) < 0.7


def test_drawings_show_every_digit_and_mostly_other_things(sample):
    examples = collect(drawn(number, sample.train) for number in range(200))
    assert set(examples.labels) == set(range(11))
    assert 0.7 < np.mean(examples.labels == rejection.OOD_CLASS) < 0.9
    assert examples.images.max(axis=1).min() > 200


def test_an_upright_bar_is_no_example_of_something_else():
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:15] = 255
    box = np.zeros((28, 28), np.uint8)
    box[8:20, 8:20] = 255
    examples = [(bar.reshape(-1), 1), (bar.reshape(-1), 10), None, (box.reshape(-1), 10)]
    assert collect(examples).labels.tolist() == [1, 10]


def test_predict_uses_the_network_that_was_trained(sample, tmp_path, monkeypatch):
    examples = collect(drawn(number, sample.train) for number in range(60))
    config = msgspec.structs.replace(CONFIG, hidden_layers=(16,), epochs=2)
    network = train(examples, examples, config)
    save(network, tmp_path / "rejection.npz")
    monkeypatch.setattr(rejection, "WEIGHTS_FILE", tmp_path / "rejection.npz")
    used = rejection.network.__wrapped__()
    assert used.layer_sizes == (784, 16, 11)
    _, expected = network.infer(examples.images)
    _, probabilities = used.infer(examples.images)
    np.testing.assert_allclose(probabilities, expected, atol=0.01)
