"""Pictures in, numbers out: what is printed, what is drawn, and what is refused."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcli.inference import reading
from dlcli.inference.reading import Number, ReadDigit, Reading, ReadingOptions


@pytest.fixture
def read(dlcli):
    """Run ``dlcli read`` with the pretrained model."""
    return lambda *arguments, **options: dlcli("read", "-m", "pretrained", *arguments, **options)


@pytest.fixture(scope="module")
def digits(sample) -> list[Image.Image]:
    """A dark image of each digit on white, from 0 to 9."""
    first = [int(np.flatnonzero(sample.test.labels == digit)[0]) for digit in range(10)]
    return [Image.fromarray(255 - sample.test.images[i].reshape(28, 28)) for i in first]


@pytest.fixture
def write_page(digits) -> Callable[..., None]:
    """Write a page of numbers, a line each: ``write_page("a.png", "12", "345")``."""

    def write(path: str, *lines: str) -> None:
        page = Image.new("L", (800, 80 + 120 * len(lines)), 255)
        for down, line in enumerate(lines):
            for across, character in enumerate(line):
                digit = digits[int(character)].resize((56, 56))
                page.paste(digit, (60 + 60 * across, 60 + 120 * down))
        page.save(path)

    return write


@pytest.fixture
def found(monkeypatch):
    """Stand in for the reader: set what it finds, and see the options that it gets."""

    class Found:
        numbers: tuple[Number, ...] = ()
        options: ReadingOptions | None = None

    state = Found()

    def read(_model, sources, options, *, keep_pictures, threads, is_unread):
        state.options = options
        for source in sources:
            yield Reading(source.name, state.numbers)

    monkeypatch.setattr(reading, "read", read)
    return state


def number(text: str, probability: float, line: int = 1, left: int = 0) -> Number:
    """A number of digits that are 10 pixels wide and 20 high."""
    top = 30 * (line - 1)
    boxes = [(left + 10 * n, top, left + 10 * n + 10, top + 20) for n in range(len(text))]
    digits = [
        ReadDigit(int(character) if character.isdigit() else None, probability, box)
        for character, box in zip(text, boxes, strict=True)
    ]
    box = (left, top, left + 10 * len(text), top + 20)
    return Number(text, probability, box, line, tuple(digits))


def lines_of(result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


def objects_of(result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_text_is_number_probability_and_path_in_reading_order(read, write_page):
    write_page("b.png", "204", "17")
    write_page("a.png", "3")
    result = read("b.png", "a.png")
    assert (result.code, result.stderr) == (0, "Model: pretrained\n")
    assert [(text, path) for text, _, path in lines_of(result)] == [
        ("204", "b.png"),
        ("17", "b.png"),
        ("3", "a.png"),
    ]
    assert all(0.5 < float(probability) <= 1 for _, probability, _ in lines_of(result))


def test_json_is_an_object_a_picture_with_every_digit(read, write_page):
    write_page("a.png", "204", "17")
    (page,) = objects_of(read("a.png", "--format", "json"))
    assert list(page) == ["path", "numbers", "model"]
    first, second = page["numbers"]
    assert list(first) == ["text", "probability", "box", "line", "digits"]
    assert [(n["text"], n["line"]) for n in (first, second)] == [("204", 1), ("17", 2)]
    assert [digit["digit"] for digit in first["digits"]] == [2, 0, 4]
    assert list(first["digits"][0]) == ["digit", "probability", "box"]
    left, top, right, bottom = first["box"]
    assert (60 <= left < 80, 200 < right < 240) == (True, True)
    assert (60 <= top < 80, 100 < bottom <= 120) == (True, True)


def test_csv_has_a_row_a_number(read, found):
    found.numbers = (number("12", 0.5), number("3?", 0.25, line=2, left=50))
    result = read("a, b.png", "--format", "csv")
    assert list(csv.DictReader(io.StringIO(result.stdout)))[1] == {
        "path": "a, b.png",
        "line": "2",
        "text": "3?",
        "probability": "0.25",
        "left": "50",
        "top": "30",
        "right": "70",
        "bottom": "50",
    }


def test_join_makes_one_number_of_a_picture(read, found):
    found.numbers = (number("12", 0.5), number("3?", 0.5, line=2, left=50))
    assert lines_of(read("--join", "a.png", "b.png")) == [
        ["123?", "0.2500", "a.png"],
        ["123?", "0.2500", "b.png"],
    ]
    (page,) = objects_of(read("--join", "a.png", "--format", "json"))
    (joined,) = page["numbers"]
    assert (joined["box"], joined["line"], len(joined["digits"])) == ([0, 0, 70, 50], 1, 4)
    assert joined["digits"][3] == {"digit": None, "probability": 0.5, "box": [60, 30, 70, 50]}


def test_a_grid_is_a_row_a_line_or_joined_one_string(read, found):
    found.numbers = (number("5.3", 0.9), number("..7", 0.8, line=2))
    assert [cells[0] for cells in lines_of(read("--grid", "2x3", "a.png"))] == ["5.3", "..7"]
    assert lines_of(read("--grid", "2X3", "--join", "a.png"))[0][0] == "5.3..7"
    assert found.options == ReadingOptions(grid=(2, 3))


def test_a_sudoku_is_read_with_its_empty_cells(read, digits):
    page = Image.new("L", (400, 400), 255)
    for edge in range(50, 351, 100):
        page.paste(70, (50, edge - 1, 352, edge + 2))
        page.paste(70, (edge - 1, 50, edge + 2, 352))
    for row, line in enumerate(("5.3", "..7", "1..")):
        for column, character in enumerate(line):
            if character != ".":
                digit = digits[int(character)].resize((84, 84))
                page.paste(digit, (58 + 100 * column, 58 + 100 * row))
    page.save("a.png")
    result = read("-q", "--grid", "3x3", "a.png", "--show", "seen")
    assert [cells[0] for cells in lines_of(result)] == ["5.3", "..7", "1.."]
    (page_of_json,) = objects_of(read("--grid", "3x3", "a.png", "--format", "json"))
    assert [number["line"] for number in page_of_json["numbers"]] == [1, 2, 3]
    empty = page_of_json["numbers"][0]["digits"][1]
    assert (empty["digit"], empty["probability"]) == (None, 0)
    assert empty["box"] == pytest.approx([150, 50, 250, 150], abs=4)


def test_what_is_known_of_the_page_reaches_the_reader(read, found):
    read("a.png", "--digits", "5", "--lines", "2", "--reject", "0.9")
    assert found.options == ReadingOptions(reject=0.9, digits=5, lines=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "9"], "'9' is not ROWSxCOLUMNS, as in 9x9. (see: dlcli read --help)"),
        (["--grid", "0x9"], "'0x9' is not from 1x1 to 100x100. (see: dlcli read --help)"),
        (["--grid", "9x9", "--digits", "2"], "--grid says how many digits and lines there are"),
        (["--grid", "9x9", "--lines", "9"], "--grid says how many digits and lines there are"),
        (["--digits", "0"], "0 is not in the range"),
        (["--lines", "many"], "'many' is not a valid integer"),
        (["--reject", "90"], "expected a number from 0 to 1, got '90'"),
        (["--reject", "nan"], "expected a number from 0 to 1, got 'nan'"),
        (["-m", "runs/a"], "--model was given more than once, and read uses one"),
    ],
)
def test_wrong_usage_gets_one_line(read, arguments, message):
    result = read("a.png", *arguments)
    assert (result.code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert message in result.stderr


def test_pictures_must_be_named(dlcli):
    assert "Error: Missing argument 'IMAGE...': name pictures" in dlcli("read").stderr


def test_a_page_without_numbers_prints_nothing_and_says_so(read, write_page):
    Image.new("L", (300, 200), 255).save("blank.png")
    write_page("a.png", "17")
    result = read("blank.png", "a.png")
    assert (result.code, [cells[0] for cells in lines_of(result)]) == (0, ["17"])
    assert "Warning: blank.png: no number found\n" in result.stderr
    assert read("-q", "--join", "blank.png").stdout == ""
    (page,) = objects_of(read("blank.png", "--format", "json"))
    assert page == {"path": "blank.png", "numbers": [], "model": "pretrained"}


def test_a_broken_picture_is_told_and_the_others_are_read(read, write_page):
    write_page("a.png", "17")
    Path("bad\t.png").write_text("no picture")
    result = read("-q", "missing.png", "a.png", "bad\t.png", "a.png")
    assert (result.code, [cells[0] for cells in lines_of(result)]) == (4, ["17", "17"])
    assert result.stderr.splitlines() == [
        "Error: missing.png: no such file",
        "Error: bad\\t.png: not a picture that Pillow can read",
    ]
    bad, good = objects_of(read("missing.png", "a.png", "--format", "json"))
    assert bad == {"path": "missing.png", "error": "missing.png: no such file"}
    assert good["numbers"][0]["text"] == "17"


def test_pictures_come_from_folders_lists_and_stdin(read, write_page):
    Path("scans").mkdir()
    write_page("scans/b.png", "17")
    write_page("a.png", "204")
    listed = read("scans", "--from-file", "-", stdin=b"a.png\n")
    assert [cells[::2] for cells in lines_of(listed)] == [["17", "scans/b.png"], ["204", "a.png"]]
    by_stdin = read("-", stdin=Path("a.png").read_bytes())
    assert [cells[::2] for cells in lines_of(by_stdin)] == [["204", "-"]]


def test_every_page_of_a_file_is_read(read, write_page):
    write_page("1.png", "17")
    write_page("2.png", "204")
    with Image.open("1.png") as first, Image.open("2.png") as second:
        first.save("a.tif", save_all=True, append_images=[second])
    assert [cells[::2] for cells in lines_of(read("a.tif"))] == [
        ["17", "a.tif"],
        ["204", "a.tif#2"],
    ]


def test_a_doubtful_digit_is_a_question_mark(read, write_page):
    write_page("a.png", "17")
    result = read("--reject", "1", "a.png", "--format", "json")
    (page,) = objects_of(result)
    assert page["numbers"][0]["text"] == "??"
    assert [digit["digit"] for digit in page["numbers"][0]["digits"]] == [None, None]


def test_show_draws_boxes_digits_and_probabilities(read, write_page):
    write_page("a.png", "17")
    Image.new("L", (300, 200), 255).save("blank.png")
    result = read("a.png", "missing.png", "blank.png", "--show", "seen")
    assert result.code == 4
    assert sorted(path.name for path in Path("seen").iterdir()) == [
        "00000-a.png",
        "00001-blank.png",
    ]
    with Image.open("seen/00000-a.png") as drawn:
        coloured = np.asarray(drawn.convert("HSV"))[..., 1] > 100
    rows, _ = np.nonzero(coloured)
    assert rows.size > 500
    assert coloured[: rows.min() + 40].any(axis=0).sum() > 20
    with Image.open("seen/00001-blank.png") as drawn:
        assert drawn.convert("L").getextrema() == (255, 255)


def test_drawings_go_into_an_empty_folder_or_are_forced(read, write_page):
    write_page("a.png", "17")
    assert read("a.png", "--show", "seen").code == 0
    refused = read("a.png", "--show", "seen")
    assert (refused.code, refused.stdout) == (2, "")
    assert "seen: is not empty; add --force" in refused.stderr
    assert read("a.png", "--show", "seen", "--force").code == 0


def test_on_a_terminal_a_bar_counts_the_pictures(read, found, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert "2 pictures" in read("a.png", "b.png").stderr
    assert "pictures" not in read("a.png").stderr


@pytest.mark.parametrize(
    "other",
    [
        {"preprocessing": "none"},
        {"images": {"polarity": "dark_on_light", "digits": True}},
        {"images": {"polarity": "light_on_dark", "digits": False}},
    ],
)
def test_a_model_of_other_images_is_refused(dlcli, make_checkpoint, write_page, other):
    if "images" in other:
        other["images"] |= {"mnist_format": True, "side_px": 20, "centring": "mass"}
    make_checkpoint("letters.npz", **other)
    write_page("a.png", "17")
    result = dlcli("read", "-q", "-m", "letters.npz", "a.png")
    assert (result.code, result.stdout, result.stderr.count("\n")) == (4, "", 1)
    assert "letters.npz: cannot read numbers" in result.stderr
    assert "such as pretrained" in result.stderr
