"""Checkpoints from strangers: loaded exactly or refused, without execution and within limits."""

import copy
import io
import json
import os
import pickle
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.cli.main import run
from dlcli.errors import CheckpointError
from dlcli.runs import checkpoint
from dlcli.runs.checkpoint import Model
from tests.conftest import write_idx_folder
from tests.faults.hostile import MAX_MEMORY, assert_civil, no_hanging, run_apart

SETTINGS = {
    "hidden_layers": "[1]",
    "optimizer": "adam",
    "batch_norm": "true",
    "weight_averaging": "0.9",
    "epochs": "1",
    "batch_size": "16",
}


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A small run whose last.npz has everything that a checkpoint can have, and its dataset."""
    folder = tmp_path_factory.mktemp("finished")
    settings = SETTINGS | {"dataset": str(write_idx_folder(folder / "tiny"))}
    overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = ["train", "-q", "--runs-dir", str(folder), "--name", "run", "--threads", "1"]
    assert run([*command, *overrides]) == 0
    return folder / "run"


@pytest.fixture
def last(finished) -> bytes:
    return (finished / "last.npz").read_bytes()


@pytest.fixture
def load(tmp_path) -> Callable[[bytes], Model | None]:
    """Load a checkpoint from its bytes; None if it is refused in one line that names it."""
    path = tmp_path / "model.npz"

    def load(content: bytes) -> Model | None:
        path.write_bytes(content)
        try:
            return checkpoint.load(path)
        except CheckpointError as error:
            message = str(error)
        assert message.startswith(f"{path}: ")
        assert len(message) < len(str(path)) + 300
        return None

    return load


def content_of(model: Model) -> tuple[object, ...]:
    """Everything that determines a model, to the last bit."""
    networks = [network for network in (model.network, model.average) if network is not None]
    return (
        [(n.layer_sizes, n.activations, n.output_activation, n.batch_norm) for n in networks],
        [(n.parameters.tobytes(), n.statistics.tobytes()) for n in networks],
        {name: array.tobytes() for name, array in model.optimizer_state.items()},
        model.loss,
        model.metadata,
    )


def structure(content: bytes) -> set[int]:
    """The bytes of a zip file outside the content of its members."""
    places = set(range(len(content)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            name_length, extra_length = struct.unpack_from("<HH", content, info.header_offset + 26)
            start = info.header_offset + 30 + name_length + extra_length
            places -= set(range(start + 128, start + info.file_size))
    return places


def lengths_in_directory(content: bytes) -> set[int]:
    """The bytes with the lengths of an entry's name, extra field and comment."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    entries = [start + found.start() for found in re.finditer(rb"PK\x01\x02", content[start:])]
    return {entry + place for entry in entries for place in range(28, 34)}


def flips(content: bytes, long: bool) -> Iterator[tuple[int, int]]:
    """One bit of every byte, and every bit of the headers."""
    chance = random.Random(6)
    vital, lengths = structure(content), lengths_in_directory(content)
    for place in range(len(content)):
        bits = range(8) if place in vital else [chance.randrange(8)]
        for bit in bits:
            if long or chance.random() < 0.03 or place in lengths:
                yield place, bit


def test_a_flipped_bit_is_refused_or_changes_nothing(last, load, long, tally):
    original = load(last)
    assert original is not None
    tried = refused = 0
    with no_hanging(3600):
        for place, bit in flips(last, long):
            changed = bytearray(last)
            changed[place] ^= 1 << bit
            model = load(bytes(changed))
            tried += 1
            refused += model is None
            if model is not None:
                assert content_of(model) == content_of(original), (place, bit)
    assert refused > 0.7 * tried
    tally("bits of a checkpoint flipped", tried)


def test_a_truncated_checkpoint_is_refused(last, load, long, tally):
    lengths = range(len(last)) if long else random.Random(6).sample(range(len(last)), 400)
    for length in lengths:
        assert load(last[:length]) is None
    tally("checkpoints cut off", len(lengths))


def test_inserted_removed_and_doubled_bytes_are_refused_or_change_nothing(last, load, long, tally):
    chance = random.Random(7)
    original = load(last)
    tries = 20_000 if long else 300
    for _ in range(tries):
        start, end = sorted(chance.sample(range(len(last)), 2))
        end = min(end, start + chance.choice((1, 4, 64, 4096)))
        middle = chance.choice((b"", last[start:end] * 2, chance.randbytes(end - start)))
        model = load(last[:start] + middle + last[end:])
        if model is not None:
            assert content_of(model) == content_of(original)
    tally("hostile checkpoints", tries)


