"""Numbers on pictures made of digits of the embedded sample."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dlcli.inference.reading import Reading, ReadingOptions, read, read_picture
from dlcli.inference.sources import ImageSource
from dlcli.runs.lookup import load_named
from dlcli.vision.rejection import ood_scores


@pytest.fixture(scope="module")
def model():
    return load_named("pretrained")


@pytest.fixture(scope="module")
def digits(sample):
    """The first clear image of each digit, cropped to its strokes."""
    images = sample.test.images.reshape(-1, 28, 28)
    return [images[np.flatnonzero(sample.test.labels == digit)[1]] for digit in range(10)]


@pytest.fixture
def page(digits):
    """A function that writes numbers on a page: ``page((text, left, top), ...)``."""

    def write(*texts, size=(600, 400), pitch=46, side=56):
        sheet = np.zeros((size[1], size[0]), np.uint8)
        for text, left, top in texts:
            for index, digit in enumerate(text):
                image = Image.fromarray(digits[int(digit)]).resize((side, side))
                x = left + index * pitch
                part = sheet[top : top + side, x : x + side]
                np.maximum(part, np.asarray(image), out=part)
        return Image.fromarray(255 - sheet)

    return write


def texts(numbers):
    return [number.text for number in numbers]


def test_numbers_come_in_reading_order_with_their_lines(model, page):
    picture = page(("42", 40, 40), ("1907", 300, 45), ("385", 60, 200))
    numbers = read_picture(model, picture)
    assert texts(numbers) == ["42", "1907", "385"]
    assert [number.line for number in numbers] == [1, 1, 2]


def test_the_number_of_lines_decides_what_stands_on_one(model, page):
    picture = page(("42", 40, 40), ("1907", 300, 75), ("385", 60, 240))
    for lines, expected in ((2, [1, 1, 2]), (3, [1, 2, 3])):
        numbers = read_picture(model, picture, ReadingOptions(lines=lines))
        assert texts(numbers) == ["42", "1907", "385"]
        assert [number.line for number in numbers] == expected


def test_boxes_are_in_the_pixels_of_the_picture(model, page):
    (small,) = read_picture(model, page(("385", 60, 200)))
    large = page(("385", 60, 200)).resize((4200, 2800), Image.Resampling.BICUBIC)
    (number,) = read_picture(model, large)
    assert np.allclose(np.array(number.box) / 7, small.box, atol=3)
    assert [digit.digit for digit in number.digits] == [3, 8, 5]


def test_a_digit_less_probable_than_asked_for_is_doubtful(model, page):
    unsure = replace(model, metadata=replace(model.metadata, temperature=3.0))
    (number,) = read_picture(unsure, page(("385", 60, 200)), ReadingOptions(reject=1.0))
    assert number.text == "???"
    assert [digit.digit for digit in number.digits] == [None] * 3


def test_the_number_of_digits_decides_where_a_number_ends(model, page):
    picture = page(("385142", 60, 200), pitch=52)
    assert texts(read_picture(model, picture)) == ["385142"]
    assert texts(read_picture(model, picture, ReadingOptions(digits=3))) == ["385", "142"]
    assert texts(read_picture(model, picture, ReadingOptions(digits=2))) == ["38", "51", "42"]


def test_gaps_that_are_clearly_wider_than_others_part_numbers(model, page):
    picture = page(("3", 40, 40), ("15", 140, 40), ("8", 290, 40), ("24", 390, 40), pitch=36)
    assert texts(read_picture(model, picture)) == ["3", "15", "8", "24"]


def test_something_as_large_as_a_digit_that_is_none_is_doubtful(model, page):
    picture = page(("42", 40, 40), ("58", 182, 40))
    ImageDraw.Draw(picture).rectangle((140, 46, 172, 92), fill=0)
    (number,) = read_picture(model, picture)
    assert number.text == "42?58"
    assert number.digits[2].digit is None


def test_a_digit_that_looks_like_none_is_read_between_others(model, digits, sample):
    """``predict`` would reject these on their own."""
    images = sample.test.images
    doubtful = np.argsort(-ood_scores(images))[1:8].tolist()  # the first is hardly a digit
    read = 0
    for index in doubtful:
        sheet = np.zeros((150, 400), np.uint8)
        for place, image in enumerate([digits[4], digits[2], images[index], digits[5], digits[8]]):
            digit = Image.fromarray(image.reshape(28, 28)).resize((56, 56))
            sheet[40:96, 40 + 46 * place : 96 + 46 * place] |= np.asarray(digit)
        (number,) = read_picture(model, Image.fromarray(255 - sheet))
        read += number.text == f"42{sample.test.labels[index]}58"
    assert read >= len(doubtful) - 2


def test_a_number_of_digits_that_touch_is_less_probable_than_its_digits(model, page):
    (apart,) = read_picture(model, page(("385", 60, 200)))
    (touching,) = read_picture(model, page(("385", 60, 200), pitch=33))
    assert apart.text == touching.text == "385"
    for number in (apart, touching):
        of_digits = np.prod([digit.probability for digit in number.digits])
        assert number.probability <= of_digits
    assert touching.probability < np.prod([digit.probability for digit in touching.digits])


def test_digits_that_touch_are_read(model, page):
    (number,) = read_picture(model, page(("3850", 60, 200), pitch=33))
    assert number.text == "3850"


def test_a_blank_page_has_no_number(model):
    assert read_picture(model, Image.new("RGB", (300, 200), (250, 250, 240))) == ()


def test_letters_are_no_number_but_do_not_hide_one(model, page):
    font = ImageFont.load_default(48)
    words = Image.new("L", (700, 200), 255)
    ImageDraw.Draw(words).text((30, 60), "The quick brown fox", fill=0, font=font)
    assert read_picture(model, words) == ()
    both = page(("385", 330, 60), size=(700, 200))
    ImageDraw.Draw(both).text((30, 60), "Total:", fill=0, font=font)
    assert "".join(texts(read_picture(model, both))) == "385"


def test_a_file_that_is_no_picture_stops_no_other(model, page):
    good = io.BytesIO()
    page(("42", 40, 40)).save(good, "PNG")
    sources = [
        ImageSource(io.BytesIO(b"no picture"), "bad.png"),
        ImageSource(good, "good.png"),
    ]
    bad, reading = read(model, sources, keep_pictures=True)
    assert bad == Reading("bad.png", error="bad.png: not a picture that Pillow can read")
    assert texts(reading.numbers) == ["42"]
    assert reading.picture is not None
    assert reading.picture.size == (600, 400)
