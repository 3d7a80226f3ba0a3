"""Folders that are no dataset: one clear line, the exit code 3, and nothing is written."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from dlcli.data import idx, image_folder, prepared, registry
from tests.data.drawn_pictures import letter, write_letters


def huge_png() -> bytes:
    """The header of a picture of 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x" * 100)


def two_letters(folder):
    write_letters(folder, "AB", each=4)


def only(folder, content: bytes):
    """Every picture of the class B has this content."""
    two_letters(folder)
    for picture in (folder / "B").iterdir():
        picture.write_bytes(content)


def none_of_a(folder):
    """No picture of A can be used, and one of B."""
    two_letters(folder)
    for picture in ((folder / "B" / "0.png"), *(folder / "A").iterdir()):
        picture.write_bytes(b"")


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    letter("A", 1).save(path)


def write_idx(folder, labels, prefix="", *, names=None):
    folder.mkdir()
    for index, name in enumerate(registry.FILES):
        split = np.array(labels, np.uint8)
        images = np.zeros((len(labels), 28, 28), np.uint8)
        content = idx.serialize(images if index % 2 == 0 else split)
        (folder / f"{prefix}{name}").write_bytes(content)
    if names is not None:
        (folder / names[0]).write_text(names[1])


def nothing(folder):
    folder.mkdir()


def texts(folder):
    folder.mkdir()
    (folder / "notes.txt").write_text("x")


def one_class(folder):
    write_letters(folder, "A", each=4)


def empty_class(folder):
    two_letters(folder)
    (folder / "C").mkdir()


def nested(folder):
    two_letters(folder)
    picture(folder / "B" / "more" / "x.png")


def linked_loop(folder):
    two_letters(folder)
    (folder / "B" / "loop").symlink_to(folder)


def pictures_beside_classes(folder):
    two_letters(folder)
    picture(folder / "x.png")


def names_without_class(folder):
    picture(folder / "a.png")
    picture(folder / "b.png")


def only_test_lacks_a_class(folder):
    write_letters(folder / "train", "AB", each=2)
    write_letters(folder / "test", "A", each=2, first=5)


def only_test_has_another_class(folder):
    write_letters(folder / "train", "AB", each=2)
    write_letters(folder / "test", "ABC", each=2, first=5)


def only_test_alone(folder):
    write_letters(folder / "test", "AB", each=2)


def beside_the_splits(folder):
    write_letters(folder / "train", "AB", each=2)
    write_letters(folder / "test", "AB", each=2, first=5)
    write_letters(folder, "C", each=2)


def empty_test(folder):
    write_letters(folder / "train", "AB", each=2)
    (folder / "test").mkdir()


def control_characters(folder):
    two_letters(folder)
    picture(folder / "\x1b[2Jnasty" / "x.png")


def bytes_for_a_name(folder):
    two_letters(folder)
    picture(folder / "\udcff" / "x.png")


def one_picture_each(folder):
    write_letters(folder, "AB", each=1)


def too_many_classes(folder):
    for number in range(1001):
        place = folder / f"c{number}"
        place.mkdir(parents=True)
        (place / "x.png").touch()


def names_of(text):
    def make(folder):
        two_letters(folder)
        (folder / "classes.txt").write_text(text)

    return make


def names_no_text(folder):
    two_letters(folder)
    (folder / "classes.txt").write_bytes(b"\xff\xfe")


def names_a_folder(folder):
    two_letters(folder)
    (folder / "classes.txt").mkdir()


def two_datasets(folder):
    write_idx(folder, range(10), "a-")
    for path in list(folder.iterdir()):
        (folder / path.name.replace("a-", "b-", 1)).write_bytes(path.read_bytes())


def half_a_dataset(folder):
    write_idx(folder, range(10), "emnist-letters-")
    (folder / "emnist-letters-t10k-labels-idx1-ubyte").unlink()


def mapping(text, labels=(1, 2, 3)):
    return lambda folder: write_idx(
        folder, labels, "emnist-letters-", names=("emnist-letters-mapping.txt", text)
    )


