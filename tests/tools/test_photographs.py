"""Photographs and drawings of digits are read, each kind; what is no digit gets no answer.

The model learns for seconds from the embedded sample; ``make photographs`` says what a good one
reads.
"""

import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from dlcli.cli.main import run
from dlcli.runs import lookup
from tools import photographs as ph
from tools.photograph_accuracy import files_of, judge, table

COUNT = 12


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    train = ["train", "-q", "--config", "quickstart", "--name", "quickstart"]
    assert run([*train, "--runs-dir", str(runs_dir)]) == 0
    return lookup.load_named(str(runs_dir / "quickstart"))


@pytest.fixture(scope="module")
def right(model, sample) -> dict[str, int]:
    """How many photographs are read rightly under each condition."""
    return {name: judge(model, name, sample.test, range(COUNT))["right"] for name in ph.CONDITIONS}


@pytest.mark.parametrize("condition", ph.CONDITIONS)
def test_digits_are_read_under_every_condition(right, condition):
    assert right[condition] >= 0.6 * COUNT


def test_most_photographs_are_read(right):
    assert sum(right.values()) >= 0.88 * COUNT * len(right)


@pytest.mark.parametrize(
    ("thing", "least"),
    {
        "a blank page": 12,
        "two digits": 12,
        "three digits": 11,
        "a letter": 11,
        "a scribble": 11,
        "a star": 12,
        "a face": 12,
        "a house": 12,
        "a filled square": 12,
    }.items(),
)
def test_what_is_no_digit_gets_no_answer(model, sample, thing, least):
    assert judge(model, thing, sample.test, range(COUNT))["?"] >= least


def test_photographs_come_from_their_seed(sample):
    first = list(files_of("everything", sample.test, range(2, 4)))
    again = list(files_of("everything", sample.test, range(4)))[2:]
    assert first == again


def test_files_are_of_the_kind_they_say(sample):
    modes = {}
    for condition in ("one bit", "palette", "16 bits", "CMYK", "grey", "dark ink on transparency"):
        ((content, _),) = files_of(condition, sample.test, range(1))
        with Image.open(io.BytesIO(content)) as image:
            modes[condition] = image.mode
    assert modes == {
        "one bit": "1",
        "palette": "P",
        "16 bits": "I;16",
        "CMYK": "CMYK",
        "grey": "L",
        "dark ink on transparency": "RGBA",
    }


def test_thinning_leaves_lines_of_one_pixel():
    bar = np.zeros((20, 40), bool)
    bar[6:13, 5:35] = True
    line = ph.thin(bar)
    assert line.any()
    assert not (line & ~bar).any()
    assert line.sum(axis=0).max() == 1
    assert line.any(axis=0)[10:30].all()


def test_the_table_has_a_row_a_condition():
    rows = {"a": {"right": 9, "wrong": 1}, "b": {"right": 1, "?": 1}}
    counts = {name: Counter(row) for name, row in rows.items()}
    assert table("plain", counts).splitlines() == [
        "| plain | right | wrong | ? |",
        "| --- | --- | --- | --- |",
        "| a | 90.0% | 10.0% | 0.0% |",
        "| b | 50.0% | 0.0% | 50.0% |",
        "| mean | 70.0% | 5.0% | 25.0% |",
    ]
