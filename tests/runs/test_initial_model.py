"""Training starts from the weights of a trained model, if they fit."""

import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from dlcli.config import files as config_files
from dlcli.data import datasets
from dlcli.data.classes import DIGITS
from dlcli.errors import CheckpointError, ConfigError
from dlcli.nn.network import Network
from dlcli.runs import checkpoint, initial_model
from dlcli.sweep import plan
from dlcli.training.builders import make_network
from tests.conftest import write_idx_folder
from tests.runs.small_runs import CONFIG, start, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset_of_module):
    """A run of a small network with batch normalisation and a running mean of its weights."""
    config = msgspec.structs.replace(
        CONFIG, hidden_layers=(6, 5), batch_norm=True, weight_averaging=0.9, epochs=2
    )
    run, state = start(tmp_path_factory.mktemp("runs") / "a", dataset_of_module, config)
    train(run, state)
    run.finish(state)
    return run.path


@pytest.fixture(scope="module")
def dataset_of_module(tmp_path_factory):
    return datasets.load(str(write_idx_folder(tmp_path_factory.mktemp("data") / "tiny")))


def config_from(model, *overrides):
    """The config as ``dlcli train --init`` completes it."""
    settings, problems = config_files.read([], [f"init_from={model}", *overrides], {})
    assert not problems
    return config_files.resolved(initial_model.complete(settings), [])


def state_from(model, *overrides, names=DIGITS):
    config = config_from(model, *overrides)
    return initial_model.start_state(config, names, initial_model.load(config))


def test_the_network_and_its_weights_are_those_of_the_model(trained):
    best = checkpoint.load(trained / "best.npz").network
    config = config_from(trained)
    assert (config.hidden_layers, config.activation) == ((6, 5), "relu")
    assert (config.batch_norm, config.init_from) == (False, str(trained / "best.npz"))
    state = state_from(trained)
    assert state.network.parameters.tobytes() == best.parameters.tobytes()
    assert (state.epoch, state.optimizer.state["velocity"].any()) == (0, False)


def test_the_latest_checkpoint_starts_with_its_batch_normalisation(trained):
    last = checkpoint.load(trained / "last.npz")
    state = state_from(trained / "last.npz", "weight_averaging=0.5")
    assert state.network.batch_norm
    assert last.average is not None
    assert state.average is not None
    for network in (state.network, state.average):
        assert network.parameters.tobytes() == last.average.parameters.tobytes()
        assert network.statistics.tobytes() == last.average.statistics.tobytes()
    fused = state_from(trained / "last.npz", "batch_norm=false").network
    assert fused.parameters.tobytes() == last.average.fuse_batch_norm().parameters.tobytes()


def test_some_of_the_classes_keep_their_outputs(trained):
    best = checkpoint.load(trained / "best.npz").network
    network = state_from(trained, names=("3", "7")).network
    assert network.weights[0].tobytes() == best.weights[0].tobytes()
    np.testing.assert_array_equal(network.weights[-1], best.weights[-1][:, [3, 7]])
    np.testing.assert_array_equal(network.biases[-1], best.biases[-1][[3, 7]])


def test_other_classes_get_a_last_layer_with_random_weights(trained):
    best = checkpoint.load(trained / "best.npz").network
    config, names = config_from(trained), ("a", "b", "3")
    network = state_from(trained, names=names).network
    for layer in range(2):
        assert network.weights[layer].tobytes() == best.weights[layer].tobytes()
        assert network.biases[layer].tobytes() == best.biases[layer].tobytes()
    assert network.weights[2].tobytes() == make_network(config, 3).weights[2].tobytes()
    assert not network.biases[2].any()


