"""Every row of the registry is complete."""

import pytest

from dlcli.data import idx
from dlcli.data.registry import (
    DATASETS,
    FILES,
    Checksum,
    downloadable,
    sha256,
)


@pytest.mark.parametrize("info", DATASETS.values(), ids=list(DATASETS))
def test_every_dataset_has_a_checksum_for_each_file_and_a_place_to_come_from(info):
    assert tuple(info.checksums) == FILES
    sums = {checksum.sha256 for checksum in info.checksums.values()}
    assert len(sums) == len(FILES)
    assert all(len(bytes.fromhex(value)) == 32 for value in sums)
    assert (info.embedded is None) == bool(info.mirrors)
    assert info.title
    assert info.licence


def test_all_but_the_sample_are_downloaded():
    assert downloadable() == ["mnist", "fashion-mnist", "kmnist"]


@pytest.mark.parametrize(
    ("dataset", "preprocessing"),
    [
        ("mnist", "digit"),
        ("sample", "digit"),
        ("fashion-mnist", "none"),
        ("kmnist", "none"),
    ],
)
def test_pictures_are_prepared_as_the_dataset_was(dataset, preprocessing):
    assert DATASETS[dataset].preprocessing == preprocessing


@pytest.mark.parametrize("info", DATASETS.values(), ids=list(DATASETS))
def test_every_dataset_names_its_ten_classes(info):
    assert len(set(info.class_names)) == 10


def test_a_checksum_of_the_content_ignores_how_it_is_packed():
    checksum = Checksum(sha256(b"content"))
    assert checksum.mismatch(b"content", b"content") is None
    assert checksum.mismatch(idx.compress(b"content"), b"content") is None
    assert str(checksum.mismatch(b"other", b"other")).startswith("wrong content (SHA-256 ")


def test_a_checksum_of_the_gz_file_needs_that_file():
    packed = idx.compress(b"content")
    checksum = Checksum(sha256(packed), "gz")
    assert checksum.mismatch(packed, b"content") is None
    assert str(checksum.mismatch(b"content", b"content")).startswith("not gzipped")
    assert str(checksum.mismatch(packed + b"?", b"content")).startswith("wrong content (SHA-256 ")
