"""Signs on a plain ground are scaled and centred by their box alone."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dlcli.vision import plain
from dlcli.vision.rejection import RejectionReason


def picture(*, ground=230, ink=20, size=(120, 90), box=(30, 20, 49, 79)) -> Image.Image:
    made = Image.new("L", size, ground)
    ImageDraw.Draw(made).rectangle(box, fill=ink)
    return made


@pytest.mark.parametrize(("ground", "ink"), [(230, 20), (0, 255), (200, 150), (40, 90)])
def test_any_sign_becomes_light_on_dark_and_20_pixels_long(ground, ink):
    found = plain.prepare(picture(ground=ground, ink=ink), "a.png")
    assert found.pixels is not None
    assert found.variants is not None
    image = found.pixels.reshape(28, 28)
    assert image.max() == 255
    rows, columns = (np.flatnonzero(image.max(axis=axis) > 127) for axis in (1, 0))
    assert (rows[0], rows[-1], len(rows)) == (4, 23, 20)
    assert 6 <= len(columns) <= 8
    assert found.rejection is None
    assert len(found.variants) == 1


def test_the_box_lies_in_the_pixels_of_the_picture():
    assert plain.prepare(picture(), "a.png").box == (30, 20, 50, 80)


def test_an_image_of_this_kind_stays_as_it_is():
    once = plain.prepare(picture(), "a.png").pixels
    assert once is not None
    twice = plain.prepare(Image.fromarray(once.reshape(28, 28)), "a.png").pixels
    assert twice is not None
    assert np.array_equal(once, twice)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_colour_is_blank(level):
    found = plain.prepare(Image.new("L", (50, 50), level), "a.png")
    assert (found.pixels, found.rejection) == (None, RejectionReason.BLANK)


def test_several_parts_are_one_sign():
    made = picture()
    ImageDraw.Draw(made).rectangle((30, 5, 49, 10), fill=20)
    assert plain.prepare(made, "a.png").box == (30, 5, 50, 80)


def test_the_steps_can_be_shown():
    trace = plain.prepare(picture(), "a.png", explain=True).trace
    assert trace is not None
    assert trace.foreground is not None
    assert trace.box == (30, 20, 50, 80)
    assert trace.foreground.shape == (90, 120)
