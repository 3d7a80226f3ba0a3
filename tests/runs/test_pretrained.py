"""The pretrained model is what its card says it is."""

import json

import numpy as np
import pytest

from dlcli.config import files as config_files
from dlcli.config import validation
from dlcli.data import datasets
from dlcli.evaluation import evaluate
from dlcli.runs import lookup
from dlcli.runs.lookup import PRETRAINED
from tools import train_pretrained
from tools.publish_pretrained import MODEL, SCORES


def test_the_model_is_small_and_reads_the_samples_test_images(sample):
    assert MODEL.stat().st_size <= 6_000_000
    model = lookup.load_named(PRETRAINED)
    assert not model.network.batch_norm
    assert model.network.parameters.dtype == np.float32
    # Part of MNIST's own test images, which it has never seen.
    assert evaluate.evaluate([model], sample.test).accuracy >= 0.99


def test_its_config_is_the_shipped_one_and_that_of_training_further():
    made_by = lookup.load_named(PRETRAINED).metadata.config
    config = config_files.load(["best"], [f"seed={made_by['seed']}"])
    further = train_pretrained.further(train_pretrained.further(config))
    assert validation.from_builtins(made_by, "pretrained") == further


def test_its_scores_are_those_that_were_recorded(mnist_dir):
    result = evaluate.evaluate([lookup.load_named(PRETRAINED)], datasets.load(str(mnist_dir)).test)
    assert result.accuracy >= 0.994
    assert result.calibration_error < 0.005
    recorded = json.loads(SCORES.read_text(encoding="utf-8"))
    # Another processor rounds otherwise: a few predictions may differ.
    assert recorded["accuracy"] == pytest.approx(result.accuracy, abs=3e-4)
