"""A document of YAML against a schema of msgspec: every problem with its line and key."""

from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

import msgspec

from dlcli.config.hints import did_you_mean
from dlcli.config.messages import describe_allowed, shown
from dlcli.config.yaml_loader import Place


@dataclass
class Document:
    """The lines of a file's keys and items, and the problems found so far."""

    path: str
    lines: dict[Place, int]
    problems: list[str] = field(default_factory=list)

    def origin(self, place: Place) -> str:
        """The file and line of a place, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return f"{self.path}:{self.lines.get(place, 1)}"

    def report(self, place: Place, problem: str) -> None:
        """Note a problem with a place; its key is written as in ``claims[2].holds``."""
        key = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
        prefix = f"{key.removeprefix('.')}: " if key else ""
        self.problems.append(f"{self.origin(place)}: {prefix}{problem}")

    def convert(self, kind: Any, value: Any, place: Place) -> Any:
        """A value as a type of the schema; None, with the problems noted, if it does not fit."""
        plain, kind_of_items = _bare(kind), _kind_of_items(kind)
        if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            return self._struct(plain, value, place)
        if isinstance(value, list) and get_origin(plain) is tuple and _is_struct(kind_of_items):
            items = [self.convert(kind_of_items, v, (*place, i)) for i, v in enumerate(value)]
            return None if None in items else self._plain(kind, value, place) and tuple(items)
        if isinstance(value, dict) and get_origin(plain) is dict and kind_of_items is not Any:
            found = {k: self.convert(kind_of_items, v, (*place, k)) for k, v in value.items()}
            return None if None in found.values() else found
        return self._plain(kind, value, place)

    def _struct(self, kind: type[msgspec.Struct], value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            self.report(place, f"expected a mapping, got {shown(value)}")
            return None
        fields = {each.name: each for each in msgspec.structs.fields(kind)}
        before = len(self.problems)
        for key in value:
            if key not in fields:
                self.report((*place, key), f"unknown key{did_you_mean(key, fields, {})}")
        found = {}
        for name, each in fields.items():
            if name in value:
                found[name] = self.convert(each.type, value[name], (*place, name))
            elif each.required:
                self.report(place, f"needs the key {name}: {meaning(each.type)}")
        return None if len(self.problems) > before else kind(**found)

    def _plain(self, kind: Any, value: Any, place: Place) -> Any:
        try:
            found = msgspec.convert(value, kind)
        except (msgspec.ValidationError, UnicodeEncodeError):
            self.report(place, f"expected {allowed(kind)}, got {shown(value)}")
            return None
        if any(_is_blank(each) for each in (found if isinstance(found, tuple) else (found,))):
            self.report(place, "is a blank text")
            return None
        return found


def _is_blank(value: object) -> bool:
    """Whether it is a text of blanks only, which has no paragraph to show."""
    return isinstance(value, str) and value.isspace()


def with_text_keys(value: Any) -> Any:
    """The same value with the keys of all mappings as text: YAML reads ``1: one`` as a number's."""
    if isinstance(value, dict):
        return {str(key): with_text_keys(item) for key, item in value.items()}
    return [with_text_keys(item) for item in value] if isinstance(value, list) else value


def _bare(kind: Any) -> Any:
    """A type without its annotations, and without None as an alternative."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    choices = [part for part in get_args(kind) if part is not type(None)]
    is_optional = type(None) in get_args(kind)
    return _bare(choices[0]) if is_optional and len(choices) == 1 else kind


def _kind_of_items(kind: Any) -> Any:
    """The type of the items of a tuple, or of the values of a mapping."""
    arguments = get_args(_bare(kind))
    if get_origin(_bare(kind)) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _is_struct(kind: Any) -> bool:
    return isinstance(_bare(kind), type) and issubclass(_bare(kind), msgspec.Struct)


def meaning(kind: Any) -> str:
    """The description of a key."""
    schema: dict[str, Any] = msgspec.json.schema(kind)
    return str(schema.get("description", ""))


def allowed(kind: Any) -> str:
    """What a type allows, in words."""
    bare = _bare(kind)
    if bare is str:
        return "text"
    if get_origin(bare) is dict:
        return "a mapping"
    if get_origin(bare) is tuple:
        count = msgspec.json.schema(kind).get("minItems", 0)
        items = "texts" if _bare(_kind_of_items(kind)) is str else "mappings"
        return f"a list of {f'at least {count} ' if count else ''}{items}"
    return describe_allowed(kind)