# Metadata in a valid zip file with valid arrays.

NASTY: list[Any] = [
    None,
    True,
    -1,
    0.5,
    10**400,
    float("inf"),
    float("nan"),
    "",
    "\x1b[2J\x1b]0;title\x07",
    "two\nError: lines",
    "\ud800",
    "null\0",
    "../" * 20,
    "/dev/zero",
    "x" * 100_000,
    [],
    ["\x1b[31m"] * 3,
    {},
    {"\x1b[2J": {"a": 1}},
    json.loads("[" * 200 + "]" * 200),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in nested JSON."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*path, key)
        if isinstance(value[key], (dict, list)):
            yield from places(value[key], (*path, key))


def rewritten(content: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """A checkpoint with other metadata."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    described = change(json.loads(str(arrays.pop("metadata"))))
    file = io.BytesIO()
    text = described if isinstance(described, str) else json.dumps(described)
    np.savez(file, metadata=np.array(text), **arrays)
    return file.getvalue()


def with_value(path: tuple[Any, ...], value: Any) -> Callable[[dict[str, Any]], Any]:
    def change(metadata: dict[str, Any]) -> dict[str, Any]:
        metadata = copy.deepcopy(metadata)
        target: Any = metadata
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
        return metadata

    return change


def metadata_of(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content)) as archive:
        return json.loads(str(archive["metadata"]))


def test_no_metadata_crashes_a_command(finished, last, dlcli, workdir, long, tally):
    """Replaces every value by every hostile one, for each command that reads it."""
    shutil.copytree(finished, "run")
    accuracy = json.loads(dlcli("eval", "run/last.npz", "--format", "json").stdout)["accuracy"]
    cases = [(path, value) for path in places(metadata_of(last)) for value in NASTY]
    chosen = cases if long else [*random.Random(6).sample(cases, 50), (("threads",), 10**400)]
    for path, value in chosen:
        changed = rewritten(last, with_value(path, value))
        Path("run/last.npz").write_bytes(changed)
        Path("run/best.npz").write_bytes(changed)
        Path("run/summary.json").unlink(missing_ok=True)  # a finished run is not read to resume
        with no_hanging():
            evaluated = dlcli("eval", "run/last.npz", "--format", "json")
            assert_civil(evaluated, {0, 3, 4})
            if evaluated.code == 0:
                assert json.loads(evaluated.stdout)["accuracy"] == accuracy
            assert_civil(dlcli("train", "-q", "--resume", "run"), {0, 1, 2, 3, 4})
            assert_civil(dlcli("runs", "--runs-dir", "."), {0})
    tally("hostile checkpoints", len(chosen))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 240_000,
        '{"a":' * 40_000,
        '{"format": 1' + "0" * 5000 + "}",
        "{" + ",".join(f'"key{number}": 1' for number in range(15_000)) + "}",
        '"' + "\\u0000" * 40_000 + '"',
        "nul",
        "\x1b[2J",
    ],
    ids=["deep", "deep in objects", "a long number", "many keys", "zeros", "half", "escape"],
)
def test_no_json_crashes_a_command(last, dlcli, text, tally):
    Path("model.npz").write_bytes(rewritten(last, lambda _metadata: text))
    assert_civil(dlcli("eval", "model.npz"), {4})
    tally("hostile checkpoints", 1)


# Zip files.


def zip_of(members: list[tuple[str, bytes]], **options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def endless_directory(entries: int) -> bytes:
    """A zip file of a million entries, all of them empty."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    size = len(entry) * entries
    start = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, size, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, size, 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return entry * entries + start + locator + end


class Marking:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("it-was-run",)


def pickled_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Marking()] * 3, object), allow_pickle=True)
    return file.getvalue()


