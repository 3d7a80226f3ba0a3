"""Fixtures for several files of tests of the command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.runs import checkpoint
from tests.cli.datasets import write_folder
from tests.cli.trainings import QUICK

SEARCH = """
dataset: {tiny}
hidden_layers: {{choices: [[4], [8]]}}
learning_rate: {{low: 0.01, high: 1, log: true}}
batch_size: 16
epochs: {epochs}
validation_size: 20
sweep: {{trials: 6}}
"""


@pytest.fixture
def train(dlcli, tiny):
    """Run ``dlcli train`` on 60 images."""

    def invoke(*arguments, **options):
        return dlcli("train", "--set", f"dataset={tiny}", *QUICK, *arguments, **options)

    return invoke


@pytest.fixture
def model(make_checkpoint):
    return checkpoint.load(make_checkpoint("model.npz"))


@pytest.fixture
def predict(dlcli, model):
    """Run ``dlcli predict`` with a small model, in a folder that is empty but for it."""

    def invoke(*arguments: object, **options):
        return dlcli("predict", "--model", "model.npz", *arguments, **options)

    return invoke


@pytest.fixture
def digit(sample) -> Callable[..., np.ndarray]:
    """Write a test image as a PNG file and return its pixels: ``digit("a.png", 0)``."""

    def write(path: str | bytes, index: int = 0) -> np.ndarray:
        pixels = sample.test.images[index]
        with open(path, "wb") as file:  # noqa: PTH123 - the name may be bytes
            Image.fromarray(pixels.reshape(28, 28)).save(file, "PNG")
        return pixels

    return write


@pytest.fixture
def cache(mirror, workdir):
    """A complete mnist in the cache, made without a request."""
    write_folder(workdir / "data" / "mnist", mirror.contents)
    return workdir / "data" / "mnist"


@pytest.fixture
def search(workdir, tiny):
    """Write a search on 60 images: ``search(epochs=3)``."""

    def write(epochs: int = 2, more: str = "") -> Path:
        path = workdir / "mine.yaml"
        path.write_text(SEARCH.format(tiny=tiny, epochs=epochs) + more)
        return path

    return write
