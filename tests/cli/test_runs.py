"""``dlcli runs``."""

import csv
import io
import json
import re
import shutil
import sys

import pytest

from dlcli.cli.runs import _COLUMNS


def test_runs_are_listed_as_text_json_and_csv(dlcli, trained_model):
    arguments = ["runs", "--runs-dir", trained_model.parent]
    (row,) = json.loads(dlcli(*arguments, "--format", "json").stdout)
    assert row["run"] == str(trained_model)
    assert (row["status"], row["epochs"]) == ("finished", 4)
    (csv_row,) = csv.DictReader(io.StringIO(dlcli(*arguments, "--format", "csv").stdout))
    assert csv_row == {key: str(row[key]) for key in _COLUMNS}
    header, line = dlcli(*arguments).stdout.splitlines()
    assert header.split()[0] == "run"
    assert line.startswith(str(trained_model))
    assert f"{100 * row['validation_accuracy']:.2f} %" in line


def test_no_runs_are_an_empty_list(dlcli):
    assert json.loads(dlcli("runs", "--format", "json").stdout) == []
    assert dlcli("runs").stdout.count("\n") == 1


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_no_line_of_the_list_is_wider(
    dlcli, trained_model, workdir, monkeypatch, columns
):
    for name in ("20261128T190216Z-quickstart", "b"):
        shutil.copytree(trained_model, workdir / "runs" / name)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = dlcli("runs").stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert "runs/20261128T190216Z-quickstart" in lines
    assert any(re.fullmatch(r"  finished +4 +\d +\d\d\.\d\d %( .*)?", line) for line in lines)
