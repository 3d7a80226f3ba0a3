"""Two models on the same images."""

from dataclasses import replace

import numpy as np
import pytest

from dlcli.data.classes import DIGITS
from dlcli.evaluation import metrics
from dlcli.evaluation.compare import Comparison, compare
from dlcli.evaluation.evaluate import Evaluation


def evaluation(predictions: list[int], labels: list[int]) -> Evaluation:
    return Evaluation(
        images=len(labels),
        correct=0,
        accuracy=0.0,
        interval=(0.0, 1.0),
        loss=0.0,
        scalars={},
        rejections=[],
        class_names=DIGITS,
        classes=[],
        confusion=np.zeros((10, 10), np.int64),
        labels=np.array(labels, np.uint8),
        predictions=np.array(predictions, np.uint8),
        probabilities=np.zeros((len(labels), 10), np.float32),
    )


def test_images_are_counted_by_which_model_got_them_right():
    labels = [0, 1, 2, 3, 4, 5]
    comparison = compare(
        evaluation([0, 1, 2, 9, 9, 9], labels), evaluation([0, 9, 9, 9, 9, 5], labels)
    )
    assert comparison == Comparison(6, 1, 2, 1, 2, metrics.mcnemar(2, 1))


@pytest.mark.parametrize(
    ("p_value", "comparisons", "significant"),
    [(0.049, 1, True), (0.051, 1, False), (0.049, 3, False), (0.016, 3, True)],
)
def test_a_difference_is_significant_below_5_percent_in_all_comparisons_together(
    p_value, comparisons, significant
):
    comparison = replace(Comparison(6, 1, 2, 1, 2, 1.0), p_value=p_value)
    assert comparison.is_significant(comparisons) is significant
