"""Answers come in the order of the pictures, whatever is wrong with some of them."""

import io
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.errors import Terminated
from dlcli.inference import predictor
from dlcli.inference.sources import ImageSource
from dlcli.runs import checkpoint, lookup
from dlcli.vision import augmentation, pipeline
from dlcli.vision.rejection import RejectionReason


@pytest.fixture
def model(make_checkpoint):
    return checkpoint.load(make_checkpoint("model.npz"))


@pytest.fixture
def model_without_preprocessing(make_checkpoint):
    return checkpoint.load(make_checkpoint("none.npz", preprocessing="none"))


def picture_of(pixels, name: str) -> ImageSource:
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(28, 28)).save(file, "PNG")
    file.seek(0)
    return ImageSource(file, name)


def broken(name: str) -> ImageSource:
    return ImageSource(io.BytesIO(b"no picture"), name)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 150])
def test_pictures_are_answered_in_order_as_the_network_would(model, sample, count):
    pixels = sample.test.images[:count]
    pictures = [picture_of(image, str(index)) for index, image in enumerate(pixels)]
    answers = list(predictor.predict(model, pictures, raw=False))
    assert [answer.name for answer in answers] == [str(index) for index in range(count)]
    assert all(answer.error is None for answer in answers)
    if count:
        _, expected = model.infer(pixels)
        shares = np.stack([answer.probabilities for answer in answers])
        np.testing.assert_allclose(shares, expected, rtol=1e-5)
        assert (np.stack([answer.pixels for answer in answers]) == pixels).all()


@pytest.mark.parametrize("bad", [[0], [15], [16], [14, 15, 16, 17], range(16), range(0, 150, 2)])
def test_bad_pictures_do_not_stop_the_others(model, sample, bad):
    pictures = [
        broken(str(index)) if index in bad else picture_of(image, str(index))
        for index, image in enumerate(sample.test.images[:150])
    ]
    answers = list(predictor.predict(model, pictures, raw=False))
    assert [answer.name for answer in answers] == [str(index) for index in range(150)]
    assert [int(answer.name) for answer in answers if answer.error] == list(bad)
    for index, answer in enumerate(answers):
        if index in bad:
            assert answer.pixels is answer.probabilities is None
            assert answer.error == f"{index}: not a picture that Pillow can read"
        else:
            assert (answer.pixels == sample.test.images[index]).all()


def test_nothing_but_bad_pictures_is_answered_too(model):
    answers = list(predictor.predict(model, [broken("a"), broken("b")], raw=False))
    assert [answer.name for answer in answers if answer.error] == ["a", "b"]


def test_what_could_not_be_found_keeps_its_place(model, sample):
    pictures = [
        picture_of(sample.test.images[0], "a"),
        ImageSource(Path("b"), "b", "b: holds no pictures"),
        picture_of(sample.test.images[1], "c"),
    ]
    answers = list(predictor.predict(model, pictures, raw=False))
    assert [answer.error for answer in answers] == [None, "b: holds no pictures", None]


def test_pictures_are_read_as_answers_are_asked_for(model, sample, monkeypatch):
    monkeypatch.setattr(predictor, "_MIN_SECONDS_FOR_THREADS", 60)  # however busy the machine is
    read = []

    def pictures():
        for index in range(1000):
            read.append(index)
            yield picture_of(sample.test.images[index], str(index))

    answers = predictor.predict(model, pictures(), raw=False)
    for number, count in enumerate([1, *[17] * 16, 33]):
        assert next(answers).name == str(number)
        assert len(read) == count


@pytest.mark.parametrize("dark_on_light", [False, True])
def test_raw_pictures_are_seen_as_they_are(model, sample, dark_on_light):
    pixels = np.roll(sample.test.images[0], 5)
    seen = 255 - pixels if dark_on_light else pixels
    (answer,) = predictor.predict(model, [picture_of(seen, "x")], raw=True)
    assert (answer.pixels == seen).all()


def test_a_model_trained_on_other_things_than_digits_sees_pictures_as_they_are(
    model_without_preprocessing, sample
):
    seen = 255 - np.roll(sample.test.images[0], 5)
    (answer,) = predictor.predict(model_without_preprocessing, [picture_of(seen, "x")], raw=False)
    assert (answer.pixels == seen).all()


@pytest.mark.parametrize("raw", [False, True])
def test_pictures_of_another_size_need_preprocessing(model_without_preprocessing, raw):
    file = io.BytesIO()
    Image.new("L", (30, 28)).save(file, "PNG")
    (answer,) = predictor.predict(model_without_preprocessing, [ImageSource(file, "x")], raw=raw)
    assert answer.error == "x: 30x28, expected 28x28 for use without preprocessing"


@pytest.fixture(scope="module")
def trained(trained_model):
    return lookup.load_named(str(trained_model))


def page_with(*boxes: tuple[int, int, int, int]) -> Image.Image:
    """Black boxes on white."""
    page = Image.new("L", (300, 300), 255)
    for box in boxes:
        page.paste(0, box)
    return page


ONE = page_with((140, 50, 160, 250))


def answer_to(model, page: Image.Image, **options):
    file = io.BytesIO()
    page.save(file, "PNG")
    (answer,) = predictor.predict(model, [ImageSource(file, "x")], raw=False, **options)
    return answer


def test_a_picture_that_needs_preparation_is_shown_several_times(trained):
    answer = answer_to(trained, ONE)
    assert (answer.pixels == pipeline.preprocess(ONE, "x").pixels).all()
    _, expected = trained.infer(augmentation.tta_variants(answer.pixels))
    np.testing.assert_allclose(answer.probabilities, expected.mean(axis=0), rtol=1e-5)
    assert answer.probabilities.argmax() == 1
    assert answer.reason is None


