"""The network that judges cuts learns from strings that depend on their number alone."""

import numpy as np

from dlcli.vision import rejection
from tools.train_cuts import CONFIG, PLAIN, examples, with_plain


def test_the_network_that_ships_has_the_layers_of_the_config():
    network = rejection.cut_network()
    assert network.layer_sizes == (784, *CONFIG.hidden_layers, rejection.OOD_CLASS + 1)


def test_a_string_depends_on_its_number_alone(sample):
    first, again = (examples(3, sample.train) for _ in range(2))
    assert [label for _, label in first] == [label for _, label in again]
    for (pixels, _), (same, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(pixels, same)


def test_strings_teach_whole_digits_and_what_wrong_cuts_leave_of_them(sample):
    found = [example for number in range(12) for example in examples(number, sample.train)]
    labels = np.array([label for _, label in found])
    digits = np.stack([pixels for pixels, label in found if label != rejection.OOD_CLASS])
    assert 0.2 < np.mean(labels == rejection.OOD_CLASS) < 0.8
    # The model that ships names most of the whole digits.
    named = rejection.network().infer(digits)[1][:, :10].argmax(axis=1)
    assert np.mean(named == labels[labels != rejection.OOD_CLASS]) > 0.8


def test_plain_digits_are_learned_too(sample):
    some = with_plain(sample.test, sample.train)
    plain = min(PLAIN, len(sample.train))
    assert len(some) == plain + len(sample.test)
    np.testing.assert_array_equal(some.labels[:plain], sample.train.labels[:plain])
