"""Datasets from strangers: the right images, or exit code 3 with the file and its fault."""

import os
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dlcli.data import datasets, idx
from dlcli.data.registry import FILES
from dlcli.errors import DatasetError
from tests.conftest import write_idx_folder
from tests.faults.hostile import MAX_MEMORY, assert_civil, no_hanging, run_apart

TRAIN_IMAGES, TRAIN_LABELS = FILES[:2]


def packed(path: Path) -> Path:
    """Replace a file by its gzipped form."""
    zipped = path.with_name(f"{path.name}.gz")
    zipped.write_bytes(idx.compress(path.read_bytes()))
    path.unlink()
    return zipped


@pytest.fixture
def folder(tmp_path) -> Path:
    """A dataset whose first two files are raw and the others gzipped."""
    folder = write_idx_folder(tmp_path / "small", train=12, test=10)
    for file in FILES[2:]:
        packed(folder / file)
    return folder


def changes(content: bytes, long: bool) -> Iterator[bytes]:
    """Truncated at every length, and with every bit flipped; a selection without ``--long``."""
    chance = random.Random(6)
    share = 1 if long else min(1, 150 / len(content))
    for place in range(len(content)):
        if chance.random() < share:
            yield content[:place]
        bits = range(8) if place < 32 else [chance.randrange(8)]
        for bit in bits:
            if chance.random() < share:
                changed = bytearray(content)
                changed[place] ^= 1 << bit
                yield bytes(changed)
    yield content + b"\0"


@pytest.mark.parametrize("number", range(4))
def test_a_damaged_file_is_refused_or_changes_only_pixels_and_labels(folder, long, tally, number):
    """A raw file has no checksum of its own; a gzipped one must have its original content."""
    (path,) = folder.glob(f"{FILES[number]}*")
    content = path.read_bytes()
    original = datasets.load(str(folder))
    tried, messages = 0, set()
    for changed in changes(content, long):
        path.write_bytes(changed)
        tried += 1
        try:
            found = datasets.load(str(folder))
        except DatasetError as error:
            messages.add(str(error))
            continue
        assert len(found.train) == len(original.train)
        assert len(found.test) == len(original.test)
        if path.suffix == ".gz":
            assert found.checksum == original.checksum
        else:
            assert found.checksum != original.checksum
    assert len(messages) > 5
    assert all(str(path) in message and "\n" not in message for message in messages)
    tally("hostile IDX files", tried)


def test_an_import_refuses_every_damage(mirror, dlcli, workdir, long, tally):
    """Only MNIST itself, to the last bit, is imported as MNIST."""
    source = Path("usb")
    source.mkdir()
    for file, content in mirror.contents.items():
        (source / file).write_bytes(content)
    chance = random.Random(6)
    file = source / TRAIN_IMAGES
    good = file.read_bytes()
    tries = 2_000 if long else 25
    for _ in range(tries):
        changed = bytearray(good)
        changed[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        file.write_bytes(chance.choice((bytes(changed), good[: chance.randrange(len(good))])))
        result = dlcli("data", "import", "usb", "--data-dir", "data")
        assert_civil(result, {3})
        assert TRAIN_IMAGES in result.stderr
    assert not Path("data").exists()
    tally("hostile IDX files", tries)


def gzip_bomb(size: int, start: bytes = b"") -> bytes:
    """A gzip file of ``start`` and ``size`` zeros."""
    zipped = zlib.compressobj(1, wbits=31)
    content = [zipped.compress(start)]
    block = bytes(1 << 20)
    content += [zipped.compress(block) for _ in range(size >> 20)]
    return b"".join([*content, zipped.flush()])


HUGE = 780_000  # images: more bytes than a dataset may have
BOMBS: dict[str, Callable[[], bytes]] = {
    "zeros": lambda: gzip_bomb(1 << 30),
    "images": lambda: gzip_bomb(700 << 20, struct.pack(">HBB3I", 0, 8, 3, HUGE, 28, 28)),
    "labels": lambda: gzip_bomb(700 << 20, struct.pack(">HBBI", 0, 8, 1, 700 << 20)),
    "bomb in a bomb": lambda: idx.compress(gzip_bomb(1 << 26)),
}


def test_gzip_bombs_are_refused_within_limits(workdir, long, tally):
    """In all four files, because a folder is loaded as a whole."""
    kinds = list(BOMBS) if long else ["bomb in a bomb", "images"]
    for kind in kinds:
        (workdir / kind).mkdir()
        bomb = BOMBS[kind]()
        for file in FILES:
            (workdir / kind / f"{file}.gz").write_bytes(bomb)
    commands = [["train", "--set", f"dataset=./{kind}"] for kind in kinds]
    if long:
        commands += [["data", "import", kind] for kind in kinds]
    outcome = run_apart(commands, workdir)
    for result in outcome.results:
        assert_civil(result, {3})
        assert result.stderr.count("\n") == 1
    assert outcome.peak < MAX_MEMORY
    tally("decompression bombs", len(commands))


def test_sparse_files_of_terabytes_are_not_read(folder, workdir, tally):
    for file in FILES:
        for path in folder.glob(f"{file}*"):
            path.unlink()
        with (folder / file).open("wb") as stream:
            stream.write(struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 28, 28))
            stream.truncate(2**40)
    outcome = run_apart([["train", "--set", f"dataset={folder}"]], workdir)
    assert_civil(outcome.results[0], {3})
    assert outcome.peak < MAX_MEMORY
    tally("hostile IDX files", 1)


@pytest.mark.parametrize("kind", ["pipe", "loop", "/dev/zero", "/dev/full", "nowhere"])
def test_folders_pipes_and_devices_are_refused_as_datasets(
    folder, mirror, dlcli, workdir, kind, tally
):
    path = folder / TRAIN_LABELS
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if kind == "loop" else kind)
    commands = (
        ("train", "--set", f"dataset={folder}"),
        ("data", "export", "--dataset", folder, "-o", "x"),
        ("data", "import", folder),
    )
    for command in commands:
        with no_hanging():
            result = dlcli(*command)
        assert_civil(result, {3})
        assert result.stderr.count("\n") == 1
    tally("hostile IDX files", 1)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "loop"])
def test_folders_pipes_and_devices_in_the_cache_are_damage(mirror, dlcli, local_cache, kind, tally):
    """The cache is damaged, and ``data fetch`` repairs it."""
    assert dlcli("data", "fetch").code == 0
    path = Path("data/mnist") / TRAIN_LABELS
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if kind == "loop" else kind)
    with no_hanging():
        assert_civil(dlcli("data", "verify"), {3})
        assert_civil(dlcli("data", "status"), {0})
        assert_civil(dlcli("data", "fetch"), {0})
        assert dlcli("data", "verify").code == 0
    assert np.array_equal(idx.parse_labels(path.read_bytes(), ""), np.arange(60) % 10)
    tally("hostile IDX files", 1)