def test_a_network_of_another_activation_a_layer_is_taken_as_it_is(make_checkpoint):
    network = Network([784, 4, 3, 10], ["tanh", "gelu"], "sigmoid")
    config = config_from(make_checkpoint("m.npz", network))
    assert (config.activation, config.output_activation) == (("tanh", "gelu"), "sigmoid")
    softmax_regression = make_checkpoint("s.npz")
    assert config_from(softmax_regression).hidden_layers == ()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hidden_layers=[7, 5]", "is 784-6-5-10, and the config asks for 784-7-5-10; leave out"),
        ("hidden_layers=[6]", "is 784-6-5-10, and the config asks for 784-6-10; leave out"),
        ("activation=tanh", "784-6-5-10 (relu), and the config asks for 784-6-5-10 (tanh)"),
        ("batch_norm=true", "has no batch normalisation (or it is fused into the weights), and"),
        ("freeze_layers=3", "freeze_layers: got 3, but "),
        ("init_checksum=" + "0" * 64, ", then 000000000000...); to start from them as they are"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_shapes(trained, override, message):
    settings, _ = config_files.read([], [f"init_from={trained}", override], {})
    with pytest.raises(ConfigError) as refusal:
        initial_model.load(config_files.resolved(initial_model.complete(settings), []))
    assert message in str(refusal.value)


def test_a_model_that_is_not_there_is_refused(workdir):
    with pytest.raises(CheckpointError, match="runs/a: no such run directory or checkpoint"):
        config_from("runs/a")


def test_the_checksum_is_that_of_the_weights_wherever_they_are(trained, tmp_path):
    shutil.copy(trained / "best.npz", tmp_path / "copy.npz")
    first, second = config_from(trained), config_from(tmp_path / "copy.npz")
    assert first.init_checksum == second.init_checksum
    assert first.init_checksum != config_from(trained / "last.npz").init_checksum


# At the command line

INIT = ("--set", "epochs=3", "--set", "batch_size=16", "--threads", "1")


def test_a_run_records_its_initial_model_and_resumes_without_it_to_the_same_bits(
    dlcli, tiny, trained
):
    shutil.copytree(trained, "first")
    settings = (*INIT, "--set", f"dataset={tiny}", "--set", "freeze_layers=1")
    whole = dlcli("train", "--init", "first", *settings, "--name", "whole", "--format", "json")
    assert "Starts from the weights of first/best.npz; the first 1 of 3 layers" in whole.stderr
    summary = json.loads(whole.stdout)
    assert summary["init"]["name"] == "first/best.npz" == summary["config"]["init_from"]
    assert summary["init"]["checksum"] == summary["config"]["init_checksum"]
    again = dlcli("train", "-c", "runs/whole/config.yaml", "-s", "init_checksum=null", "-f", "json")
    assert json.loads(again.stdout)["init"] == summary["init"]
    part = dlcli("train", "--init", "first", *settings, "--set", "epochs=1", "--name", "part")
    assert part.code == 0
    shutil.rmtree("first")
    assert dlcli("train", "--resume", "runs/part", "--set", "epochs=3").code == 0
    weights = [
        checkpoint.load(Path("runs") / name / "last.npz").network.parameters.tobytes()
        for name in ("whole", "part")
    ]
    assert weights[0] == weights[1]
    again = dlcli("train", "-c", "runs/whole/config.yaml")
    assert (again.code, again.stdout) == (4, "")
    assert "first/best.npz: no such run directory or checkpoint" in again.stderr


@pytest.mark.parametrize("classes", ["null", "[3, 7]"])
def test_settings_for_random_weights_get_a_warning_where_there_are_none(
    dlcli, tiny, trained, classes
):
    settings = (*INIT, "-s", f"dataset={tiny}", "-s", f"classes={classes}", "-s", "epochs=1")
    result = dlcli("train", "--init", trained, *settings, "-s", "initializer=normal")
    model = trained / "best.npz"
    warnings = [line for line in result.stderr.splitlines() if "initializer" in line]
    assert warnings == [
        f"Warning: initializer has no effect with init_from: {model}, which knows all classes"
    ]
    assert "no effect" not in dlcli("train", "--init", trained, *settings).stderr


def test_settings_for_random_weights_have_an_effect_on_a_new_last_layer(dlcli, tiny, trained):
    (tiny / "classes.txt").write_text("\n".join("abcdefghij"))
    settings = (*INIT, "-s", f"dataset={tiny}", "-s", "epochs=1", "-s", "initializer=normal")
    result = dlcli("train", "--init", trained, *settings)
    assert "the last layer is new" in result.stderr
    assert "no effect" not in result.stderr


def test_a_wrong_initial_model_leaves_nothing_behind(dlcli, tiny, trained):
    settings = (*INIT, "--set", f"dataset={tiny}")
    for code, wrong in (
        (4, ("--init", "nowhere")),
        (4, ("--init", tiny / "train-labels-idx1-ubyte")),
        (2, ("--init", trained, "--set", "hidden_layers=[9]")),
        (2, ("--init", trained, "--resume", trained)),
    ):
        result = dlcli("train", *wrong, *settings)
        assert (result.code, result.stdout) == (code, "")
        assert result.stderr.count("\n") == 1
        assert not Path("runs").exists()


def test_the_shipped_config_takes_the_network_of_the_pretrained_model(dlcli):
    shown = json.loads(dlcli("config", "show", "-c", "finetune", "-f", "json").stdout)
    assert shown["hidden_layers"] == [1024, 1024, 1024]
    assert (shown["activation"], shown["init_from"]) == ("gelu", "pretrained")


def test_every_trial_of_a_search_starts_from_the_model(dlcli, trained):
    Path("s.yaml").write_text(f"init_from: {trained}\nlearning_rate: {{low: 0.01, high: 0.1}}\n")
    assert dlcli("config", "check", "s.yaml").code == 0
    config = plan.load(["s.yaml"], [], 1).config({"learning_rate": 0.05})
    assert (config.hidden_layers, config.init_from) == ((6, 5), str(trained / "best.npz"))


@pytest.mark.parametrize("name", ["first", "first/best.npz"])
def test_the_config_of_a_training_resumes_it_as_well(dlcli, tiny, trained, name):
    shutil.copytree(trained, "first")
    Path("my.yaml").write_text(f"init_from: {name}\ndataset: {tiny}\nbatch_size: 16\n")
    assert dlcli("train", "-c", "my.yaml", "-s", "epochs=1", "--name", "part").code == 0
    shutil.rmtree("first")  # its weights are not needed any more
    longer = ["train", "--resume", "runs/part", "-c", "my.yaml", "-s", "epochs=2"]
    result = dlcli(*longer, "-q")
    assert (result.code, result.stderr) == (0, "")
    refused = dlcli(*longer, "-s", "hidden_layers=[5]")
    assert refused.code == 2
    assert "not hidden_layers ([6, 5] -> [5])" in refused.stderr
