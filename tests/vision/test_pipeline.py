"""Images of MNIST stay as they are; any other picture of a digit is brought to their format."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcli.data import idx
from dlcli.data.registry import FILES
from dlcli.errors import ImageError
from dlcli.vision import decode, pipeline, preview, rejection


def is_unchanged(pixels, picture: Image.Image) -> bool:
    return (pipeline.preprocess(picture, "x").pixels == pixels).all()


def square(pixels) -> np.ndarray:
    return pixels.reshape(28, 28)


def preprocessed(picture: Image.Image) -> np.ndarray:
    return square(pipeline.preprocess(picture, "x").pixels)


def through_file(picture: Image.Image, kind: str, **options) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return decode.read_image(file, "x")


def length(pixels) -> int:
    """The longer side of the box around all ink."""
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    return int(max(np.ptp(rows), np.ptp(columns))) + 1


def distance_from_centre(pixels) -> float:
    """How far the centre of mass is from pixel 14, along the axis where it is farther."""
    row, column = (np.indices(pixels.shape) * pixels).sum(axis=(1, 2)) / pixels.sum()
    return max(abs(row - 14), abs(column - 14))


@pytest.fixture(scope="module")
def every_sample_image(sample) -> np.ndarray:
    return np.concatenate([sample.train.images, sample.test.images])


def test_the_samples_images_are_unchanged_by_a_png_file(every_sample_image):
    changed = [
        index
        for index, pixels in enumerate(every_sample_image)
        if not is_unchanged(
            pixels, through_file(Image.fromarray(square(pixels)), "PNG", compress_level=0)
        )
    ]
    assert len(every_sample_image) == 12_000
    assert changed == []


def test_the_samples_images_dark_on_light_give_the_same_pixels(every_sample_image):
    changed = [
        index
        for index, pixels in enumerate(every_sample_image)
        if not is_unchanged(pixels, Image.fromarray(255 - square(pixels)))
    ]
    assert changed == []


@pytest.mark.parametrize(("file", "count"), [(FILES[0], 60_000), (FILES[2], 10_000)])
def test_every_image_of_mnist_passes_unchanged(file, count, mnist_dir, long):
    """Without ``--long``, every sixth one of the training images."""
    content = idx.read_file(idx.find(mnist_dir, file))
    full = idx.parse_images(content, file)
    changed = [
        index
        for index in range(0, count, 1 if long else count // 10_000)
        if not is_unchanged(full[index], Image.fromarray(square(full[index])))
    ]
    assert len(full) == count
    assert changed == []


@pytest.mark.parametrize("dark_on_light", [False, True])
@pytest.mark.parametrize("scale", range(2, 21))
def test_a_digit_anywhere_on_a_larger_page_is_recentred(sample, scale, dark_on_light):
    random = np.random.default_rng(scale)
    for pixels in sample.test.images[scale::200]:
        side = 28 * scale
        digit = Image.fromarray(square(pixels)).resize((side, side), Image.Resampling.BICUBIC)
        page = Image.new("L", tuple((side + random.integers(1, 2 * side, 2)).tolist()), 0)
        page.paste(digit, tuple(random.integers(0, np.array(page.size) - side).tolist()))
        if dark_on_light:
            page = page.point(lambda level: 255 - level)
        found = preprocessed(page)
        assert distance_from_centre(found) <= 0.6
        assert length(found) == 20
        assert found[[0, -1]].max() == found[:, [0, -1]].max() == 0
        assert found.max() == 255
        # The same digit, not merely some digit: it looks like the one it was made from.
        assert np.corrcoef(found.reshape(-1), pixels)[0, 1] > 0.6


@pytest.mark.parametrize(("ink", "paper"), [(90, 200), (200, 90), (0, 40), (255, 215), (110, 150)])
def test_weak_contrast_is_made_full(page, ink, paper):
    faint = Image.fromarray(np.where(np.asarray(page), paper, ink).astype(np.uint8))
    assert np.abs(preprocessed(faint) - preprocessed(page).astype(int)).max() <= 8


def test_an_extended_digit_at_the_edge_of_the_page_is_centred():
    page = Image.new("L", (60, 60), 255)
    page.paste(0, (1, 1, 10, 31))
    assert length(preprocessed(page)) == 20
    assert distance_from_centre(preprocessed(page)) <= 0.6


def test_a_digit_with_a_long_foot_stays_whole():
    page = Image.new("L", (100, 100), 255)
    page.paste(0, (48, 10, 54, 60))
    page.paste(0, (30, 60, 72, 68))
    found = preprocessed(page)
    assert length(found) == 20
    assert found.sum() / 255 == pytest.approx((50 * 6 + 42 * 8) / 2.9**2, rel=0.06)


@pytest.fixture(scope="module")
def page(sample) -> Image.Image:
    """A page with a 7 of pure black on pure white: every kind of picture can hold it exactly."""
    digit = Image.fromarray(square(sample.test.images[0])).resize((140, 140))
    white = Image.new("L", (200, 180), 255)
    white.paste(0, (20, 30), digit.point(lambda level: 255 * (level > 127)))
    return white


def speckled(size, level: int, by: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(-by, by + 1, size)
    return Image.fromarray((level + noise).astype(np.uint8))


def with_a_faint_dot() -> Image.Image:
    picture = Image.new("L", (28, 28), 0)
    picture.putpixel((14, 14), 9)
    return picture


@pytest.mark.parametrize(
    "blank",
    [
        Image.new("L", (28, 28), 0),
        Image.new("L", (28, 28), 255),
        Image.new("L", (28, 28), 10),
        Image.new("L", (28, 28), 128),
        Image.new("L", (200, 100), 255),
        Image.new("L", (200, 100), 0),
        Image.new("1", (64, 64), 1),
        Image.new("RGB", (64, 64), (200, 180, 140)),
        Image.new("RGBA", (64, 64), (0, 0, 0, 0)),
        Image.new("RGBA", (64, 64), (255, 255, 255, 0)),
        Image.new("RGBA", (64, 64), (255, 255, 255, 255)),
        Image.new("LA", (64, 64), (90, 0)),
        Image.new("I;16", (64, 64), 40000),
        Image.new("F", (64, 64), 0.5),
        Image.new("F", (64, 64), float("nan")),
        Image.new("L", (1, 1), 77),
        Image.new("L", (1, 500), 77),
        Image.new("L", (500, 1), 77),
        with_a_faint_dot(),
    ],
    ids=lambda picture: (
        f"{picture.mode}-{picture.width}x{picture.height}-{picture.getpixel((0, 0))}"
    ),
)
def test_a_picture_without_foreground_is_blank(blank):
    found = pipeline.preprocess(blank, "scan.png")
    assert found.pixels is None
    assert found.rejection == "the picture is blank"


@pytest.mark.parametrize("specks", [speckled((60, 60), 240, 8), speckled((28, 28), 9, 9)])
def test_noise_is_not_a_digit(specks):
    found = pipeline.preprocess(specks, "x")
    assert found.rejection is not None or (found.ood_score or 0) > rejection.REJECTION_THRESHOLD


@pytest.mark.parametrize(
    ("size", "ink"),
    [
        ((1, 90), (0, 30, 1, 60)),
        ((90, 1), (30, 0, 60, 1)),
        ((9, 9), (3, 1, 5, 8)),
    ],
)
def test_extreme_shapes_are_scaled_and_thickened_like_others(size, ink):
    picture = Image.new("L", size, 255)
    picture.paste(0, ink)
    found = preprocessed(picture)
    assert length(found) == 20
    assert distance_from_centre(found) <= 0.6
    wide, high = ink[2] - ink[0], ink[3] - ink[1]
    rows, columns = (found > 100).any(axis=1).sum(), (found > 100).any(axis=0).sum()
    assert (rows >= columns, columns >= rows) == (high >= wide, wide >= high)
    assert min(rows, columns) < 10


def test_raw_pixels_are_taken_as_they_are(sample):
    upside = 255 - sample.test.images[3]
    assert (pipeline.take_as_is(Image.fromarray(square(upside)), "x").pixels == upside).all()


@pytest.mark.parametrize("size", [(27, 28), (28, 29), (56, 56), (1, 784)])
def test_raw_pictures_of_other_sizes_are_refused(size):
    with pytest.raises(ImageError, match=rf"^scan\.png: {size[0]}x{size[1]}, expected 28x28"):
        pipeline.take_as_is(Image.new("L", size), "scan.png")


def test_written_pixels_are_read_again(sample, tmp_path):
    preview.write_image(sample.test.images[0], tmp_path / "seven.png")
    again = decode.read_image(tmp_path / "seven.png", "seven.png")
    assert again.size == (28, 28)
    assert (pipeline.take_as_is(again, "x").pixels == sample.test.images[0]).all()


@pytest.mark.parametrize("size", [(34, 400), (60, 900), (100, 1000), (130, 1900)])
def test_a_digit_far_down_a_strip_is_found(sample, size):
    digit = Image.fromarray(255 - square(sample.test.images[0])).crop((4, 4, 24, 24))
    strip = Image.new("L", size, 255)
    strip.paste(digit.resize((size[0] - 6,) * 2), (3, size[1] - size[0] - 20))
    for turned in (strip, strip.rotate(90, expand=True).rotate(-90, expand=True)):
        found = preprocessed(turned)
        assert np.corrcoef(found.reshape(-1), sample.test.images[0])[0, 1] > 0.75


_MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I", "F", "I;16"]


@given(
    mode=st.sampled_from(_MODES),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40))
    | st.tuples(st.integers(1, 4), st.integers(1, 2600))
    | st.tuples(st.integers(1, 2600), st.integers(1, 4)),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=150)
def test_any_picture_is_preprocessed_and_drawn(tmp_path_factory, mode, size, seed):
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    if seed % 3:
        levels //= 200  # mostly paper
        levels *= 255
    picture = Image.fromarray(levels)
    if mode == "F" and seed % 2:
        numbers = levels.astype(np.float32)
        numbers[0, 0] = random.choice([np.nan, np.inf, -np.inf, -1e38])
        picture = Image.fromarray(numbers)
    elif mode != "L":
        picture = picture.convert("RGB").convert(mode) if mode == "HSV" else picture.convert(mode)
    found = pipeline.preprocess(picture, "x", explain=True)
    assert (found.pixels is None) <= (found.rejection is not None)
    assert found.trace is not None
    preview.write_preview(
        found.trace, found.pixels, "?", tmp_path_factory.getbasetemp() / "preview.png"
    )


def test_a_trace_shows_where_the_digit_is():
    page = Image.new("RGB", (1900, 1500), (255, 255, 255))
    page.paste((0, 0, 0), (900, 500, 940, 1000))
    found = pipeline.preprocess(page, "x", explain=True)
    assert found.trace is not None
    assert found.trace.box is not None
    assert found.box is not None
    shown = found.trace.picture
    assert max(shown.size) < 1000  # it is reduced
    scale = shown.width / 1900
    expected = np.multiply((900, 500, 940, 1000), scale)
    np.testing.assert_allclose(found.trace.box, expected, atol=4)
    np.testing.assert_allclose(found.box, (900, 500, 940, 1000), atol=12)
    assert pipeline.preprocess(page, "x").trace is None


def upright_stroke(size: tuple[int, int]) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A page with a dark stroke, and the stroke's box."""
    page = Image.new("L", size, 255)
    width, height = size
    box = (round(0.4 * width), round(0.2 * height), round(0.45 * width), round(0.8 * height))
    page.paste(0, box)
    return page, box


