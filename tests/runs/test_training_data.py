"""A model finds the dataset it was trained on where it is now, and is told of other data."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import yaml

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.errors import DatasetError
from dlcli.runs import checkpoint, training_data
from dlcli.runs.metadata import DatasetIdentity
from tests.runs.checkpoints import METADATA, normalised_network


def identity_of(name: str) -> DatasetIdentity:
    dataset = datasets.load(name)
    return DatasetIdentity(name, dataset.checksum, dataset.folder)


def model(path: str, identity: DatasetIdentity) -> checkpoint.Model:
    metadata = replace(METADATA, dataset=identity)
    checkpoint.save(Path(path), normalised_network(), "cross_entropy", metadata, {})
    return checkpoint.load(Path(path))


def test_a_dataset_is_found_from_another_folder(workdir, tiny, monkeypatch):
    identity = identity_of("tiny")
    assert identity.folder == str(tiny)
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    found = training_data.find(identity, datasets.load)
    assert (found.name, found.folder) == ("tiny", str(tiny))


def test_a_dataset_that_moved_with_its_run_is_found_here(workdir, tiny, monkeypatch):
    identity = identity_of("tiny")
    shutil.move(tiny, "project/tiny")
    monkeypatch.chdir("project")
    found = training_data.find(identity, datasets.load)
    assert (found.name, found.folder) == ("tiny", str(workdir / "project" / "tiny"))


def test_of_two_folders_the_one_with_the_same_content_is_meant(workdir, tiny, make_idx_folder):
    identity = replace(identity_of("tiny"), folder=str(make_idx_folder(workdir / "other", seed=1)))
    assert training_data.find(identity, datasets.load).folder == str(tiny)
    changed = replace(identity, checksum="0")
    assert training_data.find(changed, datasets.load).folder == identity.folder


def test_a_named_dataset_is_no_folder(workdir, tiny, sample):
    identity = identity_of("sample")
    assert identity.folder is None
    shutil.move(tiny, "sample")
    assert training_data.find(identity, datasets.load).checksum == sample.checksum


@pytest.mark.parametrize("folder", [None, "/no/such/folder", "/no\0such"])
def test_a_dataset_that_is_gone_can_be_named(workdir, folder):
    identity = DatasetIdentity("gone", "0", folder)
    with pytest.raises(DatasetError, match="no such folder of images; name it with: --dataset "):
        training_data.find(identity, datasets.load)


def test_advice_for_a_part_of_a_mixture_names_all_of_them(workdir):
    parts = (DatasetIdentity("sample", "0"), DatasetIdentity("gone", "1"))
    mixed = DatasetIdentity("sample + gone", "2", parts=parts)
    with pytest.raises(DatasetError, match=r"gone: no such folder of images$"):
        training_data.find(mixed, datasets.load)
    advice = r"name it with: --set 'dataset=\[sample, FOLDER\]'$"
    with pytest.raises(DatasetError, match=advice):
        training_data.find(mixed, datasets.load, None, ["sample", "gone"])
    weighted = [{"name": "sample", "weight": 2.0}, {"name": "gone", "weight": 20.0}]
    source = msgspec.convert({"dataset": weighted}, Config).dataset
    with pytest.raises(DatasetError) as error:
        training_data.find(mixed, datasets.load, None, source)
    advice = str(error.value).rpartition("--set ")[2]
    assert yaml.safe_load(shlex.split(advice)[0].removeprefix("dataset=")) == [
        {"name": "sample", "weight": 2.0},
        {"name": "FOLDER", "weight": 20.0},
    ]


def test_models_of_the_same_data_by_other_names_have_it_in_common(workdir, tiny):
    identity = identity_of("tiny")
    models = [model("a.npz", identity), model("b.npz", replace(identity, name="./tiny"))]
    assert training_data.load_common(models, datasets.load).checksum == identity.checksum


def test_models_with_other_classes_have_no_common_labels(workdir, sample):
    identity = DatasetIdentity("sample", sample.checksum)
    digits, two = model("a.npz", identity), model("b.npz", identity)
    config = two.metadata.config | {"classes": [3, 8]}
    two = replace(two, metadata=replace(two.metadata, class_names=("3", "8"), config=config))
    for models in ([digits, two], [two, digits]):
        with pytest.raises(DatasetError, match="sample: the models have different classes"):
            training_data.load_common(models, datasets.load)


def test_data_that_changed_since_training_are_reported_with_both_checksums(
    workdir, tiny, make_idx_folder
):
    then = model("a.npz", identity_of("tiny"))
    make_idx_folder(tiny, seed=1)
    now = identity_of("tiny")
    with pytest.raises(DatasetError) as raised:
        training_data.load_common([then], datasets.load)
    message = str(raised.value)
    assert message.startswith(f"{tiny}: has changed since a.npz was trained on it (checksum ")
    assert f"{now.checksum[:12]}..., then {then.metadata.dataset.checksum[:12]}..." in message
    assert message.endswith(f"to use it as it is now: --dataset {tiny}")
    with pytest.raises(DatasetError) as raised:
        training_data.load_common([then], datasets.load, "validation")
    advice = f"to score its test images as they are now: --split test --dataset {tiny}"
    assert str(raised.value).endswith(f"; {advice}")
    with pytest.raises(DatasetError, match="were trained on different data"):
        training_data.load_common([then, model("b.npz", now)], datasets.load)
