"""What ``dlcli train`` says of a training that went wrong."""

import json
import re
from pathlib import Path

from dlcli.runs import checkpoint, listing
from tests.cli.trainings import DIVERGING, REMEDY, diverge_after


def test_keys_without_effect_have_a_warning(train):
    assert "Warning: beta1 has no effect with optimizer: sgd" in train("--set", "beta1=0.5").stderr


def test_divergence_stops_with_a_remedy_and_keeps_the_last_good_state(train, monkeypatch):
    diverge_after(monkeypatch, epochs=2)
    result = train("--name", "r", *DIVERGING, "--set", "epochs=4")
    assert result.code == 1
    assert result.stdout == ""
    *_, kept, error = result.stderr.splitlines()
    assert kept == (
        "Epoch 2 is saved; to train again: "
        "dlcli train --config runs/r/config.yaml --set learning_rate=0.01"
    )
    assert re.fullmatch(
        rf"Error: training diverged in epoch 3, step 2: its loss is (inf|nan); {re.escape(REMEDY)}",
        error,
    )
    assert checkpoint.load(Path("runs/r/last.npz")).metadata.epoch == 2
    assert checkpoint.load(Path("runs/r/best.npz")).metadata.epoch in {1, 2}
    assert [row["status"] for row in listing.list_runs(Path("runs"))] == ["diverged"]


def test_the_rule_that_stopped_training_is_named(train):
    for score in ("higher validation accuracy", "lower validation loss"):
        keep = f"best_{score.rpartition(' ')[2]}"
        stopped = train("--set", "epochs=200", "--set", "early_stopping=2", "--set", f"keep={keep}")
        rule = f"Stopped by early_stopping: no {score} in 2 epochs (keep: {keep})\n"
        assert rule in stopped.stderr
    flat = train("--set", "epochs=3", "--set", "min_gradient_norm=1000", "-f", "json")
    assert "Stopped by min_gradient_norm: the gradient norm fell below 1000\n" in flat.stderr
    assert json.loads(flat.stdout)["stopped_by"] == "min_gradient_norm"


def test_a_network_that_learned_nothing_has_a_warning_with_a_measured_cause(train):
    stuck = train("--set", "learning_rate=1e-9", "--set", "validation_size=0.5")
    assert stuck.code == 0
    warning, cause, advice = stuck.stderr.splitlines()[3:6]
    assert warning.startswith("Warning: the network learned almost nothing (validation accuracy ")
    assert re.fullmatch(r"Likely cause: weights changed by only .* %\.", cause)
    assert advice == "What to try: raise learning_rate (now 1e-09)."


def test_overfitting_is_reported_in_one_line(train, monkeypatch):
    monkeypatch.setattr("dlcli.runs.run.overfitting_since", lambda _records: 1)
    lines = [line for line in train().stderr.splitlines() if "Overfitting" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Overfitting since epoch 1: the validation loss rose")
