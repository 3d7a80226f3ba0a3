"""What the tests of the extras share."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dlcli.sweep import plan as plans
from dlcli.sweep.plan import Plan
from dlcli.sweep.storage import PatientStorage, address, connect

SEARCH = """
hidden_layers: {choices: [[4], [8]]}
learning_rate: {low: 0.01, high: 1, log: true}
batch_size: 16
epochs: 2
validation_size: 20
"""


@pytest.fixture
def make_plan(workdir, tiny) -> Callable[..., Plan]:
    """A plan for 60 images: ``make_plan("epochs: 3", trials=4)`` adds to, or replaces, a search."""

    def make(text: str = "", trials: int | None = 4, start: str = SEARCH) -> Plan:
        (workdir / "start.yaml").write_text(f"dataset: {tiny}\n{start}")
        (workdir / "search.yaml").write_text(text)
        return plans.load(["start.yaml", "search.yaml"], [], trials)

    return make


@pytest.fixture
def database(tmp_path) -> Iterator[PatientStorage]:
    """An empty SQLite database for studies."""
    with closing(connect(address(None, tmp_path))) as storage:
        yield storage
