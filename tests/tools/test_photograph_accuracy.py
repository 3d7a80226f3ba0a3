"""Pictures of a folder are counted by their names, beside what two simpler ways read."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from dlcli.errors import ImageError
from dlcli.runs import lookup
from tools.photograph_accuracy import (
    COMPARED,
    baseline,
    calibration,
    count,
    label_of,
    main,
    pictures_in,
    scans_of_no_digit,
    small_scans,
    table,
)

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def model():
    return lookup.load_named(lookup.PRETRAINED)


@pytest.fixture
def page(sample):
    """A function that makes a white page with digits side by side: ``page(3, 3)``."""

    def draw(*digits: int) -> Image.Image:
        page = Image.new("L", (60 + 100 * len(digits), 160), 255)
        for place, digit in enumerate(digits):
            image = sample.test.images[np.flatnonzero(sample.test.labels == digit)[0]]
            drawn = Image.fromarray(255 - image.reshape(28, 28)).resize((100, 100))
            page.paste(drawn, (30 + 100 * place, 30))
        return page

    return draw


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("7_anna_2.png", 7),
        ("0-1.jpg", 0),
        ("3.png", 3),
        ("a_7.png", None),
        ("_7.png", None),
        ("photo 12.png", None),
    ],
)
def test_a_name_begins_with_the_label_or_with_no_digit(name, label):
    assert label_of(Path("folder", name)) == label


@pytest.mark.parametrize("name", ["20261128_1.png", "12-3.png", "7a.png", "7 7.png"])
def test_a_name_from_which_no_label_is_clear_is_refused(name):
    with pytest.raises(ImageError, match=f"Call it LABEL_{name}"):
        label_of(Path("folder", name))


def test_pictures_are_counted_by_subfolder_and_by_whether_they_show_a_digit(tmp_path):
    for name in ("1_a.png", "b/2_a.png", "b/2_b.png", "b/letter.png", "b/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    digits, others = pictures_in(tmp_path).values()
    assert digits == {
        ".": [(tmp_path / "1_a.png", 1)],
        "b": [(tmp_path / "b/2_a.png", 2), (tmp_path / "b/2_b.png", 2)],
    }
    assert others == {"b": [(tmp_path / "b/letter.png", None)]}


def test_small_scans_of_other_writers_are_read():
    scans = small_scans()
    assert len(scans) == 1797
    model = lookup.load_named("pretrained")
    counts = count(model, scans[::9])
    assert counts["pictures"] == 200
    assert counts["right"] >= 186


def test_most_scans_of_letters_and_drawings_are_refused():
    scans = scans_of_no_digit(12)
    assert len(scans) == 60
    counts = count(lookup.load_named("pretrained"), scans)
    assert counts["?"] >= 50
    assert counts["digits"] == 0


def test_the_baseline_centres_a_digit_of_either_polarity(page):
    dark = page(5)
    light = dark.point(lambda level: 255 - level)
    assert (baseline(dark) == baseline(light)).all()
    rows, columns = np.nonzero(baseline(dark).reshape(28, 28))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    assert not baseline(Image.new("L", (40, 30), 255)).any()


def test_every_way_is_counted_for_what_it_answers(model, page, tmp_path):
    files = {name: tmp_path / f"{name}.png" for name in ("one", "two", "blank")}
    page(3).save(files["one"])
    page(3, 3).save(files["two"])
    Image.new("L", (160, 160), 255).save(files["blank"])
    right, wrong = (count(model, [(files["one"], label)]) for label in (3, 4))
    (probability,) = {key[:-5].rstrip() for key in right | wrong if key.startswith("answered")}
    assert float(probability.removeprefix("answered with ")) > 0.9
    answered = ["pictures", "digits"]
    assert right == Counter([*answered, "right", f"{probability} True", *COMPARED])
    assert wrong == Counter([*answered, "wrong", f"{probability} False"])
    assert count(model, [(files["one"], None)]) == Counter(["pictures", "wrong"])
    # Two digits are refused; without rejection, one of them is read.
    assert count(model, [(files["two"], None)]) == Counter(["pictures", "?"])
    assert count(model, [(files["two"], 3)])[COMPARED[0]] == 1
    # Nothing is found on a blank page, and the baseline is shown black pixels.
    blank = sum((count(model, [(files["blank"], label)]) for label in range(10)), Counter())
    assert blank == Counter({"pictures": 10, "digits": 10, "?": 10, COMPARED[1]: 1})


def test_of_several_pages_the_first_counts(model, page, tmp_path):
    page(3).save(tmp_path / "pages.tif", save_all=True, append_images=[page(4)])
    assert count(model, [(tmp_path / "pages.tif", 3)])["right"] == 1


def test_a_damaged_picture_is_not_counted(model, tmp_path):
    (tmp_path / "3_a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"3_a\.png"):
        count(model, [(tmp_path / "3_a.png", 3)])


def test_the_calibration_error_is_the_distance_of_probability_and_accuracy():
    counts = Counter({"answered with 0.9950 True": 3, "answered with 0.9970 False": 1, "right": 4})
    groups = {"plain": {"a": counts, "b": Counter({"answered with 0.5000 True": 4})}, "none": {}}
    *_, row = calibration(groups).splitlines()
    # Four answers with a mean of 0.9955 of which 75 % are right, and four with 0.5 that all are.
    assert row == "| plain | 8 | 87.5% | 74.8% | 37.3% | 1 |"


def test_the_table_has_a_row_for_each_group_and_each_kind():
    right = Counter(dict.fromkeys(["pictures", "digits", "right", *COMPARED], 9))
    wrong = Counter(pictures=1, digits=1, wrong=1)
    refused = Counter({"pictures": 1000, "?": 1000})
    groups = {"plain": {"a": right + wrong, "b": right}, "no digit": {"c": refused}}
    assert table(groups).splitlines() == [
        "| | pictures | right | wrong | ? | right without rejection | right by the baseline |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        "| **plain** | 19 | 94.7% | 5.3% | 0.0% | 94.7% | 94.7% |",
        "| a | 10 | 90.0% | 10.0% | 0.0% | 90.0% | 90.0% |",
        "| b | 9 | 100.0% | 0.0% | 0.0% | 100.0% | 100.0% |",
        "| **no digit** | 1,000 | 0.0% | 0.0% | 100.0% |  |  |",
        "| c | 1,000 | 0.0% | 0.0% | 100.0% |  |  |",
    ]


def test_a_folder_is_counted_without_mnist(page, tmp_path):
    page(3).save(tmp_path / "3_a.png")
    page(4, 4).save(tmp_path / "several.png")
    arguments = ["pretrained", "--count", "0", "--folder", str(tmp_path)]
    shown = subprocess.run(
        [sys.executable, "-m", "tools.photograph_accuracy", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    assert "| **a folder** | 1 | 100.0% |" in shown.stdout
    assert "| **a folder, no digit or several** | 1 | 0.0% | 0.0% | 100.0% |" in shown.stdout
    assert "--count 0 --folder FOLDER`" in shown.stdout
    assert str(tmp_path) not in shown.stdout


@pytest.mark.parametrize(
    ("folder", "code", "message"),
    [("missing", 2, "does not exist"), ("empty", 4, "holds no pictures"), ("named", 4, "LABEL_12")],
)
def test_a_folder_that_cannot_be_counted_ends_with_an_exit_code(workdir, folder, code, message):
    Path("empty").mkdir()
    Path("named").mkdir()
    Path("named/12.png").touch()
    result = CliRunner().invoke(main, ["pretrained", "--count", "0", "--folder", folder])
    assert result.exit_code == code
    assert message in result.output
