"""Several datasets at once: trained on and scored together, with weights, and refused."""

import numpy as np
import pytest

from dlcli.data import datasets, idx, registry
from tests.cli.evaluations import json_of
from tests.data.drawn_pictures import write_digits, write_letters

LEARN = ("-s", "epochs=20", "-s", "validation_size=0.1", "-s", "hidden_layers=[40]")


@pytest.fixture
def mine(workdir, sample):
    """Some digits as pictures."""
    return write_digits(workdir / "mine", sample.test, 60)


def test_a_mixture_is_trained_on_and_scored_together_and_by_parts(dlcli, mine):
    mixture = "dataset=[sample, {name: ./mine, weight: 3}]"
    assert dlcli("train", "-q", "-s", mixture, "-s", "epochs=1", "--name", "mix").code == 0
    scores = json_of(dlcli("eval", "runs/mix", "--format", "json"))
    assert scores["dataset"] == "sample + ./mine"
    first, second = scores["parts"]
    assert (first["dataset"], first["images"]) == ("sample", 2000)
    assert second["dataset"] == "./mine"
    assert first["images"] + second["images"] == scores["images"]
    assert first["correct"] + second["correct"] == scores["correct"]
    text = dlcli("eval", "runs/mix", "--split", "train").stdout
    assert text.splitlines()[6].split() == ["dataset", "accuracy", "correct", "images"]
    assert dlcli("train", "-q", "--resume", "runs/mix", "-s", "epochs=2").code == 0
    next((mine / "3").iterdir()).unlink()
    assert dlcli("eval", "runs/mix").code == 3


def test_a_weight_counts_as_often_as_the_same_images_again(workdir, tiny, make_idx_folder):
    from dlcli.config.schema import Config, DatasetPart
    from dlcli.nn.network import Network
    from dlcli.training.batches import Batches

    other = make_idx_folder(workdir / "other", train=30, test=10, seed=1)
    source = (str(tiny), DatasetPart(name=str(other), weight=2.5))
    dataset = datasets.load(source)
    config = Config(dataset=source, batch_size=30)
    network = Network([784, 10], [], "softmax")
    (block,) = Batches(config, dataset.train, network, None).epoch(0)
    assert block.weights is not None
    assert sorted(block.weights.tolist()) == [1.0] * 60 + [2.5] * 30
    assert dataset.checksum != datasets.load((str(tiny),)).checksum


def test_without_weights_a_mixture_has_none(tiny, make_idx_folder, tmp_path):
    from dlcli.config.schema import Config
    from dlcli.nn.network import Network
    from dlcli.training.batches import Batches

    both = (str(tiny), str(make_idx_folder(tmp_path / "other", seed=1)))
    dataset, config = datasets.load(both), Config(dataset=both)
    (block,) = Batches(config, dataset.train, Network([784, 10], [], "softmax"), None).epoch(0)
    assert block.weights is None


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        ("[sample, ./letters]", 3, "letters: its class 'A' is none of those of sample: 0, 1, 2"),
        ("[sample, ./nowhere]", 3, "nowhere: no such folder of IDX files or pictures"),
        ("[sample, sample]", 3, "sample + sample: sample has the images of sample; to count them"),
        ("[sample, nowhere]", 2, "expected mnist, fashion-mnist, kmnist, sample or a folder of"),
        ("[]", 2, "dataset: expected a name or a folder or a list of names or folders or mappings"),
        ("[{weight: 2}]", 2, "dataset: expected a name or a folder or a list of"),
        ("[{name: sample, weight: 0}]", 2, "dataset: expected a name or a folder or a list of"),
    ],
)
def test_a_wrong_mixture_is_one_clear_line(dlcli, workdir, setting, code, message):
    write_letters(workdir / "letters", "AB", each=2)
    result = dlcli("train", "-q", "-s", f"dataset={setting}")
    assert (result.code, result.stderr.count("\n")) == (code, 1)
    assert message in result.stderr
    assert not (workdir / "runs").exists()


def test_pictures_of_a_mixture_are_prepared_in_one_way(dlcli, workdir, sample):
    write_letters(workdir / "letters", "AB", each=2)
    images = sample.train.images[:4].reshape(-1, 28, 28)
    (workdir / "idx").mkdir()
    for name, array in zip(registry.FILES, [images, np.arange(4) % 2] * 2, strict=True):
        (workdir / "idx" / name).write_bytes(idx.serialize(array.astype(np.uint8)))
    (workdir / "idx" / "classes.txt").write_text("A\nB\n")
    result = dlcli("train", "-q", "-s", "dataset=[./idx, ./letters]", "-s", "epochs=1")
    assert result.code == 3
    advice = "(./idx: digit, ./letters: plain); prepare them alike: --set preparation=digit\n"
    assert result.stderr.endswith(advice)
    again = ("-s", "dataset=[./idx, ./letters]", "-s", "epochs=1", "-s", "preparation=digit")
    assert dlcli("train", "-q", *again, "-s", "validation_size=0").code == 0


def test_a_dataset_of_one_class_is_a_part_of_a_mixture_and_can_be_scored_alone(dlcli, workdir):
    write_letters(workdir / "letters", "AB", each=8)
    write_letters(workdir / "more", "B", each=6, first=8)
    mixed = ("-s", "dataset=[./letters, ./more]", *LEARN)
    assert dlcli("train", "-q", *mixed, "--name", "run").code == 0
    assert dlcli("train", "-q", "--resume", "runs/run", "-s", "epochs=21").code == 0
    scores = json_of(dlcli("eval", "runs/run", "--format", "json"))
    assert [part["dataset"] for part in scores["parts"]] == ["./letters", "./more"]
    alone = json_of(dlcli("eval", "runs/run", "--dataset", "./more", "--format", "json"))
    assert alone["confusion_matrix"][0] == [0, 0]
    status = json_of(dlcli("data", "status", "./more", "--format", "json"))
    assert status[0]["classes"] == 1
    assert dlcli("data", "verify", "./more").code == 0
    refused = dlcli("train", "-q", "-s", "dataset=./more")
    assert (refused.code, refused.stderr.count("\n")) == (3, 1)
    assert "./more: has only one class, 'B'" in refused.stderr
