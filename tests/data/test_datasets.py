"""Datasets: the cache mends itself or says how, imports are verified, splits are fair."""

import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcli.data import datasets, idx
from dlcli.data.datasets import FILES, Examples, split_validation
from dlcli.errors import ConfigError, DatasetError


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def write_folder(folder, contents, *, suffix=""):
    folder.mkdir()
    for file, content in contents.items():
        (folder / f"{file}{suffix}").write_bytes(idx.compress(content) if suffix else content)
    return folder


def cached(data_dir, name="mnist"):
    return {path.name: path.read_bytes() for path in (data_dir / name).iterdir()}


@pytest.fixture
def cache(mirror, tmp_path):
    """A data folder with a good copy of the mirror's dataset; the mirror was not asked."""
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "data" / "mnist", mirror.contents)
    return tmp_path / "data"


@pytest.fixture
def kmnist(mirror, monkeypatch):
    """The mirror's dataset, known as kmnist by the sums of its .gz files alone."""
    sums = tuple(sha256(idx.compress(content)) for content in mirror.contents.values())
    monkeypatch.setitem(datasets.SOURCES, "kmnist", datasets.Source((mirror.url,), gz_sha256=sums))
    return mirror


# The cache.


def test_every_source_has_a_sum_of_one_kind_for_each_file():
    for source in datasets.SOURCES.values():
        assert (source.raw_sha256 is None) != (source.gz_sha256 is None)
        sums = source.raw_sha256 or source.gz_sha256
        assert len(sums) == len(set(sums)) == len(FILES)
        assert all(len(bytes.fromhex(digest)) == 32 for digest in sums)
        assert source.mirrors


def test_a_source_without_sums_is_a_programming_error():
    with pytest.raises(AssertionError, match="sums of one kind or the other"):
        datasets._mismatch(datasets.Source(mirrors=()), 0, b"received", b"raw")


def test_loading_fetches_what_is_not_there(mirror, tmp_path):
    loaded = datasets.load("mnist", tmp_path)
    assert (len(loaded.train), len(loaded.test)) == (60, 20)
    assert idx.serialize(loaded.train.images.reshape(-1, 28, 28)) == mirror.contents[FILES[0]]
    assert idx.serialize(loaded.train.labels) == mirror.contents[FILES[1]]
    assert idx.serialize(loaded.test.images.reshape(-1, 28, 28)) == mirror.contents[FILES[2]]
    assert idx.serialize(loaded.test.labels) == mirror.contents[FILES[3]]
    assert cached(tmp_path) == mirror.contents


def test_good_files_are_neither_fetched_nor_asked_for_again(mirror, cache):
    assert datasets.fetch("mnist", cache) == []
    datasets.load("mnist", cache)
    assert mirror.requested() == []


def test_a_good_cache_is_not_written_to_not_even_a_lock(cache):
    datasets.load("mnist", cache)
    assert datasets.fetch("mnist", cache) == []
    assert [path.name for path in cache.iterdir()] == ["mnist"]


@pytest.mark.parametrize("file", FILES)
def test_just_the_missing_file_is_fetched(mirror, cache, file):
    (cache / "mnist" / file).unlink()
    assert datasets.faults("mnist", cache)[file] == "missing"
    datasets.load("mnist", cache)
    assert mirror.requested() == [f"/good/{file}.gz"]
    assert cached(cache) == mirror.contents


