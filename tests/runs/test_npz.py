"""Damaged .npz files are refused by name; nothing in them is run or trusted."""

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlcli.errors import CheckpointError
from dlcli.runs import checkpoint
from tests.runs.checkpoints import (
    B0,
    VELOCITY,
    W0,
    W1,
    assert_refused,
    header,
    members,
    npy,
    save,
    with_member,
    write_members,
)


class Explosive:
    """Leaves a file behind where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize("descr", ["'|O'", "'O'"])
def test_pickles_are_never_loaded(tmp_path, monkeypatch, descr):
    monkeypatch.chdir(tmp_path)
    save(Path("model.npz"))
    content = pickle.dumps(np.array([Explosive()] * 3, object))
    with_member(Path("model.npz"), f"{B0}.npy", npy(header(descr), content))
    assert_refused(Path("model.npz"), f"{B0}: ")
    assert not Path("exploded").exists()


HEADERS = {
    "a trillion elements": header(shape="(1000000000000,)"),
    "negative elements": header(shape="(-3,)"),
    "a nested element": header(descr="'(1000000000,)f4'"),
    "not a dictionary": "[1, 2]",
    "not closed": "{'descr'",
    "a text not closed": "'''",
    "deeply nested": "(" * 9000,
    "deeply negated": "-" * 9000 + "1",
    "unhashable": "{[]: 1}",
    "of Python 2": header(shape="(3L,)"),
    "wrongly indented": "  x\n y",
    "no type": header(descr="('<f4',)"),
    "an unknown type": header(descr="'<q9'"),
    "a deprecated type": header(descr="'a4'"),
    "an invalid text": header(descr="'\\ud800'"),
    "too long": header() + " " * 20_000,
    "empty": "",
}


@pytest.mark.parametrize("kind", HEADERS)
def test_damaged_array_headers_are_refused(tmp_path, kind):
    save(tmp_path / "model.npz")
    with_member(tmp_path / "model.npz", f"{B0}.npy", npy(HEADERS[kind], b"\0" * 12))
    assert_refused(tmp_path / "model.npz", f"{B0}: ")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x02\x00" + b"\0" * 20,
        b"\x93NUMPY\x01\x00\xff",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"no array",
        npy(header(), b"\0" * 11),
        npy(header(), b"\0" * 13),
        npy(header()),
    ],
)
@pytest.mark.parametrize("name", [W0, B0, VELOCITY, "metadata"])
def test_damaged_arrays_are_refused(tmp_path, name, content):
    save(tmp_path / "model.npz")
    with_member(tmp_path / "model.npz", f"{name}.npy", content)
    assert_refused(tmp_path / "model.npz", f"{name}: ")


def test_metadata_with_invalid_characters_is_refused(tmp_path):
    save(tmp_path / "model.npz")
    content = npy(header("'<U2'", shape="()"), b"\xff" * 8)
    with_member(tmp_path / "model.npz", "metadata.npy", content)
    assert_refused(tmp_path / "model.npz", "metadata: not JSON")


def flip(path: Path, offset: int, bits: int = 0xFF) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= bits
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["metadata", W0, B0, W1, VELOCITY])
def test_a_single_flipped_bit_is_detected(tmp_path, name):
    path = tmp_path / "model.npz"
    save(path)
    content = members(path)[f"{name}.npy"]
    flip(path, path.read_bytes().index(content) + len(content) - 1, bits=1)
    assert_refused(path, f"Bad CRC-32 for file '{name}.npy'")


@pytest.mark.parametrize("fraction", [0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
def test_truncated_checkpoints_are_refused(tmp_path, fraction):
    path = tmp_path / "model.npz"
    save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(fraction * len(content))])
    assert_refused(path, "not a whole .npz checkpoint")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (28, 28)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"hidden_layers: [128]\n", png(), b"PK\x03\x04", pickle.dumps([1]), npy(header())],
    ids=["empty", "text", "picture", "zip signature", "pickle", "lone array"],
)
def test_files_of_another_kind_are_refused(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    assert_refused(tmp_path / "model.npz", "not a whole .npz checkpoint")


def test_other_zip_files_are_refused(tmp_path):
    write_members(tmp_path / "model.npz", [("readme.txt", b"hello")])
    assert_refused(tmp_path / "model.npz", "holds no metadata: not a dlcli checkpoint")
    np.savez(tmp_path / "model.npz", np.zeros(3))
    assert_refused(tmp_path / "model.npz", "holds no metadata: not a dlcli checkpoint")


def test_compressed_arrays_are_refused(tmp_path):
    save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as arrays:
        np.savez_compressed(tmp_path / "model.npz", **dict(arrays))
    assert_refused(tmp_path / "model.npz", "metadata: compressed")


@pytest.mark.parametrize("twin", [f"{B0}.npy", B0])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path, twin):
    save(tmp_path / "model.npz")
    contents = members(tmp_path / "model.npz")
    pairs = [*contents.items(), (twin, contents[f"{B0}.npy"])]
    write_members(tmp_path / "model.npz", pairs)
    assert_refused(tmp_path / "model.npz", "holds two arrays of one name")


def directory_entry(path: Path, name: str) -> int:
    """Where the zip's directory describes a member (APPNOTE.TXT 4.3.12)."""
    content = path.read_bytes()
    return content.rindex(b"PK\x01\x02", 0, content.rindex(f"{name}.npy".encode()))


@pytest.mark.parametrize("name", ["metadata", B0])
def test_encrypted_arrays_are_refused(tmp_path, name):
    path = tmp_path / "model.npz"
    save(path)
    flip(path, directory_entry(path, name) + 8, bits=1)  # the flag's lowest bit
    assert_refused(path, f"{name}.npy")
    assert_refused(path, "is encrypted")


@pytest.mark.parametrize("field", [20, 24])  # compressed and uncompressed size
def test_a_directory_that_lies_about_a_size_is_refused(tmp_path, field):
    path = tmp_path / "model.npz"
    save(path)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, directory_entry(path, W0) + field, 2**31)
    path.write_bytes(content)
    assert_refused(path, f"{W0}: ")


def refusal(path: Path) -> str:
    """Why a checkpoint is refused; its path alone if it is not, as many flips do no harm."""
    try:
        checkpoint.load(path)
    except CheckpointError as error:
        return str(error)
    return f"{path}: "


def test_a_broken_zip_structure_causes_no_other_error(tmp_path):
    path = tmp_path / "model.npz"
    save(path)
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        starts = [info.header_offset for info in archive.infolist()]
        directory = archive.start_dir
    places = [offset for start in starts for offset in range(start, start + 60, 3)]
    for place in [*places, *range(directory, len(good), 2)]:
        path.write_bytes(good)
        flip(path, place)
        assert refusal(path).startswith(f"{path}: ")


def test_a_failing_disk_is_not_mistaken_for_a_damaged_file(make_checkpoint, monkeypatch):
    path = make_checkpoint("a.npz")

    def fails(_file):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(zipfile, "_EndRecData", fails)
    with pytest.raises(CheckpointError, match=r"a\.npz: cannot be read: Input/output error"):
        checkpoint.load(path)
