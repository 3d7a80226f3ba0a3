"""The pretrained model learns from scans that depend on their number alone."""

from pathlib import Path

import numpy as np
import pytest

from dlcli.vision.mnist_format import is_mnist_like
from tools import handwriting, train_pretrained

ANYWHERE = Path("nowhere")


@pytest.fixture(autouse=True)
def digits_of_the_sample(sample, monkeypatch):
    monkeypatch.setattr(train_pretrained, "_digits", lambda _data_dir, _seed: sample.train)


def scanned(number: int) -> list[tuple[np.ndarray, int]]:
    return train_pretrained._scanned(ANYWHERE, 0, number)


def test_every_contested_kind_is_one_that_is_written():
    assert set(train_pretrained._CONTESTED_KINDS) <= set(handwriting.KINDS)


def test_a_scan_depends_on_its_number_alone():
    for number in range(6):
        first, again = scanned(number), scanned(number)
        assert [label for _, label in first] == [label for _, label in again]
        for (pixels, _), (same, _) in zip(first, again, strict=True):
            np.testing.assert_array_equal(pixels, same)


def test_scans_show_all_digits_in_mnists_format():
    found = [example for number in range(200) for example in scanned(number)]
    assert len(found) > 190
    assert {label for _, label in found} == set(range(10))
    assert all(is_mnist_like(pixels.reshape(28, 28)) for pixels, _ in found)