DOUBTFUL = {
    "the picture is blank": page_with(),
    "a blot or an edge, not pen strokes": page_with((100, 100, 200, 200)),
    "more than one digit": page_with((90, 50, 110, 250), (190, 50, 210, 250)),
    "a drawing, not a digit": page_with(
        *((40 * i, 50, 40 * i + 10, 210) for i in range(1, 6)),
        *((40, 50 + 50 * i, 210, 60 + 50 * i) for i in range(4)),
    ),
    "not a digit": page_with(
        (60, 50, 80, 250), (140, 50, 160, 250), (220, 50, 240, 250), (60, 50, 240, 70)
    ),
}


@pytest.mark.parametrize("doubt", DOUBTFUL)
def test_what_is_no_single_digit_gets_no_answer_but_a_reason(trained, doubt):
    answer = answer_to(trained, DOUBTFUL[doubt])
    assert answer.reason == doubt
    assert answer.probabilities is answer.error is None
    assert (answer.pixels is None) == doubt.endswith("blank")


def test_a_model_that_cannot_decide_gives_no_answer(trained, monkeypatch):
    shares = np.full(10, 0.01, np.float32)
    shares[[7, 3]] = 0.2, 0.19

    def infer(_model, variants):
        return None, np.tile(shares, (len(variants), 1))

    monkeypatch.setattr(checkpoint.Model, "infer", infer)
    answer = answer_to(trained, ONE)
    assert answer.reason == "ambiguous: 7 or 3"
    assert answer.rejection == RejectionReason.AMBIGUOUS


def test_steps_are_kept_if_asked_for(trained):
    assert answer_to(trained, ONE).trace is None
    trace = answer_to(trained, ONE, explain=True).trace
    assert trace.picture.size == (280, 280)
    left, top, right, bottom = trace.crop_box
    assert (left < 140, right > 160, top < 50, bottom > 250) == (True,) * 4
    assert trace.foreground.max() == pytest.approx(1)
    assert trace.strokes.max() == 1


def test_slow_pictures_are_read_in_threads_and_answered_in_order(trained, monkeypatch):
    readers = set()

    def slow_read(source, name):
        readers.add(threading.current_thread().name)
        time.sleep(0.002)
        return ONE if int(name) % 3 else Image.new("L", (50, 50))

    monkeypatch.setattr(predictor, "read_image", slow_read)
    pictures = [ImageSource(Path("x"), str(number)) for number in range(60)]
    answers = list(predictor.predict(trained, pictures, raw=False))
    assert [answer.name for answer in answers] == [str(number) for number in range(60)]
    assert [bool(answer.reason) for answer in answers] == [not n % 3 for n in range(60)]
    assert any(reader.startswith("pictures") for reader in readers)


def test_one_thread_prepares_them_where_only_one_is_wanted(trained, monkeypatch):
    monkeypatch.setattr(predictor, "_MIN_SECONDS_FOR_THREADS", 0)
    pictures = [picture_of(np.zeros(784, np.uint8), str(number)) for number in range(40)]
    for _ in predictor.predict(trained, pictures, raw=False, threads=1):
        assert not [t for t in threading.enumerate() if t.name.startswith("pictures")]


@pytest.mark.parametrize("seconds", [0, 0.002])
def test_the_first_picture_is_answered_before_the_second_is_read(trained, monkeypatch, seconds):
    read = predictor.read_image
    done = []

    def slow_read(source, name):
        time.sleep(seconds)
        done.append(name)
        return read(source, name)

    monkeypatch.setattr(predictor, "read_image", slow_read)
    pictures = (picture_of(np.zeros(784, np.uint8), str(number)) for number in range(5))
    assert next(predictor.predict(trained, pictures, raw=False)).name == "0"
    assert done == ["0"]


def test_leaving_early_leaves_no_threads_behind(trained, monkeypatch):
    monkeypatch.setattr(predictor, "_MIN_SECONDS_FOR_THREADS", 0)
    pictures = (picture_of(np.zeros(784, np.uint8), str(number)) for number in range(1000))
    answers = predictor.predict(trained, pictures, raw=False)
    for _ in range(40):
        next(answers)
    assert [t for t in threading.enumerate() if t.name.startswith("pictures")]
    answers.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("pictures")]


@pytest.mark.parametrize("worth_threads", [0, 1])
def test_before_a_pause_everything_is_answered(model, sample, monkeypatch, worth_threads):
    monkeypatch.setattr(predictor, "_MIN_SECONDS_FOR_THREADS", worth_threads)
    asked = []

    def pictures():
        for number in range(60):
            if number in {0, 1, 5, 40}:
                yield None
            asked.append(number)
            yield picture_of(sample.test.images[number], str(number))

    answers = predictor.predict(model, pictures(), raw=False)
    for number in range(60):
        assert next(answers).name == str(number)
        if number in {0, 4, 39}:
            assert asked[-1] == number
    assert next(answers, None) is None


def test_who_is_told_to_stop_does_not_wait_for_a_reader(trained, monkeypatch):
    go_on = threading.Event()

    def read(source, name):
        if name == "3":
            go_on.wait(60)
        return ONE

    def pictures():
        for number in range(6):
            yield ImageSource(Path("x"), str(number))
        raise Terminated("terminated")

    monkeypatch.setattr(predictor, "read_image", read)
    monkeypatch.setattr(predictor, "_MIN_SECONDS_FOR_THREADS", 0)
    with pytest.raises(Terminated):
        list(predictor.predict(trained, pictures(), raw=False, threads=4))
    assert [t for t in threading.enumerate() if t.name.startswith("pictures")]
    go_on.set()
