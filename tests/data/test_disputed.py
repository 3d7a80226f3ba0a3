"""The disputed images are those of MNIST's own test set, and of no other."""

from dataclasses import replace

from dlcli.data import datasets
from dlcli.data.disputed import disputes


def test_mnists_own_test_set_has_fifteen_disputed_images(mnist_dir, sample):
    mnist = datasets.load(str(mnist_dir))
    found = disputes(mnist)
    assert len(found) == 15
    labels = {index: int(mnist.test.labels[index]) for index in found}
    assert labels[947] == 8  # a 9, people say
    assert [index for index, dispute in found.items() if dispute == "none"] == [
        *(2130, 2654, 3520, 8527, 9679)
    ]
    assert disputes(replace(mnist, test=sample.test)) == {}
    assert disputes(sample) == {}
