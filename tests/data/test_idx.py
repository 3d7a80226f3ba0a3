"""IDX files: what is written can be read, and any deviation from the format is refused."""

import gzip
import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dlcli.data import idx
from dlcli.errors import DatasetError

IMAGE_STACKS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 5), st.just(28), st.just(28)))
LABEL_LISTS = arrays.arrays(np.uint8, st.integers(1, 50), elements=st.integers(0, 9))


def header(*shape, element_type=0x08, start=0):
    return struct.pack(f">HBB{len(shape)}I", start, element_type, len(shape), *shape)


IMAGES = header(2, 28, 28) + bytes(range(256)) * 6 + bytes(32)
LABELS = header(4) + bytes([7, 2, 1, 0])
ZIPPED = idx.compress(LABELS)


@given(IMAGE_STACKS)
def test_written_images_are_read_unchanged(images):
    parsed = idx.parse_images(idx.serialize(images), "images")
    assert parsed.shape == (len(images), 784)
    assert parsed.dtype == np.uint8
    assert (parsed.reshape(images.shape) == images).all()


@given(LABEL_LISTS)
def test_written_labels_are_read_unchanged(labels):
    parsed = idx.parse_labels(idx.serialize(labels), "labels")
    assert parsed.dtype == np.uint8
    assert (parsed == labels).all()


def test_an_array_in_another_memory_layout_is_written_in_order():
    images = np.arange(2 * 28 * 28).astype(np.uint8).reshape(28, 28, 2).transpose(2, 0, 1)
    assert (idx.parse_images(idx.serialize(images), "").reshape(2, 28, 28) == images).all()


def test_a_file_of_two_labels_is_these_ten_bytes():
    written = idx.serialize(np.array([5, 9], dtype=np.uint8))
    assert written == bytes.fromhex("00000801 00000002 05 09")


def test_a_file_of_images_starts_with_these_sixteen_bytes():
    written = idx.serialize(np.zeros((3, 28, 28), dtype=np.uint8))
    assert written[:16] == bytes.fromhex("00000803 00000003 0000001c 0000001c")


@given(st.binary(max_size=2000))
def test_gzipped_content_is_decompressed(content):
    assert idx.decompress(idx.compress(content), "file") == content


@given(st.binary(max_size=200).filter(lambda content: content[:2] != b"\x1f\x8b"))
def test_other_content_is_returned_unchanged(content):
    assert idx.decompress(content, "file") == content


def test_compression_depends_on_the_content_alone(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_900_000_000.0)
    assert idx.compress(LABELS) == ZIPPED
    assert gzip.decompress(ZIPPED) == LABELS


BAD_IMAGES = {
    "empty file": (b"", "not an IDX file of images: it starts with nothing, expected 00000803"),
    "web page": (b"<html>", "not an IDX file of images: it starts with 3c68746d, expected"),
    "labels": (LABELS, "it starts with 00000801, expected 00000803"),
    "first bytes not zero": (header(1, 28, 28, start=1) + bytes(784), "starts with 00010803"),
    "floats": (header(1, 28, 28, element_type=0x0D) + bytes(3136), "starts with 00000d03"),
    "two dimensions": (header(1, 784) + bytes(784), "starts with 00000802"),
    "four dimensions": (header(1, 28, 28, 1) + bytes(784), "starts with 00000804"),
    "magic alone": (IMAGES[:4], "truncated in its header"),
    "half a header": (IMAGES[:15], "truncated in its header"),
    "no body": (IMAGES[:16], "truncated: 16 bytes, but its header says 1,584"),
    "one byte short": (IMAGES[:-1], "truncated: 1,583 bytes, but its header says 1,584"),
    "one byte long": (IMAGES + b"\0", "too long: 1,585 bytes, but its header says 1,584"),
    "twice the file": (IMAGES * 2, "too long: 3,168 bytes"),
    "vast promise": (header(2**32 - 1, 2**32 - 1, 2**32 - 1), "says 79,228,162,4"),
    "27 rows": (header(1, 27, 28) + bytes(756), "images are 27x28, expected 28x28"),
    "29 columns": (header(1, 28, 29) + bytes(812), "images are 28x29, expected 28x28"),
    "images without pixels": (header(9, 0, 0), "images are 0x0, expected 28x28"),
    "no images": (header(0, 28, 28), "empty (its header says 0 items)"),
}
BAD_LABELS = {
    "empty file": (b"", "not an IDX file of labels: it starts with nothing, expected 00000801"),
    "images": (IMAGES, "it starts with 00000803, expected 00000801"),
    "half a header": (LABELS[:7], "truncated in its header"),
    "one byte short": (LABELS[:-1], "truncated: 11 bytes, but its header says 12"),
    "one byte long": (LABELS + b"\0", "too long: 13 bytes, but its header says 12"),
    "no labels": (header(0), "empty (its header says 0 items)"),
}
BAD_GZIP = {
    "half a header": (ZIPPED[:5], "truncated gzip file"),
    "header alone": (ZIPPED[:10], "truncated gzip file"),
    "no check sum": (ZIPPED[:-8], "truncated gzip file"),
    "one byte short": (ZIPPED[:-1], "truncated gzip file"),
    "unknown method": (b"\x1f\x8b\x09" + ZIPPED[3:], "damaged gzip file: "),
    "damaged body": (ZIPPED[:10] + b"\xff" + ZIPPED[11:], "damaged gzip file: "),
    "damaged check sum": (ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], "damaged gzip file: "),
    "damaged length": (ZIPPED[:-4] + b"\xff\xff\xff\xff", "damaged gzip file: "),
    "trailing bytes": (ZIPPED + b"abc", "3 bytes after the gzip content"),
    "a second member": (ZIPPED * 2, f"{len(ZIPPED)} bytes after the gzip content"),
}


