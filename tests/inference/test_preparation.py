"""Pictures are prepared as the images were that the model was trained on."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dlcli.inference.preparation import preparation
from dlcli.runs import checkpoint
from dlcli.runs.metadata import TrainingImages
from dlcli.vision import pipeline
from dlcli.vision.mnist_format import centre_of_mass
from dlcli.vision.rejection import RejectionReason

MNIST = TrainingImages(
    polarity="light_on_dark", digits=True, mnist_format=True, side_px=20, centring="mass"
)
DARK = replace(MNIST, polarity="dark_on_light")
LETTERS = replace(MNIST, digits=False)
LARGE_LETTERS = replace(LETTERS, mnist_format=False, side_px=28, centring="box")


@pytest.fixture
def prepared(make_checkpoint):
    """Prepare a picture for a model with a record of its images, or without one."""

    def prepare(image: Image.Image, images: TrainingImages | None, *, raw: bool = False):
        metadata = checkpoint.load(make_checkpoint("model.npz")).metadata
        described = replace(metadata, images=images)
        return preparation(described, raw=raw, explain=False)(image, "x")

    return prepare


def page(text: str) -> Image.Image:
    """A letter or digit, dark on a light page."""
    drawn = Image.new("L", (300, 300), 230)
    font = ImageFont.load_default(160)
    ImageDraw.Draw(drawn).text((150, 150), text, fill=20, font=font, anchor="mm")
    return drawn


@pytest.fixture
def digit(sample) -> np.ndarray:
    return sample.test.images[0]


def picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.reshape(28, 28))


@pytest.mark.parametrize("text", ["3", "A", ""])
def test_a_model_without_a_record_is_taken_for_one_of_mnist(prepared, text):
    expected = pipeline.preprocess(page(text), "x")
    for images in (None, MNIST):
        found = prepared(page(text), images)
        assert (found.rejection, found.ood_score) == (expected.rejection, expected.ood_score)
        np.testing.assert_array_equal(found.pixels, expected.pixels)


def test_only_models_of_digits_reject_what_is_no_digit(prepared):
    assert prepared(page("A"), MNIST).ood_score > 0.5
    letter = prepared(page("A"), LETTERS)
    assert letter.ood_score is letter.rejection is None
    assert letter.variants is not None


def test_a_blank_page_shows_no_letter_either(prepared):
    found = prepared(page(""), LETTERS)
    assert (found.rejection, found.variants) == (RejectionReason.BLANK, None)


def test_a_letter_of_several_parts_is_one_letter(prepared):
    found = prepared(page("HK"), LETTERS)
    assert found.rejection is None
    assert found.variants is not None


@pytest.mark.parametrize("seen_inverted", [False, True])
def test_a_model_of_dark_digits_is_shown_dark_digits(prepared, digit, seen_inverted):
    seen = 255 - digit if seen_inverted else digit
    found = prepared(picture(seen), DARK)
    np.testing.assert_array_equal(found.pixels, 255 - digit)
    np.testing.assert_array_equal(found.variants[0], 255 - digit)


def test_a_photograph_becomes_dark_on_light_for_a_model_of_dark_digits(prepared):
    light, dark = (prepared(page("7"), images) for images in (MNIST, DARK))
    np.testing.assert_array_equal(dark.pixels, 255 - light.pixels)
    np.testing.assert_array_equal(dark.variants, 255 - light.variants)
    np.testing.assert_array_equal(dark.all_variants, 255 - light.all_variants)
    assert dark.ood_score == light.ood_score


@pytest.mark.parametrize("seen_inverted", [False, True])
def test_an_image_like_those_of_training_stays_as_it_is(prepared, digit, seen_inverted):
    """Even if it is not centred as MNIST's are."""
    shifted = np.roll(digit, 5)
    seen = 255 - shifted if seen_inverted else shifted
    np.testing.assert_array_equal(prepared(picture(seen), LARGE_LETTERS).pixels, shifted)
    dark = replace(LARGE_LETTERS, polarity="dark_on_light")
    np.testing.assert_array_equal(prepared(picture(seen), dark).pixels, 255 - shifted)


@pytest.mark.parametrize("centring", ["box", "mass"])
@pytest.mark.parametrize("side_px", [28, 24, 12])
def test_a_letter_gets_the_size_and_the_place_of_those_of_training(prepared, side_px, centring):
    images = replace(LARGE_LETTERS, side_px=side_px, centring=centring)
    image = prepared(page("L"), images).pixels.reshape(28, 28)
    strokes = image > 127
    rows, columns = np.flatnonzero(strokes.any(axis=1)), np.flatnonzero(strokes.any(axis=0))
    assert rows[-1] - rows[0] + 1 == pytest.approx(side_px, abs=1)
    middle = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    if centring == "box":
        assert middle == pytest.approx((13.5, 13.5), abs=0.5)
    elif side_px < 28:
        assert centre_of_mass(image) == pytest.approx((14, 14), abs=0.6)
        assert middle[1] > 14  # the mass of an L is left of its middle


def test_raw_pictures_stay_as_they_are(prepared, digit):
    for seen in (digit, 255 - digit):
        np.testing.assert_array_equal(prepared(picture(seen), DARK, raw=True).pixels, seen)
