"""Labels are flipped as often as is said, and never to themselves."""

import numpy as np

from tools import label_accuracy
from tools.label_accuracy import Found, flip


def test_one_label_in_a_hundred_becomes_another_one():
    labels = (np.arange(1000) % 10).astype(np.uint8)
    flipped, rows = flip(labels, 10, 0.01, seed=0)
    assert set(np.flatnonzero(flipped != labels).tolist()) == rows
    assert len(rows) == 10
    assert flipped.max() <= 9


def test_recall_and_precision_are_those_of_what_is_listed():
    found = Found(flipped=100, listed=90, both=81)
    assert (found.recall, found.precision) == (0.81, 0.9)
    report = label_accuracy.report(found, [947, 1621])
    assert "81 among 90 listed | recall 81 %, precision 90 % |" in report
    assert "| 2 among the 50 surest | 947, 1621 |" in report
