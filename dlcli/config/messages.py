"""Config types and values in words, for messages and the reference."""

from collections.abc import Iterable
from typing import Any

import msgspec

from dlcli.config.yaml_loader import dump


def shown(value: Any) -> str:
    """A value about as the user wrote it, at no more than 60 characters."""
    return shortened(written(value))


def written(value: Any) -> str:
    """A value about as the user wrote it."""
    return dump(value, flow=True).removesuffix("...\n").strip()


def shortened(text: str) -> str:
    """A text at no more than 60 characters."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(names: Iterable[str], word: str) -> str:
    """Names in a sentence: ``a, b and c``."""
    *others, last = names
    return f"{', '.join(others)} {word} {last}" if others else last


def allowed_names(kind: Any) -> list[str]:
    """The names that a type allows, if it has a choice of names."""
    schema = msgspec.json.schema(kind)
    return [name for part in schema.get("anyOf", [schema]) for name in part.get("enum", [])]


def allowed_values(kind: Any) -> list[str]:
    """The values that a type allows, as far as they are names, true, false and null."""
    schema = msgspec.json.schema(kind)
    types = [part.get("type") for part in schema.get("anyOf", [schema])]
    return [
        *allowed_names(kind),
        *(["true", "false"] if "boolean" in types else []),
        *(["null"] if "null" in types else []),
    ]


def allows_any_text(kind: Any) -> bool:
    """Whether a type allows text that is not one of a choice of names."""
    schema = msgspec.json.schema(kind)
    parts = schema.get("anyOf", [schema])
    return any(part.get("type") == "string" and "enum" not in part for part in parts)


def describe_allowed(kind: Any) -> str:
    """What a config type allows, in words: ``a number above 0, at most 1,000``."""
    return _in_words(msgspec.json.schema(kind))


def _in_words(schema: dict[str, Any], *, plural: bool = False) -> str:
    if "anyOf" in schema:
        # The position of null differs between releases of msgspec.
        parts = sorted(schema["anyOf"], key=lambda part: part.get("type") == "null")
        return " or ".join(_in_words(part, plural=plural) for part in parts)
    if "$ref" in schema:
        return "mappings" if plural else "a mapping"
    if "enum" in schema:
        return ", ".join(sorted(schema["enum"]))
    if schema["type"] == "array":
        least = f"at least {schema['minItems']} " if schema.get("minItems", 0) > 1 else ""
        return f"a list of {least}{_in_words(schema['items'], plural=True)}"
    if schema["type"] == "object":
        return f"a mapping of names to {_in_words(schema['additionalProperties'], plural=True)}"
    word: str = {
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "string": str(schema.get("title", "name or a folder")),
        "null": "null",
    }[schema["type"]]
    if schema["type"] in {"boolean", "null"}:
        return word
    if plural and schema["type"] == "string":
        return f"{schema['title']}s" if "title" in schema else "names or folders"
    bounds = [
        f"{text} {schema[key]:,}" if isinstance(schema[key], int) else f"{text} {schema[key]:g}"
        for key, text in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    return f"{f'{word}s' if plural else f'a {word}'} {', '.join(bounds)}".rstrip()
