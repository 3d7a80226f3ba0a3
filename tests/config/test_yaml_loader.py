"""YAML is read by the rules of YAML 1.2, and its mistakes are named with their line."""

import contextlib
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlcli.config.yaml_loader import dump, overridden, parse, parse_value, settings_of
from dlcli.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100_000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        ("010", 10),
        ("+7", 7),
        ("1:30", "1:30"),
        ("0x1F", 31),
        ("0o17", 15),
        ("0x", "0x"),
        ("0o8", "0o8"),
        ("-0x10", "-0x10"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
        ("[128, 64]", [128, 64]),
        (".inf", math.inf),
        ("-.inf", -math.inf),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text, value):
    found = parse_value(text, "test")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text", ["my data #1", "a: b", "- x", "--- x", "*x", "!x", "@x", "#", "~/d"]
)
def test_a_value_on_the_command_line_is_no_document(text):
    assert parse_value(f" {text} ", "test") == text


@pytest.mark.parametrize("text", ["1990", "1e3", "true", "null", "~", "0o17", ""])
def test_a_value_that_can_only_be_text_is_text(text):
    assert parse_value(text, "test", as_text=True) == text


@pytest.mark.parametrize(
    "text", ["a", "1e3", "0x1F", "0o17", "010", "1_0", "on", "true", "~", "", "é"]
)
def test_text_is_written_so_that_readers_of_both_versions_find_it_again(text):
    written = dump({"key": text}, flow=None)
    assert yaml.safe_load(written) == {"key": text}
    assert parse(written, "f")["key"].value == text


@given(st.text(st.characters(exclude_categories=[]) | st.sampled_from("\x85\u2028\u202e\udcff:#")))
def test_any_text_is_read_back(text):
    for flow in (None, True):
        written = dump({"key": [text], "other": text}, flow=flow)
        assert all(character.isprintable() or character == "\n" for character in written)
        assert {key: s.value for key, s in parse(written, "f").items()} == {
            "key": [text],
            "other": text,
        }


def test_letters_are_written_as_they_are_and_what_cannot_be_seen_is_escaped():
    names = ["üxö", "数 字", "ü\x85", "a\u202eb", "\udcff"]
    written = dump(names, flow=True).rstrip("\n")
    assert written == r'[üxö, 数 字, "\xFC\N", "a\u202Eb", "\uDCFF"]'
    assert dump("üxö", flow=True, ascii_only=True) == '"\\xFCx\\xF6"\n'


def test_not_a_number_is_read():
    assert math.isnan(parse_value(".nan", "test"))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_writes_is_read_back(number):
    assert parse_value(repr(number), "test") == number


def test_each_setting_knows_its_line():
    settings = parse("# a comment\nlearning_rate: 0.1\n\nepochs: 3\n", "my.yaml")
    assert settings["learning_rate"].origin == "my.yaml:2"
    assert settings["epochs"].origin == "my.yaml:4"
    assert settings["epochs"].value == 3


