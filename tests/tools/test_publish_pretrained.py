"""The model card says what the pretrained model and its recorded scores say."""

import json
import re

import numpy as np

from dlcli.evaluation import evaluate
from dlcli.runs import checkpoint, lookup
from tools.publish_pretrained import CARD, SCORES, halve, render_card


def test_the_card_is_up_to_date():
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    card = render_card(lookup.load_named(lookup.PRETRAINED), scores)
    assert CARD.read_text(encoding="utf-8") == card, "run: make readme"


def test_the_card_has_the_scores_every_digit_and_the_most_frequent_mistakes(sample):
    model = lookup.load_named(lookup.PRETRAINED)
    result = evaluate.evaluate([model], sample.test)
    card = render_card(model, {"seeds": 3, **result.to_builtins()})
    assert f"Accuracy {100 * result.accuracy:.2f} %" in card
    assert f"calibration error {100 * result.calibration_error:.2f} %" in card
    rows = [line for line in card.splitlines() if re.match(r"\| \d \|", line)]
    assert [row.split(" | ")[-1] for row in rows] == [f"{c.images} |" for c in result.classes]
    wrong = result.confusion - np.diag(result.confusion.diagonal())
    label, prediction = np.unravel_index(wrong.argmax(), wrong.shape)
    most = f"{prediction} for {label} ({wrong.max()} times)"
    assert f"(prediction for label):\n{most}" in card


def test_halved_weights_are_the_nearest_and_nothing_else_changes(make_checkpoint, tmp_path):
    source = make_checkpoint("whole.npz", temperature=1.5)
    halve(source, tmp_path / "half.npz")
    assert (tmp_path / "half.npz").stat().st_size < 0.6 * source.stat().st_size
    whole, half = checkpoint.load(source), checkpoint.load(tmp_path / "half.npz")
    assert half.metadata == whole.metadata
    expected = whole.network.parameters.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(half.network.parameters, expected)
