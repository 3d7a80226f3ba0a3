"""Datasets load from folders, with a checksum; a broken one is a clear error."""

import struct

import numpy as np
import pytest

from dlcli.data import datasets, idx
from dlcli.data.registry import FILES
from dlcli.errors import DatasetError


def write_folder(folder, contents, *, suffix=""):
    folder.mkdir()
    for file, content in contents.items():
        (folder / f"{file}{suffix}").write_bytes(idx.compress(content) if suffix else content)
    return folder


def test_an_empty_name_does_not_mean_the_current_folder(tiny, monkeypatch):
    monkeypatch.chdir(tiny)
    assert len(datasets.load(".").train) == 60
    with pytest.raises(DatasetError, match=r"^'': no such folder of IDX files or pictures"):
        datasets.load("")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files_is_a_dataset(mirror, tmp_path, suffix):
    folder = write_folder(tmp_path / "mine", mirror.contents, suffix=suffix)
    loaded = datasets.load(str(folder))
    assert loaded.name == str(folder)
    assert (len(loaded.train), len(loaded.test)) == (60, 20)
    assert mirror.requested() == []


def test_folders_with_the_names_of_the_files_are_no_files(mirror, tmp_path):
    """As in an archive on Kaggle."""
    folder = write_folder(tmp_path / "mine", mirror.contents, suffix=".gz")
    for file in FILES:
        (folder / file).mkdir()
    assert len(datasets.load(str(folder)).train) == 60


@pytest.mark.parametrize(("images", "labels"), [(FILES[0], FILES[1]), (FILES[2], FILES[3])])
def test_the_numbers_of_images_and_labels_must_be_equal(tiny, images, labels):
    (tiny / labels).write_bytes(idx.serialize(np.zeros(7, np.uint8)))
    count = 60 if images.startswith("train") else 20
    with pytest.raises(DatasetError) as refusal:
        datasets.load(str(tiny))
    assert str(refusal.value) == (
        f"{tiny / images}: {count} images, but 7 labels in {tiny / labels}"
    )


def test_the_four_files_together_have_a_limit(tiny, monkeypatch):
    """So four gzip bombs take no more memory than one."""
    size = sum((tiny / file).stat().st_size for file in FILES)
    monkeypatch.setattr(idx, "MAX_BYTES", size)
    assert len(datasets.load(str(tiny)).test) == 20
    monkeypatch.setattr(idx, "MAX_BYTES", size - 1)
    with pytest.raises(DatasetError, match=f"{FILES[-1]}: larger than "):
        datasets.load(str(tiny))


