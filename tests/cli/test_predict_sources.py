"""Every way to name the pictures of ``dlcli predict``."""

import csv
import io
import os
from pathlib import Path

import pytest

from tests.cli.predictions import lines_of, objects_of


def test_a_picture_comes_from_stdin(predict, digit):
    digit("a.png")
    by_name = predict("a.png")
    by_stdin = predict("-", stdin=Path("a.png").read_bytes())
    assert by_stdin.stdout == by_name.stdout.replace("a.png", "-")


@pytest.mark.parametrize("arguments", [["-", "-"], ["-", "--from-file", "-"]])
def test_stdin_is_read_only_once(predict, arguments):
    result = predict(*arguments)
    assert result.code == 2
    assert "stdin (-) can be read only once" in result.stderr


def test_pictures_must_be_named(dlcli):
    result = dlcli("predict")
    assert result.code == 2
    assert "Missing argument 'IMAGE...'" in result.stderr


def test_folders_are_searched(predict, digit):
    Path("scans/more").mkdir(parents=True)
    for name in ("z.png", "scans/b.png", "scans/a.png", "scans/more/c.png"):
        digit(name)
    Path("scans/notes.txt").write_text("no picture")
    result = predict("z.png", "scans", "z.png")
    paths = [cells[2] for cells in lines_of(result)]
    assert paths == ["z.png", "scans/a.png", "scans/b.png", "scans/more/c.png", "z.png"]
    assert result.code == 0


@pytest.mark.parametrize("separator", ["\n", "\0"])
@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("by_stdin", [True, False])
def test_lists_name_pictures(predict, digit, separator, end, by_stdin):
    Path("scans").mkdir()
    names = ["b.png", "a b.png", "scans/c.png"]
    for index, name in enumerate(names):
        digit(name, index)
    listed = separator.join(["b.png", "a b.png", "scans"]) + (separator if end else "")
    Path("list").write_text(listed)
    if by_stdin:
        result = predict("--recursive", "--from-file", "-", stdin=listed.encode())
    else:
        result = predict("--recursive", "--from-file", "list")
    assert [cells[2] for cells in lines_of(result)] == names
    assert result.code == 0


def test_a_list_that_powershell_wrote_names_its_pictures_and_no_others(predict, digit):
    digit("a.png")
    digit("b.png", 1)
    listed = predict("--from-file", "-", stdin="a.png\r\n".encode("utf-16"))
    assert (listed.code, [cells[2] for cells in lines_of(listed)]) == (0, ["a.png"])
    unmarked = predict("-q", "--from-file", "-", stdin="./a.png\n".encode("utf-16-le"))
    assert (unmarked.code, unmarked.stdout) == (4, "")
    assert unmarked.stderr.startswith("Error: -: no list of paths: UTF-16 without")


def test_a_folder_on_a_list_is_not_walked_unless_asked_for(predict, digit):
    Path("scans").mkdir()
    digit("scans/a.png")
    result = predict("-q", "--from-file", "-", stdin=b".\nscans/a.png\n")
    assert (result.code, [cells[2] for cells in lines_of(result)]) == (4, ["scans/a.png"])
    assert result.stderr == "Error: .: a folder; --recursive searches folders on lists\n"
    searched = predict("-r", "--from-file", "-", stdin=b".\n")
    assert [cells[2] for cells in lines_of(searched)] == ["scans/a.png"]


def test_empty_lines_in_a_list_name_nothing(predict, digit):
    digit("a.png")
    assert len(lines_of(predict("--from-file", "-", stdin=b"\na.png\n\n\na.png\n\n"))) == 2


def test_an_empty_list_names_nothing(predict):
    result = predict("--from-file", "-", "--format", "csv")
    assert result.code == 0
    assert result.stdout.splitlines() == [
        "path,digit,probability," + ",".join(f"p{number}" for number in range(10))
    ]


