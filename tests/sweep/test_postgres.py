"""Many machines, one PostgreSQL: workers are killed, the server restarts, no trial is lost.

The test starts a server of its own, in a temporary folder and on a free port of 127.0.0.1.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
from optuna.trial import FrozenTrial, TrialState

from dlcli.runs import metrics_log
from dlcli.sweep import plan as plans
from dlcli.sweep.results import best_of, row_of, worker_of
from dlcli.sweep.storage import StudyLocation, address, connect, create_study, retry_history
from tests.patience import PATIENCE_SECONDS, wait_until

WORKERS = 6
SEARCH = """
dataset: {tiny}
hidden_layers: {{choices: [[4], [8]]}}
learning_rate: {{choices: [0.05, 0.1, 0.2, 0.4]}}
seed: {{low: 0, high: 1}}
batch_size: 16
validation_size: 20
epochs: 25
sweep: {{sampler: grid, pruner: median, trials: 1000, worker_timeout: 6}}
"""
COMBINATIONS = set(itertools.product(["[4]", "[8]"], [0.05, 0.1, 0.2, 0.4], [0, 1]))


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class Server:
    """A PostgreSQL server for a test."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder = folder
        self._programs = programs
        # It refuses to run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(folder, "nobody", "nogroup")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        options = ["-U", "dlcli", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C"]
        self._run("initdb", *options).wait(PATIENCE_SECONDS)

    @property
    def url(self) -> str:
        return f"postgresql://dlcli@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        settings = [f"-p{self.port}", "-h127.0.0.1", f"-k{self._folder}", "-cfsync=off"]
        self._server = self._run("postgres", *settings)
        wait_until(self._answers)

    def stop(self) -> None:
        self._server.send_signal(signal.SIGINT)  # fast: connections are cut
        self._server.wait(PATIENCE_SECONDS)

    def _answers(self) -> bool:
        assert self._server.poll() is None  # it still runs
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, "-D", self._folder / "data", *arguments],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._user,
            )


@pytest.fixture
def server() -> Iterator[Server]:
    found = programs()
    if found is None:
        pytest.skip("needs PostgreSQL's programs, which .ci/run installs (Debian: postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="dlcli-postgres-"))  # pytest's own is private to root
    server = Server(folder, found)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def kill_in_mid_trial(study: optuna.Study, alive: list[int]) -> int:
    """Kill a worker and its parent while it is at a trial; return the trial's number."""

    def caught() -> int | None:
        for trial in study.get_trials(states=[TrialState.RUNNING]):
            worker = row_of(trial)["worker"]
            if worker is None or not trial.intermediate_values:
                continue
            try:
                group = os.getpgid(int(worker.rpartition(":")[2]))
            except ProcessLookupError:
                continue
            if group not in alive:
                continue
            os.killpg(group, signal.SIGSTOP)
            if study.trials[trial.number].state is TrialState.RUNNING:
                os.killpg(group, signal.SIGKILL)
                alive.remove(group)
                return trial.number + 1  # not 0, which is no truth
            os.killpg(group, signal.SIGCONT)
        return None

    return wait_until(caught) - 1


def test_six_workers_two_killed_and_the_server_restarted(server, tmp_path, tiny):
    (tmp_path / "grid.yaml").write_text(SEARCH.format(tiny=tiny))
    processes = []
    for number in range(WORKERS):  # a folder for each: machines that share nothing else
        machine = tmp_path / f"machine-{number}"
        machine.mkdir()
        command = [sys.executable, "-m", "dlcli", "sweep", "--config", tmp_path / "grid.yaml"]
        processes.append(
            subprocess.Popen(
                [*command, "--storage", server.url],
                cwd=machine,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
    alive = [process.pid for process in processes]
    try:
        wait_until(lambda: has_study(server.url))
        study = optuna.load_study(study_name="grid", storage=connect(address(server.url, tmp_path)))
        killed = []
        for least in (2, 4):
            wait_until(lambda: len(finished(study)) >= least)  # noqa: B023 - called at once
            killed.append(kill_in_mid_trial(study, alive))
        wait_until(lambda: len(finished(study)) >= 6)
        server.stop()
        time.sleep(1.5)
        server.start()
        answers = set()
        for process in processes:
            stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
            if process.pid in alive:
                assert process.returncode == 0, stderr
                assert "Traceback" not in stderr
                answers.add(stdout.strip())
        trials = study.get_trials()
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    assert len(alive) == 4
    ended = finished(study)
    assert {tuple(trial.params.values()) for trial in ended} == COMBINATIONS
    # At the end, workers without work try values again that others are still at. Once all are
    # finished, a worker that has not seen it yet may begin one more trial, but no second one.
    done: list[Any] = list(ended)
    done.sort(key=lambda trial: trial.datetime_complete)
    first: dict[tuple[Any, ...], Any] = {}
    for trial in done:
        first.setdefault(tuple(trial.params.values()), trial.datetime_complete)
    late = [worker_of(trial) for trial in done if trial.datetime_start > max(first.values())]
    assert len(late) == len(set(late))
    assert all(trials[number].state is TrialState.FAIL for number in killed)
    # When the later one is killed, another worker may be trying its values already, and end the
    # search before it is tried again.
    assert killed[0] in {number for trial in ended for number in retry_history(trial)}
    running = [trial for trial in trials if trial.state is TrialState.RUNNING]
    assert not [trial for trial in running if worker_of(trial)]
    for trial in ended:  # what the database says is what the run directory holds
        runs = list(tmp_path.glob(f"machine-*/{row_of(trial)['run']}"))
        (run,) = [run for run in runs if metrics_log.read(run)]
        scores = {r.epoch: r.validation_accuracy for r in metrics_log.read(run)}
        assert trial.intermediate_values == scores
        assert (run / "summary.json").exists() == (trial.state is TrialState.COMPLETE)
    best = best_of(trials)
    assert best is not None
    assert row_of(best)["run"] in answers


def has_study(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT to_regclass('trial_intermediate_values')").fetchone()
        if found is None or found[0] is None:
            return False
        return bool(connection.execute("SELECT study_id FROM studies").fetchall())


def finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED])


def test_the_report_reads_from_the_server(server, dlcli, tiny, workdir):
    (workdir / "grid.yaml").write_text(SEARCH.format(tiny=tiny))
    arguments = ["--config", "grid.yaml", "--set", "epochs=1", "--trials", "3"]
    result = dlcli("sweep", *arguments, "--storage", server.url, "--format", "json")
    assert result.code == 0, result.stderr
    report = dlcli("sweep", "report", "--storage", server.url, "--format", "csv")
    assert len(report.stdout.splitlines()) == 4
    assert not (workdir / "runs" / "sweeps.db").exists()


def test_processes_may_start_at_once_on_a_new_server(server, tmp_path, tiny):
    (tmp_path / "grid.yaml").write_text(SEARCH.format(tiny=tiny))
    plan = plans.load([str(tmp_path / "grid.yaml")], [], None)
    location = StudyLocation(address(server.url, tmp_path), "s", tmp_path, tmp_path)
    with ThreadPoolExecutor(WORKERS) as pool:
        opened = list(pool.map(lambda _: create_study(plan, location), range(WORKERS)))
    assert sorted(number for _, number in opened) == list(range(WORKERS))
