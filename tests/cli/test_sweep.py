"""``dlcli sweep``: what it prints, writes and refuses, how it stops and continues."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dlcli.cli.main import run
from dlcli.cli.sweep import command
from dlcli.runs.listing import list_runs
from dlcli.sweep import plan as plans
from dlcli.sweep.storage import StudyLocation, address, create_study


def test_a_search_ends_with_the_best_run_and_a_config_to_train(dlcli, search, without_workers):
    result = dlcli("sweep", "--config", search(), "--jobs", "2")
    assert result.code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    rows = {row["run"]: row for row in list_runs(Path("runs/mine"))}
    assert 6 <= len(rows) <= 7  # both jobs may begin a last trial at the same moment
    finished = [row for row in rows.values() if row["status"] == "finished"]
    assert rows[line]["validation_accuracy"] == max(r["validation_accuracy"] for r in finished)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("study mine in sqlite:///runs/sweeps.db: searches hidden_layers, l")
    assert sum(text.startswith("trial ") for text in lines) == len(rows)
    assert re.search(r"  [67]/6\n", result.stderr)  # and no time left
    assert lines[-1] == "Its config: dlcli train --config runs/mine/best.yaml"

    best = yaml.safe_load(Path("runs/mine/best.yaml").read_text())
    assert best == yaml.safe_load((Path(line) / "config.yaml").read_text())
    assert dlcli("train", "-q", "--config", "runs/mine/best.yaml", "--name", "again").code == 0

    again = dlcli("sweep", "--config", search(), "--format", "json")
    least = len(rows) + 1
    told = f"The study is done already; to continue it, use --trials {least} or more\n"
    assert told in again.stderr
    assert told in dlcli("sweep", "--config", search(), "--trials", "2").stderr
    summary = json.loads(again.stdout)
    assert set(summary) == {
        "study",
        "storage",
        "run",
        "worker",
        "trial",
        "validation_accuracy",
        "validation_loss",
        "params",
        "best_config",
        "trials",
        "epochs",
        "sampler",
        "pruner",
    }
    assert summary["run"] == line
    assert summary["trials"]["complete"] + summary["trials"]["pruned"] == len(rows)
    assert summary["trials"]["wanted"] == 6
    assert summary["params"]["hidden_layers"] in ([4], [8])

    without_workers()
    more = dlcli("sweep", "-q", "--config", search(), "--trials", 8)
    assert more.code == 0
    assert more.stderr == ""
    assert len(list(Path("runs/mine").glob("trial-*"))) == 8

    report = dlcli("sweep", "report", "--format", "csv")
    table = list(csv.DictReader(io.StringIO(report.stdout)))
    assert len({row["trial"] for row in table}) == len(table) == 8
    assert {row["run"] for row in table} == {r["run"] for r in list_runs(Path("runs/mine"))}
    text = dlcli("sweep", "report", "--study", "mine", "-o", "page.html")
    assert text.code == 0, text.stderr
    assert "importance (PED-ANOVA)" in text.stdout
    warned = re.search("Warning: importances from (.*) complete trials may be chance", text.stderr)
    assert warned is not None
    assert 2 <= int(warned[1]) <= 8
    assert text.stdout.count("learning_rate") == 2
    page = Path("page.html").read_text()
    for title in ("Importance", "Accuracy by key", "Parallel coordinates"):
        assert f">{title}</" in page
    assert dlcli("sweep", "report", "-o", "page.html").code == 2
    assert "Caution: importances from " in page
    found = json.loads(dlcli("sweep", "report", "--format", "json").stdout)
    assert f"Warning: {found['importance_caveat']}\n" in text.stderr
    assert sum(found["importance"].values()) == pytest.approx(1)
    assert found["best_trial"] in {row["trial"] for row in found["trials"]}


def test_a_best_run_that_was_removed_is_told_with_how_to_train_it_again(
    dlcli, search, without_workers, monkeypatch
):
    without_workers()
    best = dlcli("sweep", "-q", "--config", search(epochs=1), "--trials", "2").stdout.strip()
    assert "Warning" not in dlcli("sweep", "--config", "mine.yaml", "--trials", "2").stderr
    assert dlcli("runs", "rm", "-y", best).code == 0
    result = dlcli("sweep", "--config", "mine.yaml", "--trials", "2")
    assert (result.code, result.stdout) == (0, f"{best}\n")
    again = "dlcli train --config runs/mine/best.yaml"
    told = f"Warning: {best}: the best run is no longer there; train it again with: {again}\n"
    assert told in result.stderr
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    assert "Warning" not in dlcli("sweep", "--config", "mine.yaml", "--trials", "2").stderr


def test_a_grid_of_which_every_point_is_done_needs_no_more_trials(dlcli, search, without_workers):
    without_workers()
    text = search(epochs=1).read_text().replace("{low: 0.01, high: 1, log: true}", "0.1")
    Path("mine.yaml").write_text(text.replace("{trials: 6}", "{sampler: grid}"))
    assert dlcli("sweep", "-q", "--config", "mine.yaml", "--trials", "1").code == 0
    done = "The study is done already; "
    few = dlcli("sweep", "--config", "mine.yaml", "--trials", "1").stderr
    assert "pruner median, 1 trial\n" in few
    assert "; 1 epoch in all\n" in few
    assert f"{done}to continue it, use --trials 2 or more\n" in few
    assert dlcli("sweep", "-q", "--config", "mine.yaml").code == 0
    full = dlcli("sweep", "--config", "mine.yaml").stderr
    assert f"{done}every point of its grid is done\n" in full


def test_a_timeout_stops_with_the_best_so_far(search, dlcli, without_workers):
    without_workers()
    assert dlcli("sweep", "-q", "--config", search(), "--trials", "1").code == 0
    result = dlcli("sweep", "--config", "mine.yaml", "--trials", "10000", "--timeout", "0.3s")
    assert result.code == 0, result.stderr
    assert " of 10,000 trials; run the same command to continue" in result.stderr
    assert Path(result.stdout.strip()).is_dir()


def test_no_completed_trial_is_an_error_with_the_reason(search, dlcli, without_workers):
    without_workers()
    result = dlcli("sweep", "--config", search(more="warmup_epochs: {choices: [3, 4]}"))
    assert result.code == 1
    assert result.stdout == ""
    assert "Error: no trial was completed; the last one: proposed: warmup_epochs:" in result.stderr
    assert dlcli("sweep", "report", "-o", "page.html").code == 2
    assert "importances need" in dlcli("sweep", "report").stderr.lower()


def test_an_error_in_a_worker_is_the_commands_error(search, dlcli, monkeypatch):
    monkeypatch.setattr("dlcli.runs.directory.refuse_as_study", lambda folder: None)
    Path("runs").mkdir()
    Path("runs/mine").write_text("a file where the folder of the study's runs should be")
    result = dlcli("sweep", "--config", search())
    assert result.code == 1
    assert "runs/mine" in result.stderr
    assert "unexpected" not in result.stderr


@pytest.mark.parametrize(
    ("file", "study"), [("größe.yaml", "größe"), ("-x.yaml", "x"), ("...yaml", "config")]
)
def test_a_search_is_named_after_its_file_whatever_that_is_called(
    dlcli, search, without_workers, file, study
):
    without_workers()
    search(epochs=1, more="sweep.trials: 1\n").rename(file)
    result = dlcli("sweep", "-q", "--config", f"./{file}")
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"runs/{study}/")
    assert dlcli("sweep", "report", "--study", study).code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to search"),
        (["--config", "sweep", "--set", "epochs=none"], "--set: epochs: expected a whole number"),
        (["--config", "quickstart"], "nothing to search"),
        (["--config", "nosuch"], "nosuch: no such config file"),
        (["--config", "sweep", "--study", "../x"], "--study '../x': use letters"),
        (
            ["--config", "sweep", "--study", "sweeps.db"],
            "--study sweeps.db: runs/sweeps.db is a file of the database; choose another --study",
        ),
        (["--config", "sweep", "--study", "sweeps.db.lock"], "is a file of the database"),
        (
            ["--config", "sweep", "--runs-dir", ".", "--study", "notes"],
            "--study notes: notes is a file, not a folder; choose another --study",
        ),
        (
            ["--config", "sweep", "--set", "dataset=sample", "--set", "classes=[1, x]"],
            "classes: sample has no class 'x'",
        ),
        (
            ["-c", "sweep", "-s", "dataset=sample", "-s", "classes={choices: [[1, 2], [1, y]]}"],
            "classes: sample has no class 'y'",
        ),
        (
            ["-c", "sweep", "-s", "dataset=sample", "-s", "validation_size=10000"],
            "validation_size 10000: no images would be left to train on",
        ),
        (
            ["-c", "sweep", "-s", "dataset=sample", "-s", "validation_split=writers"],
            "nothing says who wrote the training images",
        ),
        (
            ["-c", "sweep", "-s", "dataset=sample", "-s", "class_weights.x=2"],
            "class_weights: no class x",
        ),
        (["--config", "sweep", "--timeout", "soon"], "'soon' is not a duration such as 90, 90s"),
        (["--config", "sweep", "--timeout", "0"], "is not a duration"),
        (["--config", "sweep", "--jobs", "0"], "--jobs"),
        (["--config", "sweep", "--storage", "x"], "--storage x: expected postgresql://"),
        (["--trials", "3", "report"], "options go after report, not before"),
        (["report"], "runs/sweeps.db: no such file; dlcli sweep makes it"),
        (["report", "--output", "no/such/page.html"], "the folder no/such does not exist"),
    ],
)
def test_what_is_refused(dlcli, arguments, message):
    Path("notes").touch()
    result = dlcli("sweep", *arguments)
    assert result.code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert not Path("runs/sweeps.db").exists()  # a study would remember the mistake


def test_keys_that_end_the_trials_of_one_choice_are_no_problem(dlcli, search, without_workers):
    without_workers()
    plan = search(epochs=1, more="sweep.trials: 1\n")
    settings = ["-s", "validation_size=0.5", "-s", "classes={choices: [[0, 1], [2, 3]]}"]
    settings += ["-s", 'class_weights={"3": 2}', "--trials", "4"]
    result = dlcli("sweep", "--config", plan, *settings)
    assert result.code == 0, result.stderr
    assert "no class 3; there are 0, 1" in result.stderr


def test_a_search_that_began_elsewhere_names_the_run_where_it_is(dlcli, search, without_workers):
    without_workers()
    plan = search(epochs=1, more="sweep.trials: 1\n")
    first = dlcli("sweep", "-q", "--config", plan)
    Path("runs").rename("moved")
    again = dlcli("sweep", "-q", "--config", plan, "--runs-dir", "moved")
    assert (again.code, again.stderr) == (0, "")
    assert again.stdout == first.stdout.replace("runs/", "moved/", 1)


def test_a_model_that_no_trial_could_start_from_is_refused(dlcli):
    rates = "learning_rate={low: 0.01, high: 0.1}"
    start = ["--config", "finetune", "-s", "dataset=sample", "-s", "init_from=pretrained"]
    result = dlcli("sweep", *start, "-s", rates, "-s", "hidden_layers=[5]")
    assert result.code == 2
    assert "leave out hidden_layers and activation" in result.stderr
    assert not Path("runs/sweeps.db").exists()


@pytest.mark.parametrize(
    ("words", "seconds"), [("90", 90), ("1.5s", 1.5), ("5m", 300), ("2h", 7200)]
)
def test_a_timeout_is_in_seconds_minutes_or_hours(words, seconds):
    (timeout,) = (option for option in command.params if option.name == "timeout")
    assert timeout.type.convert(words, None, None) == seconds


def test_a_report_names_the_studies_there_are(dlcli, search):
    plan, runs = plans.load([str(search())], [], None), Path("runs")
    runs.mkdir()
    create_study(plan, StudyLocation(address(None, runs), "a", runs, runs))
    assert dlcli("sweep", "report", "--format", "csv").code == 0
    create_study(plan, StudyLocation(address(None, runs), "b", runs, runs))
    assert "name a study with --study; it has a, b" in dlcli("sweep", "report").stderr
    assert "no study c; it has a, b" in dlcli("sweep", "report", "--study", "c").stderr
    assert dlcli("sweep", "report", "--study", "b").code == 0


def test_the_csv_has_the_epochs_that_were_trained_and_those_of_the_search(
    dlcli, search, without_workers
):
    without_workers()
    path = search(more="early_stopping: 1\n")
    text = path.read_text().replace("epochs: 2", "epochs: {choices: [4, 5]}")
    path.write_text(text.replace("low: 0.01, high: 1,", "low: 1e-12, high: 1e-11,"))
    assert dlcli("sweep", "--config", path, "--trials", "2").code == 0
    table = csv.DictReader(io.StringIO(dlcli("sweep", "report", "--format", "csv").stdout))
    assert table.fieldnames is not None
    assert len(set(table.fieldnames)) == len(table.fieldnames)
    for row in table:
        assert int(row["epochs"]) < int(row["params.epochs"]) in {4, 5}


def test_a_page_needs_the_extra_report(dlcli, search, without_workers, monkeypatch):
    without_workers()
    assert dlcli("sweep", "--config", search(), "--trials", "2").code == 0
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for module in [name for name in sys.modules if name.startswith("dlcli.report")]:
        monkeypatch.delitem(sys.modules, module)
    result = dlcli("sweep", "report", "--output", "page.html")
    assert (result.code, result.stdout) == (2, "")
    told = "Error: matplotlib is not installed; get it with: pip install 'dlcli[report]'\n"
    assert result.stderr == told
    assert not Path("page.html").exists()


@pytest.mark.parametrize("words", ["'--config', 'sweep'", "'report'"])
def test_a_missing_library_is_named_with_the_command_that_brings_it(words, tmp_path):
    code = (
        "import sys; sys.modules['optuna'] = None; from dlcli.cli.main import run; "
        f"sys.exit(run(['sweep', {words}]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    told = "Error: optuna is not installed; get it with: pip install 'dlcli[sweep]'\n"
    assert (finished.returncode, finished.stderr) == (2, told)


@pytest.mark.parametrize("words", ["train", "gradcheck", "config show"])
def test_a_search_is_no_config(dlcli, words):
    result = dlcli(*words.split(), "--config", "sweep")
    assert result.code == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith("sweep: makes this a search, which is for dlcli sweep --config")
    result = dlcli(*words.split(), "--set", "dropout={low: 0.1, high: 0.5}")
    assert result.code == 2
    assert "got a mapping; a search is for dlcli sweep" in result.stderr


def test_a_bar_shows_the_best_so_far(dlcli, search, without_workers, monkeypatch):
    without_workers()

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    real = sys.stderr
    monkeypatch.setattr(sys, "stderr", terminal)
    code = run(["sweep", "--config", str(search()), "--trials", "2"])
    monkeypatch.setattr(sys, "stderr", real)
    assert code == 0
    shown = terminal.getvalue()
    assert "trials 2/2|" in shown
    assert "0 running" in shown
    assert "best " in shown
