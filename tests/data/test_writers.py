"""Validation on writers that training has not seen: the file that names them, and the split."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data import datasets, writers
from dlcli.data.examples import Examples
from dlcli.data.splits import split_writers
from dlcli.errors import ConfigError, DatasetError
from tests.data.extended_labels import extended_labels

LABELS = (np.arange(60) % 10).astype(np.uint8)  # of the training images of ``tiny``


@pytest.fixture
def written(tiny) -> Path:
    """``tiny`` with ten writers of six images each."""
    (tiny / f"{writers.FILE}.gz").write_bytes(gzip.compress(extended_labels(LABELS)))
    return tiny


def test_the_writers_of_a_folder_are_read_beside_its_images(written):
    dataset = datasets.load(str(written))
    assert dataset.train.writers is not None
    assert dataset.train.writers.tolist() == [2000 + number // 6 for number in range(60)]
    assert dataset.test.writers is None
    assert dataset.checksum == datasets.load(str(written)).of_classes([1, 2]).checksum
    some = dataset.of_classes([1, 2]).train
    assert some.writers is not None
    assert len(some.writers) == len(some) == 12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file of extended labels: it starts with nothing, expected 00000c02"),
        (b"\0\0\x08\1" + bytes(20), "it starts with 00000801, expected 00000c02"),
        (extended_labels(LABELS)[:-4], "its header says 60 rows of 8 numbers, but it has"),
        (extended_labels(LABELS, columns=8) + b"0", "its header says 60 rows of 8 numbers"),
        (extended_labels(LABELS[:59]), "59 rows, but there are 60 training images"),
        (extended_labels(np.roll(LABELS, 1)), "row 0 is of a 9, but training image 0 has the la"),
        (b"\x1f\x8b damaged", "gzip file"),
    ],
)
def test_a_file_that_does_not_describe_the_training_images_is_an_error(tiny, content, message):
    (tiny / writers.FILE).write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        datasets.load(str(tiny))
    assert str(caught.value).startswith(str(tiny / writers.FILE))


@given(
    numbers=st.lists(st.integers(0, 9), min_size=2, max_size=80),
    size=st.integers(1, 40) | st.floats(0.01, 0.6),
    seed=st.integers(0, 2**32),
)
def test_no_writer_is_in_both_parts_and_as_few_as_suffice_are_held_out(numbers, size, seed):
    who = np.array(numbers, np.int32)
    images = np.zeros((len(who), 784), np.uint8)
    images[:, 0] = np.arange(len(who))
    whole = Examples(images, np.zeros(len(who), np.uint8), writers=who)
    try:
        parts = split_writers(whole, size, seed)
    except ConfigError as error:
        assert "would be left to train on" in str(error)  # noqa: PT017 - not in every example
        return
    train, validation = ({*part.writers.tolist()} for part in parts if part.writers is not None)
    assert not train & validation
    order = [part.images[:, 0].tolist() for part in parts]
    assert sorted(order[0] + order[1]) == list(range(len(who)))
    assert all(part == sorted(part) for part in order)
    wanted = max(1, round(size * len(who))) if size < 1 else size
    largest = max(int((who == writer).sum()) for writer in validation)
    assert wanted <= len(parts[1]) < wanted + largest


def test_other_seeds_hold_out_other_writers():
    who = np.arange(400, dtype=np.int32) // 4
    whole = Examples(np.zeros((400, 784), np.uint8), np.zeros(400, np.uint8), writers=who)
    held_out = []
    for seed in (1, 1, 2):
        _, validation = split_writers(whole, 100, seed)
        assert validation.writers is not None
        held_out.append(validation.writers.tolist())
    assert held_out[0] == held_out[1] != held_out[2]


def test_a_run_validates_on_other_writers_and_remembers_who_they_are(dlcli, written):
    train = ["train", "-q", "--set", f"dataset={written}", "--set", "epochs=1"]
    train += ["--set", "validation_split=writers", "--set", "validation_size=10"]
    result = dlcli(*train, "--name", "a")
    assert result.code == 0, result.stderr
    run = result.stdout.strip()
    score = ["eval", run, "--split", "validation", "--format", "json"]
    assert json.loads(dlcli(*score).stdout)["images"] == 12  # of two writers
    (written / f"{writers.FILE}.gz").unlink()
    (written / writers.FILE).write_bytes(extended_labels(LABELS, per_writer=5))
    result = dlcli(*score)
    assert (result.code, result.stdout) == (3, "")
    assert "the file that names the writers of" in result.stderr
    assert "has changed since the training" in result.stderr
    result = dlcli("train", "--resume", run, "--set", "epochs=2")
    assert result.code == 2
    assert "has changed since the training" in result.stderr
    (written / writers.FILE).unlink()
    result = dlcli("train", "--resume", run, "--set", "epochs=2")
    assert "is gone since the training" in result.stderr
    assert dlcli("eval", run).code == 0  # the test images are those of then


def test_without_the_file_the_error_says_what_is_missing(dlcli, tiny):
    result = dlcli("train", "--set", f"dataset={tiny}", "--set", "validation_split=writers")
    assert result.code == 2
    assert f"put {writers.FILE} into the dataset's folder" in result.stderr
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_a_number_is_taken_for_the_size(dlcli):
    result = dlcli("train", "--set", "validation_split=0.1")
    assert result.code == 2
    assert result.stderr.endswith("; did you mean --set validation_size=0.1?\n")


def test_an_import_takes_the_file_along(dlcli, mirror, workdir):
    source = workdir / "downloaded"
    source.mkdir()
    for file, content in mirror.contents.items():
        (source / file).write_bytes(content)
    (source / f"{writers.FILE}.gz").write_bytes(gzip.compress(extended_labels(LABELS)))
    result = dlcli("data", "import", source, "--data-dir", "cache")
    assert result.code == 0, result.stderr
    assert f"verified {source / writers.FILE}.gz" in result.stderr
    train = datasets.load("mnist", Path("cache")).train
    assert train.writers is not None
    assert len(np.unique(train.writers)) == 10
    (source / f"{writers.FILE}.gz").write_bytes(extended_labels(np.roll(LABELS, 1)))
    result = dlcli("data", "import", source, "--data-dir", "other")
    assert result.code == 3
    assert "describes other images" in result.stderr
    assert not Path("other", "mnist").exists()


def test_mnist_is_divided_between_539_writers(mnist_dir):
    path = writers.find(mnist_dir)
    if path is None:
        pytest.skip(f"needs {writers.FILE}.gz of QMNIST beside the full MNIST")
    whole = datasets.load(str(mnist_dir)).train
    assert whole.writers is not None
    assert len(np.unique(whole.writers)) == 539
    train, validation = split_writers(whole, 10_000, seed=0)
    assert 10_000 <= len(validation) < 10_300
    assert train.writers is not None
    assert validation.writers is not None
    assert not np.isin(validation.writers, train.writers).any()
