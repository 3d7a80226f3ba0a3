"""What a worker process does: stops when told, or when orphaned, and hands on its errors."""

import multiprocessing
import os
import signal
from contextlib import contextmanager

import pytest

from dlcli.errors import DatasetError
from dlcli.sweep import sweep
from dlcli.sweep.storage import open_study
from dlcli.sweep.sweep import Standing, WorkerError, _StopSignal, _work, conduct, standing_of
from dlcli.sweep.worker import Place, Worker


@pytest.fixture
def place(database, workdir) -> Place:
    return Place(str(database.engine.url), "s", workdir / "runs", workdir / "data")


@pytest.fixture(autouse=True)
def handlers():
    """Put back the signal handlers that a worker sets."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def work(plan, place, parent: int | None = None) -> BaseException | None:
    """Do a process's work in this one; return the error that it hands on."""
    errors, end = multiprocessing.Pipe(duplex=False)
    with errors, end:
        _work(plan, place, end, os.getppid() if parent is None else parent)
        return errors.recv() if errors.poll() else None


def test_a_process_works_until_the_study_is_done(make_plan, database, place):
    plan = make_plan(trials=3)
    study = open_study(database, plan, "s", create=True)
    assert not standing_of(study, 3).is_done
    assert work(plan, place) is None
    standing = standing_of(study, 3)
    assert standing.is_done
    assert [trial.number for trial in standing.settled] == [0, 1, 2]
    assert standing.best in standing.tickets


def test_an_orphan_begins_nothing(make_plan, database, place):
    plan = make_plan()
    study = open_study(database, plan, "s", create=True)
    assert work(plan, place, parent=-1) is None
    assert study.trials == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_ask_to_stop_and_raise_nothing(number):
    stop = _StopSignal(os.getppid())
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    assert stop.is_set()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatasetError("gone"), DatasetError),
        (OSError("full"), OSError),
        (KeyError("x"), RuntimeError),
    ],
)
def test_errors_are_handed_on(make_plan, database, place, monkeypatch, error, kind):
    def fail(_):
        raise error

    plan = make_plan()
    open_study(database, plan, "s", create=True)
    monkeypatch.setattr(Worker, "work", fail)
    handed_on = work(plan, place)
    assert type(handed_on) is kind
    if kind is RuntimeError:
        assert str(handed_on) == "KeyError: 'x'"
        assert "Traceback" in handed_on.__notes__[0]


class Dead:
    """A process that has died."""

    exitcode = -signal.SIGKILL

    @staticmethod
    def is_alive() -> bool:
        return False


def test_when_every_process_died_it_is_an_error(make_plan, database, place, monkeypatch):
    errors, end = multiprocessing.Pipe(duplex=False)
    end.close()

    @contextmanager
    def processes(*_):
        yield {Dead(): errors}

    monkeypatch.setattr(sweep, "_processes", processes)
    plan = make_plan()
    study = open_study(database, plan, "s", create=True)
    deaths = []
    with pytest.raises(WorkerError, match="every worker of this machine died; the same command"):
        list(conduct(plan, place, study, 1, None, deaths.append))
    assert deaths == ["a worker died (SIGKILL); its trial will be tried again"]
    errors.close()


def test_a_study_without_trials_stands_at_nothing():
    standing = Standing([], 4, None)
    assert not standing.is_done
    assert standing.settled == []
