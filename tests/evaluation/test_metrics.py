"""Scores agree with published values and with recorded ones of statsmodels and scikit-learn."""

import numpy as np
import pytest

from dlcli.evaluation import metrics
from dlcli.nn.confusion import confusion_matrix

# The first four are in Newcombe, "Two-sided confidence intervals for the single proportion",
# 1998, table I, to four places; all are proportion_confint(successes, trials, 1 - confidence,
# method="wilson") of statsmodels 0.15.0.
WILSON = [
    (81, 263, 0.95, 0.2552885198782742, 0.36620957698280004),
    (15, 148, 0.95, 0.06238639953073628, 0.16048724172330803),
    (0, 20, 0.95, 0.0, 0.1611251580528194),
    (1, 29, 0.95, 0.006113214292762667, 0.17175521879320294),
    (0, 10, 0.95, 0.0, 0.27753279986288926),
    (10, 10, 0.95, 0.7224672001371106, 1.0),
    (1869, 2000, 0.95, 0.9228026146574697, 0.9445314712551214),
    (9836, 10000, 0.95, 0.9809185463637925, 0.9859100504120891),
    (95, 100, 0.99, 0.8608496970983599, 0.9831516839573993),
    (95, 100, 0.90, 0.9008389147209471, 0.9754526365741959),
]


@pytest.mark.parametrize(("successes", "trials", "confidence", "low", "high"), WILSON)
def test_the_wilson_interval_is_the_published_one(successes, trials, confidence, low, high):
    interval = metrics.wilson_interval(successes, trials, confidence)
    assert interval == pytest.approx((low, high), abs=1e-12)
    assert 0 <= interval[0] <= interval[1] <= 1


# confusion_matrix and precision_recall_fscore_support of scikit-learn 1.9.1, with
# labels=range(5) and zero_division=0. Nothing is labelled 4 and nothing answered 4.
LABELS = np.array([0, 1, 2, 2, 0, 1, 3, 3, 3, 0, 2, 1, 1, 0, 3, 2, 0, 1], np.uint8)
PREDICTIONS = np.array([0, 1, 2, 0, 0, 2, 3, 1, 3, 0, 2, 1, 1, 1, 0, 2, 2, 0], np.uint8)
CONFUSION = [
    [3, 1, 1, 0, 0],
    [1, 3, 1, 0, 0],
    [1, 0, 3, 0, 0],
    [1, 1, 0, 2, 0],
    [0, 0, 0, 0, 0],
]
SCORES = [
    (0.5, 0.6, 0.5454545454545454, 5),
    (0.6, 0.6, 0.6, 5),
    (0.6, 0.75, 0.6666666666666666, 4),
    (1.0, 0.5, 0.6666666666666666, 4),
    (0.0, 0.0, 0.0, 0),
]


def test_the_confusion_matrix_is_that_of_scikit_learn():
    assert confusion_matrix(LABELS, PREDICTIONS, 5).tolist() == CONFUSION


@pytest.mark.parametrize("digit", range(5))
def test_the_scores_of_a_class_are_those_of_scikit_learn(digit):
    scores = metrics.class_scores(np.array(CONFUSION))[digit]
    found = (scores.precision, scores.recall, scores.f1, scores.images)
    assert found == pytest.approx(SCORES[digit], abs=1e-12)


def test_balanced_accuracy_and_macro_f1_are_those_of_scikit_learn():
    """balanced_accuracy_score, and f1_score with average="macro" and labels=range(4)."""
    probabilities = np.eye(5)[PREDICTIONS]
    assert metrics.balanced_accuracy(probabilities, LABELS) == pytest.approx(0.6125, abs=1e-12)
    assert metrics.macro_f1(probabilities, LABELS) == pytest.approx(0.6196969696969696, abs=1e-12)


def test_a_class_of_few_images_counts_as_much_as_one_of_many():
    labels = np.array([0] * 90 + [1] * 10, np.uint8)
    always_0 = np.tile([0.9, 0.1], (100, 1))
    assert metrics.balanced_accuracy(always_0, labels) == 0.5
    assert metrics.macro_f1(always_0, labels) == pytest.approx((2 * 90 / 190) / 2)


@pytest.mark.parametrize(
    ("confidences", "right", "error"),
    [
        # one bin: 0.9 said, 3 of 4 right
        ([0.9, 0.9, 0.9, 0.9], [1, 1, 1, 0], 0.15),
        # two bins: nothing wrong with the first, 0.6 said and 1 of 2 right in the second
        ([1.0, 1.0, 0.6, 0.6], [1, 1, 1, 0], 0.05),
        # within a bin, only the means count
        ([0.61, 0.65], [1, 0], 0.13),
        # between bins, too little and too much do not cancel: (0.4 + 1) / 2
        ([0.6, 1.0], [1, 0], 0.7),
        # the last bin ends with 1: one bin again
        ([0.95, 1.0], [1, 0], 0.475),
        # never right and always sure
        ([1.0, 1.0, 1.0], [0, 0, 0], 1.0),
        # just as sure as right
        ([0.75, 0.75, 0.75, 0.75], [1, 1, 0, 1], 0.0),
    ],
)
def test_the_calibration_error_is_the_distance_from_confidence_to_accuracy(
    confidences, right, error
):
    probabilities = np.array([[confidence, 1 - confidence] for confidence in confidences])
    labels = np.where(right, 0, 1).astype(np.uint8)
    assert metrics.expected_calibration_error(probabilities, labels) == pytest.approx(error)


