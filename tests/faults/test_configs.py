"""Configs from strangers: valid, or refused with exit code 2 and the place of the problem."""

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcli.config.files import shipped_configs
from tests.faults.hostile import MAX_MEMORY, assert_civil, no_hanging, run_apart

VALUES = [
    "1" + "0" * 999,
    "-" + "9" * 5000,
    "0x" + "f" * 1000,
    "1e99999",
    ".inf",
    "-.nan",
    "~",
    "[" * 20 + "]" * 20,
    "{" * 20 + "}" * 20,
    "{a: {b: {c: [1, {d: 2}]}}}",
    "[[1], [2]]",
    '"\\0"',
    '"\\ud800"',
    '"\\e[2J\\a"',
    '"\\u202e"',
    "'two\n\n lines'",
    "|\n block\n",
    "!!python/object/apply:os.system ['mkdir it-was-run']",
    "!!python/name:os.system",
    "!!python/object/new:os.mkdir ['it-was-run']",
    "!!bool maybe",
    "!!timestamp x",
    "!!int '1_0'",
    "!!float x",
    "!!binary x",
    "!!set {a, b}",
    "!!omap [a: 1]",
    "!local 1",
    "! 1",
    "&a [*a]",
    "*nothing",
    "<<",
    "2026-01-01",
    "1:30:00",
    "@",
    "`",
    "%",
    "é" * 200,
    "x" * 300,
    "../" * 1500,
    "/dev/zero",
]


def mutated(long: bool) -> Iterator[str]:
    """The shipped configs with bytes flipped, lines doubled, moved and cut, and other values."""
    chance = random.Random(6)
    texts = [path.read_text(encoding="utf-8") for path in shipped_configs().values()]
    signs = "\t\n\r\0\x1b\x85\u2028\ufeff:-[]{}#&*!|>'\"%@`,?~ <"
    for _ in range(20_000 if long else 150):
        text = chance.choice(texts)
        for _ in range(chance.choice((1, 2, 5))):
            place = chance.randrange(len(text))
            lines = text.splitlines(keepends=True)
            line = chance.choice(lines)
            key = line.partition(":")[0]
            text = chance.choice(
                [
                    text[:place] + chance.choice(signs) + text[place + chance.randrange(2) :],
                    text[:place] + chr(chance.choice((0xD7FF, 0xFFFE, 0x10FFFF))) + text[place:],
                    text[:place],
                    text.replace(line, line * 2, 1),
                    text.replace(line, f"{key}: {chance.choice(VALUES)}\n", 1),
                    text.replace(line, f" {line}", 1),
                    "".join(chance.sample(lines, len(lines))),
                ]
            )
            text = text or "\n"
        yield text


def test_changed_configs_are_valid_or_refused(dlcli, workdir, long, tally):
    count = 0
    for text in mutated(long):
        Path("c.yaml").write_text(text, encoding="utf-8", newline="")
        with no_hanging():
            result = dlcli("config", "show", "-c", "c.yaml")
        assert_civil(result, {0, 2, 4})
        if result.code == 0:
            Path("again.yaml").write_text(result.stdout, encoding="utf-8")
            assert dlcli("config", "show", "-c", "again.yaml").stdout == result.stdout
        elif result.code == 4:  # of init_from
            assert re.search("no such run directory or checkpoint|cannot be read", result.stderr)
        else:
            assert all("c.yaml" in line for line in result.stderr.splitlines())
        count += 1
    assert not Path("it-was-run").exists()
    tally("hostile configs", count)


@pytest.mark.parametrize("key", ["epochs", "dataset", "hidden_layers", "augmentation"])
def test_no_value_of_set_crashes_a_command(dlcli, workdir, key, tally):
    for value in VALUES:
        with no_hanging():
            result = dlcli("config", "show", "--set", f"{key}={value}")
        assert_civil(result, {0, 2})
    assert not Path("it-was-run").exists()
    tally("hostile configs", len(VALUES))


