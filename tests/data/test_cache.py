"""The cache is complete, verified and repairable, and imports are verified."""

import errno
import fcntl
import gzip
import pickle
from dataclasses import replace

import pytest

from dlcli import files
from dlcli.data import cache, datasets, idx
from dlcli.data.registry import DATASETS, FILES, Checksum, sha256
from dlcli.errors import DatasetError


def write_folder(folder, contents, *, suffix=""):
    folder.mkdir()
    for file, content in contents.items():
        (folder / f"{file}{suffix}").write_bytes(idx.compress(content) if suffix else content)
    return folder


def cached(data_dir, name="mnist"):
    return {path.name: path.read_bytes() for path in (data_dir / name).iterdir()}


@pytest.fixture
def data_dir(mirror, tmp_path):
    """A data folder with a good copy of the mirror's dataset, made without a request."""
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "data" / "mnist", mirror.contents)
    return tmp_path / "data"


@pytest.fixture
def kmnist(mirror, monkeypatch):
    """The mirror's dataset, known as kmnist by the sums of its .gz files alone."""
    checksums = {
        file: Checksum(sha256(idx.compress(content)), "gz")
        for file, content in mirror.contents.items()
    }
    known = replace(DATASETS["kmnist"], mirrors=(mirror.url,), checksums=checksums)
    monkeypatch.setitem(DATASETS, "kmnist", known)
    return mirror


def test_loading_downloads_missing_files(mirror, tmp_path):
    loaded = datasets.load("mnist", tmp_path)
    assert (len(loaded.train), len(loaded.test)) == (60, 20)
    assert idx.serialize(loaded.train.images.reshape(-1, 28, 28)) == mirror.contents[FILES[0]]
    assert idx.serialize(loaded.train.labels) == mirror.contents[FILES[1]]
    assert idx.serialize(loaded.test.images.reshape(-1, 28, 28)) == mirror.contents[FILES[2]]
    assert idx.serialize(loaded.test.labels) == mirror.contents[FILES[3]]
    assert cached(tmp_path) == mirror.contents


def test_good_files_are_not_requested_again(mirror, data_dir):
    assert cache.fetch("mnist", data_dir) == []
    datasets.load("mnist", data_dir)
    assert mirror.requested() == []


def test_nothing_is_written_to_a_good_cache_not_even_a_lock(data_dir):
    datasets.load("mnist", data_dir)
    assert cache.fetch("mnist", data_dir) == []
    assert [path.name for path in data_dir.iterdir()] == ["mnist"]


@pytest.mark.parametrize("file", FILES)
def test_only_the_missing_file_is_downloaded(mirror, data_dir, file):
    (data_dir / "mnist" / file).unlink()
    assert cache.faults("mnist", data_dir)[file] == "missing"
    datasets.load("mnist", data_dir)
    assert mirror.requested() == [f"/good/{file}.gz"]
    assert cached(data_dir) == mirror.contents


