"""Config types in words."""

import pytest

from dlcli.config.messages import _in_words


@pytest.mark.parametrize("null_first", [True, False])
def test_null_comes_last_wherever_msgspec_puts_it(null_first):
    parts = [{"type": "null"}, {"$ref": "#/$defs/Augmentation"}]
    assert _in_words({"anyOf": parts if null_first else parts[::-1]}) == "a mapping or null"
