"""The film of a page: pictures of the weights, and confusion matrices."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dlcli.report import film
from dlcli.runs.film import Frame


def frame(epoch: int, weights: float = 0.0, errors: int = 0) -> Frame:
    confusion = np.diag([5, 6]) + errors * (1 - np.eye(2, dtype=np.int64))
    values = np.full((6, 784), weights, np.float16)
    return Frame(epoch, values, confusion if epoch else None)


def test_a_run_has_its_epochs_with_their_accuracy(entry):
    made = film.of_run(entry.frames, entry.records)
    assert made is not None
    assert [frame["epoch"] for frame in made.frames] == [0, 1, 2, 3, 4]
    assert made.frames[0]["accuracy"] is None
    assert made.frames[0]["confusion"] is None
    last = made.frames[-1]
    assert last["accuracy"] == entry.records[-1].validation_accuracy
    confusion = np.array(last["confusion"])
    assert np.trace(confusion) / confusion.sum() == pytest.approx(last["accuracy"])
    assert (made.neurons, made.side) == (16, 4 * 29 - 1)


def test_all_pictures_share_one_scale():
    made = film.of_run([frame(0, 0.25), frame(1, 1.0), frame(2, -1.0)], [])
    colours = []
    assert made is not None
    for shown in made.frames:
        with Image.open(io.BytesIO(base64.b64decode(shown["picture"]))) as picture:
            assert picture.size == (4 * 29 - 1, 2 * 29 - 1)  # six neurons, four in a row
            colours.append(np.asarray(picture)[14, 14])
    pale, orange, blue = colours
    assert pale.min() > 180
    assert orange[0] > 180 > orange[2]
    assert blue[2] > 120 > blue[0]


def test_the_largest_number_of_errors_and_the_size_are_told():
    made = film.of_run([frame(0), frame(1, errors=7), frame(2, errors=3)], [])
    assert made is not None
    assert made.most_errors == 7
    assert 0 < made.kilobytes < 5


def test_the_start_is_no_epoch():
    made = film.of_run([frame(0), frame(1), frame(2)], [])
    assert made is not None
    assert (made.epochs, made.has_confusion) == (2, True)


def test_without_validation_images_no_confusion_is_shown():
    bare = [Frame(epoch, frame(epoch).weights, None) for epoch in range(2)]
    made = film.of_run(bare, [])
    assert made is not None
    assert not made.has_confusion


@pytest.mark.parametrize("frames", [[], [frame(3)]])
def test_one_epoch_is_no_film(frames):
    assert film.of_run(frames, []) is None
