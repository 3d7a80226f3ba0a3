"""dlcli as a library, for pictures of any kind: the same answers as the command line's."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dlcli as library
from dlcli import Classifier, Number, PicturePrediction, ReadDigit, load_model
from dlcli.errors import ImageError


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_model("pretrained")


@pytest.fixture(scope="module")
def digits(sample) -> dict[str, np.ndarray]:
    """A dark image of some digits on white."""
    first = {d: int(np.flatnonzero(sample.test.labels == int(d))[0]) for d in "0247"}
    return {d: 255 - sample.test.images[i].reshape(28, 28) for d, i in first.items()}


@pytest.fixture
def page(digits, workdir) -> np.ndarray:
    """A page with the number 204 as an array, and as ``page.png``."""
    pixels = np.full((160, 300), 255, np.uint8)
    for place, digit in enumerate("204"):
        large = Image.fromarray(digits[digit]).resize((56, 56))
        pixels[50:106, 50 + 60 * place : 106 + 60 * place] = np.asarray(large)
    Image.fromarray(pixels).save("page.png")
    return pixels


@pytest.fixture
def seven(digits, workdir) -> np.ndarray:
    """A drawing of a 7 as an array, and as ``seven.png``."""
    pixels = np.full((160, 300), 255, np.uint8)
    pixels[50:134, 150:234] = np.asarray(Image.fromarray(digits["7"]).resize((84, 84)))
    Image.fromarray(pixels).save("seven.png")
    return pixels


def ways_to_give(path: str, pixels: np.ndarray) -> list[Any]:
    """The same picture in every form."""
    colours = np.stack([pixels] * 3, axis=2)
    opaque = np.concatenate([colours, np.full((*pixels.shape, 1), 255, np.uint8)], axis=2)
    floats = pixels.astype(np.float64) / 255
    image = Image.open(path)
    return [path, Path(path), image, pixels, colours, opaque, floats, np.asfortranarray(pixels)]


def test_a_number_is_read_from_a_path_an_image_and_an_array(classifier, page):
    for picture in ways_to_give("page.png", page):
        (number,) = classifier.read(picture)
        assert isinstance(number, Number)
        assert (number.text, number.line, len(number.box)) == ("204", 1, 4)
        assert all(isinstance(digit, ReadDigit) for digit in number.digits)
        assert [digit.digit for digit in number.digits] == [2, 0, 4]


def test_a_digit_is_predicted_from_a_path_an_image_and_an_array(classifier, seven):
    for picture in ways_to_give("seven.png", seven):
        found = classifier.predict_picture(picture)
        assert isinstance(found, PicturePrediction)
        assert (found.digit, found.reason, found.message) == (7, None, None)
        assert found.probabilities is not None
        assert found.box is not None
        assert found.probabilities.shape == (10,)
        assert found.probability == found.probabilities[7]
        assert found.box[0] > 140


def test_the_numbers_are_those_of_the_command_line(classifier, page, dlcli):
    (line,) = dlcli("read", "-m", "pretrained", "-f", "json", "page.png").stdout.splitlines()
    (printed,), (number,) = json.loads(line)["numbers"], classifier.read("page.png")
    assert (printed["text"], tuple(printed["box"])) == (number.text, number.box)
    assert printed["probability"] == pytest.approx(number.probability)


def test_the_prediction_is_that_of_the_command_line(classifier, seven, dlcli):
    (line,) = dlcli("predict", "-m", "pretrained", "-f", "json", "seven.png").stdout.splitlines()
    printed, found = json.loads(line), classifier.predict_picture("seven.png")
    assert (printed["digit"], tuple(printed["box"])) == (found.digit, found.box)
    assert printed["probabilities"] == pytest.approx(found.probabilities.tolist(), abs=1e-6)


def test_what_is_known_of_a_picture_can_be_said(classifier, page):
    (number,) = classifier.read(page, digits=3, lines=1, reject=1)
    assert number.text == "???"


def test_a_picture_that_is_no_single_digit_has_a_reason(classifier, page):
    several, blank = classifier.predict_picture(page), classifier.predict_picture(page[:40])
    assert (several.digit, several.probability, several.probabilities) == (None, None, None)
    assert (several.reason, blank.reason) == ("several_digits", "blank")
    assert blank.message == "the picture is blank"
    assert classifier.read(page[:40]) == ()


def test_a_probability_can_be_asked_for(classifier, seven):
    assert classifier.predict_picture(seven, reject=1).reason == "low_confidence"


def test_a_mask_is_a_picture(classifier, seven):
    assert classifier.predict_picture(seven < 128).digit == 7


def test_an_image_is_turned_upright_as_its_file_is(classifier, page):
    image = Image.fromarray(np.rot90(page, -1).copy())
    image.getexif()[0x0112] = 8  # turn left to look at it
    assert [number.text for number in classifier.read(image)] == ["204"]


@pytest.mark.parametrize("method", [Classifier.read, Classifier.predict_picture])
@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros(9), r"found \(9,\)"),
        (np.zeros((0, 5), np.uint8), r"found \(0, 5\)"),
        (np.zeros((5, 5, 2), np.uint8), r"found \(5, 5, 2\)"),
        (np.zeros((2, 5, 5, 3), np.uint8), r"found \(2, 5, 5, 3\)"),
        (np.zeros((5, 5), np.int64), "found int64"),
        (np.full((5, 5), 255.0), "floats must be from 0 to 1, found 255 to 255; pixels from 0"),
        (np.full((5, 5), np.nan), "found nan to nan"),
    ],
)
def test_what_cannot_be_a_picture_is_refused(classifier, method, pixels, reason):
    with pytest.raises(ValueError, match=f"^picture: .*{reason}"):
        method(classifier, pixels)


@pytest.mark.parametrize("method", [Classifier.read, Classifier.predict_picture])
def test_a_file_that_is_no_picture_is_refused_by_name(classifier, workdir, method):
    Path("text.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"^text\.png: not a picture that Pillow can read$"):
        method(classifier, "text.png")
    with pytest.raises(ImageError, match=r"^missing\.png: no such file$"):
        method(classifier, Path("missing.png"))


def test_the_types_are_public():
    assert {"Number", "PicturePrediction", "ReadDigit"} <= set(library.__all__)


def test_a_classifier_can_be_pickled(trained_model, sample):
    before = load_model(trained_model)
    pickled = pickle.dumps(before)
    after = pickle.loads(pickled)  # noqa: S301 - our own
    assert repr(after) == repr(before)
    assert after.temperature == before.temperature
    images = sample.test.images[:50]
    assert np.array_equal(after.predict_proba(images), before.predict_proba(images))
    assert np.array_equal(after.layers[0].weight, before.layers[0].weight)
    # The parameters stand in it once, and nothing that only training needs.
    assert len(pickled) < 1.1 * sum(layer.weight.nbytes for layer in before.layers)
