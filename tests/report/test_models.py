"""The models of a report and the files of their runs."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.errors import CheckpointError
from dlcli.evaluation import evaluate
from dlcli.report import models, page
from dlcli.runs import checkpoint, lookup


def render(entries, data) -> str:
    return " ".join(page.render(entries, data.name, data.test).decode().split())


def test_a_run_has_its_history_and_a_bare_checkpoint_has_none(model, sample, tmp_path):
    bare = tmp_path / "copy.npz"
    bare.write_bytes(model.path.read_bytes())
    run, copy = models.evaluate_models([model, checkpoint.load(bare)], sample.test)
    assert (run.name, len(run.records), run.run) == ("trained", 4, model.path.parent)
    assert run.kept is not None
    assert run.summary is not None
    assert run.kept.epoch == model.metadata.epoch
    assert run.summary.stopped_by == "epochs"
    assert (copy.name, copy.records, copy.run, copy.kept) == ("copy.npz", [], None, None)
    assert copy.seconds is None
    assert run.scores.accuracy == evaluate.evaluate([model], sample.test).accuracy


def test_each_checkpoint_of_a_run_has_its_history(model, make_checkpoint):
    run = model.path.parent
    assert models.run_of(checkpoint.load(run / "best.npz")) == run
    assert models.run_of(checkpoint.load(run / "last.npz")) == run
    assert models.run_of(checkpoint.load(make_checkpoint("best.npz"))) is None


def test_the_kept_epoch_is_that_of_the_run_whichever_is_evaluated(model, sample):
    last = checkpoint.load(model.path.parent / "last.npz")
    last = replace(last, metadata=replace(last.metadata, epoch=model.metadata.epoch + 1))
    kept, other = models.evaluate_models([model, last], sample.test)
    assert (kept.is_kept, other.is_kept) == (True, False)
    assert kept.kept == other.kept
    assert f"epoch {last.metadata.epoch} of 4, not the kept one" in render([other], sample)
    assert "of 4 kept" in render([kept], sample)


def test_a_run_that_diverged_is_called_so(trained_model, sample, tmp_path):
    run = Path(shutil.copytree(trained_model, tmp_path / "run"))
    (run / "summary.json").unlink()
    (run / "diverged.txt").write_text("training diverged in epoch 5, step 2: the loss is nan\n\n")
    found = models.evaluate_models([lookup.load_named(str(run))], sample.test)
    text = render(found, sample)
    assert "of 4 kept; diverged" in text
    assert "; unfinished" not in text


def test_runs_with_the_same_name_are_shown_by_their_paths(model, sample):
    both = models.evaluate_models([model, model], sample.test)
    assert [entry.name for entry in both] == [str(model.path.parent)] * 2


def test_an_invalid_config_is_an_error(make_checkpoint, sample):
    model = checkpoint.load(make_checkpoint("odd.npz", config={"dropout": "much"}))
    with pytest.raises(CheckpointError, match=r"odd\.npz.*dropout"):
        models.evaluate_models([model], sample.test)