def test_a_key_of_a_mapping_also_knows_the_line_of_the_mapping():
    setting = parse("a: 1\nb:\n  # why\n  c: 2\n", "my.yaml")["b.c"]
    assert (setting.first_origin, setting.origin) == ("my.yaml:2", "my.yaml:4")


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_document_has_no_settings(text):
    assert parse(text, "empty.yaml") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "f.yaml:1: not valid YAML"),
        ("a: 1\n b: 2", "f.yaml:2: not valid YAML"),
        ("\ta: 1", "f.yaml:1: not valid YAML"),
        ("a: 'open", "f.yaml:1: not valid YAML"),
        ("a: 1\na: 2", "f.yaml:2: a: is here twice (first on line 1); keep one"),
        ("a: {b: 1, b: 2}", "b: is here twice"),
        ("- 1\n- 2", "f.yaml:1: expected 'key: value' lines, found a list"),
        ("just words", "f.yaml:1: expected 'key: value' lines, found a single value"),
        ("? [1]\n: 2", "f.yaml:1: expected a key name, found a list"),
        ("1: 2", "f.yaml:1: expected a key name"),
        ("a: &x [1]\nb: *x", "f.yaml:2: not valid YAML: aliases (*name) are not supported"),
        ("a: &x [*x]", "aliases (*name) are not supported"),
        ("<<: {a: 1}\n<<: {b: 1}", "is here twice"),
        ("a: 1\n---\nb: 2", "f.yaml:2: not valid YAML: but found another document"),
        ("a: !!python/object/apply:os.system ['true']", "f.yaml:1: not valid YAML"),
        ("a: !custom 1", "f.yaml:1: not valid YAML"),
        ("a: \x00", "f.yaml: not valid YAML"),
        ("a: " + "[" * 100 + "]" * 100, "nested too deeply"),
        ("a: " + "[" * 90_000, "nested too deeply"),
        ("a: 1" + "0" * 5000, "f.yaml: not valid YAML"),
        ("a: 0x" + "f" * 5000, "f.yaml: not valid YAML: a number has too many digits"),
        ("a: " + "x" * 99_998, "too long for a config (more than 100,000 characters)"),
    ],
)
def test_what_is_no_config_is_refused_by_place_and_reason(text, message):
    with pytest.raises(ConfigError) as error:
        parse(text, "f.yaml")
    assert message in str(error.value)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser_but_by_a_config_error(text):
    with contextlib.suppress(ConfigError):
        parse(text, "f.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "[1",
        "[1] # 2",
        "[1 # 2]",
        "[1 # 2\n, 3]",
        "'a' b",
        "[1] [2]",
        "{a: 1",
        "{a: 1, a: 2}",
        "[!!python/name:os.system ]",
        "[*x]",
        "[" * 100_000,
    ],
)
def test_what_is_no_value_is_refused(text):
    with pytest.raises(ConfigError, match="--set x:"):
        parse_value(text, "--set x")


@pytest.mark.parametrize(
    ("earlier", "later", "kept"),
    [
        ("a a.x a-x ab", "a.x", "a-x ab"),
        ("a.x a.x.y a.x.y.z a.xy a.x-y", "a.x", "a.x a.xy a.x-y"),
        ("a.x.y a.x a", "a.x.y.z", ""),
        ("a.x a.y", "a", ""),
        ("a.x a.y", "a.x", "a.x a.y"),
        ("b.x b.y b b-x", "b.x", "b-x"),
        ("n.x n.x.y n.xy n", "n.x", "n.x n.x.y n.xy"),
        ("n.x n.x.y", "n.x.y", "n.x n.x.y"),
        ("n.x n.x.y", "n", ""),
        ("a.x", "", "a.x"),
        ("a.x", "b", "a.x"),
    ],
)
def test_later_settings_replace_those_above_and_inside_of_them(earlier, later, kept):
    """The keys of a and n are replaced one by one; those of n are names."""
    old, new = (
        settings_of(dict.fromkeys(keys.split(), value), "f")
        for keys, value in ((earlier, 1), (later, 2))
    )
    found = overridden(old, new, ("a", "n"), ("n",))
    assert {key: setting.value for key, setting in found.items()} == {
        **dict.fromkeys(kept.split(), 1),
        **dict.fromkeys(later.split(), 2),
    }


def test_many_settings_are_merged_without_comparing_each_with_each():
    comparisons = 0

    class Key(str):
        __slots__ = ()

        def __lt__(self, other):
            nonlocal comparisons
            comparisons += 1
            return super().__lt__(other)

        def startswith(self, *arguments):
            nonlocal comparisons
            comparisons += 1
            return super().startswith(*arguments)

    first, second = (
        settings_of({Key(f"{name}{number}"): number for number in range(1000)}, "f")
        for name in "ab"
    )
    assert len(overridden(first, second, ())) == 2000
    assert comparisons < 100_000
