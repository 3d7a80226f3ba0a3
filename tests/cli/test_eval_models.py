"""The model, the models or the run that ``dlcli eval`` and other commands score, and their data."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcli.evaluation import evaluate
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from tests.cli.evaluations import KEYS, json_of


def test_a_model_is_a_run_or_a_file(dlcli, trained_model):
    by_run = json_of(dlcli("eval", trained_model, "--format", "json"))
    by_file = json_of(dlcli("eval", trained_model / "best.npz", "--format", "json"))
    assert by_file == by_run
    last = json_of(dlcli("eval", trained_model / "last.npz", "--format", "json"))
    assert last["model"] == str(trained_model / "last.npz")


def test_the_environment_and_then_the_latest_run_name_the_model(
    dlcli, trained_model, workdir, monkeypatch
):
    Path("runs").symlink_to(trained_model.parent)
    assert dlcli("eval").stderr == "Model: runs/trained/best.npz\n"
    monkeypatch.setenv("DLCLI_MODEL", str(trained_model))
    assert dlcli("eval").stderr == f"Model: {trained_model / 'best.npz'}\n"
    assert dlcli("eval", "runs/trained").stderr == "Model: runs/trained/best.npz\n"
    monkeypatch.setenv("DLCLI_MODEL", "nosuch")
    assert "(DLCLI_MODEL names it)" in dlcli("eval").stderr


@pytest.fixture
def ensemble(make_checkpoint, trained_model, sample):
    """The trained model and two that guess, all of the sample, as paths."""
    dataset = {"name": "sample", "checksum": sample.checksum}
    paths = [trained_model]
    for seed in (1, 2):
        network = Network([784, 10], [], "softmax")
        network.initialize("auto", 0.1, np.random.default_rng(seed))
        paths.append(make_checkpoint(f"{seed}.npz", network, dataset=dataset))
    return paths


def test_an_ensemble_predicts_by_the_mean_of_its_probabilities(dlcli, ensemble, sample):
    scores = json_of(dlcli("eval", *ensemble, "--format", "json"))
    names = [str(ensemble[0] / "best.npz"), *map(str, ensemble[1:])]
    assert list(scores) == ["models", *KEYS[1:]]
    assert scores["models"] == names
    probabilities = [checkpoint.load(Path(n)).infer(sample.test.images)[1] for n in names]
    mean = np.mean(probabilities, axis=0)
    right = mean.argmax(axis=1) == sample.test.labels
    assert scores["correct"] == np.count_nonzero(right)
    truth = mean[np.arange(len(mean)), sample.test.labels]
    assert scores["loss"] == pytest.approx(-np.log(truth).mean(), rel=1e-5)


def test_each_model_of_an_ensemble_is_named(dlcli, ensemble):
    result = dlcli("eval", *ensemble, "--min-accuracy", 1)
    assert result.code == 5
    *named, error = result.stderr.splitlines()
    names = [str(ensemble[0] / "best.npz"), *map(str, ensemble[1:])]
    assert named == [f"Model: {name}" for name in names]
    assert error.startswith(f"Error: {', '.join(names)}: accuracy 0.")


def test_a_model_twice_is_as_good_as_once(dlcli, trained_model, sample):
    once = json_of(dlcli("eval", trained_model, "--format", "json"))
    twice = json_of(dlcli("eval", trained_model, trained_model, "--format", "json"))
    assert twice["confusion_matrix"] == once["confusion_matrix"]
    assert twice["expected_calibration_error"] == once["expected_calibration_error"]
    probabilities = evaluate.evaluate(
        [checkpoint.load(trained_model / "best.npz")], sample.test
    ).probabilities[np.arange(2000), sample.test.labels]
    assert twice["loss"] == pytest.approx(-np.log(probabilities).mean(), rel=1e-5)


def test_models_of_different_data_need_a_dataset(dlcli, ensemble, make_checkpoint, tiny, sample):
    make_checkpoint("other.npz", dataset={"name": "mnist", "checksum": "0"})
    result = dlcli("eval", ensemble[0], "other.npz", "-q")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == (
        f"Error: the models were trained on different data (sample {sample.checksum[:12]}..., "
        "mnist 0...); choose with --dataset\n"
    )
    assert dlcli("eval", ensemble[0], "other.npz", "--dataset", tiny).code == 0


def test_an_ensemble_is_scored_on_the_validation_images_of_all_its_models(
    dlcli, ensemble, make_checkpoint, sample
):
    both = json_of(dlcli("eval", *ensemble[1:], "--split", "validation", "--format", "json"))
    assert both["images"] == 1000
    dataset = {"name": "sample", "checksum": sample.checksum}
    make_checkpoint("other.npz", config={"dataset": "sample", "seed": 5}, dataset=dataset)
    result = dlcli("eval", ensemble[0], "other.npz", "--split", "validation", "-q")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == (
        "Error: --split validation: the models' trainings divided the images differently; only "
        "--split test can be used with all of them\n"
    )


def test_where_there_is_no_run_no_other_model_is_scored(dlcli, trained_model):
    """A script that deploys what passes must not pass with a model that comes with dlcli."""
    result = dlcli("eval", "-q", "--min-accuracy", 0.5)
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: no model is named, and there is no finished run in runs; name one, as in: "
        "dlcli eval pretrained\n"
    )
    assert dlcli("eval", "pretrained", "--dataset", "sample").code == 0


def test_where_latest_is_a_folder_the_newest_run_is_scored_and_named_in_spite_of_quiet(
    dlcli, trained_model
):
    for name in ("latest", "r"):
        shutil.copytree(trained_model, Path("runs", name))
    result = dlcli("eval", "-q")
    assert result.code == 0
    assert result.stderr == (
        "Model: runs/r/best.npz (the newest finished run; runs/latest is a folder, not a link)\n"
    )


def test_a_run_without_a_model_is_reported(dlcli, workdir):
    Path("run").mkdir()
    result = dlcli("eval", "run")
    assert (result.code, result.stderr) == (4, "Error: run/best.npz: no such checkpoint\n")


def test_a_run_without_a_complete_epoch_says_how_to_resume_it(dlcli, make_checkpoint):
    make_checkpoint("last.npz", epoch=0)
    result = dlcli("eval", ".")
    assert (result.code, result.stderr) == (
        4,
        "Error: .: no epoch is done yet; resume with: dlcli train --resume .\n",
    )


def test_a_run_whose_best_model_is_gone_names_the_latest_one(dlcli, make_checkpoint):
    make_checkpoint("last.npz", epoch=3)
    result = dlcli("eval", ".")
    assert (result.code, result.stderr) == (
        4,
        "Error: .: best.npz is missing; the latest epoch is in last.npz\n",
    )


def test_a_run_that_diverged_in_its_first_epoch_is_not_to_be_resumed(dlcli, make_checkpoint):
    make_checkpoint("last.npz", epoch=0)
    Path("diverged.txt").write_text("training diverged in epoch 1\nlearning_rate=0.01\n")
    result = dlcli("eval", ".")
    assert result.code == 4
    assert result.stderr == (
        "Error: .: has no model: training diverged in epoch 1; to train again: dlcli train "
        "--config config.yaml --set learning_rate=0.01\n"
    )


@pytest.fixture
def of_tiny(dlcli, tiny) -> Path:
    """A run of the folder ``tiny``, and a run of the sample beside it."""
    for name, dataset in (("tiny", "tiny"), ("sample", "sample")):
        settings = ("--set", f"dataset={dataset}", "--set", "epochs=1")
        assert (
            dlcli("train", "-q", *settings, "--set", "hidden_layers=[4]", "--name", name).code == 0
        )
    return Path("runs/tiny")


COMMANDS = {
    "eval": ["eval"],
    "compare": ["compare", "runs/tiny"],
    "report": ["report", "-o", "report.html"],
    "errors": ["plot", "--what", "errors", "-o", "errors.svg"],
    "confusion": ["plot", "--what", "confusion", "-o", "confusion.svg"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_model_is_scored_on_data_that_changed_unless_they_are_named(
    dlcli, of_tiny, tiny, make_idx_folder, command
):
    make_idx_folder(tiny, seed=1)
    command = COMMANDS[command]
    changed = dlcli(*command, of_tiny, "-q")
    assert (changed.code, changed.stdout) == (3, "")
    assert f"{tiny}: has changed since runs/tiny/best.npz was trained on it (" in changed.stderr
    assert dlcli(*command, of_tiny, "-q", "--dataset", "tiny").code == 0


@pytest.mark.parametrize("command", ["eval", "compare", "report"])
def test_models_of_two_datasets_are_not_scored_on_that_of_the_first(dlcli, of_tiny, command):
    given = [command, of_tiny, "runs/sample", "-q"]
    result = dlcli(*given)
    assert (result.code, result.stdout) == (3, "")
    assert re.search(r"different data \(tiny \w{12}\.\.\., sample \w{12}\.\.\.\)", result.stderr)
    assert dlcli(*given, "--dataset", "tiny").code == 0


def test_a_run_is_used_from_any_folder_and_with_moved_data(dlcli, of_tiny, tiny, monkeypatch):
    here = json_of(dlcli("eval", of_tiny, "--format", "json"))
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    there = json_of(dlcli("eval", "../runs/tiny", "--format", "json"))
    assert there == here | {"model": "../runs/tiny/best.npz"}
    rows = json.loads(dlcli("runs", "--runs-dir", "../runs", "--format", "json").stdout)
    assert {row["status"] for row in rows} == {"finished"}
    tiny.rename("moved")
    gone = dlcli("eval", "../runs/tiny", "-q")
    assert (gone.code, gone.stdout) == (3, "")
    assert f"{tiny}: no such folder of images; name it with: --dataset FOLDER" in gone.stderr
    assert dlcli("plot", "../runs/tiny", "-o", "curves.svg").code == 0
    for command in (["eval", "--split", "validation"], ["eval", "--split", "train"], ["report"]):
        assert dlcli(*command, "../runs/tiny", "--dataset", "moved").code == 0


def test_a_truncated_model_is_reported(dlcli, trained_model, workdir):
    shutil.copy(trained_model / "best.npz", "cut.npz")
    with Path("cut.npz").open("r+b") as file:
        file.truncate(100_000)
    result = dlcli("eval", "cut.npz")
    assert (result.code, result.stdout) == (4, "")
    assert result.stderr.startswith("Error: cut.npz: not a whole .npz checkpoint")
    assert result.stderr.count("\n") == 1
