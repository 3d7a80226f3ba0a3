"""A few faults in every run, all of them with ``--long`` (``make faults``), which counts them."""

import shutil
import sys
from collections.abc import Callable

import pytest

from tests.faults.processes import STARTED, Shim, finish
from tests.faults.record import Tally

TALLY = pytest.StashKey[Tally]()


def pytest_configure(config):
    config.stash[TALLY] = Tally()


@pytest.fixture(autouse=True)
def end_processes():
    """Kill what a failing test has left running."""
    yield
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            finish(process)
    STARTED.clear()


@pytest.fixture
def tally(request) -> Callable[[str, int], None]:
    """Count what dlcli survived without a loss: ``tally("kills of a training", 200)``."""

    def add(what: str, count: int) -> None:
        request.config.stash[TALLY].add(request.path.name, what, count)

    return add


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Shim:
    """A library that makes system calls fail; it needs Linux and a C compiler."""
    if sys.platform != "linux" or shutil.which("cc") is None:
        pytest.skip("needs Linux and a C compiler, cc")
    return Shim.compiled(tmp_path_factory.mktemp("shim"))


def pytest_sessionfinish(session, exitstatus):
    """Record the counts of a long run of whole files, and only if nothing was lost."""
    options = session.config.option
    whole = not options.keyword and not any("::" in argument for argument in session.config.args)
    if exitstatus == pytest.ExitCode.OK and options.long and whole:
        session.config.stash[TALLY].keep()
