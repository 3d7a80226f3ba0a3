"""Two models on the same images, and whether their difference may be chance."""

from dataclasses import dataclass

import numpy as np

from dlcli.evaluation import metrics
from dlcli.evaluation.evaluate import Evaluation

SIGNIFICANCE_LEVEL = 0.05
"""How often a difference may be called significant when both models are equally good."""


@dataclass(frozen=True)
class Comparison:
    """How often two models were right on the same images; ``p_value`` is McNemar's."""

    images: int
    both_right: int
    only_first_right: int
    only_second_right: int
    both_wrong: int
    p_value: float

    def is_significant(self, comparisons: int = 1) -> bool:
        """Whether the difference is more than chance.

        Of many ``comparisons`` made together some would look significant by chance, so each of
        them has to be the more improbable (Bonferroni's correction).
        """
        return self.p_value < SIGNIFICANCE_LEVEL / comparisons


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compare two evaluations of the same examples."""
    first_right = first.predictions == first.labels
    second_right = second.predictions == second.labels
    only_first = int(np.count_nonzero(first_right & ~second_right))
    only_second = int(np.count_nonzero(~first_right & second_right))
    return Comparison(
        images=first.images,
        both_right=int(np.count_nonzero(first_right & second_right)),
        only_first_right=only_first,
        only_second_right=only_second,
        both_wrong=int(np.count_nonzero(~first_right & ~second_right)),
        p_value=metrics.mcnemar(only_first, only_second),
    )
