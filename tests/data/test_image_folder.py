"""A folder of pictures is a dataset."""

from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from dlcli.data import datasets, idx, image_folder, prepared, registry
from dlcli.data.examples import Examples
from dlcli.errors import DatasetError
from tests.data.drawn_pictures import letter, write_digits, write_letters


@pytest.fixture
def letters(workdir):
    return write_letters(workdir / "mine", "AB", each=10)


@pytest.fixture
def cache(workdir):
    return workdir / "cache"


class Progress:
    """What was told of the preparation."""

    def __init__(self):
        self.seen = []

    def prepared(self, name, done, total):
        self.seen.append((done, total))


def load(folder, cache, progress=None, preparation=None):
    return datasets.load(str(folder), cache, progress, preparation)


def weights_of(run) -> dict[str, bytes]:
    with np.load(run / "best.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays if name != "metadata"}


def test_a_folder_of_each_class_is_a_dataset(letters, cache):
    dataset = load(letters, cache)
    assert dataset.class_names == ("A", "B")
    assert dataset.preprocessing == "plain"
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert np.bincount(dataset.test.labels).tolist() == [2, 2]
    assert dataset.notes == (
        "there is no folder test/, so 20 % of each class are the test images (4 of 20)",
    )
    assert dataset.folder == str(letters.absolute())


def test_letters_are_scaled_and_centred_by_their_box(letters, cache):
    for image in load(letters, cache).train.images.reshape(-1, 28, 28):
        rows = np.flatnonzero(image.max(axis=1) > 127)
        columns = np.flatnonzero(image.max(axis=0) > 127)
        assert max(np.ptp(rows), np.ptp(columns)) in (18, 19)
        for found in (rows, columns):
            assert abs(found[0] + found[-1] - 27) <= 2
        assert image[0].max() == 0


def test_digits_are_prepared_as_those_of_mnist(workdir, cache, sample):
    dataset = load(write_digits(workdir / "mine", sample.train), cache)
    assert dataset.preprocessing == "digit"
    known = {image.tobytes() for image in sample.train.images[:40]}
    assert {image.tobytes() for image in dataset.train.images} < known


def test_names_that_start_with_the_class_need_no_folders(workdir, cache):
    folder = workdir / "flat"
    folder.mkdir()
    for number in range(6):
        letter("AB"[number % 2], number).save(folder / f"{'AB'[number % 2]}-{number}-x.png")
    dataset = load(folder, cache)
    assert dataset.class_names == ("A", "B")
    assert len(dataset.train) + len(dataset.test) == 6


def test_test_images_may_stand_apart(workdir, cache):
    write_letters(workdir / "mine" / "train", "AB", each=3)
    write_letters(workdir / "mine" / "test", "AB", each=2, first=3)
    dataset = load(workdir / "mine", cache)
    assert (len(dataset.train), len(dataset.test), dataset.notes) == (6, 4, ())


def test_numbers_are_in_order_of_their_values(workdir, cache):
    for number in range(12):
        place = workdir / "mine" / str(number)
        place.mkdir(parents=True)
        for each in range(2):
            letter("ABCDEFGHIJKL"[number], each).save(place / f"{each}.png")
    assert load(workdir / "mine", cache).class_names == tuple(map(str, range(12)))


def test_a_file_may_name_the_classes_in_another_order(letters, cache):
    (letters / "classes.txt").write_text("B\nA\n")
    assert load(letters, cache).class_names == ("B", "A")


def test_exported_images_are_the_same_dataset(dlcli, workdir, sample):
    folder = workdir / "idx"
    folder.mkdir()
    for files, part in ((registry.FILES[:2], sample.train), (registry.FILES[2:], sample.test)):
        (folder / files[0]).write_bytes(idx.serialize(part.images[:200].reshape(-1, 28, 28)))
        (folder / files[1]).write_bytes(idx.serialize(part.labels[:200]))
    assert dlcli("data", "export", "--dataset", folder, "--split", "all", "-o", "png").code == 0
    for name in ("idx", "png"):
        result = dlcli("train", "-s", f"dataset=./{name}", "-s", "epochs=2", "--name", name)
        assert result.code == 0, result.stderr
    assert weights_of(workdir / "runs" / "png") == weights_of(workdir / "runs" / "idx")
    assert datasets.load("./png").checksum == datasets.load("./idx").checksum


def test_exported_images_of_named_classes_keep_their_order(dlcli, workdir, cache):
    write_letters(workdir / "mine" / "train", "AB", each=3)
    write_letters(workdir / "mine" / "test", "AB", each=2, first=3)
    (workdir / "mine" / "classes.txt").write_text("B\nA\n")
    assert dlcli("data", "export", "--dataset", "mine", "--split", "all", "-o", "out").code == 0
    first, second = load("mine", cache), load("out", cache)
    assert second.checksum == first.checksum
    assert second.class_names == ("B", "A")
    # A model of either prepares new pictures in the same way.
    assert (first.preprocessing, second.preprocessing) == ("plain", "plain")


def test_a_class_may_have_any_name_in_exported_files(workdir, cache):
    from dlcli.data import pictures

    names = ("T-shirt/top", "100 %", "ä")
    images = np.arange(9 * 784, dtype=np.uint32).astype(np.uint8).reshape(9, 784)
    examples = Examples(images, np.arange(9, dtype=np.uint8) % 3)
    for split in ("train", "test"):
        pictures.export(examples, names, workdir / "out" / split, None)
    dataset = load(workdir / "out", cache)
    assert dataset.class_names == names
    assert np.array_equal(dataset.train.images, images)


def test_pictures_are_prepared_once(letters, cache):
    first = Progress()
    before = load(letters, cache, first)
    assert first.seen[-1] == (20, 20)
    again = Progress()
    after = load(letters, cache, again)
    assert again.seen == []
    assert np.array_equal(after.train.images, before.train.images)
    assert (after.checksum, after.notes) == (before.checksum, before.notes)


def test_threads_prepare_the_same_images(letters, workdir, monkeypatch):
    (letters / "A" / "bad.png").write_bytes(b"x")
    alone = load(letters, workdir / "one")
    monkeypatch.setattr(prepared, "_MIN_BYTES_FOR_THREADS", 0)
    monkeypatch.setattr(prepared, "_cores", lambda: 3)
    together = load(letters, workdir / "other")
    assert together.checksum == alone.checksum
    assert together.unusable == alone.unusable


def test_a_picture_that_changes_is_prepared_anew(letters, cache):
    before = load(letters, cache)
    letter("A", 99).save(letters / "A" / "0.png")
    progress = Progress()
    assert load(letters, cache, progress).checksum != before.checksum
    assert progress.seen


def test_a_folder_that_moves_is_prepared_no_more(letters, cache):
    load(letters, cache)
    letters.rename(letters.parent / "moved")
    progress = Progress()
    load(letters.parent / "moved", cache, progress)
    assert progress.seen == []


def test_pictures_are_prepared_anew_where_another_decoder_may_read_them(
    letters, cache, monkeypatch
):
    load(letters, cache)
    was_there = find_spec("pillow_heif") is not None
    monkeypatch.setattr(prepared, "find_spec", lambda _: None if was_there else object())
    progress = Progress()
    load(letters, cache, progress)
    assert progress.seen


def test_what_a_killed_process_left_is_removed(letters, cache):
    (cache / prepared.FOLDER).mkdir(parents=True)
    (cache / prepared.FOLDER / ".abc.npz.0123.tmp").touch()
    load(letters, cache)
    (kept,) = (cache / prepared.FOLDER).iterdir()
    assert kept.suffix == ".npz"


@pytest.mark.parametrize("damage", [b"", b"PK\x05\x06" + bytes(18), None])
def test_a_damaged_cache_is_not_used(letters, cache, damage):
    before = load(letters, cache)
    (kept,) = (cache / prepared.FOLDER).iterdir()
    content = bytearray(kept.read_bytes())
    content[600] ^= 255  # a pixel
    kept.write_bytes(content if damage is None else damage)
    assert load(letters, cache).checksum == before.checksum


def test_a_cache_that_cannot_be_written_is_done_without(letters, workdir):
    (workdir / "cache").write_text("a file")
    dataset = load(letters, workdir / "cache")
    assert len(dataset.train) == 16
    assert "cannot be kept in" in dataset.notes[-1]


def test_the_test_images_are_chosen_by_their_content(letters, cache):
    before = load(letters, cache).test.images
    for number, picture in enumerate(sorted((letters / "A").iterdir())):
        picture.rename(letters / "A" / f"renamed {9 - number}.png")
    after = load(letters, cache).test.images
    assert {image.tobytes() for image in after} == {image.tobytes() for image in before}


def test_equal_pictures_are_never_in_both_splits(letters, cache):
    for picture in list((letters / "A").iterdir()):
        (letters / "A" / f"copy of {picture.name}").write_bytes(picture.read_bytes())
    dataset = load(letters, cache)
    train, test = (set(map(bytes, part.images)) for part in (dataset.train, dataset.test))
    assert not train & test


def test_pictures_that_cannot_be_used_are_listed(dlcli, letters):
    for number in range(7):
        (letters / "A" / f"bad{number}.png").write_bytes(b"no picture")
    Image.new("L", (50, 50), 255).save(letters / "B" / "white.png")
    (letters / "B" / "link.png").symlink_to("nowhere")
    result = dlcli("train", "-s", "dataset=./mine", "-s", "epochs=1", "--name", "a")
    assert result.code == 0
    lines = result.stderr.splitlines()
    start = lines.index("Warning: ./mine: 9 pictures cannot be used; the first 5:")
    assert lines[start + 1] == "  A/bad0.png: not a picture that Pillow can read"
    assert lines[start + 6] == f"All of them: dlcli data verify {letters}"
    verified = dlcli("data", "verify", "./mine")
    assert verified.code == 3
    assert len(verified.stdout.splitlines()) == 9
    assert "mine/B/white.png: the picture is blank\n" in verified.stdout
    assert "mine/B/link.png: cannot be read: No such file or directory\n" in verified.stdout
    assert verified.stderr.endswith("Error: 9 pictures in ./mine cannot be used\n")


def test_a_folder_that_is_not_there_cannot_be_verified(dlcli):
    result = dlcli("data", "verify", "./nowhere")
    assert result.code == 3
    assert "nowhere: no such folder of IDX files or pictures" in result.stderr


def test_hidden_files_and_texts_are_no_pictures(letters, cache):
    for name in (".DS_Store.png", "notes.txt"):
        (letters / "A" / name).write_text("x")
    (letters / "__MACOSX").mkdir()
    (letters / ".git").mkdir()
    dataset = load(letters, cache)
    assert (dataset.class_names, dataset.unusable) == (("A", "B"), ())


def test_linked_folders_and_pictures_are_followed(letters, cache, workdir):
    (workdir / "elsewhere").mkdir()
    (letters / "A").rename(workdir / "elsewhere" / "A")
    (letters / "A").symlink_to(workdir / "elsewhere" / "A")
    (letters / "B" / "linked.png").symlink_to(letters / "B" / "0.png")
    assert len(load(letters, cache).unusable) == 0


def test_every_page_of_a_file_is_a_picture(letters, cache):
    first, *others = [letter("A", number) for number in range(50, 53)]
    first.save(letters / "A" / "pages.tif", save_all=True, append_images=others)
    dataset = load(letters, cache)
    assert len(dataset.train) + len(dataset.test) == 23


def test_a_picture_in_two_classes_is_told(letters, cache):
    (letters / "B" / "also.png").write_bytes((letters / "A" / "0.png").read_bytes())
    notes = load(letters, cache).notes
    assert "1 picture is in several classes, as in A and B" in notes


def test_the_preparation_can_be_chosen(workdir, cache, sample):
    folder = write_digits(workdir / "mine", sample.train)
    plain = load(folder, cache, preparation="plain")
    assert plain.preprocessing == "plain"
    assert plain.checksum != load(folder, cache).checksum


def test_status_shows_a_folder(dlcli, letters):
    result = dlcli("data", "status", "./mine")
    header, row = result.stdout.splitlines()
    assert header.split()[:6] == ["dataset", "classes", "train", "test", "unusable", "preparation"]
    assert row.split()[:6] == ["./mine", "2", "16", "4", "0", "plain"]
    assert "./mine: A, B\n" in result.stderr


def test_show_draws_a_row_for_each_class_with_its_name(dlcli, letters):
    assert dlcli("data", "show", "-s", "dataset=./mine").code == 0
    with Image.open("grid.png") as grid:
        assert grid.size == (100 + 8 * 88 + 4, 2 * 88 + 4)


def test_a_name_that_is_no_text_is_shown_escaped(letters, cache):
    (letters / "A" / "0.png").rename(letters / "A" / "\udcff.png")
    (letters / "A" / "\udcfe\n.png").write_bytes(b"")
    first, again = load(letters, cache), load(letters, cache)
    assert [each.name for each in first.unusable] == ["A/\\udcfe\n.png"]
    assert first.unusable == again.unusable


def test_exported_pictures_may_stand_beside_others(workdir, cache, sample):
    """As where a few of one's own are added, or all but one are removed."""
    from dlcli.data import pictures

    folder = workdir / "mine"
    pictures.export(sample.train.take(np.arange(40)), tuple("0123456789"), folder, None)
    for path in sorted(folder.iterdir())[:2]:
        path.rename(folder / f"{path.stem[-1]}-mine.png")
    dataset = load(folder, cache)
    assert set(dataset.class_names) == {str(label) for label in sample.train.labels[:40]}
    assert len(dataset.train) + len(dataset.test) == 40
    (one, *_) = sorted(folder.glob("0*-7.png"))
    single = workdir / "single" / one.name
    single.parent.mkdir()
    one.rename(single)
    listing = image_folder.list_pictures(single.parent)
    assert listing is not None
    assert (listing.class_names, listing.is_exported) == (("7",), True)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("90210-a 90210-b 10001-a", "10001 90210"),
        ("1234-1 1234-2 5678-1 5678-2 10115-1", "1234 5678 10115"),
        ("00000-7 00000-3 00001-7 00002-3 00002-7", "3 7"),  # two exports in one folder
        ("00000-7 00001-3 7-mine", "3 7"),
    ],
)
def test_numbers_of_five_digits_are_indices_of_exports_or_classes(workdir, names, classes):
    folder = workdir / "mine"
    folder.mkdir()
    for name in names.split():
        letter("A", 1).save(folder / f"{name}.png")
    listing = image_folder.list_pictures(folder)
    assert listing is not None
    assert listing.class_names == tuple(classes.split())


