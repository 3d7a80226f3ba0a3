"""Predictions come in the order of the pictures, whatever is wrong with some of them."""

import io
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits

from dlcli.errors import Terminated
from dlcli.inference import parallel, predictor
from dlcli.inference.sources import ImageSource
from dlcli.runs import checkpoint, lookup
from dlcli.vision import decode, pipeline, rejection
from dlcli.vision.rejection import RejectionReason
from dlcli.vision.test_time_augmentation import FIRST_VARIANTS, tta_variants
from tests.patience import PATIENCE_SECONDS


def blas_threads() -> int:
    """The threads that BLAS would compute with now."""
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


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
def test_predictions_are_those_of_the_network_in_order(model, sample, count):
    pixels = sample.test.images[:count]
    pictures = [picture_of(image, str(index)) for index, image in enumerate(pixels)]
    predictions = list(predictor.predict(model, pictures, raw=False))
    assert [prediction.name for prediction in predictions] == [str(index) for index in range(count)]
    assert all(prediction.error is None for prediction in predictions)
    if count:
        _, expected = model.infer(pixels)
        shares = np.array([prediction.probabilities for prediction in predictions])
        np.testing.assert_allclose(shares, expected, rtol=1e-5)
        np.testing.assert_array_equal([prediction.pixels for prediction in predictions], pixels)


@pytest.mark.parametrize("bad", [[0], [15], [16], [14, 15, 16, 17], range(16), range(0, 150, 2)])
def test_bad_pictures_do_not_stop_the_others(model, sample, bad):
    pictures = [
        broken(str(index)) if index in bad else picture_of(image, str(index))
        for index, image in enumerate(sample.test.images[:150])
    ]
    predictions = list(predictor.predict(model, pictures, raw=False))
    assert [prediction.name for prediction in predictions] == [str(index) for index in range(150)]
    assert [int(prediction.name) for prediction in predictions if prediction.error] == list(bad)
    for index, prediction in enumerate(predictions):
        if index in bad:
            assert (prediction.pixels, prediction.probabilities) == (None, None)
            assert prediction.error == f"{index}: not a picture that Pillow can read"
        else:
            assert (prediction.pixels == sample.test.images[index]).all()


def test_there_may_be_nothing_but_bad_pictures(model):
    predictions = list(predictor.predict(model, [broken("a"), broken("b")], raw=False))
    assert [prediction.name for prediction in predictions if prediction.error] == ["a", "b"]


def test_what_could_not_be_found_keeps_its_position(model, sample):
    pictures = [
        picture_of(sample.test.images[0], "a"),
        ImageSource(Path("b"), "b", "b: holds no pictures"),
        picture_of(sample.test.images[1], "c"),
    ]
    predictions = list(predictor.predict(model, pictures, raw=False))
    assert [prediction.error for prediction in predictions] == [None, "b: holds no pictures", None]


