"""What tells numbers from letters is fitted to what is found on pages of both."""

from pathlib import Path

import numpy as np
import pytest

from dlcli.inference.numeral_lattice import Part, Scored
from dlcli.vision.segmentation import Span
from tools import fit_letters

NO_DATA = Path("nowhere")


@pytest.mark.parametrize("make", [fit_letters.printed_words, fit_letters.drawn_letters])
def test_pages_of_letters_depend_on_the_seed_alone(make):
    first, again, other = (np.asarray(make(np.random.default_rng(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
    assert 0.01 < np.mean(first < 128) < 0.5


def test_rows_of_letters_are_no_right_numbers():
    pages = [(kind, number) for kind in fit_letters._LETTERS for number in range(6)]
    found = [row for page in pages for row in fit_letters.rows(NO_DATA, page)]
    assert len(found) > 5
    assert not any(is_number or is_right for _, is_number, is_right in found)


def digit(name, probability, *, is_cut, ood_score=0.0):
    probabilities = np.full(10, (1 - probability) / 9)
    probabilities[name] = probability
    span = Span(0, 1, frozenset({1}), (), (0, 0, 9, 9), 1.0, 0.5, is_cut)
    return Scored(span, probabilities, ood_score)


def part(*digits, left_out=0.0):
    cost = sum(one.cost - one.saved for one in digits) + left_out
    return Part(tuple(digits), 0, len(digits), cost)


def test_the_features_are_means_over_the_digits():
    sure, doubtful = digit(3, 1.0, is_cut=False), digit(1, 0.5, is_cut=True, ood_score=0.2)
    own, others, cut, bars = part(sure, doubtful, sure, sure, left_out=2.0).features
    assert own == pytest.approx(-np.log(0.5 * 0.8) / 4)
    assert others == pytest.approx(2.0 / 4)
    assert part(sure, sure, left_out=50.0).features[1] == 0.6
    assert (cut, bars) == (1 / 4, 1 / 4)


@pytest.mark.parametrize(
    ("digits", "is_of_letters"),
    {
        "sure digits": ([digit(4, 0.99, is_cut=False)] * 3, False),
        "sure digits that touch": ([digit(4, 0.9, is_cut=True)] * 3, False),
        "sure ones that touch": ([digit(1, 0.95, is_cut=True)] * 2, False),
        "doubtful strokes": ([digit(1, 0.6, is_cut=True)] * 3, True),
        "doubtful digits": ([digit(5, 0.3, is_cut=True)] * 3, True),
        "a single digit": ([digit(5, 0.3, is_cut=True)], False),
    }.values(),
)
def test_doubtful_digits_are_letters(digits, is_of_letters):
    assert part(*digits).is_of_letters is is_of_letters


def test_strokes_that_are_left_out_are_of_letters_where_digits_are_doubtful():
    sure, doubtful = ([digit(4, probability, is_cut=False)] * 2 for probability in (0.99, 0.7))
    assert not part(*sure, left_out=5.0).is_of_letters
    assert not part(*doubtful, left_out=0.1).is_of_letters
    assert part(*doubtful, left_out=5.0).is_of_letters
