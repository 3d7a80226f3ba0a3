"""A model and what lies beside it on the disk."""

import pytest

from dlcli.errors import CheckpointError
from dlcli.evaluation import evaluate
from dlcli.report import subjects
from dlcli.runs import checkpoint


def test_a_run_has_its_history_and_a_bare_checkpoint_has_none(model, sample, tmp_path):
    bare = tmp_path / "copy.npz"
    bare.write_bytes(model.path.read_bytes())
    run, copy = subjects.gather([model, checkpoint.load(bare)], sample.test)
    assert (run.name, len(run.records), run.run) == ("trained", 4, model.path.parent)
    assert run.kept.epoch == model.metadata.epoch
    assert run.summary.stopped_by == "epochs"
    assert (copy.name, copy.records, copy.run, copy.kept) == ("copy.npz", [], None, None)
    assert copy.seconds is None
    assert run.scores.accuracy == evaluate.evaluate([model], sample.test).accuracy


def test_runs_of_one_name_are_called_by_their_paths(model, sample):
    both = subjects.gather([model, model], sample.test)
    assert [subject.name for subject in both] == [str(model.path.parent)] * 2


def test_a_config_that_is_none_is_told(make_checkpoint, sample):
    model = checkpoint.load(make_checkpoint("odd.npz", config={"dropout": "much"}))
    with pytest.raises(CheckpointError, match=r"odd\.npz.*dropout"):
        subjects.gather([model], sample.test)
