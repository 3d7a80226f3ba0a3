"""Distortions follow the geometry and the settings, and depend on the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.augmentation import Augmentation
from dlcli.data.augmentation import Distortions

ALL = Augmentation(rotation=15, scale=0.15, shear=0.15, shift=2, elastic_alpha=36)


class Extreme:
    """A generator that always draws the same fraction of the largest distortion."""

    def __init__(self, fraction: float = 1.0) -> None:
        self.fraction = fraction

    def uniform(self, low, high, size):
        assert (low, high) == (-1, 1)
        return np.full(size, self.fraction)


def picture(seed: int = 0) -> np.ndarray:
    """Random pixels, with background around them."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[6:22, 6:22] = np.random.default_rng(seed).integers(0, 256, (16, 16))
    return pixels


def distorted(pixels: np.ndarray, random=None, **settings: float) -> np.ndarray:
    random = Extreme() if random is None else random
    found = Distortions(Augmentation(**settings)).apply(pixels.reshape(1, 784), random)
    return found.reshape(28, 28)


def test_without_settings_nothing_changes(sample):
    images = sample.test.images[:600]
    assert (Distortions(Augmentation()).apply(images, np.random.default_rng(0)) == images).all()


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2)])
def test_a_rotation_turns_about_the_centre(degrees, quarters):
    assert (distorted(picture(), rotation=degrees) == np.rot90(picture(), quarters)).all()
    back = distorted(picture(), Extreme(-1), rotation=degrees)
    assert (back == np.rot90(picture(), -quarters)).all()


@pytest.mark.parametrize("pixels", [1, 3, 28])
def test_a_shift_moves_right_and_down(pixels):
    moved = np.zeros((28, 28), np.uint8)
    moved[pixels:, pixels:] = picture()[: 28 - pixels, : 28 - pixels]
    assert (distorted(picture(), shift=pixels) == moved).all()


def test_half_a_pixel_is_the_mean_of_two_by_two():
    levels = picture().astype(float)
    padded = np.pad(levels, ((1, 0), (1, 0)))
    mean = (padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]) / 4
    assert np.abs(distorted(picture(), shift=0.5) - mean).max() <= 0.5


def test_a_scale_changes_width_and_height():
    bar = np.zeros((28, 28), np.uint8)
    bar[9:19, 11:17] = 255
    large = distorted(bar, scale=0.5)
    assert large.sum() / 255 == pytest.approx(10 * 6 * 1.5**2, rel=0.01)
    assert (large > 127).any(axis=1).sum() == pytest.approx(15, abs=1)
    small = distorted(bar, Extreme(-1), scale=0.5)
    assert small.sum() / 255 == pytest.approx(10 * 6 / 4, rel=0.1)


def test_a_shear_slants_and_keeps_rows():
    bar = np.zeros((28, 28), np.uint8)
    bar[4:24, 13:15] = 255
    slanted = distorted(bar, shear=0.5)
    rows, columns = np.nonzero(slanted > 100)
    assert (rows.min(), rows.max()) == (4, 23)
    slope = np.polyfit(rows, columns, 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)
    assert slanted.sum() == pytest.approx(bar.sum(), rel=0.02)


@pytest.mark.parametrize("fraction", [-1, 0, 0.5, 1])
def test_gamma_raises_levels_to_a_power(fraction):
    raised = distorted(picture(), Extreme(fraction), gamma=0.5)
    expected = 255 * (picture() / 255) ** np.exp(0.5 * fraction)
    assert np.abs(raised - expected).max() <= 0.5


def test_gamma_makes_strokes_thinner_and_thicker_and_keeps_their_middle_and_the_background():
    stroke = np.zeros((28, 28), np.uint8)
    stroke[4:24, 12:15] = 100, 255, 100
    thin, thick = (distorted(stroke, Extreme(fraction), gamma=0.5) for fraction in (1, -1))
    assert thin[10, 12] < 100 < thick[10, 12]
    for changed in (thin, thick):
        assert (changed[4:24, 13] == 255).all()
        assert (changed[stroke == 0] == 0).all()


def test_gamma_is_drawn_evenly_and_for_each_image_anew():
    grey = np.full((2000, 784), 128, np.uint8)
    raised = Distortions(Augmentation(gamma=0.5)).apply(grey, np.random.default_rng(7))
    assert (raised == raised[:, :1]).all()
    drawn = np.log(np.log(raised[:, 0] / 255) / np.log(128 / 255))
    assert (drawn.min(), drawn.max()) == pytest.approx((-0.5, 0.5), abs=0.02)
    assert drawn.std() == pytest.approx(0.5 / np.sqrt(3), rel=0.05)


