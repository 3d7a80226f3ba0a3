"""Searches for the tests: plans, locations and workers."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import Engine, event
from sqlalchemy.pool import NullPool

from dlcli.sweep import plan as plans
from dlcli.sweep.plan import Plan
from dlcli.sweep.samplers import make_pruner, make_sampler
from dlcli.sweep.storage import FILE, StudyLocation, address, connect, create_study, load_study
from dlcli.sweep.worker import Worker

SEARCH = """
hidden_layers: {choices: [[4], [8]]}
learning_rate: {low: 0.01, high: 1, log: true}
batch_size: 16
epochs: 2
validation_size: 20
"""


@event.listens_for(Engine, "connect")
def no_waiting_for_the_disk(connection: object, _record: object) -> None:
    """Let SQLite flush nothing: to wait for the disk would take longer than most tests."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture
def make_plan(workdir, tiny) -> Callable[..., Plan]:
    """A plan for 60 images: ``make_plan("epochs: 3", trials=4)`` adds to, or replaces, a search."""

    def make(text: str = "", trials: int | None = 4, start: str = SEARCH) -> Plan:
        (workdir / "start.yaml").write_text(f"dataset: {tiny}\n{start}")
        (workdir / "search.yaml").write_text(text)
        return plans.load(["start.yaml", "search.yaml"], [], trials)

    return make


@pytest.fixture(scope="session")
def new_database(tmp_path_factory) -> Path:
    """A SQLite file with Optuna's tables and nothing in them, to copy: to make one takes longer."""
    folder = tmp_path_factory.mktemp("database")
    connect(address(None, folder))
    return folder / FILE


@pytest.fixture
def location(workdir, new_database) -> StudyLocation:
    """A study named ``s`` in a new SQLite file."""
    (workdir / "runs").mkdir()
    shutil.copyfile(new_database, workdir / "runs" / FILE)
    url = address(None, workdir / "runs")
    return StudyLocation(url, "s", workdir / "runs", workdir / "data")


@pytest.fixture
def open_study(location) -> Callable[..., optuna.Study]:
    """Open the study of a plan as a worker does: ``open_study(plan, worker=1)``."""

    def load(plan: Plan, worker: int = 0, location: StudyLocation = location) -> optuna.Study:
        create_study(plan, location)
        return load_study(plan, location, worker)

    return load


@pytest.fixture
def study_in_memory() -> Callable[[Plan], optuna.Study]:
    """A study with the sampler and the pruner of a plan, and without a database: it is faster."""
    return lambda plan: optuna.create_study(
        direction="maximize", sampler=make_sampler(plan, 0), pruner=make_pruner(plan)
    )


@pytest.fixture
def start(make_plan, location, open_study) -> Callable[..., tuple[optuna.Study, Worker]]:
    """Make a study and a worker for it: ``study, worker = start("epochs: 3")``."""

    def begin(
        text: str = "",
        trials: int = 4,
        is_stopped: Callable[[], bool] = lambda: False,
        location: StudyLocation = location,
    ) -> tuple[optuna.Study, Worker]:
        plan = make_plan(text, trials)
        study = open_study(plan, location=location)
        return study, Worker(plan, location, study, is_stopped)

    return begin


@pytest.fixture
def open_elsewhere(location) -> Callable[[], optuna.Study]:
    """Open the study as a process without a heartbeat, whose trials one may start and leave."""

    def load() -> optuna.Study:
        storage = RDBStorage(location.url, {"poolclass": NullPool})
        return optuna.load_study(study_name=location.study, storage=storage)

    return load


@pytest.fixture
def runs_folder(location) -> Path:
    """The folder with the runs of the study."""
    return location.folder
