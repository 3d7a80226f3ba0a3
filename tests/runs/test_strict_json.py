"""JSON without what the standard does not have."""

import json

import pytest

from dlcli.runs import strict_json

INFINITE = [float("inf"), float("-inf"), float("nan")]


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


@pytest.mark.parametrize("number", INFINITE)
def test_numbers_that_are_not_finite_are_null_wherever_they_stand(number):
    value = {"loss": number, "curve": [1.5, number, {"deep": (number, 2)}], "name": "a"}
    text = strict_json.dumps(value)
    found = json.loads(text, parse_constant=refuse)
    assert found == {"loss": None, "curve": [1.5, None, {"deep": [None, 2]}], "name": "a"}


def test_finite_values_are_written_as_json_writes_them():
    value = {"a": [1, 2.5, -0.0, True, None], "b": "ü", "c": {}}
    assert strict_json.dumps(value, indent=2) == json.dumps(value, indent=2)
