"""When a system call fails, or all calls from one on, a line says so and nothing is lost."""

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from tests.faults import trainings
from tests.faults.processes import (
    Call,
    Fault,
    at_once,
    finish,
    said_of,
    spread,
    start,
    temporary_files,
)
from tests.faults.trainings import RUN, Training

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
FOR_GOOD = (errno.ENOSPC, errno.EIO)
KINDS = {
    "begun": partial(trainings.begun, settings=("hidden_layers=[]", "epochs=2")),
    "resumed": partial(trainings.resumed, settings=("hidden_layers=[]", "epochs=2")),
}
# A failure of the link is only a warning. filelock ignores failures of calls by which it checks
# whether the folder exists and supports locks.
NOT_NEEDED = {
    Call("symlink", RUN / "latest"),
    Call("rename", Path("runs/latest")),
    Call("open", Path("runs")),
    Call("fsync", Path("runs")),
    Call("mkdir", RUN),
    Call("open", RUN),
}


@pytest.fixture(scope="module", params=KINDS)
def training(request, shim, tmp_path_factory) -> Training:
    return KINDS[request.param](shim, tmp_path_factory.mktemp("training"))


def all_faults(training: Training) -> list[Fault]:
    """Every call fails once, with every error; of each kind, also one with all calls after it.

    Where a training goes on, which has much the same calls again, the errors take turns.
    """
    calls = range(1, len(training.calls) + 1)
    if training.earlier is None:
        once = [Fault(at, error) for at in calls for error in ERRORS]
    else:
        once = [Fault(at, ERRORS[at % len(ERRORS)]) for at in calls]
    return once + [
        Fault(at, error, onward=True) for at in last_ones(training) for error in FOR_GOOD
    ]


def some_faults(training: Training) -> list[Fault]:
    """One call of each kind fails, with the errors in turn."""
    calls = last_ones(training)
    return [Fault(at, ERRORS[at % len(ERRORS)], onward=at % 3 == 0) for at in spread(calls, 10)]


def last_ones(training: Training) -> list[int]:
    """The last call of each kind on each file, when there is most to lose."""
    return sorted({call: at for at, call in enumerate(training.calls, start=1)}.values())


def test_a_failing_call_is_reported_in_one_line_and_nothing_is_lost(
    training, shim, dlcli, tmp_path, monkeypatch, long, tally
):
    faults = all_faults(training) if long else some_faults(training)

    def disturb(numbered):
        number, fault = numbered
        folder = training.prepare(tmp_path / str(number))
        return finish(start(folder, training.disturbed, shim, fault))

    results = at_once(disturb, enumerate(faults))
    for number, (fault, result) in enumerate(zip(faults, results, strict=True)):
        call = training.calls[fault.at - 1]
        with said_of(f"{fault}, {call}"):
            folder = tmp_path / str(number)
            monkeypatch.chdir(folder)
            if result.returncode == 0:
                assert call in NOT_NEEDED
                assert result.stdout == f"{RUN}\n"
                assert temporary_files(folder) == []
            else:
                assert_reported(result, fault, training.calls)
            training.check(folder, dlcli)
    tally(
        "system call of a training failed: full disk, I/O error, no permission, too many files",
        len(faults),
    )


def assert_reported(result, fault: Fault, calls: list[Call]):
    """The message is one line with the file's name, as the user knows it, and the error."""
    failed = calls[fault.at - 1 :] if fault.onward else [calls[fault.at - 1]]
    assert result.returncode in {1, 4}
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert any(str(call.path) in result.stderr for call in failed)
    assert os.strerror(fault.error) in result.stderr