@pytest.mark.parametrize("file", FILES)
def test_the_checksum_depends_on_the_content_of_every_file(tiny, file):
    before = datasets.load(str(tiny)).checksum
    assert datasets.load(str(tiny)).checksum == before
    content = (tiny / file).read_bytes()
    (tiny / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert datasets.load(str(tiny)).checksum != before


def test_the_checksum_does_not_depend_on_compression_or_folder(mirror, tmp_path):
    raw = write_folder(tmp_path / "raw", mirror.contents)
    packed = write_folder(tmp_path / "packed", mirror.contents, suffix=".gz")
    assert datasets.load(str(raw)).checksum == datasets.load(str(packed)).checksum


def test_the_checksum_depends_on_the_names_of_the_classes(tiny):
    """They decide which images the key ``classes`` takes, and which labels are alike."""
    unnamed = datasets.load(str(tiny)).checksum
    names = list("abcdefghij")
    (tiny / "classes.txt").write_text("\n".join(names))
    named = datasets.load(str(tiny)).checksum
    (tiny / "classes.txt").write_text("\n".join(reversed(names)))
    assert len({unnamed, named, datasets.load(str(tiny)).checksum}) == 3
    (tiny / "classes.txt").write_text("\n".join("0123456789"))
    assert datasets.load(str(tiny)).checksum == unnamed


# Training on broken datasets.


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def pack(path, change):
    """Replace a file by its gzipped form, changed."""
    path.with_name(f"{path.name}.gz").write_bytes(change(idx.compress(path.read_bytes())))
    path.unlink()


def make_folder_of(path):
    path.unlink()
    path.mkdir()


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = FILES
BREAKAGES = {
    "no training images": (TRAIN_IMAGES, lambda path: path.unlink()),
    "no training labels": (TRAIN_LABELS, lambda path: path.unlink()),
    "no test images": (TEST_IMAGES, lambda path: path.unlink()),
    "no test labels": (TEST_LABELS, lambda path: path.unlink()),
    "a folder for a file": (TRAIN_IMAGES, make_folder_of),
    "an empty file": (TRAIN_IMAGES, lambda path: path.write_bytes(b"")),
    "a web page": (TRAIN_IMAGES, lambda path: path.write_bytes(b"<html>404</html>")),
    "text for labels": (TRAIN_LABELS, lambda path: path.write_bytes(b"5, 0, 4, 1, 9\n")),
    "labels for images": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(path.with_name(TRAIN_LABELS).read_bytes()),
    ),
    "images for labels": (
        TEST_LABELS,
        lambda path: path.write_bytes(path.with_name(TEST_IMAGES).read_bytes()),
    ),
    "floating-point pixels": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(struct.pack(">HBB3I", 0, 0x0D, 3, 1, 28, 28) + bytes(3136)),
    ),
    "flat images": (
        TEST_IMAGES,
        lambda path: path.write_bytes(idx.serialize(np.zeros((20, 784), np.uint8))),
    ),
    "a truncated header": (TRAIN_IMAGES, lambda path: path.write_bytes(path.read_bytes()[:9])),
    "truncated images": (TRAIN_IMAGES, truncate),
    "truncated labels": (TEST_LABELS, truncate),
    "too many images": (
        TEST_IMAGES,
        lambda path: path.write_bytes(path.read_bytes() + bytes(784)),
    ),
    "images of 32x32": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(idx.serialize(np.zeros((60, 32, 32), np.uint8))),
    ),
    "no images": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(idx.serialize(np.zeros((0, 28, 28), np.uint8))),
    ),
    "no labels": (
        TEST_LABELS,
        lambda path: path.write_bytes(idx.serialize(np.zeros(0, np.uint8))),
    ),
    "fewer labels than images": (
        TRAIN_LABELS,
        lambda path: path.write_bytes(idx.serialize(np.zeros(59, np.uint8))),
    ),
    "a label above 9": (
        TRAIN_LABELS,
        lambda path: path.write_bytes(idx.serialize(np.full(60, 10, np.uint8))),
    ),
    "a header that promises terabytes": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 2**32 - 1, 28, 28)),
    ),
    "truncated gzip": (TRAIN_IMAGES, lambda path: pack(path, lambda zipped: zipped[:-20])),
    "damaged gzip": (
        TRAIN_IMAGES,
        lambda path: pack(path, lambda zipped: zipped[:-8] + bytes(8)),
    ),
    "bytes after gzip": (TEST_LABELS, lambda path: pack(path, lambda zipped: zipped + b"\0\0")),
    "gzip in gzip": (TRAIN_LABELS, lambda path: pack(path, idx.compress)),
}


def assert_refused(result, name, workdir):
    assert result.code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr
    assert not (workdir / "runs").exists()


@pytest.mark.parametrize(("file", "damage"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_dataset_is_one_clear_error_and_no_run(file, damage, tiny, dlcli, workdir):
    damage(tiny / file)
    assert_refused(dlcli("train", "--set", f"dataset={tiny}"), file, workdir)


def test_a_gzip_bomb_is_one_clear_error_and_no_run(tiny, dlcli, workdir, monkeypatch):
    monkeypatch.setattr(idx, "MAX_BYTES", 100_000)
    bomb = idx.compress(idx.serialize(np.zeros((2_000, 28, 28), np.uint8)))
    assert len(bomb) < 100_000
    (tiny / TRAIN_IMAGES).write_bytes(bomb)
    result = dlcli("train", "--set", f"dataset={tiny}")
    assert_refused(result, f"{TRAIN_IMAGES}: larger than 100,000 bytes", workdir)


@pytest.mark.parametrize("name", ["./nowhere", "./a-file"])
def test_a_missing_dataset_folder_is_one_clear_error_and_no_run(name, dlcli, workdir):
    (workdir / "a-file").write_bytes(b"")
    result = dlcli("train", "--set", f"dataset={name}")
    assert_refused(result, f"{name.removeprefix('./')}: no such folder of IDX files", workdir)


def test_a_validation_size_of_all_images_is_one_clear_error_and_no_run(tiny, dlcli, workdir):
    result = dlcli("train", "--set", f"dataset={tiny}", "--set", "validation_size=60")
    assert result.code == 2
    assert result.stderr.startswith("Error: validation_size 60: no images would be left")
    assert result.stderr.count("\n") == 1
    assert not (workdir / "runs").exists()


def test_images_keep_their_places_when_others_are_left_out(sample):
    some = sample.of_classes([3, 8])
    assert (sample.test.images[some.test.places] == some.test.images).all()
    few = some.test.take(np.array([5, 2]))
    assert (sample.test.images[few.places] == few.images).all()
    assert sample.test.places.tolist() == list(range(len(sample.test)))
