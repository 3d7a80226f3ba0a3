"""Pages of numbers are as their conditions say, with what is written where."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tools.number_layout import Condition
from tools.number_pages import CONDITIONS, GROUPS, HUNDRED_DIGITS, main, page, pages
from tools.photographs import Scene
from tools.writers import Writers

SEEDS = range(6)


@pytest.fixture(scope="module")
def writers(sample):
    return Writers(sample.test)


@pytest.fixture
def clean(writers):
    """A function that makes a page without texture, noise and shadows."""

    def make(seed: int, **changes):
        condition = Condition(scene=lambda _random: Scene(), side=(900, 900), **changes)
        return page(condition, writers, np.random.default_rng(seed))

    return make


def ink(made):
    return np.asarray(made.picture.convert("L")) < 128


def test_a_page_comes_from_its_condition_seed_and_number(writers):
    first, second = pages("touching", writers, range(2))
    (again,) = pages("touching", writers, [1])
    (other,) = pages("touching", writers, [1], seed=1)
    assert again == second
    assert len({first.content, second.content, other.content}) == 3


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_every_condition_has_as_many_digits_numbers_and_lines_as_it_says(writers, name):
    condition = replace(CONDITIONS[name], side=(300, 400))
    made = page(condition, writers, np.random.default_rng(3))
    lines = [number.line for number in made.numbers]
    assert lines == sorted(lines)
    assert condition.lines[0] <= len(set(lines)) <= condition.lines[1]
    for line in set(lines):
        assert condition.numbers[0] <= lines.count(line) <= condition.numbers[1]
    for number in made.numbers:
        assert condition.digits[0] <= len(number.text) <= condition.digits[1]
        assert len(number.digits) == len(number.text)
    assert 300 <= max(made.picture.size) <= 400
    boxes = np.array([number.box for number in made.numbers])
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= made.picture.size).all()


def test_the_longest_pages_have_4000_pixels_and_the_timed_one_100_digits(writers):
    assert max(condition.side[1] for condition in CONDITIONS.values()) == 4000
    assert min(condition.side[0] for condition in CONDITIONS.values()) == 200
    (made,) = pages("100 digits", writers, [0])
    assert sum(len(number.text) for number in made.numbers) == 100
    assert np.prod(made.picture.size) == 3_000_000
    assert HUNDRED_DIGITS not in [c for group in GROUPS.values() for c in group.values()]


@pytest.mark.parametrize("seed", SEEDS)
def test_all_that_is_written_lies_in_the_boxes(clean, seed):
    made = clean(seed, numbers=(1, 3), lines=(1, 3))
    dark = ink(made)
    for number in made.numbers:
        for left, top, right, bottom in number.digits:
            assert dark[top:bottom, left:right].any(axis=0).mean() > 0.9
    for number in made.numbers:
        left, top, right, bottom = number.box
        dark[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = False
    assert not dark.any()


def joined(made) -> int:
    """How many digits are in one piece with another."""
    _, pieces = cv2.connectedComponents(ink(made).astype(np.uint8))
    of_digits = set()
    for number in made.numbers:
        for left, top, right, bottom in number.digits:
            inside = pieces[top:bottom, left:right]
            of_digits.add(int(np.bincount(inside[inside > 0]).argmax()))
    return sum(len(number.text) for number in made.numbers) - len(of_digits)


def test_digits_are_apart_or_touch_as_the_condition_says(clean):
    assert [joined(clean(seed)) for seed in SEEDS] == [0] * len(SEEDS)
    touching = [joined(clean(seed, touching=0.4)) for seed in SEEDS]
    assert min(touching) >= 1
    everywhere = [joined(clean(seed, touching=1.0)) for seed in SEEDS]
    assert sum(everywhere) >= 0.9 * 5 * len(SEEDS)


def test_lines_rise_or_fall_by_the_slope(clean):
    slopes = []
    for seed in SEEDS:
        (number,) = clean(seed, slope=10.0, digits=(8, 8)).numbers
        feet = np.array([[(left + right) / 2, bottom] for left, _, right, bottom in number.digits])
        slopes.append(np.degrees(np.arctan(np.polyfit(feet[:, 0], feet[:, 1], 1)[0])))
    assert max(map(abs, slopes)) <= 12
    assert max(map(abs, slopes)) > 3


@pytest.mark.parametrize("form", ["ruled", "squared", "boxes", "cells"])
def test_a_form_is_printed_around_the_digits_or_over_the_whole_page(clean, form):
    made = clean(2, form=form)
    colours = np.asarray(made.picture.convert("RGB")).astype(int)
    printed = colours[..., 2] - colours[..., 0] > 20  # the lines are blue
    left, top, right, bottom = made.numbers[0].box
    assert printed[:, left:right].any()
    assert printed[:, : left // 2].any() == (form in {"ruled", "squared"})
    assert printed[top:bottom, left:right].any() == (form != "boxes")
    assert (printed.mean(axis=0) > 0.5).any() == (form == "squared")


def test_digits_on_a_page_are_of_one_hand(sample):
    """Half of the digits are written upright and half slanted; a page has one kind."""
    slanted = np.arange(len(sample.test)) % 2 == 1
    images = sample.test.images.reshape(-1, 28, 28).copy()
    for index in np.flatnonzero(slanted):
        shear = np.array([[1, -0.5, 7], [0, 1, 0]], np.float32)
        images[index] = cv2.warpAffine(images[index], shear, (28, 28))
    writers = Writers(type(sample.test)(images.reshape(-1, 784), sample.test.labels))
    kinds = {index: bool(slanted[index]) for index in range(len(slanted))}
    agreement = []
    for seed in range(20):
        hand = writers.any_writer(np.random.default_rng(seed))
        of_hand = [kinds[index] for form in hand.indices for index in form]
        agreement.append(max(np.mean(of_hand), 1 - np.mean(of_hand)))
    assert np.mean(agreement) > 0.75  # by chance 0.55


def test_pages_are_written_into_a_folder_with_their_digits(workdir):
    arguments = ["pages", "--condition", "touching", "--count", "2", "--dataset", "sample"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with (workdir / "pages" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [len(row["digits"]) for row in rows] == [6, 6]
    for row in rows:
        with Image.open(workdir / "pages" / row["file"]) as picture:
            assert 500 <= max(picture.size) <= 1600
