"""Every kind of handwriting is a digit in MNIST's format, as its kind says it is written."""

import numpy as np
import pytest

from dlcli.vision.mnist_format import is_mnist_like
from tools import damages, handwriting
from tools.damages import DAMAGES
from tools.handwriting import CANVAS_SIDE_PX, DIGIT_LENGTH_PX, KINDS

MIDDLE = CANVAS_SIDE_PX / 2


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def seven(random) -> np.ndarray:
    """A 7 on a canvas, drawn with a pen of medium width."""
    return handwriting.draw(handwriting.fitted(handwriting.seven(random)), 6)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_in_mnists_format_and_each_digit_is_another(name, random):
    written = [handwriting.written(KINDS[name], random) for _ in range(6)]
    for pixels in written:
        assert (pixels.shape, pixels.max()) == ((784,), 255)
        assert pixels.dtype == np.uint8
        assert is_mnist_like(pixels.reshape(28, 28))
    assert len({pixels.tobytes() for pixels in written}) == 6


def test_every_digit_is_written_and_ones_as_often_as_sevens():
    weights = np.zeros(10)
    for name, kind in KINDS.items():
        assert str(kind.digit) in name
        weights[kind.digit] += kind.weight
    assert weights.min() > 0
    assert weights[1] == weights[7]


def test_kinds_are_chosen_as_often_as_their_weights_say(random):
    digits = [handwriting.any_kind(random).digit for _ in range(400)]
    expected = sum(kind.weight for kind in KINDS.values() if kind.digit == 1)
    expected /= sum(kind.weight for kind in KINDS.values())
    assert digits.count(1) / 400 == pytest.approx(expected, abs=0.07)


def test_the_upstroke_of_a_one_is_steeper_than_the_top_of_a_seven(random):
    for _ in range(50):
        across, down = handwriting.one(random)[0][0]
        assert across < 0 < down
        assert down >= -across * np.tan(np.radians(35)) * 0.999
        *_, left, corner = handwriting.seven(random)[0]
        assert abs(left[1] - corner[1]) < (corner[0] - left[0]) * np.tan(np.radians(35))


def test_a_bar_crosses_the_stem_of_a_seven(random):
    for _ in range(20):
        _, stem, bar = handwriting.seven(random, barred=True)
        x = np.interp(bar[:, 1].mean(), stem[:, 1], stem[:, 0])
        assert bar[0, 0] < x < bar[1, 0]


def test_a_digit_is_fitted_into_the_middle_of_the_canvas():
    strokes = [np.array([[3.0, 1], [4, 9]]), np.array([[5.0, 5], [7, 5]])]
    points = np.concatenate(handwriting.fitted(strokes))
    assert np.ptp(points, axis=0).tolist() == [DIGIT_LENGTH_PX / 2, DIGIT_LENGTH_PX]
    np.testing.assert_allclose((points.min(axis=0) + points.max(axis=0)) / 2, MIDDLE)


def test_a_hand_bends_strokes_and_keeps_their_number(random):
    strokes = handwriting.seven(random, barred=True)
    deformed = handwriting.deform(strokes, random)
    assert len(deformed) == len(strokes)
    assert all(np.isfinite(stroke).all() for stroke in deformed)


@pytest.mark.parametrize("radius", [1, 5, 12])
def test_a_pen_draws_strokes_of_its_width(radius):
    line = np.array([[MIDDLE, 40], [MIDDLE, 120]])
    levels = handwriting.draw([line], radius)
    assert levels.shape == (CANVAS_SIDE_PX, CANVAS_SIDE_PX)
    assert levels[80].sum() == pytest.approx(2 * radius, abs=1)
    blotted = handwriting.draw([line], radius, blots=True)
    assert (blotted >= levels).all()
    assert blotted.sum() > levels.sum()
    assert not (blotted[90:] - levels[90:]).any()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_changes_a_digit_and_does_not_erase_it(damage, random, seven):
    changed = 0
    for _ in range(8):
        damaged = damage(seven, random)
        assert (damaged.shape, damaged.dtype) == (seven.shape, np.float32)
        assert damaged.min() >= -0.3  # cubic curves overshoot
        assert damaged.max() > 0.2
        assert np.corrcoef(damaged.reshape(-1), seven.reshape(-1))[0, 1] > 0.4
        changed += not np.array_equal(damaged, seven)
    assert changed >= 6


def test_gaps_only_take_away(random, seven):
    damaged = damages.with_gaps(seven, random)
    assert (damaged <= seven).all()
    assert 0 < (seven - damaged).sum() < 0.3 * seven.sum()


def test_a_mouse_draws_from_point_to_point_of_a_grid(random):
    stroke = np.column_stack([np.linspace(20, 120, 41), np.linspace(30, 90, 41)])
    (jagged,) = handwriting.jagged([stroke], random)
    assert len(jagged) < 25
    np.testing.assert_allclose(jagged[[0, -1]], stroke[[0, -1]], atol=2.5)


def test_marks_are_cropped_to_the_strokes(random):
    for kind in KINDS.values():
        marks = handwriting.marks(kind, random)
        assert marks.dtype == np.uint8
        for side in (marks[0], marks[-1], marks[:, 0], marks[:, -1]):
            assert side.max() > 127


def test_a_rewritten_digit_has_the_same_lines_and_another_pen(sample, random):
    similarity, pen = [], []
    for pixels in sample.train.images[:40]:
        again = handwriting.rewritten(pixels, random)
        assert is_mnist_like(again.reshape(28, 28))
        similarity.append(np.corrcoef(again, pixels)[0, 1])
        pen.append(again.sum() / pixels.sum())
    assert np.median(similarity) > 0.6
    assert min(pen) < 0.9
    assert max(pen) > 1.2


def test_an_example_depends_on_its_number_alone(sample):
    labels = set()
    for number in range(30):
        pixels, label = handwriting.example(number, sample.train)
        again, same = handwriting.example(number, sample.train)
        assert label == same
        np.testing.assert_array_equal(pixels, again)
        labels.add(label)
    assert len(labels) >= 6
