"""The rejection network accepts digits and rejects other things."""

import numpy as np
import pytest
from PIL import Image

from dlcli.vision import localization, rejection
from dlcli.vision.rejection import RejectionReason
from dlcli.vision.test_time_augmentation import tta_variants
from tools import non_digits
from tools.train_rejection import PHOTOGRAPHS, VALIDATION, collect, photographed


def test_digits_are_accepted(sample):
    scores = [
        rejection.ood_scores(tta_variants(pixels)).mean() for pixels in sample.test.images[:500]
    ]
    assert np.mean(np.array(scores) > rejection.REJECTION_THRESHOLD) <= 0.02


def test_ood_scores_are_those_of_single_images(sample):
    images = np.stack([sample.test.images[0], np.full(784, 255, np.uint8)])
    digit, square = rejection.ood_scores(images)
    assert digit < 0.1
    assert square > 0.9
    assert rejection.ood_scores(images[1:]) == pytest.approx(square, abs=1e-5)


@pytest.mark.parametrize("thing", ["stripes", "an M"])
def test_other_things_are_rejected(thing):
    pixels = np.zeros((28, 28), np.uint8)
    if thing == "stripes":
        pixels[4:24:4, 4:24] = 255
    else:
        pixels[4:24, [4, 5, 13, 14, 22, 23]] = 255
        pixels[4:6, 4:24] = 255
    assert (
        rejection.ood_scores(tta_variants(pixels.reshape(-1))).mean()
        > rejection.REJECTION_THRESHOLD
    )


# Letters that hardly anybody takes for a digit.
CLEAR_LETTERS = "ACEFGHJKLMNPQRTUVWXYacdefhkmnprtuvwxy#&?"


@pytest.mark.parametrize(
    ("kind", "least"),
    {
        "letter": 0.8,
        "typed": 0.8,
        "typed foreign": 0.75,
        "sign": 0.75,
        "doodle": 0.8,
        "scrawl": 0.9,
        "shape": 0.8,
    }.items(),
)
def test_drawings_are_rejected(kind, least):
    random = np.random.default_rng(1)
    rejected = []
    for _ in range(30):
        if kind == "typed":
            marks = np.pad(non_digits.typed(random, CLEAR_LETTERS), 20)
        elif kind in non_digits.MARKS:
            marks = np.pad(non_digits.MARKS[kind](random), 20)
        else:
            marks = non_digits.drawn(non_digits.DRAWINGS[kind](random), random)
        found = localization.locate_digit(Image.fromarray(255 - marks))
        is_ood = found.ood_score is not None and found.ood_score > rejection.REJECTION_THRESHOLD
        rejected.append(found.rejection is not None or is_ood)
    assert np.mean(rejected) >= least


def test_digits_on_photographs_are_accepted(sample):
    start = PHOTOGRAPHS + VALIDATION
    numbers = range(start, start + 120)
    found = collect(photographed(number, sample.test) for number in numbers)
    digits = found.images[found.labels != rejection.OOD_CLASS]
    scores = [rejection.ood_scores(tta_variants(pixels)).mean() for pixels in digits]
    assert len(scores) > 40
    assert np.mean(np.array(scores) > rejection.REJECTION_THRESHOLD) <= 0.03


@pytest.mark.parametrize(
    ("ood_score", "highest", "reason"),
    [
        (0.8, 1.0, RejectionReason.NOT_A_DIGIT),
        (0.4, 0.5, RejectionReason.AMBIGUOUS),
        (0.0, 0.2, RejectionReason.AMBIGUOUS),
        (0.2, 0.6, None),
        (0.0, 1.0, None),
    ],
)
def test_scores_are_rejected_above_the_threshold(ood_score, highest, reason):
    probabilities = np.array([highest, *[(1 - highest) / 9] * 9])
    assert rejection.rejection_reason(ood_score, probabilities) == reason


@pytest.mark.parametrize(
    ("box", "threshold"),
    [
        (None, rejection.REJECTION_THRESHOLD),
        ((3, 2, 14, 12), rejection.REJECTION_THRESHOLD),
        ((3, 2, 5, 13), rejection.REJECTION_THRESHOLD),
        ((3, 2, 13, 12), rejection.FEW_PIXELS_THRESHOLD),
        ((0, 0, 6, 8), rejection.FEW_PIXELS_THRESHOLD),
    ],
)
def test_the_threshold_is_higher_for_few_pixels(box, threshold):
    assert rejection.rejection_threshold(box) == threshold


def test_what_is_rejected_depends_on_the_threshold():
    probabilities = np.array([0.9, 0.1])
    assert rejection.rejection_reason(0.8, probabilities) == RejectionReason.NOT_A_DIGIT
    higher = rejection.FEW_PIXELS_THRESHOLD
    assert rejection.rejection_reason(0.8, probabilities, higher) is None
    assert rejection.rejection_reason(0.9, probabilities, higher) == RejectionReason.AMBIGUOUS
    assert rejection.rejection_reason(0.96, probabilities, higher) == RejectionReason.NOT_A_DIGIT


@pytest.mark.parametrize("reason", RejectionReason)
def test_a_reason_has_a_code_and_a_sentence(reason):
    assert reason.code == reason.name.lower()
    assert reason.code.isidentifier()
    assert str(reason) == reason.value