@pytest.mark.parametrize(
    "override",
    [
        "",
        "=",
        "==",
        "a",
        "\x1b[2J=1",
        "two\nlines=1",
        "x" * 100_000 + "=1",
        "epochs.x=1",
        ".=1",
        "augmentation.=1",
        "augmentation={rotation: 1, rotation: 2}",
        "augmentation={1: 2}",
        "augmentation={[1]: 2}",
        "epochs=1\nseed: 2",
        "epochs={? 1}",
        "é=1",
        "\udcff=1",
    ],
)
def test_no_text_of_set_crashes_a_command(dlcli, override, tally):
    result = dlcli("config", "show", "--set", override)
    assert_civil(result, {2})
    assert result.stderr.count("\n") == 1
    tally("hostile configs", 1)


FILES: dict[str, bytes] = {
    "binary": random.Random(6).randbytes(50_000),
    "zeros": bytes(50_000),
    "megabytes of zeros": bytes(5_000_000),
    "megabytes of a name": b"x" * 5_000_000,
    "megabytes of comments": b"# x\n" * 1_000_000,
    "as many keys as fit": b"".join(b"k%d: 1\n" % number for number in range(9_000)),
    "as many items as fit": b"hidden_layers: [" + b"1," * 49_000 + b"1]",
    "as many lists as fit": b"a: " + b"- " * 49_000,
    "as many brackets as fit": b"a: " + b"[" * 99_000,
    "as many quotes as fit": b'a: "' + b"\\x41" * 24_000 + b'"',
    "as deep as it goes": b"".join(b" " * n + b"a:\n" for n in range(400)),
    "a billion laughs": b"a: &a [x]\n"
    + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 120)),
    "merge keys": b"a: &a {b: 1}\nc:\n  <<: *a\n",
    "two documents": b"epochs: 1\n---\nepochs: 2\n",
    "UTF-16": "epochs: 3\n".encode("utf-16"),
    "UTF-32": "epochs: 3\n".encode("utf-32"),
    "Latin-1": "dataset: Zürich\n".encode("latin-1"),
    "a byte order mark and another": b"\xef\xbb\xbf\xef\xbb\xbfepochs: 3\n",
    "half a character": b"dataset: \xc3",
    "an unknown version": b"%YAML 9.9\n---\nepochs: 1\n",
    "a tag of one's own": b"%TAG ! tag:x,2026:\n---\nepochs: !x 1\n",
    "a thousand digits for a seed": b"seed: 1" + b"0" * 1000,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "JSON that is not YAML": b'{"epochs":\t1,}',
}


def test_hostile_files_are_refused_within_limits(workdir, tally):
    for number, content in enumerate(FILES.values()):
        Path(f"{number}.yaml").write_bytes(content)
    commands = [["config", "check", f"{number}.yaml"] for number in range(len(FILES))]
    outcome = run_apart(commands, workdir)
    for kind, result in zip(FILES, outcome.results, strict=True):
        assert result.code == 2, kind
        assert_civil(result, {2})
    assert outcome.peak < MAX_MEMORY / 4
    tally("hostile configs", len(FILES))


@pytest.mark.parametrize("name", ["folder", "loop", "nowhere", "/dev/zero", "/dev/full", "\x1b[2J"])
def test_folders_and_devices_are_refused_as_configs(dlcli, workdir, name, tally):
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    with no_hanging():
        result = dlcli("config", "show", "--config", name)
    assert_civil(result, {2})
    assert result.stderr.count("\n") == 1
    tally("hostile configs", 1)


def test_a_config_may_come_through_a_pipe(dlcli, workdir):
    """As with ``--config <(generate)``: dlcli waits for a pipe instead of refusing it."""
    reader, writer = os.pipe()
    os.write(writer, b"epochs: 7\n")
    os.close(writer)
    assert "epochs: 7\n" in dlcli("config", "show", "-c", f"/dev/fd/{reader}").stdout
    os.close(reader)


def test_a_config_with_a_long_name_gives_a_run_with_a_shorter_one(dlcli, tiny):
    name = "ä" * 120 + ".yaml"
    Path(name).write_text(f"dataset: {tiny}\nepochs: 1\nhidden_layers: []\n", encoding="utf-8")
    result = dlcli("train", "-q", "--config", name)
    assert result.code == 0
    assert Path(result.stdout.strip()).is_dir()
