"""``dlcli sweep`` is stopped or loses a worker, and continues."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.patience import wait_until


def start(*arguments: object, program: Sequence[str] = ("-m", "dlcli")) -> subprocess.Popen[str]:
    command = [sys.executable, *program, "sweep", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process that is about to end writes to stdout and to stderr."""
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        return process.stdout.read(), process.stderr.read()


# A search whose first workers (as many as HOLD says) stop in the middle of a trial, leave their
# numbers in files, and wait until they are interrupted or killed. It is in a file, which Python
# runs again in each worker.
HOLDING = """
import os
import sys
import time
from pathlib import Path

from dlcli.cli.main import run
from dlcli.cli.sweep import command
from dlcli.sweep.worker import Worker

continue_training = Worker._raise_if_stopped


def hold(worker):
    for place in range(int(os.environ["HOLD"])):
        try:
            with Path(f"held-{place}").open("x") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            continue
        while not worker._is_stopped():
            time.sleep(0.01)
    continue_training(worker)


Worker._raise_if_stopped = hold
if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def start_holding(workdir, monkeypatch):
    """Start a search; return it and the numbers of its first workers, held in mid-trial."""

    def begin(workers: int, *arguments: object) -> tuple[subprocess.Popen[str], list[int]]:
        (workdir / "holding.py").write_text(HOLDING)
        monkeypatch.setenv("HOLD", str(workers))
        process = start(*arguments, program=["holding.py"])

        def held() -> list[int]:
            assert process.poll() is None  # it still runs
            numbers = [path.read_text() for path in workdir.glob("held-*")]
            return [int(number) for number in numbers if number]

        wait_until(lambda: len(held()) == workers)
        return process, held()

    return begin


def test_ctrl_c_ends_a_search_and_the_same_command_continues_it(
    search, start_holding, dlcli, without_workers
):
    arguments = ["--config", search(), "--jobs", "2", "--trials", "3"]
    process, workers = start_holding(2, *arguments)
    assert len(workers) == 2
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    stdout, stderr = end(process)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert stderr.endswith("Stopped after 0 of 3 trials; run the same command to continue\n")
    rows = json.loads(dlcli("sweep", "report", "--format", "json").stdout)["trials"]
    assert [row["state"] for row in rows] == ["retried", "retried", "waiting", "waiting"]

    without_workers()
    continued = dlcli("sweep", *arguments)
    assert continued.code == 0
    rows = json.loads(dlcli("sweep", "report", "--format", "json").stdout)["trials"]
    ended = [row for row in rows if row["state"] in {"complete", "pruned"}]
    assert {row["retry_of"] for row in ended} == {0, 1, None}

    complete = sum(row["state"] == "complete" for row in rows)
    counts = f"{complete} complete, {len(ended) - complete} pruned, 0 failed, 2 retried"
    epochs = sum(row["epochs"] for row in rows)
    assert f"Trials: {counts}; {epochs} epochs in all\n" in continued.stderr
    text = dlcli("sweep", "report", "-o", "page.html")
    assert f"Trials: {counts}\n" in text.stderr
    assert text.stdout.count("  retried  ") == 2
    page = Path("page.html").read_text()
    assert f"{len(rows)} trials: {complete} complete" in page
    assert "2 retried" in page
    assert ">fail<" not in page


@pytest.mark.parametrize("lines", [1, 4])
def test_an_interrupt_at_any_moment_ends_a_search_and_leaves_the_database_unlocked(search, lines):
    """After the announcement, and after three trials."""
    process = start("--config", search(), "--jobs", "2", "--trials", "10000")
    assert process.stderr is not None
    shown = [process.stderr.readline() for _ in range(lines)]
    assert shown[0].startswith("study mine in ")
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = end(process)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    with closing(sqlite3.connect("runs/sweeps.db")) as database:
        database.execute("BEGIN IMMEDIATE")


def test_a_killed_worker_is_reported_and_its_trial_is_tried_again(search, start_holding, dlcli):
    timeout = ["--set", "sweep.worker_timeout=5"]
    options = ["--config", search(), *timeout, "--jobs", "2", "--trials", "4"]
    process, (worker,) = start_holding(1, *options)
    os.kill(worker, signal.SIGKILL)
    _, stderr = end(process)
    assert process.returncode == 0, stderr
    assert "Warning: a worker died (SIGKILL); its trial will be tried again" in stderr
    rows = json.loads(dlcli("sweep", "report", "--format", "json").stdout)["trials"]
    assert sum(row["state"] in {"complete", "pruned"} for row in rows) >= 4
    lost = next(row for row in rows if row["worker"].endswith(f":{worker}"))
    assert lost["state"] == "retried"
    assert lost["trial"] in {row["retry_of"] for row in rows}
