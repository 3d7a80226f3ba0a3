"""The strokes of letters, digits and signs are on the grid, differ each time and stay joined."""

import numpy as np
import pytest

from tools import alphabets, characters

ALPHABETS = {
    name: value
    for name, value in vars(alphabets).items()
    if name.isupper() and isinstance(value, dict)
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_every_form_of_every_character_is_written(name):
    random = np.random.default_rng(0)
    for character, forms in ALPHABETS[name].items():
        for form in forms:
            strokes = characters.write({character: (form,)}, character, random)
            assert len(strokes) == form.count("|") + 1
            points = np.concatenate(strokes) * characters.CAP_HEIGHT
            assert points.min() > -2
            assert points.max() < 11
            assert np.ptp(points, axis=0).max() > 2


def test_every_digit_has_several_forms():
    assert list(alphabets.DIGITS) == list("0123456789")
    assert min(map(len, alphabets.DIGITS.values())) >= 3


@pytest.mark.parametrize("alphabets", [alphabets.LETTERS, alphabets.SCRIPTS_AND_SIGNS])
def test_the_fractions_of_the_alphabets_add_up(alphabets):
    assert sum(fraction for _, fraction in alphabets) == pytest.approx(1)


def test_letters_that_look_like_digits_are_left_out():
    names = alphabets.PRINT.keys() | alphabets.CURSIVE.keys() | alphabets.PUNCTUATION.keys()
    assert names.isdisjoint("DGIOQSZbgijloqsz|!")


def test_the_same_seed_writes_the_same_and_the_next_something_else():
    random, again = (np.random.default_rng(3) for _ in range(2))
    first, other = (characters.any_of(alphabets.LETTERS, random) for _ in range(2))
    np.testing.assert_equal(characters.any_of(alphabets.LETTERS, again), first)
    assert np.concatenate(first).tobytes() != np.concatenate(other).tobytes()


def test_strokes_that_share_a_point_stay_joined():
    stem, bowl, closing = characters.write(
        {"P": ("06 00 20|~20 40 43 23|23 03",)}, "P", np.random.default_rng(0)
    )
    np.testing.assert_allclose(stem[-1], bowl[0])
    np.testing.assert_allclose(bowl[-1], closing[0])


def test_a_curve_passes_through_its_points_and_closes_smoothly():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], float)
    curve = characters.smooth(square)
    for point in square:
        assert np.abs(curve - point).sum(axis=1).min() == 0
    first, last = curve[1] - curve[0], curve[-1] - curve[-2]
    assert first @ last > 0.9 * np.linalg.norm(first) * np.linalg.norm(last)


def test_two_points_make_a_straight_line():
    line = characters.smooth(np.array([[0, 0], [2, 4]], float))
    np.testing.assert_allclose(line[:, 1], 2 * line[:, 0], atol=1e-12)
