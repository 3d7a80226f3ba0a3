"""The images in the cells of the confusion matrix, and the worst errors."""

import numpy as np

from dlcli.report import mistakes


def test_cells_hold_every_image_once_and_show_a_bounded_number(subject):
    cells = mistakes.cells(subject.scores)
    assert sum(cell.count for cell in cells) == 2000
    for cell in cells:
        assert cell.count == subject.scores.confusion[cell.label, cell.answer]
        assert len(cell.shown) == min(cell.count, mistakes.CELL_LIMIT)
        assert set(subject.scores.labels[cell.shown]) == {cell.label}
        assert set(subject.scores.predictions[cell.shown]) == {cell.answer}


def test_of_wrong_answers_the_surest_are_shown_and_of_right_ones_the_least_sure(subject):
    confidence = subject.scores.probabilities.max(axis=1)
    for cell in mistakes.cells(subject.scores):
        shown = confidence[cell.shown].tolist()
        assert shown == sorted(shown, reverse=cell.label != cell.answer)
        same = (subject.scores.labels == cell.label) & (subject.scores.predictions == cell.answer)
        end = confidence[same].max() if cell.label != cell.answer else confidence[same].min()
        assert shown[0] == end


def test_the_most_frequent_confusions_come_first(subject):
    found = mistakes.most_frequent(mistakes.cells(subject.scores), 5)
    errors = subject.scores.confusion.copy()
    np.fill_diagonal(errors, 0)
    assert [cell.count for cell in found] == sorted(errors.ravel().tolist())[:-6:-1]


def test_the_worst_errors_are_the_most_confidently_wrong(subject):
    worst = mistakes.worst(subject.scores)
    confidence = subject.scores.probabilities.max(axis=1)
    wrong = subject.scores.predictions != subject.scores.labels
    assert len(worst) == mistakes.WORST_LIMIT
    assert wrong[worst].all()
    assert confidence[worst].tolist() == sorted(confidence[wrong].tolist())[:-25:-1]


def test_cells_are_shaded_by_their_errors():
    confusion = np.array([[900, 1, 0], [20, 900, 1], [0, 0, 900]])
    shades = mistakes.shades(confusion)
    assert shades[0, 0] == "right"
    assert shades[0, 2] == "none"
    assert (shades[0, 1], shades[1, 0]) == ("h1", "h4")


def test_without_an_error_nothing_is_shaded():
    assert set(mistakes.shades(np.diag([5, 5])).values()) == {"right", "none"}
