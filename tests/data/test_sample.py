"""The embedded sample is what its data card says."""

import pytest

from dlcli.data import idx
from dlcli.data.registry import DATASETS, FILES


def test_sizes(sample):
    assert len(sample.train) == 10_000
    assert len(sample.test) == 2_000
    assert set(sample.train.labels.tolist()) == set(range(10))


@pytest.mark.parametrize("file", FILES)
def test_every_byte_is_selected_from_mnist_as_the_data_card_says(file, mnist_dir):
    folder = DATASETS["sample"].embedded
    step = 6 if file.startswith("train") else 5
    parse = idx.parse_images if "images" in file else idx.parse_labels
    full = parse(idx.read_file(idx.find(mnist_dir, file)), file)
    assert folder is not None
    embedded = parse(idx.read_file(folder / f"{file}.gz"), file)
    assert (embedded == full[::step]).all()


def test_the_embedded_files_have_the_checksums_of_the_registry():
    info = DATASETS["sample"]
    assert info.embedded is not None
    for file, checksum in info.checksums.items():
        path = info.embedded / f"{file}.gz"
        assert checksum.mismatch(path.read_bytes(), idx.read_file(path)) is None
