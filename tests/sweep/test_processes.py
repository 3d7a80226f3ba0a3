"""Worker processes: they stop when asked to or when orphaned, and report their errors."""

import multiprocessing
import os
import signal
from contextlib import contextmanager

import pytest

from dlcli.errors import DatasetError, Terminated
from dlcli.sweep import processes
from dlcli.sweep.processes import StopFlag, WorkerError, _work, run_workers
from dlcli.sweep.results import Progress
from dlcli.sweep.storage import create_study
from dlcli.sweep.worker import Worker


def work(plan, location, parent: int | None = None) -> BaseException | None:
    """Do the work of a process in this one; return the error that it sends."""
    errors, end = multiprocessing.Pipe(duplex=False)
    with errors, end:
        _work(plan, location, 0, end, os.getppid() if parent is None else parent)
        return errors.recv() if errors.poll() else None


def test_a_process_works_until_the_study_is_done(make_plan, location):
    plan = make_plan(trials=3)
    study, _ = create_study(plan, location)
    assert not Progress(plan, study.trials).is_done
    assert work(plan, location) is None
    progress = Progress(plan, study.trials)
    assert progress.is_done
    assert [trial.number for trial in progress.finished] == [0, 1, 2]
    assert progress.best in progress.trials


def test_an_orphan_begins_nothing(make_plan, location):
    plan = make_plan()
    study, _ = create_study(plan, location)
    assert work(plan, location, parent=-1) is None
    assert study.trials == []


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
def test_signals_raise_nothing_until_they_are_asked_for(number, kind):
    before = signal.getsignal(number)
    flag = StopFlag()
    flag.raise_signal()
    with flag.installed():
        os.kill(os.getpid(), number)
    with pytest.raises(kind):
        flag.raise_signal()
    assert signal.getsignal(number) == before


def test_the_flag_is_set_after_its_timeout():
    assert not StopFlag().is_set()
    assert not StopFlag(timeout=1000).is_set()
    assert StopFlag(timeout=-1).is_set()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DatasetError("gone"), DatasetError),
        (OSError("full"), OSError),
        (KeyError("x"), RuntimeError),
    ],
)
def test_errors_are_sent_to_the_parent(make_plan, location, monkeypatch, error, kind):
    def fail(_):
        raise error

    plan = make_plan()
    create_study(plan, location)
    monkeypatch.setattr(Worker, "work", fail)
    sent = work(plan, location)
    assert type(sent) is kind
    assert sent is not None
    if kind is RuntimeError:
        assert str(sent) == "KeyError: 'x'"
        assert "Traceback" in sent.__notes__[0]


class Dead:
    """A process that has died."""

    exitcode = -signal.SIGKILL

    @staticmethod
    def is_alive() -> bool:
        return False


def test_it_is_an_error_when_every_process_died(make_plan, location, monkeypatch):
    errors, end = multiprocessing.Pipe(duplex=False)
    end.close()

    @contextmanager
    def only_dead(*_):
        yield {Dead(): errors}

    monkeypatch.setattr(processes, "_processes", only_dead)
    plan = make_plan()
    study, _ = create_study(plan, location)
    warnings: list[str] = []
    with pytest.raises(WorkerError, match="all workers of this machine died; run the same comma"):
        list(run_workers(plan, location, study, range(1), StopFlag(), warnings.append))
    assert warnings == ["a worker died (SIGKILL); its trial will be tried again"]
    errors.close()
