"""A checkpoint is restored bit by bit, and a failed save loses nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES
from dlcli.runs import checkpoint, lookup
from tests.runs.checkpoints import (
    ARCHITECTURE,
    METADATA,
    assert_refused,
    normalised_network,
    random_network,
    replaced,
    rewrite,
    save,
)


@pytest.mark.parametrize("hidden", [(), (3,), (5, 4), (1,) * 100])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_model_is_restored_bit_by_bit(tmp_path, hidden, activation):
    network = save(tmp_path / "a.npz", random_network(hidden, activation))
    model = checkpoint.load(tmp_path / "a.npz")
    assert model.path == tmp_path / "a.npz"
    assert model.network.parameters.dtype == np.float32
    assert model.network.parameters.tobytes() == network.parameters.tobytes()
    assert model.network.layer_sizes == network.layer_sizes
    assert model.network.activations == network.activations
    assert model.metadata == METADATA
    assert model.optimizer_state["velocity"].tobytes() == (network.parameters * 2).tobytes()
    assert model.optimizer_state["steps"].tolist() == [7]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("output", OUTPUT_ACTIVATIONS)
def test_output_activation_and_loss_are_restored(tmp_path, output, loss):
    save(tmp_path / "a.npz", random_network(output=output), loss)
    model = checkpoint.load(tmp_path / "a.npz")
    assert (model.network.output_activation, model.loss) == (output, loss)


def test_the_same_content_makes_the_same_file(tmp_path):
    save(tmp_path / "a.npz")
    save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_saved_checkpoint_is_an_ordinary_npz_file(tmp_path):
    network = save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert (arrays["layers.0.weight"] == network.weights[0]).all()
        assert (arrays["layers.1.bias"] == network.biases[1]).all()
        assert json.loads(str(arrays["metadata"]))["architecture"] == ARCHITECTURE


def test_a_failed_save_leaves_the_old_checkpoint(tmp_path):
    save(tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    with pytest.raises(TypeError):
        save(tmp_path / "a.npz", config={"not JSON": object()})
    assert (tmp_path / "a.npz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types_are_accepted(tmp_path, dtype):
    network = save(tmp_path / "a.npz")
    rewrite(tmp_path / "a.npz", replaced("layers.0.weight", lambda array: array.astype(dtype)))
    found = checkpoint.load(tmp_path / "a.npz").network
    assert found.parameters.dtype == np.float32
    np.testing.assert_allclose(found.parameters, network.parameters, rtol=1e-3)


def test_batch_norm_and_the_running_mean_are_restored_bit_by_bit(tmp_path):
    network, average = normalised_network(), normalised_network()
    average.parameters *= 2
    average.statistics *= 3
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {}, average)
    model = checkpoint.load(tmp_path / "a.npz")
    assert model.average is not None
    for saved, found in ((network, model.network), (average, model.average)):
        assert found.parameters.tobytes() == saved.parameters.tobytes()
        assert found.statistics.tobytes() == saved.statistics.tobytes()
        assert found.batch_norm


def test_outputs_that_overflow_are_reported_in_one_line(tmp_path, recwarn):
    images = np.full((1, 784), 255, np.uint8)
    cool, plain = replace(METADATA, temperature=0.1), random_network()
    plain.parameters *= 1e17
    checkpoint.save(tmp_path / "a.npz", plain, "cross_entropy", cool, {})
    assert np.isfinite(plain.infer(images)[0]).all()
    plain.parameters *= 10
    checkpoint.save(tmp_path / "b.npz", plain, "cross_entropy", cool, {})
    folding = normalised_network()
    folding.scales[0][...] = 3e38
    folding.variances[0][...] = 0
    checkpoint.save(tmp_path / "c.npz", folding, "cross_entropy", METADATA, {})
    for name in ("b.npz", "c.npz"):
        model = lookup.load_named(str(tmp_path / name))
        with pytest.raises(CheckpointError, match="so large that outputs overflow"):
            model.infer(images)
    assert not recwarn.list


def test_negative_variances_are_refused(tmp_path):
    network = normalised_network()
    network.variances[1][2] = -0.1
    checkpoint.save(tmp_path / "a.npz", network, "cross_entropy", METADATA, {})
    assert_refused(tmp_path / "a.npz", "layers.1.variance: holds negative variances")


@pytest.mark.parametrize(
    ("output", "scales"), [("softmax", True), ("sigmoid", False), ("linear", False)]
)
def test_the_temperature_divides_the_logits_before_softmax(tmp_path, output, scales):
    loss = "mse" if output == "linear" else "cross_entropy"
    images = np.random.default_rng(0).integers(0, 256, (5, 784), dtype=np.uint8)
    found = []
    for name, temperature in (("plain", 1), ("cool", 2.5)):
        path = tmp_path / f"{name}.npz"
        save(path, random_network(output=output), loss, temperature=temperature)
        found.append(checkpoint.load(path).infer(images))
    (logits, plain), (same_logits, cool) = found
    np.testing.assert_array_equal(same_logits, logits)
    if scales:
        exponentials = np.exp((logits - logits.max(axis=1, keepdims=True)) / 2.5)
        np.testing.assert_allclose(
            cool, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-5
        )
    else:
        np.testing.assert_array_equal(cool, plain)


def test_missing_and_unreadable_files_have_different_messages(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.npz: no such checkpoint$"):
        checkpoint.load(tmp_path / "none.npz")
    with pytest.raises(CheckpointError, match="cannot be read: Is a directory"):
        checkpoint.load(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be read: File name too long"):
        checkpoint.load(tmp_path / ("x" * 300))