DAMAGES = {
    "a flipped bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "a byte missing": lambda content: content[:-1],
    "a byte too many": lambda content: content + b"\0",
    "nothing left": lambda _content: b"",
    "a web page": lambda _content: b"<html>Please sign in</html>",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("file", FILES[::3])
def test_a_damaged_file_is_reported_by_load_and_mended_by_fetch(mirror, cache, file, damage):
    path = cache / "mnist" / file
    path.write_bytes(damage(mirror.contents[file]))
    with pytest.raises(DatasetError) as refusal:
        datasets.load("mnist", cache)
    assert str(refusal.value) == (
        f"{path}: corrupt (wrong SHA-256); mend it with: dlcli data fetch mnist"
    )
    assert mirror.requested() == []

    assert datasets.fetch("mnist", cache) == [file]
    assert mirror.requested() == [f"/good/{file}.gz"]
    assert cached(cache) == mirror.contents
    assert set(datasets.faults("mnist", cache).values()) == {None}


def test_a_damaged_file_is_reported_through_the_command_line_with_exit_code_3(mirror, cache, dlcli):
    (cache / "mnist" / FILES[1]).write_bytes(b"nonsense")
    result = dlcli("train", "--set", "dataset=mnist")
    assert (result.code, result.stdout) == (3, "")
    assert f"data/mnist/{FILES[1]}: corrupt" in result.stderr
    assert "dlcli data fetch mnist" in result.stderr


@pytest.mark.parametrize("how", ["fetch", "import"])
def test_what_a_killed_process_left_is_removed(mirror, cache, tmp_path, how):
    (cache / "mnist" / f".{FILES[0]}.7.tmp").write_bytes(b"half of it")
    if how == "fetch":
        assert datasets.fetch("mnist", cache) == []
    else:
        datasets.import_folder("mnist", cache / "mnist", cache)
    assert cached(cache) == mirror.contents


def test_a_half_written_gzip_file_in_the_cache_is_a_fault_too(mirror, cache):
    zipped = idx.compress(mirror.contents[FILES[0]])
    (cache / "mnist" / FILES[0]).write_bytes(zipped[:1000])
    assert datasets.faults("mnist", cache)[FILES[0]] == "truncated gzip file"
    with pytest.raises(DatasetError, match=f"{FILES[0]}: truncated gzip file"):
        datasets.load("mnist", cache)
    assert datasets.fetch("mnist", cache) == [FILES[0]]


def test_gzipped_files_in_the_cache_are_as_good_as_raw_ones(mirror, cache):
    for file, content in mirror.contents.items():
        (cache / "mnist" / file).write_bytes(idx.compress(content))
    datasets.load("mnist", cache)
    assert mirror.requested() == []


def test_files_that_vanish_while_they_are_fetched_are_an_error_not_a_crash(
    mirror, tmp_path, monkeypatch
):
    monkeypatch.setattr(datasets, "fetch", lambda *_: [])
    with pytest.raises(DatasetError, match="mnist: files vanished while they were being read"):
        datasets.load("mnist", tmp_path)


# A dataset known by the sums of its .gz files.


def test_the_sums_of_unpacked_files_are_recorded(kmnist, tmp_path):
    assert datasets.fetch("kmnist", tmp_path) == list(FILES)
    content = cached(tmp_path, "kmnist")
    sums = content.pop("SHA256SUMS").decode()
    assert content == kmnist.contents
    assert sums == "".join(f"{sha256(kmnist.contents[file])}  {file}\n" for file in FILES)


def test_a_process_that_reads_while_another_fetches_never_sees_a_file_without_its_sum(
    kmnist, tmp_path, monkeypatch
):
    sums, write = tmp_path / "kmnist" / "SHA256SUMS", datasets.atomic_write

    def watched(path):
        assert path == sums or path.name in sums.read_text()
        return write(path)

    monkeypatch.setattr(datasets, "atomic_write", watched)
    assert datasets.fetch("kmnist", tmp_path) == list(FILES)


def test_recorded_sums_spare_a_second_download(kmnist, tmp_path):
    datasets.load("kmnist", tmp_path)
    requests = len(kmnist.requested())
    loaded = datasets.load("kmnist", tmp_path)
    assert datasets.fetch("kmnist", tmp_path) == []
    assert loaded.name == "kmnist"
    assert requests == len(kmnist.requested()) == 4


def test_recorded_sums_betray_damage_which_fetch_mends(kmnist, tmp_path):
    datasets.fetch("kmnist", tmp_path)
    path = tmp_path / "kmnist" / FILES[2]
    path.write_bytes(kmnist.contents[FILES[2]][:-1] + b"?")
    with pytest.raises(DatasetError, match=r"corrupt .*dlcli data fetch kmnist") as refusal:
        datasets.load("kmnist", tmp_path)
    assert str(path) in str(refusal.value)
    assert datasets.fetch("kmnist", tmp_path) == [FILES[2]]
    assert datasets.load("kmnist", tmp_path).checksum
    assert (tmp_path / "kmnist" / "SHA256SUMS").read_text().count("\n") == 4


@pytest.mark.parametrize("sums", [None, b"", b"no sums at all\n"])
def test_without_recorded_sums_no_file_is_trusted(kmnist, tmp_path, sums):
    datasets.fetch("kmnist", tmp_path)
    path = tmp_path / "kmnist" / "SHA256SUMS"
    path.unlink() if sums is None else path.write_bytes(sums)
    with pytest.raises(DatasetError, match="corrupt"):
        datasets.load("kmnist", tmp_path)
    assert datasets.fetch("kmnist", tmp_path) == list(FILES)
    datasets.load("kmnist", tmp_path)


def test_recorded_sums_that_cannot_be_read_are_named(kmnist, tmp_path):
    datasets.fetch("kmnist", tmp_path)
    (tmp_path / "kmnist" / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"SHA256SUMS: cannot be read: "):
        datasets.load("kmnist", tmp_path)


def test_recompressed_files_are_not_taken_for_the_published_ones(
    kmnist, httpserver, tmp_path, monkeypatch
):
    recompressed = gzip.compress(kmnist.contents[FILES[0]], compresslevel=1)
    httpserver.expect_request(f"/other/{FILES[0]}.gz").respond_with_data(recompressed)
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/other"))
    datasets.fetch("kmnist", tmp_path)
    assert kmnist.requested()[:2] == [f"/other/{FILES[0]}.gz", f"/good/{FILES[0]}.gz"]
    assert cached(tmp_path, "kmnist").items() > kmnist.contents.items()


def test_gz_files_are_imported_by_their_own_sums(kmnist, tmp_path):
    folder = write_folder(tmp_path / "usb", kmnist.contents, suffix=".gz")
    datasets.import_folder("kmnist", folder, tmp_path / "data")
    datasets.load("kmnist", tmp_path / "data")
    assert kmnist.requested() == []


def test_raw_files_of_it_are_refused_with_the_reason(kmnist, tmp_path):
    folder = write_folder(tmp_path / "usb", kmnist.contents)
    with pytest.raises(DatasetError) as refusal:
        datasets.import_folder("kmnist", folder, tmp_path / "data")
    assert str(refusal.value).startswith(
        f"{folder / FILES[0]}: not the file of kmnist: not gzipped, and only the SHA-256 of its "
        ".gz file is known"
    )
    assert not (tmp_path / "data").exists()


# Import.


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_carried_in_by_hand_becomes_the_cache(mirror, tmp_path, suffix):
    folder = write_folder(tmp_path / "usb", mirror.contents, suffix=suffix)
    paths = datasets.import_folder("mnist", folder, tmp_path / "data")
    assert paths == [folder / f"{file}{suffix}" for file in FILES]
    assert cached(tmp_path / "data") == mirror.contents
    datasets.load("mnist", tmp_path / "data")
    assert mirror.requested() == []


def test_raw_and_gzipped_files_may_be_mixed(mirror, tmp_path):
    folder = write_folder(tmp_path / "usb", mirror.contents, suffix=".gz")
    (folder / f"{FILES[1]}.gz").unlink()
    (folder / FILES[1]).write_bytes(mirror.contents[FILES[1]])
    datasets.import_folder("mnist", folder, tmp_path / "data")
    assert cached(tmp_path / "data") == mirror.contents


def test_an_import_mends_a_damaged_cache(mirror, cache, tmp_path):
    (cache / "mnist" / FILES[0]).write_bytes(b"nonsense")
    folder = write_folder(tmp_path / "usb", mirror.contents)
    datasets.import_folder("mnist", folder, cache)
    assert cached(cache) == mirror.contents


@pytest.mark.parametrize("file", FILES)
def test_an_import_with_a_file_missing_changes_nothing(mirror, tmp_path, file):
    folder = write_folder(tmp_path / "usb", mirror.contents)
    (folder / file).unlink()
    with pytest.raises(DatasetError) as refusal:
        datasets.import_folder("mnist", folder, tmp_path / "data")
    assert str(refusal.value) == f"{folder}: holds no {file} (or {file}.gz)"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("file", FILES)
def test_an_import_with_a_wrong_file_changes_nothing_and_says_how_to_use_it(
    mirror, tmp_path, file, make_idx_folder
):
    folder = write_folder(tmp_path / "usb", mirror.contents)
    other = make_idx_folder(tmp_path / "other", train=30, test=10, seed=1)
    (folder / file).write_bytes((other / file).read_bytes())
    with pytest.raises(DatasetError) as refusal:
        datasets.import_folder("mnist", folder, tmp_path / "data")
    text = str(refusal.value)
    assert text.startswith(f"{folder / file}: not the file of mnist: wrong content (SHA-256 ")
    assert text.endswith(f"--set dataset={folder}")
    assert not (tmp_path / "data").exists()


def test_an_import_from_nowhere_is_refused(mirror, tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        datasets.import_folder("mnist", tmp_path / "nowhere", tmp_path / "data")


# Folders and splits.


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files_is_a_dataset(mirror, tmp_path, suffix):
    folder = write_folder(tmp_path / "mine", mirror.contents, suffix=suffix)
    loaded = datasets.load(str(folder))
    assert loaded.name == str(folder)
    assert (len(loaded.train), len(loaded.test)) == (60, 20)
    assert mirror.requested() == []


@pytest.mark.parametrize(("images", "labels"), [(FILES[0], FILES[1]), (FILES[2], FILES[3])])
def test_as_many_labels_as_images_are_needed(tiny, images, labels):
    (tiny / labels).write_bytes(idx.serialize(np.zeros(7, np.uint8)))
    count = 60 if images.startswith("train") else 20
    with pytest.raises(DatasetError) as refusal:
        datasets.load(str(tiny))
    assert str(refusal.value) == (
        f"{tiny / images}: {count} images, but 7 labels in {tiny / labels}"
    )


@pytest.mark.parametrize("file", FILES)
def test_the_checksum_changes_with_every_files_content(tiny, file):
    before = datasets.load(str(tiny)).checksum
    assert datasets.load(str(tiny)).checksum == before
    content = (tiny / file).read_bytes()
    (tiny / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert datasets.load(str(tiny)).checksum != before


def test_the_checksum_is_that_of_the_content_not_of_its_packing_or_place(mirror, tmp_path):
    raw = write_folder(tmp_path / "raw", mirror.contents)
    packed = write_folder(tmp_path / "packed", mirror.contents, suffix=".gz")
    assert datasets.load(str(raw)).checksum == datasets.load(str(packed)).checksum


def numbered(count):
    """Examples that tell their number: image i holds i in its first two pixels."""
    images = np.zeros((count, 784), np.uint8)
    images[:, :2] = [struct.unpack("BB", struct.pack(">H", i)) for i in range(count)]
    return Examples(images, (np.arange(count) % 10).astype(np.uint8))


def numbers(examples):
    return (examples.images[:, 0].astype(int) * 256 + examples.images[:, 1]).tolist()


@pytest.mark.parametrize(
    ("size", "count"),
    [(0, 0), (0.1, 60), (0.25, 150), (0.9, 540), (0.001, 1), (1, 1), (100, 100), (599, 599)],
)
def test_the_validation_size_is_a_count_or_below_1_a_share(size, count):
    train, validation = split_validation(numbered(600), size, seed=1)
    assert (len(train), len(validation)) == (600 - count, count)


@given(size=st.integers(0, 299) | st.floats(0, 0.99), seed=st.integers(0, 2**32))
def test_a_split_loses_and_repeats_nothing_and_keeps_labels_and_order(size, seed):
    whole = numbered(300)
    parts = split_validation(whole, size, seed)
    assert sorted(numbers(parts[0]) + numbers(parts[1])) == list(range(300))
    for part in parts:
        assert numbers(part) == sorted(numbers(part))
        assert part.labels.tolist() == [number % 10 for number in numbers(part)]


def test_the_seed_alone_decides_the_split():
    first, again, other = (numbers(split_validation(numbered(600), 60, s)[1]) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_split_is_drawn_from_everywhere():
    _, validation = split_validation(numbered(600), 0.5, seed=0)
    first_half = sum(number < 300 for number in numbers(validation))
    assert 100 < first_half < 200


@pytest.mark.parametrize("size", [600, 601, 1_000_000, 0.9999])
def test_a_split_that_leaves_nothing_to_learn_from_is_refused(size):
    with pytest.raises(ConfigError) as refusal:
        split_validation(numbered(600), size, seed=1)
    assert str(refusal.value) == (
        f"validation_size {size:g}: nothing would be left to learn from; "
        "there are 600 training images"
    )


# Broken datasets, given to `dlcli train`.


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def pack(path, change):
    """Replace a file by its gzipped, changed self."""
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
    "not one image": (
        TRAIN_IMAGES,
        lambda path: path.write_bytes(idx.serialize(np.zeros((0, 28, 28), np.uint8))),
    ),
    "not one label": (
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
    "more than gzip": (TEST_LABELS, lambda path: pack(path, lambda zipped: zipped + b"\0\0")),
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
def test_a_dataset_that_is_no_folder_is_one_clear_error_and_no_run(name, dlcli, workdir):
    (workdir / "a-file").write_bytes(b"")
    result = dlcli("train", "--set", f"dataset={name}")
    assert_refused(result, f"{name.removeprefix('./')}: no such folder of IDX files", workdir)


def test_a_validation_size_that_leaves_nothing_is_one_clear_error_and_no_run(tiny, dlcli, workdir):
    result = dlcli("train", "--set", f"dataset={tiny}", "--set", "validation_size=60")
    assert result.code == 2
    assert result.stderr.startswith("Error: validation_size 60: nothing would be left")
    assert result.stderr.count("\n") == 1
    assert not (workdir / "runs").exists()