DAMAGES = {
    "a flipped bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "a byte missing": lambda content: content[:-1],
    "a byte too many": lambda content: content + b"\0",
    "nothing left": lambda _content: b"",
    "a web page": lambda _content: b"<html>Please sign in</html>",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("file", FILES[::3])
def test_load_reports_a_damaged_file_and_fetch_repairs_it(mirror, data_dir, file, damage):
    path = data_dir / "mnist" / file
    path.write_bytes(damage(mirror.contents[file]))
    with pytest.raises(DatasetError) as refusal:
        datasets.load("mnist", data_dir)
    assert str(refusal.value) == (
        f"{path}: corrupt (wrong SHA-256); "
        f"repair it with: dlcli data fetch mnist --data-dir {data_dir}"
    )
    assert mirror.requested() == []

    assert cache.fetch("mnist", data_dir) == [file]
    assert mirror.requested() == [f"/good/{file}.gz"]
    assert cached(data_dir) == mirror.contents
    assert set(cache.faults("mnist", data_dir).values()) == {None}


def test_the_command_line_reports_a_damaged_file_with_exit_code_3(mirror, data_dir, dlcli):
    (data_dir / "mnist" / FILES[1]).write_bytes(b"nonsense")
    result = dlcli("train", "--set", "dataset=mnist")
    assert (result.code, result.stdout) == (3, "")
    assert f"data/mnist/{FILES[1]}: corrupt" in result.stderr
    assert "dlcli data fetch mnist" in result.stderr


@pytest.mark.parametrize("how", ["fetch", "import"])
def test_temporary_files_of_killed_processes_are_removed(mirror, data_dir, tmp_path, how):
    (data_dir / "mnist" / f".{FILES[0]}.7.tmp").write_bytes(b"incomplete")
    if how == "fetch":
        assert cache.fetch("mnist", data_dir) == []
    else:
        cache.import_folder("mnist", data_dir / "mnist", data_dir)
    assert cached(data_dir) == mirror.contents


def test_without_locks_the_temporary_files_of_other_processes_stay(mirror, data_dir, monkeypatch):
    """They may be alive, and downloading the same file."""

    def missing(_descriptor, _operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", missing)
    theirs = data_dir / "mnist" / f".{FILES[0]}.7.tmp"
    theirs.write_bytes(b"incomplete")
    (data_dir / "mnist" / FILES[0]).unlink()
    assert cache.fetch("mnist", data_dir) == [FILES[0]]
    assert theirs.read_bytes() == b"incomplete"


def test_a_truncated_gzip_file_in_the_cache_is_a_fault(mirror, data_dir):
    zipped = idx.compress(mirror.contents[FILES[0]])
    (data_dir / "mnist" / FILES[0]).write_bytes(zipped[:1000])
    assert cache.faults("mnist", data_dir)[FILES[0]] == "truncated gzip file"
    with pytest.raises(DatasetError, match=f"{FILES[0]}: truncated gzip file"):
        datasets.load("mnist", data_dir)
    assert cache.fetch("mnist", data_dir) == [FILES[0]]


def test_the_cache_may_contain_gzipped_files(mirror, data_dir):
    for file, content in mirror.contents.items():
        (data_dir / "mnist" / file).write_bytes(idx.compress(content))
    datasets.load("mnist", data_dir)
    assert mirror.requested() == []


def test_files_that_disappear_after_the_download_are_an_error(mirror, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "fetch", lambda *_: [])
    with pytest.raises(DatasetError, match="mnist: files disappeared while they were being read"):
        datasets.load("mnist", tmp_path)


# A dataset known by the sums of its .gz files.


def test_the_sums_of_unpacked_files_are_recorded(kmnist, tmp_path):
    assert cache.fetch("kmnist", tmp_path) == list(FILES)
    content = cached(tmp_path, "kmnist")
    sums = content.pop("SHA256SUMS").decode()
    assert content == kmnist.contents
    assert sums == "".join(f"{sha256(kmnist.contents[file])}  {file}\n" for file in FILES)


def test_the_sum_of_a_file_is_recorded_before_the_file_is_written(kmnist, tmp_path, monkeypatch):
    sums, write = tmp_path / "kmnist" / "SHA256SUMS", files.atomic_write

    def watched(path):
        assert path == sums or path.name in sums.read_text()
        return write(path)

    monkeypatch.setattr(cache, "atomic_write", watched)
    assert cache.fetch("kmnist", tmp_path) == list(FILES)


def test_recorded_sums_make_a_second_download_unnecessary(kmnist, tmp_path):
    datasets.load("kmnist", tmp_path)
    requests = len(kmnist.requested())
    loaded = datasets.load("kmnist", tmp_path)
    assert cache.fetch("kmnist", tmp_path) == []
    assert loaded.name == "kmnist"
    assert requests == len(kmnist.requested()) == 4


def test_recorded_sums_reveal_damage_and_fetch_repairs_it(kmnist, tmp_path):
    cache.fetch("kmnist", tmp_path)
    path = tmp_path / "kmnist" / FILES[2]
    path.write_bytes(kmnist.contents[FILES[2]][:-1] + b"?")
    with pytest.raises(DatasetError, match=r"corrupt .*dlcli data fetch kmnist") as refusal:
        datasets.load("kmnist", tmp_path)
    assert str(path) in str(refusal.value)
    assert cache.fetch("kmnist", tmp_path) == [FILES[2]]
    assert datasets.load("kmnist", tmp_path).checksum
    assert (tmp_path / "kmnist" / "SHA256SUMS").read_text().count("\n") == 4


@pytest.mark.parametrize("sums", [None, b"", b"no sums at all\n"])
def test_without_recorded_sums_no_file_is_trusted(kmnist, tmp_path, sums):
    cache.fetch("kmnist", tmp_path)
    path = tmp_path / "kmnist" / "SHA256SUMS"
    path.unlink() if sums is None else path.write_bytes(sums)
    with pytest.raises(DatasetError, match="corrupt"):
        datasets.load("kmnist", tmp_path)
    assert cache.fetch("kmnist", tmp_path) == list(FILES)
    datasets.load("kmnist", tmp_path)


def test_an_error_names_the_recorded_sums_that_cannot_be_read(kmnist, tmp_path):
    cache.fetch("kmnist", tmp_path)
    (tmp_path / "kmnist" / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"SHA256SUMS: cannot be read: "):
        datasets.load("kmnist", tmp_path)


def test_files_compressed_again_are_not_accepted_as_the_published_ones(
    kmnist, httpserver, tmp_path, monkeypatch
):
    recompressed = gzip.compress(kmnist.contents[FILES[0]], compresslevel=1)
    httpserver.expect_request(f"/other/{FILES[0]}.gz").respond_with_data(recompressed)
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/other"))
    cache.fetch("kmnist", tmp_path)
    assert kmnist.requested()[:2] == [f"/other/{FILES[0]}.gz", f"/good/{FILES[0]}.gz"]
    assert cached(tmp_path, "kmnist").items() > kmnist.contents.items()


def test_gz_files_are_imported_by_their_own_sums(kmnist, tmp_path):
    folder = write_folder(tmp_path / "usb", kmnist.contents, suffix=".gz")
    cache.import_folder("kmnist", folder, tmp_path / "data")
    datasets.load("kmnist", tmp_path / "data")
    assert kmnist.requested() == []


def test_raw_files_cannot_be_imported_by_gz_sums(kmnist, tmp_path):
    folder = write_folder(tmp_path / "usb", kmnist.contents)
    with pytest.raises(DatasetError) as refusal:
        cache.import_folder("kmnist", folder, tmp_path / "data")
    assert str(refusal.value).startswith(
        f"{folder / FILES[0]}: not the file of kmnist: not gzipped, and only the SHA-256 of its "
        ".gz file is known"
    )
    assert not (tmp_path / "data").exists()


# Import.


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_imported_folder_becomes_the_cache(mirror, tmp_path, suffix):
    folder = write_folder(tmp_path / "usb", mirror.contents, suffix=suffix)
    paths = cache.import_folder("mnist", folder, tmp_path / "data")
    assert paths == [folder / f"{file}{suffix}" for file in FILES]
    assert cached(tmp_path / "data") == mirror.contents
    datasets.load("mnist", tmp_path / "data")
    assert mirror.requested() == []


def test_an_import_takes_the_other_names_that_mnist_goes_around_by(mirror, tmp_path):
    folder = write_folder(tmp_path / "usb", mirror.contents)
    for file in FILES:
        (folder / file).rename(folder / file.replace("-idx", ".idx"))
    cache.import_folder("mnist", folder, tmp_path / "data")
    assert cached(tmp_path / "data") == mirror.contents


def test_an_import_may_mix_raw_and_gzipped_files(mirror, tmp_path):
    folder = write_folder(tmp_path / "usb", mirror.contents, suffix=".gz")
    (folder / f"{FILES[1]}.gz").unlink()
    (folder / FILES[1]).write_bytes(mirror.contents[FILES[1]])
    cache.import_folder("mnist", folder, tmp_path / "data")
    assert cached(tmp_path / "data") == mirror.contents


def test_an_import_repairs_a_damaged_cache(mirror, data_dir, tmp_path):
    (data_dir / "mnist" / FILES[0]).write_bytes(b"nonsense")
    folder = write_folder(tmp_path / "usb", mirror.contents)
    cache.import_folder("mnist", folder, data_dir)
    assert cached(data_dir) == mirror.contents


@pytest.mark.parametrize("file", FILES)
def test_an_import_without_one_of_the_files_changes_nothing(mirror, tmp_path, file):
    folder = write_folder(tmp_path / "usb", mirror.contents)
    (folder / file).unlink()
    with pytest.raises(DatasetError) as refusal:
        cache.import_folder("mnist", folder, tmp_path / "data")
    assert str(refusal.value) == f"{folder}: contains no {file} (or {file}.gz)"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("file", FILES)
def test_an_import_with_a_wrong_file_changes_nothing_and_says_how_to_train_on_it(
    mirror, tmp_path, file, make_idx_folder
):
    folder = write_folder(tmp_path / "usb", mirror.contents)
    other = make_idx_folder(tmp_path / "other", train=30, test=10, seed=1)
    (folder / file).write_bytes((other / file).read_bytes())
    with pytest.raises(DatasetError) as refusal:
        cache.import_folder("mnist", folder, tmp_path / "data")
    text = str(refusal.value)
    assert text.startswith(f"{folder / file}: not the file of mnist: wrong content (SHA-256 ")
    assert text.endswith(f"--set dataset={folder}")
    assert not (tmp_path / "data").exists()


def test_an_import_from_a_missing_folder_is_refused(mirror, tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        cache.import_folder("mnist", tmp_path / "nowhere", tmp_path / "data")


def test_an_error_of_a_mirror_keeps_its_message_between_processes():
    sent = pickle.dumps(cache.UnavailableError("mnist", "no mirror", "try again"))
    error = pickle.loads(sent)  # noqa: S301 - it was written just now
    assert (error.name, error.args) == ("mnist", ("no mirror", "try again"))
