"""JSON that every reader accepts: without NaN and Infinity, which the standard does not have.

A module of its own, so that what only reads files does not import ``json``.
"""

import json
import math
from typing import Any


def dumps(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON text; numbers that are not finite become null.

    >>> dumps({"loss": float("inf"), "epochs": [1, float("nan")]})
    '{"loss": null, "epochs": [1, null]}'
    """
    try:
        return json.dumps(value, indent=indent, allow_nan=False)  # nearly always
    except ValueError:
        return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    """The value with None for each number in it that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return value
