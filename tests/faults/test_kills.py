"""A training killed at any moment can be resumed or restarted and ends with the same bits."""

import random
import signal
import time
from functools import partial

import pytest

from tests.faults import trainings
from tests.faults.processes import Call, Fault, at_once, finish, said_of, spread, start
from tests.faults.trainings import RUN, Training

KINDS = {
    "begun": partial(trainings.begun, settings=trainings.PLAIN),
    "begun with all there is to save": partial(trainings.begun, settings=trainings.RICH),
    "resumed": partial(trainings.resumed, settings=trainings.RICH),
}


@pytest.fixture(scope="module", params=KINDS)
def training(request, shim, tmp_path_factory) -> Training:
    return KINDS[request.param](shim, tmp_path_factory.mktemp("training"))


def test_a_training_killed_at_a_system_call(
    training, shim, dlcli, tmp_path, monkeypatch, long, tally
):
    """Each call changes what is on the disk.

    One of those tried is the last one at which nothing was saved yet.
    """

    def kill(at):
        folder = training.prepare(tmp_path / str(at))
        return finish(start(folder, training.disturbed, shim, Fault(at))).returncode

    moments = spread(range(1, len(training.calls) + 1), 55 if long else 4)
    first_checkpoint = training.calls.index(Call("rename", RUN / "last.npz")) + 1
    moments = sorted({*moments, first_checkpoint})
    assert set(at_once(kill, moments)) == {-signal.SIGKILL}
    for at in moments:
        with said_of(f"a kill at call {at}, {training.calls[at - 1]}"):
            monkeypatch.chdir(tmp_path / str(at))
            training.check(tmp_path / str(at), dlcli)
    tally("training killed at a system call", len(moments))


def test_a_training_killed_at_a_random_moment(training, dlcli, tmp_path, monkeypatch, long, tally):
    before = time.monotonic()
    finish(start(training.prepare(tmp_path / "undisturbed"), training.disturbed))
    seconds = time.monotonic() - before
    moments = random.Random(0)

    def kill(name):
        process = start(training.prepare(tmp_path / name), training.disturbed)
        time.sleep(moments.uniform(0, seconds))
        process.kill()
        return finish(process).returncode == -signal.SIGKILL

    names = [f"kill {number}" for number in range(20 if long else 2)]
    killed = at_once(kill, names)  # a few may have ended before
    for name in names:
        with said_of(name):
            monkeypatch.chdir(tmp_path / name)
            training.check(tmp_path / name, dlcli)
    tally("training killed at a random moment", sum(killed))
