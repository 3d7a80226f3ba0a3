"""K-fold cross-validation: every image is scored once, by a model that has not seen it."""

import json
from pathlib import Path

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.errors import ConfigError
from dlcli.evaluation import cross_validation
from dlcli.evaluation.cross_validation import cross_validate
from dlcli.training.loop import fit
from tests.conftest import write_idx_folder

CONFIG = Config(hidden_layers=(12,), batch_size=16, epochs=12, weight_averaging=0.8)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return datasets.load(str(write_idx_folder(tmp_path_factory.mktemp("data") / "tiny")))


@pytest.fixture(scope="module")
def folds(dataset):
    return list(cross_validate(CONFIG, dataset, 3))


def test_every_image_is_scored_once(folds, dataset):
    rows = np.concatenate([fold.rows for fold in folds])
    assert sorted(rows.tolist()) == list(range(60))
    for fold in folds:
        assert fold.evaluation.labels.tolist() == dataset.train.labels[fold.rows].tolist()
        assert fold.evaluation.accuracy > 0.6
        assert fold.model.class_names == dataset.class_names


def test_no_model_was_trained_on_the_images_that_it_is_scored_on(dataset, monkeypatch):
    seen = []

    def spy(config, train, validation, state, **others):
        seen.append([part.images.copy() for part in (train, validation)])
        return fit(config, train, validation, state, **others)

    monkeypatch.setattr(cross_validation, "fit", spy)
    for fold in cross_validate(CONFIG, dataset, 3):
        used = {image.tobytes() for part in seen[fold.number - 1] for image in part}
        assert len(used) == 40
        assert not used & {image.tobytes() for image in dataset.train.images[fold.rows]}
        assert not used & {image.tobytes() for image in dataset.test.images}


def test_the_epoch_to_keep_is_scored(folds):
    assert all(1 <= fold.model.metadata.epoch <= 12 for fold in folds)
    assert all(fold.model.average is None for fold in folds)


def test_the_summary_is_the_mean_and_the_sample_standard_deviation():
    assert cross_validation.summary([1.0, 2.0, 3.0]) == {"mean": 2.0, "stdev": 1.0}


def test_more_folds_than_images_are_refused(dataset):
    with pytest.raises(ConfigError, match=r"^61 folds: there are only 60 training images$"):
        next(cross_validate(CONFIG, dataset, 61))


# At the command line

SETTINGS = ("--set", "hidden_layers=[8]", "--set", "epochs=3", "--set", "batch_size=16")


def test_mean_and_spread_are_those_of_the_folds_and_no_run_is_written(dlcli, tiny):
    arguments = ("eval", "--folds", "3", "--set", f"dataset={tiny}", *SETTINGS)
    result = dlcli(*arguments, "--format", "json")
    found = json.loads(result.stdout)
    assert (found["folds"], found["images"]) == (3, 60)
    accuracies = [fold["accuracy"] for fold in found["per_fold"]]
    assert found["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert found["accuracy"]["stdev"] == pytest.approx(np.std(accuracies, ddof=1))
    first, *lines = result.stderr.splitlines()
    assert first.startswith("3 networks 784-8-10, each trained on ")
    assert [line.split()[:2] for line in lines] == [["fold", f"{n}/3"] for n in (1, 2, 3)]
    text = dlcli(*arguments).stdout.splitlines()
    assert [line.split()[0] for line in text[:6]] == ["fold", "1", "2", "3", "mean", "stdev"]
    assert text[-1].endswith(" over 3 folds of 60 images")
    assert not Path("runs").exists()
    low = dlcli(*arguments, "--min-accuracy", "1")
    assert low.code == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--folds", "2", "runs/a"), "--folds trains networks of a --config; it takes no MODEL"),
        (("--folds", "2", "--split", "train"), "--folds and --split exclude each other"),
        (("--folds", "2", "--dataset", "sample"), "exclude each other; use --set dataset=NAME"),
        (("--folds", "2", "--predictions", "p.csv"), "--folds and --predictions exclude"),
        (("--folds", "1"), "--folds"),
        (("--config", "quickstart"), "--config is for --folds, which trains a config"),
        (("--set", "seed=1"), "--set is for --folds, which trains a config"),
    ],
)
def test_what_has_no_meaning_is_refused(dlcli, arguments, message):
    result = dlcli("eval", *arguments)
    assert (result.code, result.stdout) == (2, "")
    assert message in result.stderr
