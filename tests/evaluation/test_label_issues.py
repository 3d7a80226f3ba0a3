"""Labels that are probably wrong are found from what models that did not see them predict."""

import numpy as np
import pytest

from dlcli.errors import DatasetError
from dlcli.evaluation import label_issues


def probabilities_of(classes, sure, count):
    """Rows in which each class is as probable as ``sure``, and the others alike."""
    rows = np.full((len(classes), count), (1 - sure) / (count - 1))
    rows[np.arange(len(classes)), classes] = sure
    return rows


def test_flipped_labels_are_found_the_surest_first():
    random = np.random.default_rng(0)
    true = random.integers(0, 4, 400).astype(np.uint8)
    sure = random.uniform(0.9, 0.99, 400)
    probabilities = np.vstack(
        [probabilities_of([label], p, 4)[0] for label, p in zip(true, sure, strict=True)]
    )
    labels = true.copy()
    flipped = random.choice(400, 20, replace=False)
    labels[flipped] = (labels[flipped] + 1) % 4
    found = label_issues.find(labels, probabilities)
    issues = found.first(None)
    assert {issue.index for issue in issues} <= set(flipped.tolist())
    assert len(issues) >= 16  # their number is an estimate
    assert [issue.score for issue in issues] == sorted(issue.score for issue in issues)
    for issue in issues:
        assert (issue.label, issue.suggestion) == (labels[issue.index], true[issue.index])
        assert issue.score == pytest.approx(probabilities[issue.index, issue.label])


def test_right_labels_are_left_alone():
    true = np.arange(400) % 4
    found = label_issues.find(true.astype(np.uint8), probabilities_of(true, 0.9, 4))
    assert (found.images, found.count, found.first(None), found.first(5)) == (400, 0, [], [])


def test_classes_without_images_do_not_disturb():
    true = np.tile([1, 3], 100).astype(np.uint8)
    probabilities = probabilities_of(true, 0.9, 5)
    labels = true.copy()
    labels[7] = 1
    (issue,) = label_issues.find(labels, probabilities).first(10)
    assert (issue.index, issue.label, issue.suggestion) == (7, 1, 3)


def test_labels_that_are_all_the_same_cannot_be_compared():
    labels = np.full(20, 3, np.uint8)
    with pytest.raises(DatasetError, match="all images have the same label"):
        label_issues.find(labels, probabilities_of(labels, 0.9, 5))
