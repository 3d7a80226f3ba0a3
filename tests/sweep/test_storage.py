"""The database: its address, its patience, and whose study is whose."""

import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from dlcli.errors import ConfigError
from dlcli.sweep import storage
from dlcli.sweep.storage import PatientStorage, StorageError, address, connect, open_study, shown


def test_addresses():
    assert address(None, Path("runs")) == "sqlite:///runs/sweeps.db"
    for scheme in ("postgresql", "postgres"):
        assert address(f"{scheme}://a:b@host/db", Path()) == "postgresql+psycopg://a:b@host/db"
    assert address("sqlite:///x.db", Path("runs")) == "sqlite:///x.db"
    assert shown("postgresql+psycopg://a:secret@host/db") == "postgresql+psycopg://a:***@host/db"


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("nonsense", ConfigError, "--storage nonsense: expected postgresql://USER:PASSWORD@HOST"),
        ("nosuchdb://host/db", ConfigError, "--storage nosuchdb://host/db: "),
        ("sqlite:////no/such/folder/x.db", StorageError, "unable to open database file"),
        ("postgresql+psycopg://a:secret@127.0.0.1:1/db", StorageError, "onnection"),
    ],
)
def test_what_cannot_be_reached_is_said_without_the_password(url, kind, message):
    with pytest.raises(kind) as error:
        connect(url)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


@pytest.fixture
def failing(monkeypatch):
    """Make reading trials fail so many times: ``failing(3)``; returns the errors left."""

    def fail(times: int) -> list[OperationalError]:
        errors = [OperationalError("SELECT", {}, Exception("the server is gone"))] * times
        real = optuna.storages.RDBStorage._get_trials

        def read(*arguments, **options):
            if errors:
                raise errors.pop()
            return real(*arguments, **options)

        monkeypatch.setattr(PatientStorage, "_get_trials", storage._patient(read))
        monkeypatch.setattr(storage, "PAUSE_SECONDS", (0, 0))
        return errors

    return fail


def test_what_fails_for_a_while_is_tried_again_and_told_once(make_plan, database, failing):
    study = open_study(database, make_plan(), "s", create=True)
    told = []
    database.on_wait = told.append
    errors = failing(3)
    assert study.trials == []
    assert errors == []
    (text,) = told
    assert text.endswith("sweeps.db: the server is gone; trying again")


def test_patience_ends(make_plan, database, failing):
    study = open_study(database, make_plan(), "s", create=True)
    database.patience = 0
    failing(5)
    with pytest.raises(StorageError, match=r"sweeps\.db: the server is gone$"):
        assert study.trials
    database.patience, database.gives_up = 100, lambda: True
    with pytest.raises(StorageError, match="the server is gone"):
        assert study.trials


def test_no_other_fault_is_tried_again(make_plan, database, monkeypatch):
    study = open_study(database, make_plan(), "s", create=True)
    with closing(sqlite3.connect(database.engine.url.database)) as file:
        file.execute("DROP TABLE trials")
    monkeypatch.setattr(database, "patience", 0)
    with pytest.raises(StorageError, match="no such table: trials"):
        assert study.trials


def test_a_study_is_made_once_and_its_values_are_read_by_optuna_itself(make_plan, database):
    plan = make_plan()
    study = open_study(database, plan, "s", create=True)
    again = open_study(database, plan, "s", create=True)
    again.add_trial(optuna.trial.create_trial(state=TrialState.COMPLETE, value=0.5))
    assert study.best_value == 0.5
    plain = optuna.load_study(study_name="s", storage=str(database.engine.url))
    assert plain.best_value == 0.5
    plain._storage._backend.engine.dispose()


def test_a_study_of_another_search_is_refused(make_plan, database):
    open_study(database, make_plan(), "s", create=True)
    with pytest.raises(ConfigError, match=r"study s: was begun with another momentum, sweep.seed;"):
        open_study(database, make_plan("momentum: 0.5\nsweep: {seed: 3}"), "s", create=True)
    open_study(database, make_plan("sweep: {worker_timeout: 7}", trials=9), "s", create=True)


def test_a_study_that_dlcli_did_not_make_is_refused(make_plan, database, monkeypatch):
    optuna.create_study(study_name="s", storage=database, direction="maximize")
    monkeypatch.setattr(storage, "PLAN_SECONDS", 0)
    with pytest.raises(ConfigError, match="study s: was not made by dlcli sweep; name another"):
        open_study(database, make_plan(), "s", create=True)
