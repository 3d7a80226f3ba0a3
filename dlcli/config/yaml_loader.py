"""YAML text to plain values, each key with its file and line.

Keys of an inner mapping have a dot, as in ``augmentation.rotation``.

PyYAML implements YAML 1.1, in which ``1e-3`` is a string, ``on`` is true and ``010`` is 8.
The loader here uses PyYAML's parser with the scalar rules of the YAML 1.2 core schema
(https://yaml.org/spec/1.2.2/#103-core-schema), and rejects duplicate keys. :func:`dump` writes what
readers of both versions understand alike.
"""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from dlcli.errors import ConfigError

MAX_BYTES = 100_000
SET = "--set"
"""The origin of settings on the command line."""
_MAX_DEPTH = 16
_NAMES = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:int")
_MAX_BITS = 10_000  # of a whole number; Python writes no more than 4,300 digits in decimal


@dataclass(frozen=True)
class Setting:
    """One key's value and where it was written (``mnist.yaml:4`` or ``--set``).

    A key such as ``augmentation.rotation`` has two places: ``mapping_origin`` is that of the key
    ``augmentation``, if it is another. If the value is itself a mapping, ``inner_origins`` has the
    places of its keys.
    """

    value: Any
    origin: str
    mapping_origin: str | None = None
    inner_origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def first_origin(self) -> str:
        """Where the first part of the key was written."""
        return self.mapping_origin or self.origin


Settings: TypeAlias = dict[str, Setting]


def settings_of(values: Mapping[str, Any], origin: str) -> Settings:
    """Plain values as settings with the same origin."""
    settings: Settings = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            settings |= {f"{key}.{name}": Setting(item, origin) for name, item in value.items()}
        else:
            settings[key] = Setting(value, origin)
    return settings


def overridden(
    settings: Settings, later: Settings, merged: Collection[str], named: Collection[str] = ()
) -> Settings:
    """Settings in which later ones replace earlier ones.

    A later mapping replaces an earlier one as a whole. Only the keys of mappings in ``merged``
    are replaced one by one. The keys of mappings in ``named`` are names, which may have dots.
    """
    replaced = {key.partition(".")[0] for key in later if key.partition(".")[0] not in merged}
    earlier_keys, later_keys = sorted(settings), sorted(later)
    inside = {key for group in later for key in _inside(group, earlier_keys, named)}
    kept = {
        key: setting
        for key, setting in settings.items()
        if key.partition(".")[0] not in replaced
        and key not in inside
        and not _inside(key, later_keys, named)
    }
    return kept | later


def _inside(group: str, keys: Sequence[str], named: Collection[str]) -> Sequence[str]:
    """Those of the sorted keys that are inside the mapping ``group``, such as its ``group.key``."""
    first, dot, _ = group.partition(".")
    if dot and first in named:
        return ()
    after = chr(ord(".") + 1)
    return keys[bisect_left(keys, f"{group}.") : bisect_left(keys, f"{group}{after}")]


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Reject aliases, which can grow without bound when nested, and tags."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        has_tag = getattr(event, "tag", None) is not None
        if has_tag or isinstance(event, yaml.AliasEvent):
            kind = "tags (!name)" if has_tag else "aliases (*name)"
            raise yaml.composer.ComposerError(
                None, None, f"{kind} are not supported", event.start_mark
            )
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which also quotes text that is a number in YAML 1.2, such as 1e3.

    Letters beyond ASCII stand for themselves in a text of nothing but letters, signs and spaces.
    PyYAML alone would also write control characters as they are that change what a line shows or
    that a reader takes for its end.
    """

    allow_unicode: bool

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._may_be_unicode = self.allow_unicode

    def analyze_scalar(self, scalar: str) -> Any:
        """Find out in which styles a text can be written."""
        self.allow_unicode = self._may_be_unicode and scalar.isprintable()
        return super().analyze_scalar(scalar)

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Write a text in double quotes, in which everything can be escaped."""
        self.allow_unicode = self._may_be_unicode and text.isprintable()
        super().write_double_quoted(text, split)


# The parent class has the rules of YAML 1.1; start without any.
_Loader.yaml_implicit_resolvers = {}


def _scalar(name: str, pattern: str, first_characters: str) -> None:
    for kind in (_Loader, _Dumper):
        kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{name}", re.compile(rf"^(?:{pattern})$"), list(first_characters)
        )


_scalar("null", r"~|null|Null|NULL|", "~nN")
_Loader.yaml_implicit_resolvers[""] = _Loader.yaml_implicit_resolvers["~"]
_scalar("bool", r"true|True|TRUE|false|False|FALSE", "tTfF")
_scalar("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789")
_scalar(
    "float",
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "-+0123456789.",
)


def _whole_number(_loader: yaml.SafeLoader, node: yaml.Node) -> int:
    """The number in a scalar; 010 is ten in YAML 1.2, where PyYAML would read octal."""
    base = {"0o": 8, "0x": 16}.get(node.value[:2], 10)
    number = int(node.value, base)
    if number.bit_length() > _MAX_BITS:
        raise ValueError("a number has too many digits")
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def dump(value: Any, *, flow: bool | None, ascii_only: bool = False) -> str:
    """Plain values as YAML, on one line with ``flow``, else (None) with a line for each key.

    Characters that are not printable are escaped; with ``ascii_only``, all beyond ASCII are.
    """
    return yaml.dump_all(
        [value],
        None,
        _Dumper,
        sort_keys=False,
        default_flow_style=flow,
        width=10**6,
        allow_unicode=not ascii_only,
    )


