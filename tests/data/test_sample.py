"""The embedded sample is what its datacard says."""

import pytest

from dlcli.data import datasets, idx


def test_sizes(sample):
    assert len(sample.train) == 10_000
    assert len(sample.test) == 2_000
    assert set(sample.train.labels.tolist()) == set(range(10))


@pytest.mark.parametrize("file", datasets.FILES)
def test_every_byte_is_drawn_from_mnist_as_the_datacard_says(file, mnist_dir):
    step = 6 if file.startswith("train") else 5
    parse = idx.parse_images if "images" in file else idx.parse_labels
    full = parse(idx.read_file(datasets._find(mnist_dir, file)), file)
    embedded = parse(idx.read_file(datasets._SAMPLE_DIR / f"{file}.gz"), file)
    assert (embedded == full[::step]).all()
