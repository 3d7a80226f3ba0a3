"""Scans are small pictures of whole digits, which predict finds."""

import numpy as np
import pytest

from dlcli.vision.mnist_format import bounding_box, is_mnist_like
from tools import scans


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_scan_is_a_small_picture_of_either_polarity(sample, random):
    borders = set()
    for image in sample.train.images[:60]:
        scan = scans.scan(image.reshape(28, 28), random)
        assert 7 <= max(scan.size) <= scans.SIDES_PX[1] + 4
        levels = np.asarray(scan)
        assert np.ptp(levels) > 100
        borders.add(bool(np.median(levels) > 127))
    assert borders == {False, True}


def test_a_scan_is_cropped_to_the_marks_but_for_a_margin():
    marks = np.zeros((28, 28), np.uint8)
    marks[4:24, 10:16] = 255
    for seed in range(20):
        levels = np.asarray(scans.scan(marks, np.random.default_rng(seed))).astype(int)
        is_mark = np.abs(levels - levels[levels.shape[0] // 2, levels.shape[1] // 2]) < 128
        outside = np.argwhere(~is_mark.any(axis=1)), np.argwhere(~is_mark.any(axis=0))
        assert all(len(lines) <= 4 for lines in outside)


def test_what_predict_finds_on_a_scan_is_in_mnists_format(sample, random):
    found = [scans.found(image.reshape(28, 28), random) for image in sample.train.images[:20]]
    assert sum(map(len, found)) >= 18
    assert all(is_mnist_like(pixels.reshape(28, 28)) for (pixels,) in filter(None, found))


def test_a_broad_pen_makes_a_bar_much_wider_and_other_marks_a_little(random):
    ring = np.zeros((28, 28), np.uint8)
    ring[4:24, 6:22] = 255
    ring[10:18, 10:18] = 0
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:16] = 255

    def widest(marks: np.ndarray) -> float:
        cropped = marks[bounding_box(marks > 0)]
        found = [scans._thickened(cropped, random) for _ in range(50)]
        return max(marks[bounding_box(marks > 0)].shape[1] / cropped.shape[1] for marks in found)

    assert widest(bar) > 3
    assert 1 < widest(ring) < 1.3
