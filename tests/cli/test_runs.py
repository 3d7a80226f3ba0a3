"""``dlcli runs``."""

import csv
import io
import json
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import click
import pytest

from dlcli.cli.runs import _COLUMNS
from dlcli.runs import checkpoint
from dlcli.runs.directory import locked
from dlcli.runs.selection import network


def test_runs_are_listed_as_text_json_and_csv(dlcli, trained_model):
    arguments = ["runs", "--runs-dir", trained_model.parent]
    (row,) = json.loads(dlcli(*arguments, "--format", "json").stdout)
    assert row["run"] == str(trained_model)
    assert (row["status"], row["epochs"]) == ("finished", 4)
    (csv_row,) = csv.DictReader(io.StringIO(dlcli(*arguments, "--format", "csv").stdout))
    words = {**row, "hidden_layers": network(row["hidden_layers"])}
    assert csv_row == {key: str(words[key]) for key in _COLUMNS}
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
    lines = click.unstyle(dlcli("runs").stdout).splitlines()
    assert max(map(len, lines)) <= columns
    assert "runs/20261128T190216Z-quickstart" in lines
    assert any(re.fullmatch(r"  finished +[\d-]+ +\S+ +4( .*)?", line) for line in lines)


@pytest.fixture
def two_runs(trained_model, workdir):
    """A finished run, ``latest``, and one that has just begun."""
    for name in ("good", "begun"):
        shutil.copytree(trained_model, workdir / "runs" / name)
    begun = workdir / "runs" / "begun"
    for name in ("metrics.jsonl", "summary.json", "best.npz"):
        (begun / name).unlink()
    (workdir / "runs" / "latest").symlink_to("good")
    return workdir / "runs"


def listed(dlcli, *arguments):
    return [Path(row["run"]).name for row in json.loads(dlcli("runs", *arguments).stdout)]


def test_the_list_says_which_network_was_trained_on_what_and_when(dlcli, trained_model):
    (row,) = json.loads(dlcli("runs", "--runs-dir", trained_model.parent, "-f", "json").stdout)
    config = checkpoint.read_config(trained_model / "config.yaml")
    assert row["hidden_layers"] == list(config.hidden_layers)
    assert row["dataset"] == config.dataset
    written = datetime.fromtimestamp((trained_model / "last.npz").stat().st_mtime, UTC)
    assert abs(datetime.fromisoformat(row["trained"]) - written) <= timedelta(seconds=1)


@pytest.mark.usefixtures("two_runs")
def test_the_list_is_sorted_and_filtered(dlcli):
    as_json = ("--format", "json")
    assert listed(dlcli, "--sort", "run", *as_json) == ["begun", "good"]
    assert listed(dlcli, "list", "--sort", "run", "--reverse", *as_json) == ["good", "begun"]
    assert listed(dlcli, "--sort", "accuracy", *as_json) == ["begun", "good"]
    assert listed(dlcli, "--filter", "accuracy>1%", *as_json) == ["good"]
    assert listed(dlcli, "--filter", "status!=finished", *as_json) == ["begun"]
    assert listed(dlcli, "--filter", "run=*goo*", "--filter", "epochs>=4", *as_json) == ["good"]
    assert listed(dlcli, "--filter", "trained<2000-01-01", *as_json) == []
    rows = {Path(row["run"]).name: row for row in json.loads(dlcli("runs", *as_json).stdout)}
    day, accuracy = rows["good"]["trained"][:10], rows["good"]["validation_accuracy"]
    for sign, count in (("<=", 2), (">=", 2), ("=", 2), ("<", 0), (">", 0), ("!=", 0)):
        assert len(listed(dlcli, "--filter", f"trained{sign}{day}", *as_json)) == count
    for text in (f"{accuracy}", f"{Decimal(str(accuracy)) * 100}%"):
        for sign, found in (("=", ["good"]), ("<=", ["good"]), ("<", []), (">", [])):
            assert listed(dlcli, "--filter", f"accuracy{sign}{text}", *as_json) == found


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("accuracy", "expected KEY=VALUE"),
        ("colour=red", "no such key as 'colour'"),
        ("accuracy>high", "'high' is not a number"),
        ("accuracy>nan", "'nan' is not a number"),
        ("accuracy>1e9999999%", "'1e9999999%' is not a number"),
        ("status<finished", "status is a text"),
        ("status=finised", "a status is one of finished, unfinished, "),
        ("trained<yesterday", "expected a date"),
        ("trained<2026-02-30", "expected a date"),
        ("trained>2026-13", "expected a date"),
        ("trained>=2026-01-31T25", "expected a date"),
    ],
)
def test_a_wrong_condition_is_refused(dlcli, condition, reason):
    result = dlcli("runs", "--filter", condition)
    assert result.code == 2
    assert result.stderr.startswith(f"Error: --filter {condition}: ")
    assert reason in result.stderr


@pytest.mark.usefixtures("two_runs")
def test_a_run_is_shown_as_text_and_json(dlcli):
    text = dlcli("runs", "show", "runs/latest").stdout
    assert re.search(r"^run +runs/good$", text, re.MULTILINE)
    assert "dlcli eval runs/good" in text
    shown = json.loads(dlcli("runs", "show", "runs/good", "-f", "json").stdout)
    assert shown["summary"]["best_epoch"] == shown["best_epoch"]
    assert shown["config"]["hidden_layers"] == shown["hidden_layers"]
    assert "best.npz" in shown["files"]
    begun = json.loads(dlcli("runs", "show", "runs/begun", "-f", "json").stdout)
    assert (begun["status"], begun["summary"]) == ("unfinished", None)
    assert dlcli("runs", "show", "runs/gone").code == 4
    assert "dlcli train --resume runs/begun" in dlcli("runs", "show", "runs/begun").stdout