def parse(text: str, name: str) -> Settings:
    """Read the settings in a YAML document; ``name`` is usually its path.

    Raises
    ------
    ConfigError
        It is not YAML, not a mapping of names to values, or has a key twice.
    """
    with _reported_for(name):
        loader, node = _read(text, name)
        if node is None:
            return {}
        return {
            key: Setting(
                loader.construct_object(value, deep=True),
                f"{name}:{line}",
                f"{name}:{first_line}",
                {key: f"{name}:{line}" for key, _, line, _ in _keys(value)},
            )
            for key, first_line, line, value in _keys(node)
        }


Place: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a document: the keys and list positions that lead to it."""


def parse_document(text: str, name: str) -> tuple[dict[str, Any], dict[Place, int]]:
    """Read a YAML document of any depth, and the line of each key and item in it.

    Raises
    ------
    ConfigError
        As :func:`parse`.
    """
    with _reported_for(name):
        loader, node = _read(text, name)
        if node is None:
            return {}, {}
        return loader.construct_object(node, deep=True), dict(_places(node, ()))


def _places(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    """Every place below a node, with its line; that of a key's value is the line of the key."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), _line(key)
            yield from _places(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*place, index), _line(item)
            yield from _places(item, (*place, index))


def _read(text: str, name: str) -> tuple[_Loader, yaml.MappingNode | None]:
    """The checked document, with the loader that constructs its values; None if it is empty."""
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: too long for a config (more than {MAX_BYTES:,} characters)")
    loader = _Loader(text)
    node = loader.get_single_node()
    if node is None or node.tag == "tag:yaml.org,2002:null":
        return loader, None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{name}:{_line(node)}: expected 'key: value' lines, found {_kind(node)}")
    _check(node, name)
    return loader, node


@contextmanager
def _reported_for(name: str) -> Iterator[None]:
    """Turn the errors of PyYAML in the block into a ``ConfigError`` with the file and line."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(f"{place}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{name}: not valid YAML: {reason}") from error
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply for a config") from None


def parse_value(text: str, name: str, *, as_text: bool = False) -> Any:
    """Read one value, as given on the command line (``0.1``, ``[128, 64]``, ``relu``).

    Only lists, mappings and quoted text are read as YAML. Anything else is one scalar to its end,
    so that characters with a meaning in YAML documents, such as ``#``, stand for themselves.
    Spaces around the value are ignored. With ``as_text``, a scalar is not read as a number.

    Raises
    ------
    ConfigError
        The text starts as a list, a mapping or quoted text, and is something else.
    """
    text = text.strip()
    try:
        if not text.startswith(("[", "{", "'", '"')):
            return text if as_text else _scalar_value(text)
        # In one line, a comment cannot hide but the end of the value, which is missed then.
        loader = _Loader(text.replace("\n", " "))
        node = loader.get_single_node()
        if node is None or node.end_mark.index != len(text):
            raise ConfigError(f"{name}: not a YAML value: {text!r:.60}; more follows its end")
        _check(node, name, depth=1)
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        hint = f"; a folder of this name is {f'./{text}':.60}" if as_text else ""
        raise ConfigError(f"{name}: not a YAML value: {text!r:.60}{hint}") from error


def _scalar_value(text: str) -> Any:
    """The value of an unquoted scalar."""
    loader = _Loader("")
    tag = loader.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return loader.construct_object(yaml.ScalarNode(tag, text))


def _keys(mapping: yaml.Node) -> Iterator[tuple[str, int, int, yaml.Node]]:
    """Each key of a mapping, the lines of its first and last part, and its value.

    Keys of inner mappings have a dot. Other nodes have no keys.
    """
    if not isinstance(mapping, yaml.MappingNode):
        return
    for key, value in mapping.value:
        if isinstance(value, yaml.MappingNode) and value.value:
            for inner_key, inner_value in value.value:
                name = f"{key.value}.{inner_key.value}"
                yield name, _line(key), _line(inner_key), inner_value
        else:
            yield key.value, _line(key), _line(key), value


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a single value"


def _check(node: yaml.Node, name: str, depth: int = 0) -> None:
    """Reject duplicate keys, keys that are not names, and deep nesting."""
    if depth > _MAX_DEPTH:
        raise ConfigError(f"{name}:{_line(node)}: nested too deeply for a config")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check(item, name, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            # Inner keys may be the names of classes, as in class_weights: {7: 2}.
            names = _NAMES[:1] if depth == 0 else _NAMES
            if not isinstance(key, yaml.ScalarNode) or key.tag not in names:
                raise ConfigError(f"{name}:{_line(key)}: expected a key name, found {_kind(key)}")
            if key.value in seen:
                raise ConfigError(
                    f"{name}:{_line(key)}: {key.value}: is here twice "
                    f"(first on line {seen[key.value]}); keep one"
                )
            seen[key.value] = _line(key)
            _check(value, name, depth + 1)