def test_exported_pictures_are_prepared_again_only_if_the_config_says_how(workdir, cache, sample):
    from dlcli.data import pictures

    images = np.roll(sample.train.images[:40].reshape(-1, 28, 28), 3, axis=2).reshape(-1, 784)
    for split in ("train", "test"):
        moved = Examples(images, sample.train.labels[:40])
        pictures.export(moved, sample.class_names, workdir / "out" / split, None)
    found = [load("out", cache, preparation=way) for way in (None, "digit", "plain")]
    found.append(datasets.load("out", cache, usual="plain"))
    assert [each.preprocessing for each in found] == ["digit", "digit", "plain", "digit"]
    is_same = [np.array_equal(each.train.images, images) for each in found]
    assert is_same == [True, False, False, True]


def test_the_reason_why_a_class_cannot_be_trained_on_is_one_of_its_training_pictures(
    workdir, cache
):
    write_letters(workdir / "mine" / "train", "AB", each=2)
    write_letters(workdir / "mine" / "test", "AB", each=2)
    for path in (workdir / "mine").glob("*/B/*.png"):
        path.write_bytes(b"" if "train" in path.parts else b"nothing")
    with pytest.raises(DatasetError, match=r"; train/B/.*: an empty file$"):
        load(workdir / "mine", cache)
