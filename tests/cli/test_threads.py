"""``--threads`` and DLCLI_THREADS decide how many threads BLAS computes with, in every command.

The tests themselves compute with one (see ``conftest.py``), so that another number is the option's.
"""

import json

import pytest
from threadpoolctl import threadpool_info

from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.network import Network
from dlcli.vision.preview import write_image

SETTINGS = ("--set=dataset=sample", "--set=hidden_layers=[8]", "--set=epochs=1")
COMMANDS = {
    "train": ("train", *SETTINGS),
    "eval": ("eval", "model"),
    "compare": ("compare", "model", "model"),
    "predict": ("predict", "a.png", "-m", "model"),
    "gradcheck": ("gradcheck", *SETTINGS),
    "report": ("report", "model", "-o", "report.html"),
    "plot": ("plot", "model", "--what=confusion", "-o", "plot.svg"),
}


@pytest.fixture
def used(monkeypatch) -> set[int]:
    """The numbers of threads that BLAS had whenever a network computed."""
    found: set[int] = set()

    def counting(function):
        def count(*arguments, **options):
            pools = threadpool_info()
            found.update(pool["num_threads"] for pool in pools if pool["user_api"] == "blas")
            return function(*arguments, **options)

        return count

    monkeypatch.setattr(Network, "infer", counting(Network.infer))
    monkeypatch.setattr(Backpropagation, "run", counting(Backpropagation.run))
    return found


@pytest.fixture
def model(workdir, trained_model, sample):
    """A trained model by the name ``model``, and a digit for it."""
    (workdir / "model").symlink_to(trained_model)
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


@pytest.mark.parametrize("name", ["eval", "predict"])
def test_threads_change_no_prediction(dlcli, model, used, name):
    one, two = (dlcli(*COMMANDS[name], "--threads", count).stdout for count in (1, 2))
    assert one == two
    assert used == {1, 2}


def test_threads_are_recorded_and_kept_when_a_run_is_resumed(dlcli, workdir, used):
    command = (*COMMANDS["train"], "--name=a", "--threads=3", "--format=json", "-q")
    assert json.loads(dlcli(*command).stdout)["threads"] == 3
    used.clear()
    resumed = dlcli("train", "--resume=runs/a", "--set=epochs=2", "--format=json", "-q")
    assert json.loads(resumed.stdout)["threads"] == 3
    assert used == {3}
