"""A run that is trained: what is in its directory after each epoch and at the end."""

import json

import msgspec
import pytest

from dlcli.config.schema import Config
from dlcli.data.splits import split_validation
from dlcli.errors import ConfigError
from dlcli.runs import checkpoint, listing
from dlcli.training.loop import fit
from tests.runs.small_runs import CONFIG, start, train


def test_a_run_that_has_started_is_not_started_again(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state, 1)
    before = (run.path / "last.npz").read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        run.start(state)
    assert (run.path / "last.npz").read_bytes() == before


def test_before_the_first_epoch_there_is_no_model_to_use(tmp_path, dataset):
    run, _ = start(tmp_path / "run", dataset)
    assert checkpoint.load(run.path / "last.npz").metadata.epoch == 0
    assert not (run.path / "best.npz").exists()


def test_the_best_epoch_is_kept(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    train(run, state)
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == state.best_epoch
    assert checkpoint.load(run.path / "last.npz").metadata.epoch == 4


def test_the_kept_model_is_the_fused_running_mean_with_its_temperature(tmp_path, dataset):
    config = msgspec.structs.replace(CONFIG, weight_averaging=0.9, batch_norm=True, epochs=1)
    run, state = start(tmp_path / "run", dataset, config)
    train(run, state)
    best, last = (checkpoint.load(run.path / name) for name in ("best.npz", "last.npz"))
    assert state.average is not None
    expected = state.average.fuse_batch_norm().parameters
    assert best.network.parameters.tobytes() == expected.tobytes()
    assert best.average is None
    assert best.metadata.temperature == state.temperature != 1
    assert last.network.parameters.tobytes() == state.network.parameters.tobytes()
    assert last.network.statistics.tobytes() == state.network.statistics.tobytes()
    assert last.average is not None
    assert last.average.parameters.tobytes() == state.average.parameters.tobytes()
    assert (last.average.parameters != last.network.parameters).any()


def test_without_validation_images_the_last_epoch_is_kept(tmp_path, dataset):
    config = Config(hidden_layers=(4,), epochs=2, validation_size=0)
    run, state = start(tmp_path / "run", dataset, config)
    nothing = split_validation(dataset.train, 0, 0)[1]
    for record in fit(config, dataset.train, nothing, state):
        run.record(state, record)
    assert checkpoint.load(run.path / "best.npz").metadata.epoch == 2
    summary = run.finish(state)
    assert summary.best_epoch == 2
    assert summary.validation_accuracy is None
    (row,) = listing.list_runs(tmp_path)
    assert row["best_epoch"] == 2


def test_the_summary_says_how_the_run_ended(tmp_path, dataset):
    run, state = start(tmp_path / "run", dataset)
    records = train(run, state)
    summary = run.finish(state)
    assert summary.to_builtins() == json.loads((run.path / "summary.json").read_text())
    kept = records[state.best_epoch - 1]
    assert summary.validation_accuracy == kept.validation_accuracy
    assert summary.stopped_by == "epochs"
    assert summary.parameters == 784 * 6 + 6 + 6 * 10 + 10
    assert summary.dataset["checksum"] == dataset.checksum
