"""Small pictures show what they are made of."""

import base64
import io

import numpy as np
from PIL import Image

from dlcli.report import thumbnails


def decoded(encoded: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_digit_is_dark_on_white(sample):
    image = sample.test.images[0]
    picture = decoded(thumbnails.digit(image))
    assert np.abs(picture - (255.0 - image.reshape(28, 28, 1))).max() <= 8.5  # 16 shades


def test_weights_are_orange_above_zero_and_blue_below():
    values = np.zeros(784)
    values[0], values[1] = 0.5, -0.5
    picture = decoded(thumbnails.weights(values))
    red, blue = picture[..., 0], picture[..., 2]
    assert red[0, 0] > blue[0, 0] + 100
    assert blue[0, 1] > red[0, 1] + 100
    assert abs(red - blue)[1:].max() < 10


def test_no_weights_at_all_are_a_blank_picture():
    assert len(np.unique(decoded(thumbnails.weights(np.zeros(784))).reshape(-1, 3), axis=0)) == 1
