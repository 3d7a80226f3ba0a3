"""The database: its address, its errors, and who may use which study."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState, create_trial
from sqlalchemy.exc import OperationalError

from dlcli.errors import ConfigError, DatasetError
from dlcli.sweep.storage import (
    StorageError,
    address,
    connect,
    create_study,
    explained,
    file_of,
    shown,
)


def test_addresses():
    assert address(None, Path("runs")) == "sqlite:///runs/sweeps.db"
    for scheme in ("postgresql", "postgres"):
        assert address(f"{scheme}://a:b@host/db", Path()) == "postgresql+psycopg://a:b@host/db"
    assert address("sqlite:///x.db", Path("runs")) == "sqlite:///x.db"
    assert file_of(address(None, Path("a?b%20c"))) == Path("a?b%20c/sweeps.db")
    assert file_of("postgresql+psycopg://a:b@host/db") is None
    assert shown("postgresql+psycopg://a:secret@host/db") == "postgresql+psycopg://a:***@host/db"
    with pytest.raises(ConfigError, match="--storage x: expected postgresql://USER:PASSWORD@"):
        address("x", Path())
    with pytest.raises(ConfigError, match=r"--storage postgresql://a:\*\*\*@host:no/db: expected"):
        address("postgresql://a:secret@host:no/db", Path())


@pytest.mark.parametrize(
    "storage",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:x?mode=memory&uri=true",
    ],
)
def test_a_database_in_memory_is_refused(storage):
    with pytest.raises(ConfigError, match="a database in memory cannot be shared by workers; name"):
        address(storage, Path())


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("nosuchdb://host/db", ConfigError, "--storage nosuchdb://host/db: "),
        ("sqlite:////no/such/folder/x.db", StorageError, "unable to open database file"),
        ("postgresql+psycopg://a:secret@127.0.0.1:1/db", StorageError, "onnection"),
    ],
)
def test_what_cannot_be_reached_is_reported_without_the_password(url, kind, message):
    with pytest.raises(kind) as error:
        connect(url)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_new_study_on_a_server_that_does_not_answer_is_refused(make_plan, location):
    gone = replace(location, url="postgresql+psycopg://a:secret@127.0.0.1:1/db")
    with pytest.raises(StorageError, match="onnection"):
        create_study(make_plan(), gone)


def test_a_file_in_no_folder_is_an_error(make_plan, location, tmp_path):
    place = replace(location, url=f"sqlite:///{tmp_path}/gone/x.db")
    with pytest.raises(ConfigError, match=r"--storage sqlite:///.*: there is no folder .*/gone$"):
        create_study(make_plan(), place)


def gone() -> object:
    cause = OperationalError("SELECT", {}, Exception("the server\nis gone"))
    raise StorageInternalError from cause


def test_an_error_of_the_database_is_reported_on_one_line():
    with (
        pytest.raises(StorageError, match=r"sweeps\.db: the server is gone$"),
        explained("sqlite:///sweeps.db"),
    ):
        gone()


def test_the_error_behind_an_error_counts():
    def read() -> None:
        try:
            state = gone()
        finally:
            assert state is None  # UnboundLocalError, as in Optuna at the end of a trial

    with pytest.raises(StorageError, match="the server is gone"), explained("sqlite:///sweeps.db"):
        read()


def test_any_other_error_stays_as_it_is():
    with pytest.raises(KeyError), explained("sqlite:///sweeps.db"):
        raise KeyError


def test_a_heartbeat_is_skipped_while_the_database_is_away(location):
    database = connect(location.url)
    (location.runs_dir / "sweeps.db").unlink()
    database.record_heartbeat(1)


def test_a_study_is_created_once_and_optuna_alone_can_read_it(
    make_plan, location, open_study, open_elsewhere
):
    study, again = open_study(make_plan()), open_study(make_plan())
    again.add_trial(create_trial(state=TrialState.COMPLETE, value=0.5))
    assert study.best_value == 0.5
    assert open_elsewhere().best_value == 0.5


def test_every_worker_of_a_study_has_a_number_of_its_own(make_plan, location):
    plan = make_plan()
    assert [create_study(plan, location, workers=3)[1] for _ in range(3)] == [0, 3, 6]


def test_a_study_of_an_older_dlcli_has_had_a_worker_for_each_trial(make_plan, location):
    plan = make_plan()
    study = optuna.create_study(study_name="s", storage=connect(location.url), direction="maximize")
    study.set_user_attr("dlcli:plan", json.dumps(plan.describe()))
    for _ in range(3):
        study.add_trial(create_trial(state=TrialState.COMPLETE, value=0.5))
    assert create_study(plan, location)[1] == 3


@pytest.mark.parametrize("timeout", [2, 5, 60])
def test_a_worker_counts_as_dead_only_after_it_missed_heartbeats(location, timeout):
    database = connect(location.url, timeout)
    assert database.grace_period == timeout
    assert database.heartbeat_interval is not None
    assert 1 <= database.heartbeat_interval <= timeout / 2


def test_a_study_of_another_search_is_refused(make_plan, location):
    create_study(make_plan(), location)
    with pytest.raises(ConfigError, match="study s: was started with another momentum, sweep"):
        create_study(make_plan("momentum: 0.5\nsweep: {seed: 3}"), location)
    create_study(make_plan("sweep: {worker_timeout: 7}", trials=9), location)


def test_a_study_is_not_continued_on_data_that_changed(make_plan, location):
    create_study(make_plan(), location)  # as older versions did, which recorded no checksum
    create_study(make_plan(), location, checksums={"digits": "0123456789abcdef"})
    create_study(make_plan(), location, checksums={"digits": "0123456789abcdef", "other": "1"})
    message = r"study s: digits is other data than .* \(checksum 2\.\.\., then 0123456789ab\.\.\.\)"
    with pytest.raises(DatasetError, match=message):
        create_study(make_plan(), location, checksums={"digits": "2"})


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_study_that_dlcli_did_not_create_is_refused(make_plan, location, direction):
    study = optuna.create_study(study_name="s", storage=connect(location.url), direction=direction)
    study.set_user_attr("owner", "someone else")
    with pytest.raises(ConfigError, match="study s: was not created by dlcli sweep; choose anot"):
        create_study(make_plan(), location)


def test_a_study_is_continued_whose_process_was_killed_right_after_creating_it(make_plan, location):
    optuna.create_study(study_name="s", storage=connect(location.url), direction="maximize")
    assert create_study(make_plan(), location)[1] == 0


START = """
import sys
from pathlib import Path
from dlcli.sweep import plan
from dlcli.sweep.storage import StudyLocation, address, create_study

found = plan.load(["start.yaml", "search.yaml"], [], None)
print("ready", flush=True)
for folder in map(str.strip, sys.stdin):
    where = Path(folder)
    study, number = create_study(found, StudyLocation(address(None, where), "s", where, where))
    print(number, len(study.trials), flush=True)
"""


def test_processes_may_start_at_once_on_a_new_file(make_plan, workdir):
    make_plan()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    try:
        assert [process.stdout.readline() for process in processes if process.stdout] == [
            "ready\n"
        ] * 6
        for round_number in range(4):
            folder = workdir / f"runs-{round_number}"
            folder.mkdir()
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{folder}\n")
                process.stdin.flush()
            answers = [process.stdout.readline() for process in processes if process.stdout]
            assert sorted(answers) == [f"{number} 0\n" for number in range(6)]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