WRONG = {
    "nothing": (
        nothing,
        "contains no train-images-idx3-ubyte (or train-images-idx3-ubyte.gz)",
    ),
    "texts": (texts, "and no pictures; put those of each class into a folder of its name: "),
    "one class": (one_class, "has only one class, 'A'; a network needs two or more"),
    "empty class": (empty_class, "/C: holds no pictures; add some, or remove the folder"),
    "folder in a class": (nested, "B/more: a folder inside the class 'B'; put its pictures into"),
    "link to itself": (linked_loop, "B/loop: a folder inside the class 'B'"),
    "pictures beside classes": (pictures_beside_classes, "holds pictures ('x.png') beside folders"),
    "names without class": (names_without_class, "its name tells no class; name it CLASS-"),
    "test lacks a class": (only_test_lacks_a_class, "/train: has the class 'B', which "),
    "test has another class": (only_test_has_another_class, "/test: has the class 'C', which "),
    "test alone": (only_test_alone, "holds test/, but no train/"),
    "a class beside the splits": (beside_the_splits, "/C: stands beside "),
    "empty test": (empty_test, "/test: holds no pictures"),
    "control characters": (control_characters, r"'\x1b[2Jnasty' cannot be the name of a class"),
    "bytes for a name": (bytes_for_a_name, r"'\udcff' cannot be the name of a class"),
    "one picture each": (one_picture_each, "no test images; each class needs two pictures"),
    "too many classes": (too_many_classes, "1,001 classes, at most 1,000"),
    "no pictures at all": (
        lambda folder: only(folder, b"no picture"),
        "no picture of the class 'B' can be trained on; B/0.png: not a picture that Pillow can",
    ),
    "empty pictures": (lambda folder: only(folder, b""), "B/0.png: an empty file"),
    "none of the first class": (none_of_a, "'A' can be trained on; A/0.png: an empty file"),
    "huge pictures": (lambda folder: only(folder, huge_png()), "pixels; make it smaller"),
    "names of too few": (names_of("A\n"), "classes.txt: does not name the class 'B'"),
    "names of too many": (names_of("A\nB\nC\n"), "classes.txt: names 'C', of which "),
    "names of far too many": (
        names_of("".join(f"{n}\n" for n in range(50_000)) + "0\n"),
        "50,001 classes, at most 1,000",
    ),
    "names twice": (names_of("A\nB\nA\n"), "classes.txt: the class 'A' is there twice"),
    "an empty name": (names_of("A\n\nB\n"), "classes.txt: '' cannot be the name of a class"),
    "no names": (names_of(""), "classes.txt: empty; it should name the classes, one a line"),
    "a long name": (names_of("A" * 300), "cannot be the name of a class: use 1 to 255 characters"),
    "names no text": (names_no_text, "classes.txt: not a text file (UTF-8)"),
    "names a folder": (names_a_folder, "classes.txt: holds no pictures"),
    "two datasets": (two_datasets, "holds 2 datasets; name one of them: "),
    "half a dataset": (half_a_dataset, "contains no emnist-letters-t10k-labels-idx1-ubyte (or"),
    "mapping of too few": (mapping("1 65\n2 66\n"), "names 2 classes, but label 2 of "),
    "mapping of too many": (
        mapping("1 65\n2 66\n3 67\n4 68\n"),
        "names 4 classes, but no training image has the label 4 (D)",
    ),
    "mapping with a gap": (mapping("1 65\n3 67\n"), "maps 2 labels, but not 2"),
    "mapping twice": (mapping("1 65\n1 66\n"), "line 2: the label 1 is there twice"),
    "mapping of words": (mapping("A one\n"), "line 1: expected a label and the code of"),
    "mapping to nothing": (mapping("1 9999999\n2 66\n3 67\n"), "'' cannot be the name of a class"),
    "mapping to a control": (mapping("1 27\n2 66\n3 67\n"), r"'\x1b' cannot be the name of a"),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_folder_is_one_clear_line_and_nothing_is_written(
    dlcli, workdir, local_cache, make, message
):
    make(workdir / "mine")
    result = dlcli("train", "-q", "--set", "dataset=./mine")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert "\x1b" not in result.stderr
    assert not (workdir / "runs").exists()
    # The images of a class by itself may be a part of a mixture.
    assert {path.name for path in local_cache.iterdir()} <= {
        prepared.FOLDER,
        f"{prepared.FOLDER}.lock",
    }
    for kept in (local_cache / prepared.FOLDER).glob("*"):
        assert make is one_class
        assert kept.suffix == ".npz"


def test_a_folder_that_cannot_be_read_is_told(dlcli, workdir, monkeypatch):
    write_letters(workdir / "mine", "AB", each=2)
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("B"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = dlcli("train", "-q", "--set", "dataset=./mine")
    assert (result.code, result.stderr) == (3, "Error: mine/B: cannot be read: Permission denied\n")


def test_pipes_are_no_pictures_and_do_not_block(dlcli, workdir):
    write_letters(workdir / "mine", "AB", each=4)
    os.mkfifo(workdir / "mine" / "A" / "pipe.png")
    result = dlcli("data", "verify", "mine")
    assert result.code == 3
    assert result.stdout == "mine/A/pipe.png: cannot be read: a pipe or a device, not a file\n"


def append_a_byte(path, _):
    path.write_bytes(path.read_bytes() + b" ")


def remove(path, _):
    path.unlink()


def grow_too_large(path, monkeypatch):
    monkeypatch.setattr(image_folder, "MAX_BYTES", path.stat().st_size - 1)


@pytest.mark.parametrize("change", [append_a_byte, remove, grow_too_large])
@pytest.mark.parametrize("reads", [4, 5])  # all sums are known; the preparation has begun
def test_a_picture_that_changes_meanwhile_is_told(dlcli, workdir, monkeypatch, change, reads):
    write_letters(workdir / "mine", "AB", each=2)
    read, seen = image_folder.read_picture, []

    def read_and_change(picture):
        content = read(picture)
        seen.append(picture)
        if len(seen) == reads:
            change(workdir / "mine" / "B" / "1.png", monkeypatch)
        return content

    monkeypatch.setattr(image_folder, "read_picture", read_and_change)
    result = dlcli("train", "-q", "--set", "dataset=./mine")
    assert (result.code, result.stderr.count("\n")) == (3, 1)
    assert "changed while the folder was being read; try again" in result.stderr


def test_pictures_with_alpha_or_palettes_are_read_as_predict_reads_them(dlcli, workdir):
    write_letters(workdir / "mine", "AB", each=4)
    for number, mode in enumerate(("RGBA", "P", "1", "I;16")):
        Image.new(mode, (20, 20)).save(workdir / "mine" / "A" / f"blank {number}.png")
    result = dlcli("data", "verify", "mine")
    assert result.stdout.count("the picture is blank") == 4
