"""Lines and tables fit a terminal, and are broken between values alone."""

import io

import pytest

from dlcli.cli import layout

ROWS = [
    ["run", "status", "accuracy", "loss"],
    ["runs/20261128T190216Z-quickstart", "finished", "93.60 %", "0.1874"],
    ["runs/small", "unfinished", "8.00 %", "12.5000"],
]


def test_without_a_terminal_a_table_has_a_line_for_each_row():
    assert list(layout.table(ROWS, 2, None)) == [
        "run                               status      accuracy     loss",
        "runs/20261128T190216Z-quickstart  finished     93.60 %   0.1874",
        "runs/small                        unfinished    8.00 %  12.5000",
    ]


@pytest.mark.parametrize("limit", [63, 80])
def test_a_table_that_fits_is_the_same_on_a_terminal(limit):
    assert list(layout.table(ROWS, 2, limit)) == list(layout.table(ROWS, 2, None))


def test_in_a_narrow_terminal_paths_stand_alone_and_values_below_each_other():
    assert list(layout.table(ROWS, 2, 40)) == [
        "run",
        "  status      accuracy     loss",
        "runs/20261128T190216Z-quickstart",
        "  finished     93.60 %   0.1874",
        "runs/small",
        "  unfinished    8.00 %  12.5000",
    ]


def test_columns_that_do_not_fit_go_to_further_lines():
    rows = [["digit", "precision", "recall"], ["0", "99.47 %", "100.00 %"]]
    assert list(layout.table(rows, 1, 20)) == [
        "digit  precision",
        "    recall",
        "0        99.47 %",
        "  100.00 %",
    ]


def test_lines_are_broken_before_the_piece_that_does_not_fit():
    pieces = ["2,000 images;  ", "1,992 correct, ", "8 wrong"]
    assert layout.lines(pieces, None) == ["2,000 images;  1,992 correct, 8 wrong"]
    assert layout.lines(pieces, 29) == ["2,000 images;  1,992 correct,", "  8 wrong"]
    assert layout.lines(pieces, 28) == ["2,000 images;", "  1,992 correct, 8 wrong"]
    assert layout.lines(pieces, 5) == ["2,000 images;", "  1,992 correct,", "  8 wrong"]


def test_a_text_beside_a_name_is_broken_between_words():
    text = "Learn to read digits in a few seconds"
    assert layout.beside("quick", 8, text, None) == [f"quick   {text}"]
    assert layout.beside("quick", 8, text, 26) == [
        "quick   Learn to read",
        "        digits in a few",
        "        seconds",
    ]
    assert layout.beside("quick", 8, "", 26) == ["quick"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


def test_only_a_terminal_has_a_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert layout.width(Terminal()) == 40
    assert layout.width(None) is None
    with open("/dev/null", "w") as file:  # noqa: PTH123
        assert layout.width(file) is None
    monkeypatch.delenv("COLUMNS")
    assert layout.width(Terminal()) is None