def test_pictures_are_read_as_predictions_are_asked_for(model, sample, monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", 60)  # however busy the machine is
    read = []

    def pictures():
        for index in range(1000):
            read.append(index)
            yield picture_of(sample.test.images[index], str(index))

    predictions = predictor.predict(model, pictures(), raw=False)
    ahead = [len(read) - number for number, _ in enumerate(predictions)]
    assert ahead[:4] == [1, 1, 1, 1]
    assert max(ahead) <= parallel._MAX_BATCH * 5
    assert max(ahead[:100]) <= 50


@pytest.mark.parametrize("dark_on_light", [False, True])
def test_raw_pictures_are_not_preprocessed(model, sample, dark_on_light):
    pixels = np.roll(sample.test.images[0], 5)
    seen = 255 - pixels if dark_on_light else pixels
    (prediction,) = predictor.predict(model, [picture_of(seen, "x")], raw=True)
    assert (prediction.pixels == seen).all()


def test_a_model_of_something_else_than_digits_needs_no_preprocessing(
    model_without_preprocessing, sample
):
    seen = 255 - np.roll(sample.test.images[0], 5)
    (prediction,) = predictor.predict(
        model_without_preprocessing, [picture_of(seen, "x")], raw=False
    )
    assert (prediction.pixels == seen).all()


@pytest.mark.parametrize("raw", [False, True])
def test_pictures_of_another_size_need_preprocessing(model_without_preprocessing, raw):
    file = io.BytesIO()
    Image.new("L", (30, 28)).save(file, "PNG")
    (prediction,) = predictor.predict(
        model_without_preprocessing, [ImageSource(file, "x")], raw=raw
    )
    assert prediction.error == "x: 30x28, expected 28x28 for use without preprocessing"


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


def prediction_for(model, page: Image.Image, **options):
    file = io.BytesIO()
    page.save(file, "PNG")
    (prediction,) = predictor.predict(model, [ImageSource(file, "x")], raw=False, **options)
    return prediction


@pytest.mark.parametrize(("sure", "number"), [(0, FIRST_VARIANTS), (1, 46)])
def test_the_prediction_is_the_mean_over_the_first_variants_or_over_all_if_it_is_doubtful(
    trained, monkeypatch, sure, number
):
    monkeypatch.setattr(predictor, "SURE_PROBABILITY", sure)
    prediction = prediction_for(trained, ONE)
    assert (prediction.pixels == pipeline.preprocess(ONE, "x").pixels).all()
    _, expected = trained.infer(tta_variants(prediction.pixels)[:number])
    np.testing.assert_allclose(prediction.probabilities, expected.mean(axis=0), rtol=1e-5)
    assert prediction.probabilities.argmax() == 1
    assert prediction.reason is None


REJECTED = {
    "the picture is blank": page_with(),
    "more than one digit": page_with((90, 50, 110, 250), (190, 50, 210, 250)),
    "not a digit": page_with(
        (60, 50, 80, 250), (140, 50, 160, 250), (220, 50, 240, 250), (60, 50, 240, 70)
    ),
}


@pytest.mark.parametrize("reason", REJECTED)
def test_what_is_not_a_single_digit_is_rejected_with_a_reason(trained, reason):
    prediction = prediction_for(trained, REJECTED[reason])
    assert prediction.reason == reason
    assert prediction.probabilities is prediction.error is None
    assert (prediction.pixels is None) == reason.endswith("blank")


def test_an_ambiguous_prediction_is_rejected(trained, monkeypatch):
    shares = np.full(10, 0.01, np.float32)
    shares[[7, 3]] = 0.2, 0.19

    def infer(_model, variants):
        return None, np.tile(shares, (len(variants), 1))

    monkeypatch.setattr(checkpoint.Model, "infer", infer)
    prediction = prediction_for(trained, ONE)
    assert prediction.reason == "ambiguous: 7 or 3"
    assert prediction.rejection == RejectionReason.AMBIGUOUS


@pytest.mark.parametrize(("side", "is_read"), [(8, True), (9, False)])
def test_digits_of_few_pixels_are_rejected_less_often(trained, monkeypatch, side, is_read):
    score = (rejection.REJECTION_THRESHOLD + rejection.FEW_PIXELS_THRESHOLD) / 2
    scores, sure = np.full(11, score), np.eye(10, dtype=np.float32)[1]
    network = SimpleNamespace(infer=lambda images: (None, np.tile(scores, (len(images), 1))))
    monkeypatch.setattr(rejection, "network", lambda: network)
    monkeypatch.setattr(checkpoint.Model, "infer", lambda _, v: (None, np.tile(sure, (len(v), 1))))
    picture = Image.new("L", (14, 14), "white")
    picture.paste("black", (6, 1, 7, 1 + side))
    prediction = prediction_for(trained, picture)
    assert prediction.box == (5, 0, 8, side + 2)  # with its soft edges
    assert prediction.rejection == (None if is_read else RejectionReason.NOT_A_DIGIT)


def test_a_trace_is_kept_if_asked_for(trained):
    assert prediction_for(trained, ONE).trace is None
    trace = prediction_for(trained, ONE, explain=True).trace
    assert trace.picture.size == (300, 300)
    np.testing.assert_allclose(trace.box, (140, 50, 160, 250), atol=2)
    assert trace.foreground.max() > 200


def test_a_prediction_says_where_the_digit_is_unless_it_was_not_searched(trained, sample):
    np.testing.assert_allclose(prediction_for(trained, ONE).box, (140, 50, 160, 250), atol=2)
    as_it_is = Image.fromarray(sample.test.images[0].reshape(28, 28))
    assert prediction_for(trained, as_it_is).box is None
    assert prediction_for(trained, page_with()).box is None


def test_slow_pictures_are_read_in_threads_and_predicted_in_order(trained, monkeypatch):
    readers = set()

    def slow_read(source, name):
        readers.add(threading.current_thread().name)
        time.sleep(0.002)
        return [(name, ONE if int(name) % 3 else Image.new("L", (50, 50)))]

    monkeypatch.setattr(predictor, "read_pages", slow_read)
    pictures = [ImageSource(Path("x"), str(number)) for number in range(60)]
    predictions = list(predictor.predict(trained, pictures, raw=False))
    assert [prediction.name for prediction in predictions] == [str(number) for number in range(60)]
    assert [bool(prediction.reason) for prediction in predictions] == [not n % 3 for n in range(60)]
    assert any(reader.startswith("pictures") for reader in readers)


def test_a_single_thread_can_be_asked_for(trained, monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", 0)
    pictures = [picture_of(np.zeros(784, np.uint8), str(number)) for number in range(40)]
    for _ in predictor.predict(trained, pictures, raw=False, threads=1):
        assert not [t for t in threading.enumerate() if t.name.startswith("pictures")]


@pytest.mark.parametrize("seconds", [0, 0.002])
def test_the_first_picture_is_predicted_before_the_second_is_read(trained, monkeypatch, seconds):
    read = decode.read_pages
    done = []

    def slow_read(source, name):
        time.sleep(seconds)
        done.append(name)
        return read(source, name)

    monkeypatch.setattr(predictor, "read_pages", slow_read)
    pictures = (picture_of(np.zeros(784, np.uint8), str(number)) for number in range(5))
    assert next(predictor.predict(trained, pictures, raw=False)).name == "0"
    assert done == ["0"]


def test_leaving_early_leaves_no_threads_behind(trained, monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", 0)
    pictures = (picture_of(np.zeros(784, np.uint8), str(number)) for number in range(1000))
    predictions = predictor.predict(trained, pictures, raw=False)
    for _ in range(40):
        next(predictions)
    assert [t for t in threading.enumerate() if t.name.startswith("pictures")]
    assert isinstance(predictions, Generator)
    predictions.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("pictures")]


@pytest.mark.parametrize("worth_threads", [0, 1])
def test_before_a_pause_everything_is_predicted(model, sample, monkeypatch, worth_threads):
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", worth_threads)
    asked = []

    def pictures():
        for number in range(60):
            if number in {0, 1, 5, 40}:
                yield None
            asked.append(number)
            yield picture_of(sample.test.images[number], str(number))

    predictions = predictor.predict(model, pictures(), raw=False)
    for number in range(60):
        assert next(predictions).name == str(number)
        if number in {0, 4, 39}:
            assert asked[-1] == number
    assert next(predictions, None) is None


def test_termination_does_not_wait_for_a_blocked_read(trained, monkeypatch):
    go_on = threading.Event()

    def read(source, name):
        if name == "3":
            go_on.wait(PATIENCE_SECONDS)
        return [(name, ONE)]

    def pictures():
        for number in range(6):
            yield ImageSource(Path("x"), str(number))
        raise Terminated("terminated")

    monkeypatch.setattr(predictor, "read_pages", read)
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", 0)
    with pytest.raises(Terminated):
        list(predictor.predict(trained, pictures(), raw=False, threads=4))
    assert [t for t in threading.enumerate() if t.name.startswith("pictures")]
    go_on.set()


@pytest.mark.parametrize("worth_threads", [0, 60])
def test_what_nobody_reads_is_only_decoded(trained, monkeypatch, worth_threads):
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", worth_threads)
    preprocessed = []

    def preprocess(image, name, *, explain):
        preprocessed.append(name)
        return pipeline.take_as_is(image, name, explain=explain)

    monkeypatch.setattr(pipeline, "preprocess", preprocess)
    blank = np.zeros(784, np.uint8)
    pictures = [
        picture_of(blank, "a"),
        *[picture_of(blank, str(n)) for n in range(60)],
        broken("z"),
    ]
    unread: list[bool] = []
    predictions = predictor.predict(trained, pictures, raw=False, is_unread=lambda: bool(unread))
    next(predictions)
    unread.append(True)
    assert [prediction.name for prediction in predictions if prediction.error] == ["z"]
    assert len(preprocessed) < 40


def test_while_threads_read_pictures_blas_computes_with_one(trained, monkeypatch):
    """Also where it would use several: as many as the cores."""
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", 0)
    used = []

    def read(source, name):
        used.append(blas_threads())
        return [(name, ONE)]

    monkeypatch.setattr(predictor, "read_pages", read)
    pictures = [ImageSource(Path("x"), str(number)) for number in range(20)]
    with threadpool_limits(3, "blas"):
        assert blas_threads() == 3
        assert len(list(predictor.predict(trained, pictures, raw=False, threads=2))) == 20
        assert blas_threads() == 3
    assert used == [3, *[1] * 19]  # the first is read alone, to see how long it takes


@pytest.mark.parametrize("worth_threads", [0, 60])
def test_the_network_is_shown_many_pictures_at_once(trained, sample, monkeypatch, worth_threads):
    """More and more of them, so that the first predictions appear at once."""
    monkeypatch.setattr(parallel, "_MIN_SECONDS_FOR_THREADS", worth_threads)
    monkeypatch.setattr(parallel, "_MAX_BATCH_SECONDS", 1e9)  # however busy the machine is
    batches = []
    infer = checkpoint.Model.infer

    def counting(model, variants):
        batches.append(len(variants))
        return infer(model, variants)

    monkeypatch.setattr(checkpoint.Model, "infer", counting)
    images = sample.test.images[:300]
    pictures = [picture_of(image, str(number)) for number, image in enumerate(images)]
    predictions = list(predictor.predict(trained, pictures, raw=False, threads=2))
    assert [prediction.name for prediction in predictions] == [str(number) for number in range(300)]
    assert sum(batches) == 300
    assert batches[:4] == [1, 1, 1, 1]
    assert max(batches) > 50