def payloads(last: bytes) -> dict[str, bytes]:
    """Files that would create a file if a part of them were executed, and files that are no zip."""
    with zipfile.ZipFile(io.BytesIO(last)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    bare = pickle.dumps(Marking())
    found = {
        f"pickle for {name}": zip_of([*(members | {name: pickled_array()}).items()])
        for name in members
    }
    return found | {
        "bare pickle": bare,
        "pickle protocol 0": pickle.dumps(Marking(), protocol=0),
        "pickled array alone": pickled_array(),
        "PyTorch's format": zip_of([("archive/data.pkl", bare), ("archive/version", b"3\n")]),
        "pickle before a checkpoint": bare + last[:-1],
        "Keras' format": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "member outside": zip_of([*members.items(), ("../../outside.npy", b"x")]),
        "absolute member": zip_of([*members.items(), ("/tmp/outside.npy", b"x")]),  # noqa: S108 - never written
        "checkpoint in a checkpoint": zip_of([("metadata.npy", last)]),
        "a million entries": endless_directory(1_000_000),
        "bomb": zip_of(
            [*(members | {"layers.0.weight.npy": bytes(50_000_000)}).items()],
            compression=zipfile.ZIP_DEFLATED,
        ),
    }


def test_nothing_in_a_checkpoint_is_executed_or_exhausts_the_memory(last, workdir, tally):
    files = payloads(last)
    for number, content in enumerate(files.values()):
        Path(f"{number}.npz").write_bytes(content)
    before = set(workdir.iterdir())
    commands = [["eval", f"{number}.npz"] for number in range(len(files))]
    outcome = run_apart(commands, workdir)
    for kind, result in zip(files, outcome.results, strict=True):
        assert result.code == 4, (kind, result)
        assert_civil(result, {4})
        assert result.stderr.count("\n") == 1, kind
    assert {path.name for path in set(workdir.iterdir()) - before} == {".commands.json"}
    assert outcome.peak < MAX_MEMORY / 4
    tally("hostile checkpoints", len(files))


def special(kind: str, path: Path) -> None:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.symlink_to(kind)


@pytest.mark.parametrize("kind", ["pipe", "loop", "/dev/zero", "/dev/null", "/dev/full", "nowhere"])
@pytest.mark.parametrize("command", [["eval"], ["predict", "x.png", "--model"]])
def test_folders_pipes_and_devices_are_refused_as_checkpoints(dlcli, workdir, kind, command, tally):
    special(kind, Path("model.npz"))
    Path("run").mkdir()
    special(kind, Path("run/best.npz"))
    for name in ("model.npz", "run"):
        with no_hanging():
            result = dlcli(*command, name)
        assert_civil(result, {4})
        assert result.stderr.count("\n") == 1
    tally("hostile checkpoints", 2)


# Run directories.

LOGS = {
    "deep": "[" * 100_000 + "\n",
    "no object": "1\n",
    "other keys": '{"epoch": 1}\n',
    "words for numbers": '{"epoch": "\x1b[2J", "train_loss": "x", "train_accuracy": [], '
    '"validation_loss": {}, "validation_accuracy": "y", "learning_rate": 1, "gradient_norm": 1, '
    '"seconds": "z", "samples_per_second": 1}\n',
    "no number": '{"epoch": 1, "train_loss": NaN, "train_accuracy": 1, "validation_loss": 1, '
    '"validation_accuracy": 1, "learning_rate": 1, "gradient_norm": 1, "seconds": Infinity, '
    '"samples_per_second": 1}\n',
    "a number beyond all": '{"epoch": 1' + "0" * 5000 + "}\n",
    "half a character": '{"epoch": "\\ud800"}\n',
}


@pytest.mark.parametrize("log", LOGS)
def test_no_metrics_log_crashes_a_command(finished, dlcli, log, tally):
    shutil.copytree(finished, "runs/run")
    Path("runs/run/metrics.jsonl").write_text(LOGS[log])
    listed = dlcli("runs")
    assert_civil(listed, {0})
    assert "damaged" in listed.stdout
    assert_civil(dlcli("train", "-q", "--resume", "runs/run"), {4})
    tally("hostile checkpoints", 1)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "loop"])
def test_a_metrics_log_that_is_not_a_file_does_not_block(finished, dlcli, kind, tally):
    shutil.copytree(finished, "runs/run")
    Path("runs/run/metrics.jsonl").unlink()
    special(kind, Path("runs/run/metrics.jsonl"))
    with no_hanging():
        listed = dlcli("runs")
    assert_civil(listed, {0})
    assert "damaged" in listed.stdout
    tally("hostile checkpoints", 1)
