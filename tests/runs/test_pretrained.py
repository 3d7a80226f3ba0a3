"""The pretrained model is what its card says it is."""

import re

import numpy as np
import pytest

from dlcli.config import files as config_files
from dlcli.config import validation
from dlcli.data import datasets
from dlcli.evaluation import evaluate
from dlcli.runs import checkpoint, lookup
from dlcli.runs.lookup import PRETRAINED
from tools.publish_pretrained import CARD, MODEL, halve, render_card


def test_the_model_is_small_and_reads_the_samples_test_images(sample):
    assert MODEL.stat().st_size <= 6_000_000
    model = lookup.load_named(PRETRAINED)
    assert not model.network.batch_norm
    assert model.network.parameters.dtype == np.float32
    # Part of MNIST's own test images, which it has never seen.
    assert evaluate.evaluate([model], sample.test).accuracy >= 0.99


def test_it_is_what_its_config_makes():
    made_by = lookup.load_named(PRETRAINED).metadata.config
    config = config_files.load(["best"], [f"seed={made_by['seed']}"])
    assert validation.from_builtins(made_by, "pretrained") == config


def test_its_scores_are_those_of_its_card(mnist_dir):
    result = evaluate.evaluate([lookup.load_named(PRETRAINED)], datasets.load(str(mnist_dir)).test)
    assert result.accuracy >= 0.994
    assert result.calibration_error < 0.005
    told = re.search(r"^Accuracy (\d+\.\d+) %", CARD.read_text(encoding="utf-8"), re.MULTILINE)
    assert told
    # Another processor rounds otherwise: a few answers may differ.
    assert float(told[1]) == pytest.approx(100 * result.accuracy, abs=0.03)


def test_the_card_tells_accuracy_calibration_every_digit_and_the_mistakes(sample):
    model = lookup.load_named(PRETRAINED)
    result = evaluate.evaluate([model], sample.test)
    card = render_card(model, result, seeds=3)
    assert f"Accuracy {100 * result.accuracy:.2f} %" in card
    assert f"calibration error {100 * result.calibration_error:.2f} %" in card
    rows = [line for line in card.splitlines() if re.match(r"\| \d \|", line)]
    assert [row.split(" | ")[-1] for row in rows] == [f"{c.images} |" for c in result.classes]
    wrong = result.confusion - np.diag(result.confusion.diagonal())
    label, answer = np.unravel_index(wrong.argmax(), wrong.shape)
    assert f"(answer for truth):\n{answer} for {label} ({wrong.max()} times)" in card


def test_halved_weights_are_the_nearest_and_nothing_else_changes(make_checkpoint, tmp_path):
    source = make_checkpoint("whole.npz", temperature=1.5)
    halve(source, tmp_path / "half.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * source.stat().st_size
    whole, half = checkpoint.load(source), checkpoint.load(tmp_path / "half.npz")
    assert half.metadata == whole.metadata
    expected = whole.network.parameters.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(half.network.parameters, expected)