def test_lists_longer_than_a_block_are_read_whole(predict, digit):
    digit("a.png")
    names = "".join(f"./{'./' * (number % 50)}a.png\n" for number in range(1500))
    assert len(names) > 1 << 16
    result = predict("--from-file", "-", stdin=names.encode())
    assert [cells[2] for cells in lines_of(result)] == names.splitlines()


def test_several_lists_follow_the_named_pictures(predict, digit):
    for name in ("a.png", "b.png", "c.png"):
        digit(name)
    Path("one").write_text("b.png\n")
    Path("two").write_text("c.png\n")
    result = predict("--from-file", "one", "a.png", "--from-file", "two")
    assert [cells[2] for cells in lines_of(result)] == ["a.png", "b.png", "c.png"]


@pytest.mark.parametrize("fault", ["missing", "folder"])
def test_a_list_that_cannot_be_read_is_told_and_the_rest_goes_on(predict, digit, fault):
    digit("a.png")
    if fault == "folder":
        Path("list").mkdir()
    Path("good").write_text("a.png")
    result = predict("a.png", "--from-file", "list", "--from-file", "good", "-q")
    assert result.code == 4
    assert result.stderr.startswith("Error: list: cannot be read: ")
    assert len(lines_of(result)) == 2


NAMES = {
    b"a b.png": "a b.png",
    b"a\nb.png": "a\\nb.png",
    b"a\tb.png": "a\\tb.png",
    b"a\rb.png": "a\\rb.png",
    b"\x1b[31mred.png": "\\x1b[31mred.png",
    b"bell\x07.png": "bell\\x07.png",
    "sieben \N{BLACK HEART SUIT} \N{LATIN SMALL LETTER U WITH DIAERESIS}.png".encode(): (
        "sieben \N{BLACK HEART SUIT} \N{LATIN SMALL LETTER U WITH DIAERESIS}.png"
    ),
    "a\N{RIGHT-TO-LEFT OVERRIDE}gnp.png".encode(): "a\\u202egnp.png",
    b"\xff\xfe.png": "\\udcff\\udcfe.png",
    b"-7.png": "-7.png",
    b"--help": "--help",
    b"~": "~",
    b"$HOME.png": "$HOME.png",
    b"*.png": "*.png",
    b"a,\"b'.png": "a,\"b'.png",
    b"x" * 251 + b".png": "x" * 251 + ".png",
}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_read_and_shown_safely(predict, digit, name):
    digit(name)
    argument, shown = os.fsdecode(name), NAMES[name]
    result = predict("--show-preprocessed", "seen", "--", argument)
    assert (result.code, lines_of(result)[0][2]) == (0, shown)
    assert len(list(Path("seen").iterdir())) == 1
    (found,) = objects_of(predict("--format", "json", "--", argument))
    assert os.fsencode(found["path"]) == name
    (row,) = csv.DictReader(io.StringIO(predict("--format", "csv", "--", argument).stdout))
    assert row["path"] == shown
    by_list = predict("--from-file", "-", "--format", "json", stdin=name + b"\0")
    assert objects_of(by_list) == [found]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_is_told_safely_in_an_error(predict, name):
    Path(os.fsdecode(name)).write_bytes(b"no picture")
    result = predict("-q", "--", os.fsdecode(name))
    assert result.code == 4
    assert result.stderr == f"Error: {NAMES[name]}: not a picture that Pillow can read\n"


def test_broken_pictures_in_a_folder_and_on_stdin_are_told(predict, digit):
    Path("scans").mkdir()
    digit("scans/a.png")
    Path("scans/b.png").write_bytes(b"")
    digit("scans/c.png")
    result = predict("scans", "-", "-q", stdin=b"")
    assert result.code == 4
    assert [cells[2] for cells in lines_of(result)] == ["scans/a.png", "scans/c.png"]
    assert result.stderr.splitlines() == [
        "Error: scans/b.png: an empty file",
        "Error: -: an empty file",
    ]
