"""Metadata is typed and checked; what is wrong is refused by its key."""

import json
import math
from dataclasses import replace

import pytest

from dlcli.errors import CheckpointError
from dlcli.runs.metadata import (
    DatasetIdentity,
    Metadata,
    Scores,
    TrainingImages,
    TrainingProgress,
)

TRAINING = TrainingProgress(2, 0.9, math.inf, math.inf, 1.5)
METADATA = Metadata(
    config={"dataset": "sample"},
    epoch=3,
    dataset=DatasetIdentity("sample", "abc"),
    preprocessing="digit",
    scores=Scores(0.25, 0.9, 0.5, None),
    threads=1,
    images=TrainingImages("dark_on_light", False, True, 20, "mass"),
    training=TRAINING,
)


def test_metadata_come_back_from_json():
    values = json.loads(json.dumps(METADATA.to_json()))
    assert values["training"]["best_loss"] is None  # JSON has no infinity
    assert Metadata.from_json(values) == METADATA


def test_a_mixture_comes_back_from_json():
    parts = (DatasetIdentity("mnist", "1"), DatasetIdentity("./mine", "2", "/home/me/mine"))
    mixed = replace(METADATA, dataset=DatasetIdentity("mnist + ./mine", "3", None, parts))
    values = json.loads(json.dumps(mixed.to_json()))
    assert values["dataset"]["parts"][0] == {"name": "mnist", "checksum": "1"}
    assert Metadata.from_json(values) == mixed


@pytest.mark.parametrize(("key", "value"), [("checksum", None), ("folder", 1), ("name", 5)])
def test_an_invalid_part_of_a_mixture_is_refused_by_its_key(key, value):
    values = METADATA.to_json()
    values["dataset"]["parts"] = [{"name": "mnist", "checksum": "0"} | {key: value}]
    with pytest.raises(CheckpointError, match=rf"dataset\.parts\.{key}: missing or invalid$"):
        Metadata.from_json(values)


def test_optional_keys_may_be_missing_or_empty():
    few = replace(METADATA, scores=None, threads=None, images=None, training=None)
    values = few.to_json()
    always = {"config", "epoch", "dataset", "preprocessing"}
    assert set(values) == always | {"temperature", "class_names"}
    del values["temperature"], values["class_names"]
    assert Metadata.from_json(values | {"scores": {}, "a key of tomorrow": 1}) == few


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("config", "mnist"),
        ("epoch", -1),
        ("epoch", True),
        ("dataset", None),
        ("dataset.name", "x" * 5000),
        ("dataset.checksum", 7),
        ("dataset.parts", "mnist"),
        ("dataset.parts", [1]),
        ("dataset.parts", [{"name": "mnist", "checksum": "0"}] * 101),
        ("preprocessing", "zoom"),
        ("scores", 1),
        ("scores.train_loss", "low"),
        ("scores.validation_loss", 10**400),
        ("threads", "many"),
        ("threads", 0),
        ("threads", 10**400),
        ("temperature", -1.0),
        ("class_names", "AB"),
        ("class_names", ["A"]),
        ("class_names", ["A", "A"]),
        ("class_names", ["A", ""]),
        ("class_names", ["A", 2]),
        ("class_names", [str(number) for number in range(1001)]),
        ("images", True),
        ("images.polarity", "grey"),
        ("images.polarity", ["light_on_dark"]),
        ("images.digits", None),
        ("images.mnist_format", 1),
        ("images.side_px", 29),
        ("images.side_px", 0),
        ("images.centring", "left"),
        ("training", []),
        ("training.best_epoch", 0.5),
        ("training.best_accuracy", None),
        ("training.best_loss", math.nan),
        ("training.gradient_norm", 10**400),
        ("training.temperature", 0),
    ],
)
def test_an_invalid_value_is_refused_by_its_key(path, value):
    values = METADATA.to_json()
    *outer, key = path.split(".")
    target = values[outer[0]] if outer else values
    target[key] = value
    with pytest.raises(CheckpointError, match=f"^metadata: {path}: missing or invalid$"):
        Metadata.from_json(values)