def test_without_gamma_nothing_is_drawn_for_it(sample):
    images = sample.test.images[:600]
    random, geometry = np.random.default_rng(8), np.random.default_rng(8)
    Distortions(ALL).apply(images, random)
    for count in (256, 256, 88):
        Distortions(ALL)._draw_points(count, geometry)
    assert random.random() == geometry.random()


@given(st.integers(0, 10_000))
def test_levels_between_pixels_are_interpolated(seed):
    random = np.random.default_rng(seed)
    distortions = Distortions(Augmentation())
    image = random.integers(0, 256, (1, 784)).astype(np.uint8)
    points = random.uniform(0, 29, (2, 1, 784)).astype(np.float32)
    found = distortions._interpolate(image, points)[0]
    padded = np.pad(image.reshape(28, 28), ((1, 2), (1, 2))).astype(float)
    for number in range(0, 784, 97):
        across, down = points[:, 0, number].astype(float)
        x, y = int(across), int(down)
        right, below = across - x, down - y
        upper = padded[y, x] * (1 - right) + padded[y, x + 1] * right
        lower = padded[y + 1, x] * (1 - right) + padded[y + 1, x + 1] * right
        assert abs(found[number] - (upper * (1 - below) + lower * below)) <= 0.51


def test_an_elastic_distortion_has_the_given_strength_and_smoothness():
    alpha, sigma = 36.0, 4.0
    distortions = Distortions(Augmentation(elastic_alpha=alpha, elastic_sigma=sigma))
    points = distortions._draw_points(4000, np.random.default_rng(1)).reshape(2, 4000, 28, 28)
    down, across = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    moved = points - np.stack([across, down])[:, np.newaxis] - 1
    middle = moved[:, :, 14, 14]
    assert np.abs(middle.mean(axis=1)).max() < 0.1
    # Uniform noise from -alpha to alpha, averaged with the weights of a Gaussian in two
    # dimensions, whose squares sum up to 1 / (4 pi sigma^2).
    expected = alpha / np.sqrt(3 * 4 * np.pi * sigma**2)
    assert middle.std(axis=1) == pytest.approx([expected] * 2, rel=0.05)
    for distance in (1, 4, 8):
        alike = np.corrcoef(middle[0], moved[0, :, 14, 14 + distance])[0, 1]
        assert alike == pytest.approx(np.exp(-(distance**2) / (4 * sigma**2)), abs=0.05)
    assert abs(np.corrcoef(middle[0], middle[1])[0, 1]) < 0.06


def test_affine_distortions_reach_from_one_extreme_to_the_other():
    maps = Distortions(ALL)._draw_maps(5000, np.random.default_rng(2))
    angles = np.degrees(np.arctan2(maps[1, :, 0], maps[0, :, 0]))
    assert (angles.min(), angles.max()) == pytest.approx((-15, 15), abs=0.1)
    widths = 1 / np.hypot(maps[0, :, 0], maps[1, :, 0])
    assert (widths.min(), widths.max()) == pytest.approx((0.85, 1.15), abs=0.005)
    shifts = maps[:, :, 2] - 14.5
    assert (shifts.min(), shifts.max()) == pytest.approx((-2, 2), abs=0.01)


def test_the_given_fraction_of_images_is_distorted(sample):
    images = sample.test.images
    some = Distortions(Augmentation(rotation=40, shift=3, probability=0.3))
    found = some.apply(images, np.random.default_rng(3))
    assert np.mean((found != images).any(axis=1)) == pytest.approx(0.3, abs=0.04)


def test_equal_seeds_give_equal_distortions_and_every_image_its_own(sample):
    copies = np.repeat(sample.test.images[:1], 300, axis=0)
    first = Distortions(ALL).apply(copies, np.random.default_rng(4))
    again = Distortions(ALL).apply(copies, np.random.default_rng(4))
    other = Distortions(ALL).apply(copies, np.random.default_rng(5))
    assert (first == again).all()
    assert (first != other).any()
    assert len(np.unique(first, axis=0)) == 300


def test_the_original_images_are_not_changed(sample):
    images = sample.test.images[:300].copy()
    Distortions(ALL).apply(images, np.random.default_rng(6))
    assert (images == sample.test.images[:300]).all()


def test_pixels_shifted_out_are_lost_and_background_enters():
    assert not distorted(np.full((28, 28), 255, np.uint8), shift=28).any()