def cases(table):
    return pytest.mark.parametrize(("content", "fault"), table.values(), ids=table)


@cases(BAD_IMAGES)
def test_bad_images_are_refused_with_the_file_and_the_fault(content, fault):
    with pytest.raises(DatasetError) as refusal:
        idx.parse_images(content, "my/images")
    assert str(refusal.value).startswith("my/images: ")
    assert fault in str(refusal.value)


@cases(BAD_LABELS)
def test_bad_labels_are_refused_with_the_file_and_the_fault(content, fault):
    with pytest.raises(DatasetError) as refusal:
        idx.parse_labels(content, "my/labels")
    assert str(refusal.value).startswith("my/labels: ")
    assert fault in str(refusal.value)


@cases(BAD_GZIP)
def test_bad_gzip_is_refused_with_the_file_and_the_fault(tmp_path, content, fault):
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(DatasetError) as refusal:
        idx.read_file(path)
    assert str(refusal.value).startswith(f"{path}: {fault}")


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(content):
    for start in (b"", IMAGES[:4], IMAGES[:16], LABELS[:4], LABELS[:8], ZIPPED[:3], ZIPPED[:20]):
        for read in (idx.parse_images, idx.parse_labels, idx.decompress):
            with suppress(DatasetError):
                read(start + content, "file")


@pytest.mark.parametrize("pack", [bytes, idx.compress], ids=["raw", "gzipped"])
def test_a_file_of_the_largest_allowed_size_is_read(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(idx, "MAX_BYTES", 100_000)
    (tmp_path / "file").write_bytes(pack(bytes(100_000)))
    assert idx.read_file(tmp_path / "file") == bytes(100_000)


@pytest.mark.parametrize("excess", [1, 5_000_000])
@pytest.mark.parametrize("pack", [bytes, idx.compress], ids=["raw", "gzipped"])
def test_a_larger_file_is_refused_raw_or_gzipped(tmp_path, monkeypatch, pack, excess):
    monkeypatch.setattr(idx, "MAX_BYTES", 100_000)
    (tmp_path / "file").write_bytes(pack(bytes(100_000 + excess)))
    with pytest.raises(DatasetError, match=r"file: larger than 100,000 bytes"):
        idx.read_file(tmp_path / "file")


def test_a_gzip_bomb_is_not_decompressed_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(idx, "MAX_BYTES", 100_000)
    bomb = gzip.compress(bytes(20_000_000), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="bomb: larger than"):
        idx.decompress(bomb, "bomb")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


def test_raw_and_gzipped_files_give_the_same_content(tmp_path):
    (tmp_path / "raw").write_bytes(LABELS)
    (tmp_path / "packed").write_bytes(ZIPPED)
    assert idx.read_file(tmp_path / "raw") == idx.read_file(tmp_path / "packed") == LABELS


@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "No such file or directory"), ("folder", "Is a directory")]
)
def test_the_error_names_a_file_that_cannot_be_opened(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DatasetError) as refusal:
        idx.read_file(tmp_path / name)
    assert str(refusal.value) == f"{tmp_path / name}: cannot be read: {reason}"
