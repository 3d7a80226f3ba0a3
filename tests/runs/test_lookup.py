"""Which model is meant by a name, and how it is made ready for use."""

from pathlib import Path

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.runs import checkpoint, lookup
from tests.runs.checkpoints import METADATA, normalised_network, save


def test_batch_norm_is_fused_in_a_model_for_use(tmp_path):
    network = normalised_network()
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {})
    model = lookup.load_named(str(tmp_path / "a.npz"))
    assert not model.network.batch_norm
    images = np.random.default_rng(0).integers(0, 256, (5, 784), dtype=np.uint8)
    np.testing.assert_array_equal(model.infer(images)[0], network.infer(images)[0])


def test_the_running_mean_is_used_if_there_is_one(tmp_path):
    network, average = normalised_network(), normalised_network()
    average.parameters *= 2
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {}, average)
    model = lookup.load_named(str(tmp_path / "a.npz"))
    np.testing.assert_array_equal(model.network.parameters, average.fuse_batch_norm().parameters)


def test_a_model_is_a_run_directory_or_a_file(tmp_path):
    (tmp_path / "run").mkdir()
    save(tmp_path / "run" / "best.npz")
    for name in ("run", "run/best.npz"):
        assert lookup.load_named(str(tmp_path / name)).path == tmp_path / "run" / "best.npz"


def test_without_a_name_the_environment_comes_first_and_then_the_latest_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("named.npz", "set.npz"):
        save(Path(name))
    Path("runs/latest").mkdir(parents=True)
    save(Path("runs/latest/best.npz"))
    assert lookup.load_named(None).path == Path("runs/latest/best.npz")
    monkeypatch.setenv("DLCLI_MODEL", "set.npz")
    assert lookup.load_named(None).path == Path("set.npz")
    assert lookup.load_named("named.npz").path == Path("named.npz")
    monkeypatch.setenv("DLCLI_MODEL", "")
    assert lookup.load_named(None).path == Path("runs/latest/best.npz")


def test_without_a_name_or_a_run_the_pretrained_model_is_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pretrained").mkdir()
    save(Path("pretrained/best.npz"))
    for argument in (None, "pretrained"):
        model = lookup.load_named(argument)
        assert str(model.path) == "pretrained"
        assert model.metadata.dataset.name == "mnist"
    assert lookup.load_named("./pretrained").path == Path("pretrained/best.npz")


def test_the_pretrained_model_does_not_replace_a_run_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/latest").symlink_to("gone")
    with pytest.raises(CheckpointError, match="runs/latest: the run that it links to is gone"):
        lookup.load_named(None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "nope: no such run directory or checkpoint"),
        ("run", "run/best.npz: no such checkpoint"),
        ("x" * 300, "cannot be read: File name too long"),
        ("text/below.npz", "text/below.npz: cannot be read: Not a directory"),
        ("text", "text: not a whole .npz checkpoint"),
    ],
)
def test_a_missing_model_is_reported(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("text").write_text("text")
    with pytest.raises(CheckpointError) as raised:
        lookup.load_named(name)
    assert message in str(raised.value)


def test_an_empty_name_is_refused():
    with pytest.raises(CheckpointError, match="the model's name is empty"):
        lookup.load_named("")