def test_a_file_is_no_folder_of_runs(dlcli, workdir):
    Path("my.yaml").touch()
    result = dlcli("runs", "--runs-dir", "my.yaml")
    assert (result.code, result.stderr) == (2, "Error: my.yaml: is a file, not a folder of runs\n")


@pytest.mark.parametrize("place", ["notes", "notes/runs"])
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_no_run_is_written_where_a_file_is(dlcli, search, command, place):
    config = search() if command == "sweep" else "quickstart"
    Path("notes").touch()
    result = dlcli(command, "-q", "--config", config, "--runs-dir", place)
    assert (result.code, result.stderr) == (2, "Error: notes: is a file, not a folder\n")


@pytest.mark.parametrize("way", [".", "../../runs/good"])
def test_a_run_is_removed_by_any_path_to_it(dlcli, two_runs, monkeypatch, way):
    monkeypatch.chdir(two_runs / "good")
    result = dlcli("runs", "rm", "--yes", way)
    assert result.code == 0, result.stderr
    assert [path.name for path in two_runs.iterdir()] == ["begun"]


def test_an_empty_path_is_refused(dlcli, workdir):
    result = dlcli("runs", "rm", "--yes", "")
    assert result.code == 2
    assert "the path is empty" in result.stderr


def test_removing_asks_and_takes_the_link_with_the_run(dlcli, two_runs, monkeypatch):
    result = dlcli("runs", "rm", "runs/good")
    assert (result.code, (two_runs / "good").exists()) == (2, True)
    assert "--yes" in result.stderr
    monkeypatch.setattr("dlcli.cli.runs.can_ask", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert dlcli("runs", "rm", "runs/latest").code == 0
    assert (two_runs / "good").exists()
    result = dlcli("runs", "rm", "--yes", "runs/latest")
    assert result.stderr == "removed runs/good, and the link to it, latest\n"
    assert [path.name for path in two_runs.iterdir()] == ["begun"]


def test_only_runs_are_removed_and_none_that_is_being_trained(dlcli, two_runs):
    (two_runs / "begun" / "inner").mkdir()
    shutil.copy(two_runs / "good" / "config.yaml", two_runs / "begun" / "inner")
    assert dlcli("runs", "rm", "-y", "runs/good", "runs/begun").code == 4
    assert dlcli("runs", "rm", "-y", "runs").code == 4
    with locked(two_runs / "good"):
        result = dlcli("runs", "rm", "-y", "runs/good")
    assert result.code == 2
    assert "another process is training in it" in result.stderr
    assert {path.name for path in two_runs.iterdir()} == {"good", "begun", "latest"}


def test_a_run_that_is_named_twice_is_removed_once(dlcli, two_runs):
    result = dlcli("runs", "rm", "-y", "runs/good", two_runs.resolve() / "good", "runs/latest")
    assert (result.code, result.stderr.count("removed ")) == (0, 1)
    assert not (two_runs / "good").exists()


def test_a_run_that_was_killed_before_its_first_checkpoint_is_removed(dlcli, two_runs):
    for name in ("last.npz", "best.npz", "metrics.jsonl", "summary.json"):
        (two_runs / "good" / name).unlink()
    assert (two_runs / "good" / "film.npz").exists()
    assert dlcli("runs", "rm", "-y", "runs/good").code == 0


def test_a_folder_with_a_config_of_something_else_is_not_removed(dlcli, two_runs):
    site = two_runs.parent / "site"
    site.mkdir()
    (site / "config.yaml").write_text("site: x\n")
    (site / "thesis.tex").touch()
    result = dlcli("runs", "rm", "-y", "site")
    assert (result.code, result.stderr) == (
        4,
        "Error: site: not a run directory, so it is not removed\n",
    )
    (site / "thesis.tex").unlink()  # a run that ended before its first epoch
    assert dlcli("runs", "rm", "-y", "site").code == 0
    (two_runs / "good" / "last.npz").unlink()  # removed to save space
    assert dlcli("runs", "rm", "-y", "runs/good").code == 0


def test_temporary_files_are_not_shown(dlcli, two_runs):
    (two_runs / "good" / ".last.npz.00.tmp").touch()
    shown = json.loads(dlcli("runs", "show", "runs/good", "-f", "json").stdout)
    assert not [name for name in shown["files"] if name.endswith(".tmp")]


def test_a_run_that_saved_nothing_cannot_be_resumed_and_nobody_is_told_to(dlcli, two_runs):
    (two_runs / "begun" / "last.npz").unlink()
    assert "--resume" not in dlcli("runs", "show", "runs/begun").stdout


def test_the_dataset_of_a_mixture_is_shown_without_the_folders_of_its_parts(dlcli, two_runs):
    config = two_runs / "good" / "config.yaml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("dataset:")]
    config.write_text("\n".join(["dataset: [sample, ./my/digits]", *lines]))
    assert "sample + digits" in dlcli("runs").stdout
    for name in ("sample + digits", "sample + ./my/digits", "*digits"):
        assert listed(dlcli, "--filter", f"dataset={name}", "--format", "json") == ["good"]
        assert listed(dlcli, "--filter", f"dataset!={name}", "--format", "json") == ["begun"]


def test_a_run_whose_removal_was_interrupted_is_no_run_any_more(dlcli, two_runs):
    (two_runs / "good").rename(two_runs / ".good.00.tmp")
    assert listed(dlcli, "--format", "json") == ["begun"]
