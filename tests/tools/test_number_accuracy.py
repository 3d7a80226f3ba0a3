"""What a program reads on pages of numbers is compared with what is written there."""

from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from dlcli.runs import lookup
from tools import number_accuracy
from tools.number_accuracy import (
    NO_NUMBER,
    Text,
    by_tesseract,
    count,
    edit_distance,
    in_common,
    main,
    no_number_table,
    render,
    table,
    tesseract_version,
    texts,
)
from tools.number_pages import GROUPS, pages
from tools.writers import Writers


@pytest.fixture(scope="module")
def writers(sample):
    return Writers(sample.test)


@pytest.mark.parametrize(
    ("found", "truth", "edits"),
    [
        ("", "", 0),
        ("12", "12", 0),
        ("", "123", 3),
        ("123", "", 3),
        ("1?3", "123", 1),
        ("13", "123", 1),
        ("1223", "123", 1),
        ("321", "123", 2),
    ],
)
def test_digits_are_wrong_by_how_many_must_be_changed(found, truth, edits):
    assert edit_distance(found, truth) == edits


@pytest.mark.parametrize(
    ("found", "truth", "right"),
    [
        ([], ["1"], 0),
        (["1", "2"], ["1", "2"], 2),
        (["2", "1"], ["1", "2"], 1),
        (["7", "1", "2"], ["1", "2"], 2),
        (["12"], ["1", "2"], 0),
        (["1", "1"], ["1"], 1),
    ],
)
def test_numbers_are_right_if_they_are_in_order(found, truth, right):
    assert in_common(found, truth) == right


def test_every_reader_is_counted_for_itself():
    page = Text(b"", ("12", "345"), is_line=True)
    counts = count(page, {"one": lambda _: ["12", "34?"], "two": lambda _: []})
    assert (counts["numbers"], counts["digits"]) == (2, 5)
    assert (counts["one: numbers"], counts["one: edits"], counts["one: nothing"]) == (1, 1, 0)
    assert (counts["two: numbers"], counts["two: edits"], counts["two: nothing"]) == (0, 5, 1)


def counted(**changes: int) -> Counter[str]:
    return Counter({"pages": 4, "numbers": 4, "digits": 20, "dlcli: pages": 4} | changes)


def test_the_tables_have_a_row_for_each_group_and_each_condition():
    conditions = [name for group in GROUPS.values() for name in group]
    counts = dict.fromkeys(conditions, counted(**{"dlcli: numbers": 3, "dlcli: edits": 1}))
    other = {"tesseract: pages": 4, "tesseract: numbers": 1, "tesseract: edits": 30}
    counts["6 digits"] = counts["6 digits"] + Counter(other)
    rows = table(counts).splitlines()[2:]
    assert len(rows) == len(conditions) + len(GROUPS)
    assert "| 6 digits | 4 | 4 | 75.0% | 95.0% | 25.0% | 0.0% |" in rows
    assert "| touching | 4 | 4 | 75.0% | 95.0% |  |  |" in rows
    assert rows[0].startswith("| **plain** | 40 | 40 | 75.0% | 95.0% |")
    blank = dict.fromkeys(NO_NUMBER, counted(**{"dlcli: nothing": 3}))
    assert "| a letter | 4 | 75.0% |  |" in no_number_table(blank)


@pytest.mark.parametrize("kind", ["a blank page", "a letter", "a house"])
def test_pages_without_a_number_have_no_text(writers, kind):
    (page,) = texts(kind, writers, range(1))
    assert page.numbers == ()
    assert page.content.startswith((b"\x89PNG", b"\xff\xd8"))


def test_the_page_names_the_digits_the_network_and_the_time(monkeypatch):
    monkeypatch.setattr(number_accuracy, "tesseract_version", lambda: None)
    conditions = [name for group in GROUPS.values() for name in group]
    counts = dict.fromkeys([*conditions, *NO_NUMBER], counted())
    shown = render(lookup.load_named("pretrained"), "COMMAND", "sample", counts, [1.0, 1.234, 9.0])
    for part in (
        "Written by `COMMAND`",
        "digits of sample",
        "trained on mnist",
        "**1.23 s**",
        "took 1.00 s",
    ):
        assert part in shown
    assert "not installed" in shown
    assert max(len(line) for line in shown.splitlines() if not line.startswith("|")) <= 110


def test_the_pictures_of_a_folder_are_shown_with_what_is_read(writers, workdir):
    folder = Path("folder")
    folder.mkdir()
    (page,) = pages("200 to 400 pixels", writers, [0])
    (folder / "a.png").write_bytes(page.content)
    digits = page.numbers[0].text
    (folder / "labels.csv").write_text(f"file,digits\na.png,{digits}\n")
    result = CliRunner().invoke(main, ["pretrained", "--count", "0", "--folder", "folder"])
    assert result.exit_code == 0, result.output
    assert f"\ta.png\t{digits}\t" in result.output
    assert f"of {len(digits)} digits wrong" in result.output


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels.csv: cannot be read"),
        ("name,digits\n", ""),
        ("name,digits\na.png,1\n", "has no column 'file'"),
        ("file,digits\nmissing.png,1\n", "missing.png: cannot be read"),
    ],
)
def test_a_folder_without_labels_or_pictures_says_what_is_missing(workdir, labels, message):
    Path("folder").mkdir()
    if labels is not None:
        Path("folder/labels.csv").write_text(labels)
    result = CliRunner().invoke(main, ["pretrained", "--count", "0", "--folder", "folder"])
    assert result.exit_code == (4 if message else 0)
    assert message in result.output


def test_tesseract_is_told_to_look_for_digits_on_a_line_or_in_a_block(workdir, monkeypatch):
    program = workdir / "tesseract"
    program.write_text('#!/bin/sh\necho "$@" >> asked\ncat > got\necho "tesseract 9.9"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{workdir}:/usr/bin:/bin")
    assert tesseract_version() == "9.9"
    assert by_tesseract(Text(b"a picture", ("1",), is_line=True)) == ["tesseract", "9.9"]
    by_tesseract(Text(b"a picture", ("1",), is_line=False))
    assert Path("got").read_bytes() == b"a picture"
    digits = "-c tessedit_char_whitelist=0123456789"
    assert Path("asked").read_text().splitlines() == [
        "--version",
        f"stdin stdout --psm 7 {digits}",
        f"stdin stdout --psm 6 {digits}",
    ]


def test_without_tesseract_there_is_no_version(monkeypatch, workdir):
    monkeypatch.setenv("PATH", str(workdir))
    assert tesseract_version() is None