@pytest.mark.parametrize("size", [(600, 450), (1000, 999), (2000, 1500), (3000, 2000)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_box_of_a_large_picture_is_in_its_own_pixels(size, kind):
    page, box = upright_stroke(size)
    found = pipeline.preprocess(through_file(page, kind), "x")
    assert found.box is not None
    np.testing.assert_allclose(found.box, box, atol=size[0] / 120)


def test_the_box_of_a_picture_reduced_while_it_is_decoded_is_in_its_own_pixels(monkeypatch):
    monkeypatch.setattr(decode, "_LARGE_FRACTION", 0)
    page, box = upright_stroke((2000, 1500))
    picture = through_file(page, "PNG")
    assert picture.width < 2000
    found = pipeline.preprocess(picture, "x")
    assert found.box is not None
    np.testing.assert_allclose(found.box, box, atol=14)


@pytest.mark.parametrize("size", [(500, 334), (334, 500), (1500, 1001), (1001, 1500), (999, 1000)])
@pytest.mark.parametrize("orientation", [1, 6])
def test_boxes_end_with_the_picture(size, orientation):
    page = Image.new("L", size, 255)
    right, bottom = size
    left, top = right // 3, bottom // 3
    page.paste(0, (left, top, right, top + 40))
    page.paste(0, (left, top, left + 40, bottom))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = page if orientation == 1 else page.transpose(Image.Transpose.ROTATE_90)
    found = pipeline.preprocess(
        through_file(turned, "PNG", exif=exif), "x", lambda images: np.zeros(len(images))
    )
    assert found.box is not None
    assert found.box[2:] == size


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_the_box_of_a_turned_picture_is_that_of_the_upright_one(kind):
    page, box = upright_stroke((1600, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    turned = through_file(page.transpose(Image.Transpose.ROTATE_90), kind, exif=exif)
    found = pipeline.preprocess(turned, "x")
    assert found.box is not None
    np.testing.assert_allclose(found.box, box, atol=11)


def with_lines(sample, *lines: tuple[int, int, int, int]) -> tuple[Image.Image, np.ndarray]:
    """A dark 5 on a light page of 300x300, with lines, and its pixels in MNIST."""
    pixels = sample.test.images[3]
    page = Image.new("L", (300, 300), 250)
    digit = Image.fromarray(255 - square(pixels)).resize((168, 168), Image.Resampling.BICUBIC)
    page.paste(digit, (66, 66), digit.point(lambda level: 255 * (level < 200)))
    for line in lines:
        page.paste(30, line)
    return page, pixels


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [(70, 226, 230, 230)],  # underlined
        [(40, 206, 260, 210)],  # standing on a line
        [(84, 60, 216, 64), (84, 200, 216, 204), (84, 60, 88, 204), (212, 60, 216, 204)],  # a box
    ],
)
def test_a_digit_is_separated_from_lines_it_is_joined_with(sample, lines):
    page, pixels = with_lines(sample, *lines)
    found = pipeline.preprocess(page, "x")
    assert found.rejection is None
    assert found.pixels is not None
    assert np.corrcoef(found.pixels, pixels)[0, 1] > 0.55


def test_a_page_on_a_dark_desk_is_not_the_digit(sample):
    page, pixels = with_lines(sample)
    desk = Image.new("L", (500, 400), 40)
    desk.paste(page.resize((280, 260)), (100, 70))
    found = pipeline.preprocess(desk.rotate(4, fillcolor=40), "x")
    assert found.rejection is None
    assert found.pixels is not None
    assert np.corrcoef(found.pixels, pixels)[0, 1] > 0.6
