"""The images in the cells of the confusion matrix, and the worst errors."""

import numpy as np
import pytest

from dlcli.evaluation.metrics import most_confident_errors
from dlcli.report import errors


def test_cells_hold_every_image_once_and_show_a_bounded_number(entry):
    cells = errors.cells(entry.scores)
    assert sum(cell.count for cell in cells) == 2000
    for cell in cells:
        assert cell.count == entry.scores.confusion[cell.label, cell.prediction]
        assert len(cell.shown) == min(cell.count, errors.MAX_CELL_IMAGES)
        assert set(entry.scores.labels[cell.shown]) == {cell.label}
        assert set(entry.scores.predictions[cell.shown]) == {cell.prediction}


def test_the_most_confident_errors_and_the_least_confident_correct_predictions_are_shown(entry):
    confidence = entry.scores.probabilities.max(axis=1)
    for cell in errors.cells(entry.scores):
        shown = confidence[cell.shown].tolist()
        assert shown == sorted(shown, reverse=cell.label != cell.prediction)
        same = (entry.scores.labels == cell.label) & (entry.scores.predictions == cell.prediction)
        end = confidence[same].max() if cell.label != cell.prediction else confidence[same].min()
        assert shown[0] == end


def test_the_most_frequent_errors_come_first(entry):
    found = errors.most_frequent(errors.cells(entry.scores), 5)
    wrong = entry.scores.confusion.copy()
    np.fill_diagonal(wrong, 0)
    assert [cell.count for cell in found] == sorted(wrong.ravel().tolist())[:-6:-1]


def test_the_worst_errors_are_the_most_confident_ones(entry):
    worst = most_confident_errors(entry.scores.probabilities, entry.scores.labels, 24)
    confidence = entry.scores.probabilities.max(axis=1)
    wrong = entry.scores.predictions != entry.scores.labels
    assert len(worst) == 24
    assert wrong[worst].all()
    assert confidence[worst].tolist() == sorted(confidence[wrong].tolist())[:-25:-1]


def test_the_most_probable_classes_include_the_label():
    probabilities = np.array([0.5, 0.0, 0.3, 0.15, 0.05])
    assert errors.most_probable(probabilities, 0) == [(0, 0.5), (2, 0.3), (3, 0.15)]
    assert errors.most_probable(probabilities, 1)[3:] == [(1, 0.0)]


def test_cells_are_shaded_by_their_errors():
    confusion = np.array([[900, 1, 0], [20, 900, 1], [0, 0, 900]])
    shades = errors.shades(confusion)
    assert shades[0, 0] == "correct"
    assert shades[0, 2] == "none"
    assert (shades[0, 1], shades[1, 0]) == ("h1", "h4")


def test_without_an_error_nothing_is_shaded():
    assert set(errors.shades(np.diag([5, 5])).values()) == {"correct", "none"}


@pytest.mark.parametrize(
    ("names", "wide"),
    [
        ("0123456789", False),
        (["no", "so"], False),
        (["T-shirt or top", "bag"], True),
        ([str(number) for number in range(11)], True),
    ],
)
def test_many_classes_and_names_of_words_need_a_wide_matrix(names, wide):
    assert errors.needs_wide_matrix(names) is wide