def test_the_calibration_error_and_the_reliability_diagram_have_15_bins_by_default():
    """As in Guo et al., 2017: the edges of 1/15 lie between these probabilities."""
    probabilities = np.array([[p, 1 - p] for p in (0.61, 0.66, 0.68, 0.73, 0.74, 0.79)])
    labels = np.array([0, 1, 0, 0, 1, 0], np.uint8)
    bins = metrics.reliability(probabilities, labels)
    assert [(b.low, b.high) for b in bins] == [(n / 15, (n + 1) / 15) for n in (9, 10, 11)]
    assert [(b.images, b.correct) for b in bins] == [(2, 1), (2, 2), (2, 1)]
    gaps = [abs(0.61 + 0.66 - 1), abs(0.68 + 0.73 - 2), abs(0.74 + 0.79 - 1)]
    error = metrics.expected_calibration_error(probabilities, labels)
    assert error == pytest.approx(sum(gaps) / 6)


def test_the_number_of_bins_of_the_calibration_error_can_be_chosen():
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1]])
    labels = np.array([0, 1], np.uint8)
    errors = [metrics.expected_calibration_error(probabilities, labels, bins) for bins in (1, 10)]
    assert errors == pytest.approx([0.25, 0.65])


def test_reliability_bins_hold_every_prediction_by_its_probability():
    probabilities = np.array([[p, 1 - p] for p in (0.55, 0.58, 0.95, 1.0, 0.93)])
    labels = np.array([0, 1, 0, 0, 1], np.uint8)
    low, high = metrics.reliability(probabilities, labels, bins=10)
    assert (low.low, low.high, low.images, low.correct) == (0.5, 0.6, 2, 1)
    assert low.confidence == pytest.approx(0.565)
    assert (high.low, high.high, high.images, high.correct) == (0.9, 1.0, 3, 2)
    assert high.confidence == pytest.approx((0.95 + 1 + 0.93) / 3)


# mcnemar([[0, first], [second, 0]], exact=True).pvalue of statsmodels 0.15.0, and
# binomtest(first, first + second).pvalue of SciPy 1.17.1, which agree.
MCNEMAR = [
    (1, 0, 1.0),
    (0, 5, 0.0625),
    (3, 9, 0.14599609375),
    (9, 3, 0.14599609375),
    (10, 10, 1.0),
    (10, 11, 1.0),
    (59, 6, 4.964650327128616e-12),
    (121, 59, 4.4344492637551645e-06),
    (300, 380, 0.0024248687076998837),
]


@pytest.mark.parametrize(("first", "second", "p"), MCNEMAR)
def test_mcnemars_test_is_that_of_statsmodels(first, second, p):
    assert metrics.mcnemar(first, second) == pytest.approx(p, rel=1e-9)


def test_models_that_never_differ_have_a_p_value_of_1():
    assert metrics.mcnemar(0, 0) == 1.0


def test_mcnemars_test_handles_large_counts():
    assert metrics.mcnemar(24_500, 25_500) == pytest.approx(7.902628543392482e-06, rel=1e-9)
    assert metrics.mcnemar(0, 50_000) == 0.0


def test_the_interval_of_none_or_all_correct_ends_at_exactly_0_or_1():
    assert metrics.wilson_interval(0, 17)[0] == 0.0
    assert metrics.wilson_interval(17, 17)[1] == 1.0


def predictions(confidences, right):
    """Probabilities of two classes, and labels that make the predictions right or wrong."""
    probabilities = np.array([[c, 1 - c] for c in confidences])
    return probabilities, np.array([0 if correct else 1 for correct in right], np.uint8)


@pytest.mark.parametrize(
    ("fraction", "threshold", "error"),
    [(0, 0.51, 0.4), (0.2, 0.6, 0.25), (0.4, 0.7, 1 / 3), (0.8, 0.9, 0)],
)
def test_the_least_certain_are_rejected_first(fraction, threshold, error):
    probabilities, labels = predictions(
        [0.6, 0.9, 0.51, 0.8, 0.7], [True, True, False, False, True]
    )
    found = metrics.reject(probabilities, labels, fraction)
    assert (found.rejected, found.threshold) == (fraction, threshold)
    assert found.error == pytest.approx(error)


@pytest.mark.parametrize(
    ("images", "fraction", "rejected"),
    [(100, 0.29, 29), (30, 0.05, 2), (50, 0.05, 2), (70, 0.05, 4), (90, 0.02, 2), (10, 0.01, 0)],
)
def test_the_number_of_rejected_predictions_is_rounded(images, fraction, rejected):
    """In floating point, 0.29 * 100 is below 29, and 0.05 * 70 is 3.5."""
    confidences = np.linspace(0.6, 0.9, images)
    probabilities, labels = predictions(confidences, [True] * images)
    found = metrics.reject(probabilities, labels, fraction)
    assert found.threshold == confidences[rejected]


def test_certain_errors_stay_and_rejecting_nothing_changes_nothing():
    probabilities, labels = predictions(np.linspace(0.6, 1, 100), [True] * 99 + [False])
    assert metrics.reject(probabilities, labels, 0).error == 0.01
    assert metrics.reject(probabilities, labels, 0.05).error == pytest.approx(1 / 95)


def test_the_log_loss_is_finite_even_for_a_probability_of_0():
    probabilities, labels = predictions([0.5, 0.25], [True, True])
    assert metrics.log_loss(probabilities, labels) == pytest.approx(np.log(8) / 2)
    probabilities, labels = predictions([1.0], [False])
    assert 80 < metrics.log_loss(probabilities, labels) < 100
