"""What several tests of ``dlcli eval`` share."""

import json
from typing import Any

KEYS = [
    "model",
    "dataset",
    "split",
    "accuracy",
    "correct",
    "images",
    "accuracy_interval_95",
    "loss",
    "expected_calibration_error",
    "balanced_accuracy",
    "macro_f1",
    "error_at_rejection",
    "per_digit",
    "confusion_matrix",
]


def json_of(result) -> Any:
    assert result.code == 0, result.stderr
    return json.loads(result.stdout)
