"""Answers come in the order of the pictures, whatever is wrong with some of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli import checkpoints, images, prediction
from dlcli.errors import ImageError
from dlcli.prediction import Picture


@pytest.fixture
def model(make_checkpoint):
    return checkpoints.load(make_checkpoint("model.npz"))


@pytest.fixture
def model_without_preprocessing(make_checkpoint):
    return checkpoints.load(make_checkpoint("none.npz", preprocessing="none"))


def picture_of(pixels, name: str) -> Picture:
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(28, 28)).save(file, "PNG")
    file.seek(0)
    return Picture(file, name)


def broken(name: str) -> Picture:
    return Picture(io.BytesIO(b"no picture"), name)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 150])
def test_pictures_are_answered_in_order_as_the_network_would(model, sample, count):
    pixels = sample.test.images[:count]
    pictures = [picture_of(image, str(index)) for index, image in enumerate(pixels)]
    answers = list(prediction.predict(model, pictures, raw=False))
    assert [answer.name for answer in answers] == [str(index) for index in range(count)]
    assert all(answer.error is None for answer in answers)
    if count:
        _, expected = model.infer(pixels)
        shares = np.stack([answer.probabilities for answer in answers])
        np.testing.assert_allclose(shares, expected, rtol=1e-5)
        assert (np.stack([answer.pixels for answer in answers]) == pixels).all()


@pytest.mark.parametrize("bad", [[0], [63], [64], [62, 63, 64, 65], range(64), range(0, 150, 2)])
def test_bad_pictures_do_not_stop_the_others(model, sample, bad):
    pictures = [
        broken(str(index)) if index in bad else picture_of(image, str(index))
        for index, image in enumerate(sample.test.images[:150])
    ]
    answers = list(prediction.predict(model, pictures, raw=False))
    assert [answer.name for answer in answers] == [str(index) for index in range(150)]
    assert [int(answer.name) for answer in answers if answer.error] == list(bad)
    for index, answer in enumerate(answers):
        if index in bad:
            assert answer.pixels is answer.probabilities is None
            assert answer.error == f"{index}: not a picture that Pillow can read"
        else:
            assert (answer.pixels == sample.test.images[index]).all()


def test_nothing_but_bad_pictures_is_answered_too(model):
    answers = list(prediction.predict(model, [broken("a"), broken("b")], raw=False))
    assert [answer.name for answer in answers if answer.error] == ["a", "b"]


def test_what_could_not_be_found_keeps_its_place(model, sample):
    pictures = [
        picture_of(sample.test.images[0], "a"),
        Picture(Path("b"), "b", "b: holds no pictures"),
        picture_of(sample.test.images[1], "c"),
    ]
    answers = list(prediction.predict(model, pictures, raw=False))
    assert [answer.error for answer in answers] == [None, "b: holds no pictures", None]


def test_pictures_are_read_as_answers_are_asked_for(model, sample):
    read = []

    def pictures():
        for index in range(1000):
            read.append(index)
            yield picture_of(sample.test.images[index], str(index))

    answers = prediction.predict(model, pictures(), raw=False)
    assert next(answers).name == "0"
    assert len(read) == 64


@pytest.mark.parametrize("dark_on_light", [False, True])
def test_raw_pictures_are_seen_as_they_are(model, sample, dark_on_light):
    pixels = np.roll(sample.test.images[0], 5)
    seen = 255 - pixels if dark_on_light else pixels
    (answer,) = prediction.predict(model, [picture_of(seen, "x")], raw=True)
    assert (answer.pixels == seen).all()


def test_a_model_trained_on_other_things_than_digits_sees_pictures_as_they_are(
    model_without_preprocessing, sample
):
    seen = 255 - np.roll(sample.test.images[0], 5)
    (answer,) = prediction.predict(model_without_preprocessing, [picture_of(seen, "x")], raw=False)
    assert (answer.pixels == seen).all()


@pytest.mark.parametrize("raw", [False, True])
def test_pictures_of_another_size_need_preprocessing(model_without_preprocessing, raw):
    file = io.BytesIO()
    Image.new("L", (30, 28)).save(file, "PNG")
    (answer,) = prediction.predict(model_without_preprocessing, [Picture(file, "x")], raw=raw)
    assert answer.error == "x: 30x28, expected 28x28 for use without preprocessing"


def test_the_pixels_an_answer_shows_are_those_the_network_saw(model, sample):
    page = Image.new("L", (300, 300), 255)
    page.paste(0, (100, 50, 130, 250))
    file = io.BytesIO()
    page.save(file, "PNG")
    (answer,) = prediction.predict(model, [Picture(file, "x")], raw=False)
    assert (answer.pixels == images.prepare(page, "x")).all()
    _, expected = model.infer(answer.pixels[np.newaxis])
    np.testing.assert_array_equal(answer.probabilities, expected[0])


def test_a_folder_is_searched_in_order_for_pictures_alone(tmp_path):
    names = [
        "b.png",
        "a.PNG",
        "c.jpeg",
        "d.tif",
        "sub/deeper/z.webp",
        "sub/a.gif",
        "another/x.bmp",
        ".hidden.png",
        ".cache/thumbnail.png",
        "sub/.cache/thumbnail.png",
        "notes.txt",
        "scan.pdf",
        "png",
        "no_suffix",
        "b.png.bak",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in prediction.find_pictures(tmp_path)]
    assert found == [
        "a.PNG",
        "b.png",
        "c.jpeg",
        "d.tif",
        "another/x.bmp",
        "sub/a.gif",
        "sub/deeper/z.webp",
    ]


def test_a_hidden_folder_is_searched_if_it_is_named(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").touch()
    assert list(prediction.find_pictures(tmp_path / ".cache")) == [tmp_path / ".cache" / "a.png"]


@pytest.mark.parametrize("content", [[], ["notes.txt"], [".hidden.png"], ["sub/notes.txt"]])
def test_a_folder_without_pictures_is_an_error(tmp_path, content):
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in content:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(ImageError, match=r"scans: holds no pictures$"):
        list(prediction.find_pictures(folder))


def test_a_folder_that_cannot_be_looked_into_is_an_error_after_the_pictures(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    (tmp_path / "locked").mkdir()
    scandir = prediction.os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(prediction.os, "scandir", refuse)
    found = prediction.find_pictures(tmp_path)
    assert next(found) == tmp_path / "a.png"
    with pytest.raises(ImageError, match=r"locked: cannot be read: Permission denied$"):
        next(found)
