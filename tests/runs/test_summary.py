"""A run's summary says how it ended; a damaged one is refused by name."""

import pytest

from dlcli.errors import CheckpointError
from dlcli.runs import summary


def test_an_unfinished_run_has_no_summary(tmp_path):
    assert summary.read(tmp_path) is None


@pytest.mark.parametrize("text", ['{"stopped_by": 3}', "[" * 100_000, "", '{"run": "\\ud800"}'])
def test_a_damaged_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"summary\.json: damaged"):
        summary.read(tmp_path)


def test_a_summary_that_is_no_file_is_named(tmp_path):
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(CheckpointError, match=r"summary\.json: cannot be read"):
        summary.read(tmp_path)
