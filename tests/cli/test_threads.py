"""``--threads`` and DLCLI_THREADS decide how many threads BLAS computes with, in every command.

The tests themselves compute with one (see ``conftest.py``), so that another number is the option's.
"""

import json

import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.network import Network
from dlcli.runs import metrics_log
from dlcli.training.threads import ThreadPolicy
from dlcli.vision.preview import write_image

SETTINGS = ("--set=dataset=sample", "--set=hidden_layers=[8]", "--set=epochs=1")
COMMANDS = {
    "train": ("train", *SETTINGS),
    "eval": ("eval", "model", "--dataset=tiny"),
    "compare": ("compare", "model", "model", "--dataset=tiny"),
    "predict": ("predict", "a.png", "-m", "model"),
    "gradcheck": ("gradcheck", *SETTINGS, "--set=batch_size=2"),
    "report": ("report", "model", "--dataset=tiny", "-o", "report.html"),
    "plot": ("plot", "model", "--dataset=tiny", "--what=confusion", "-o", "plot.svg"),
}


@pytest.fixture
def used(monkeypatch) -> set[int]:
    """The numbers of threads that BLAS had whenever a network computed."""
    found: set[int] = set()
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    # Up to version 4.12, OpenCV has a BLAS of its own, of one thread, that tells no version.
    pools = [pool for pool in controllers if pool.version is not None]

    def counting(function):
        def count(*arguments, **options):
            found.update(pool.num_threads for pool in pools)
            return function(*arguments, **options)

        return count

    monkeypatch.setattr(Network, "infer", counting(Network.infer))
    monkeypatch.setattr(Backpropagation, "run", counting(Backpropagation.run))
    return found


@pytest.fixture
def model(workdir, trained_model, tiny, sample):
    """The checkpoint ``model``, whose page has no curves; a digit and a small dataset for it."""
    (workdir / "model").symlink_to(trained_model / "best.npz")
    write_image(sample.test.images[0], workdir / "a.png")


@pytest.mark.parametrize("name", COMMANDS)
def test_threads_are_those_that_were_asked_for(dlcli, model, used, monkeypatch, name):
    command = [*COMMANDS[name], *(["--force"] if "-o" in COMMANDS[name] else [])]
    assert dlcli(*command, "--threads", "3").code == 0
    assert used == {3}
    used.clear()
    monkeypatch.setenv("DLCLI_THREADS", "2")
    assert dlcli(*command).code == 0
    assert used == {2}


@pytest.mark.parametrize("command", [["eval", "model"], COMMANDS["predict"]])
def test_threads_change_no_prediction(dlcli, model, used, command):
    one, two = (dlcli(*command, "--threads", count).stdout for count in (1, 2))
    assert one == two
    assert used == {1, 2}


def test_threads_are_recorded_and_kept_when_a_run_is_resumed(dlcli, workdir, used):
    command = (*COMMANDS["train"], "--name=a", "--threads=3", "--format=json", "-q")
    assert json.loads(dlcli(*command).stdout)["threads"] == 3
    used.clear()
    resumed = dlcli("train", "--resume=runs/a", "--set=epochs=2", "--format=json", "-q")
    assert json.loads(resumed.stdout)["threads"] == 3
    assert used == {3}


@pytest.fixture
def two_cores(monkeypatch):
    """BLAS may use two threads, and a calibration prefers one."""

    def choose(self, seconds):
        assert set(seconds) == {1, 2}
        self.count = 1
        return 1

    monkeypatch.setattr(ThreadPolicy, "choose", choose)
    with threadpool_limits(2, "blas"):
        yield


def test_threads_that_follow_the_machine_are_told_and_recorded(dlcli, workdir, two_cores, used):
    trained = dlcli(*COMMANDS["train"], "--name=a", "--format=json")
    assert "; 2 threads\n1 thread instead of 2, as that is faster now\n" in trained.stderr
    summary = json.loads(trained.stdout)
    assert (summary["threads"], summary["threads_auto"]) == (1, True)
    assert [record.threads for record in metrics_log.read(workdir / "runs/a")] == [1]
    assert used == {1, 2}


def test_a_resumed_run_starts_with_the_threads_it_had_and_follows_the_machine(
    dlcli, workdir, two_cores, used
):
    dlcli(*COMMANDS["train"], "--name=a", "-q")
    used.clear()
    resumed = dlcli("train", "--resume=runs/a", "--set=epochs=2", "--format=json")
    assert "; 1 thread\n" in resumed.stderr
    assert "Warning" not in resumed.stderr
    assert used == {1}
    assert json.loads(resumed.stdout)["threads_auto"]
    pinned = dlcli("train", "--resume=runs/a", "--set=epochs=3", "--threads=2", "--format=json")
    assert not json.loads(pinned.stdout)["threads_auto"]
    again = dlcli("train", "--resume=runs/a", "--set=epochs=4", "--threads=auto", "--format=json")
    assert json.loads(again.stdout)["threads_auto"]


def test_eval_tries_which_threads_are_fastest(dlcli, model, two_cores, used):
    assert dlcli(*COMMANDS["eval"]).code == 0
    assert used == {1, 2}


@pytest.mark.parametrize("count", ["0", "some", "-1"])
def test_other_counts_are_refused_in_a_line(dlcli, count):
    refused = dlcli("gradcheck", f"--threads={count}")
    assert refused.code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "--threads" in refused.stderr
