"""Files appear whole or not at all, and never by overwriting."""

import os
import stat
from pathlib import Path

import pytest

from dlcli.errors import ConfigError
from dlcli.files import (
    atomic_write,
    flush_folder,
    make_folder,
    refuse_to_overwrite,
    remove_temporary_files,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def umask():
    """Set the process's umask for the length of a test."""
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


def test_a_new_file_has_the_content_and_no_company(tmp_path):
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"first ")
        file.write(b"second")
    assert (tmp_path / "model.npz").read_bytes() == b"first second"
    assert names_in(tmp_path) == ["model.npz"]


def test_until_the_block_ends_the_old_file_is_there(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_until_the_block_ends_a_new_file_is_not_there(tmp_path):
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
        file.flush()
        assert not (tmp_path / "model.npz").exists()


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_when_the_block_raises_all_is_as_it_was(tmp_path, error, old):
    path = tmp_path / "model.npz"
    if old is not None:
        path.write_bytes(old)
    before = names_in(tmp_path)

    def fail():
        with atomic_write(path) as file:
            file.write(b"half of the ne")
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(tmp_path) == before
    if old is not None:
        assert path.read_bytes() == old


def test_when_the_disk_fails_at_the_last_moment_all_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["model.npz"]


def test_an_error_that_names_no_file_is_given_its_name(tmp_path, monkeypatch):
    def fails(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input") as error, atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert error.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError, match="Input") as error:
        flush_folder(tmp_path)
    assert error.value.filename == str(tmp_path)


def test_of_two_errors_the_first_is_told(tmp_path, monkeypatch):
    def fails(_path, missing_ok):
        raise PermissionError(13, "Permission denied")

    def write():
        with atomic_write(tmp_path / "a"):
            monkeypatch.setattr(Path, "unlink", fails)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()


def test_folders_are_made_down_from_the_first_missing_one_and_their_names_flushed(
    tmp_path, monkeypatch
):
    flushed = []
    monkeypatch.setattr("dlcli.files.flush_folder", flushed.append)
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_leftovers_of_the_named_files_alone_are_removed(tmp_path):
    for name in (".a.1.tmp", ".a.22.tmp", ".b.1.tmp", "a"):
        (tmp_path / name).touch()
    remove_temporary_files(tmp_path, ["a"])
    assert names_in(tmp_path) == [".b.1.tmp", "a"]


def test_a_folder_is_not_replaced_and_nothing_is_left(tmp_path):
    (tmp_path / "model.npz").mkdir()
    with pytest.raises(OSError, match=r"model\.npz"), atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
    assert names_in(tmp_path) == ["model.npz"]


def test_a_missing_folder_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "missing" / "model.npz"):
        pass
    assert names_in(tmp_path) == []


def test_what_a_killed_process_left_behind_does_no_harm(tmp_path):
    path = tmp_path / "model.npz"
    (tmp_path / f".model.npz.{os.getpid()}.tmp").write_bytes(b"a long remainder of an older try")
    with atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["model.npz"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_are_those_the_umask_grants(tmp_path, umask, mask, mode):
    umask(mask)
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == mode


def test_content_reaches_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path, monkeypatch
):
    steps = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"flush {kind} of {os.fstat(descriptor).st_size if kind == 'file' else '-'}")
        fsync(descriptor)

    def noted_replace(self, target):
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"content")
    assert steps == ["flush file of 7", "rename", "flush folder of -"]


def test_a_folder_that_vanished_cannot_be_flushed(tmp_path):
    with pytest.raises(FileNotFoundError):
        flush_folder(tmp_path / "missing")


def test_on_windows_folders_are_not_opened(tmp_path, monkeypatch):
    missing = tmp_path / "missing"
    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        assert flush_folder(missing) is None


def test_a_free_path_may_be_written(tmp_path):
    refuse_to_overwrite(tmp_path / "answers.csv", force=False)
    refuse_to_overwrite(tmp_path / "answers.csv", force=True)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_taken_path_is_refused_unless_forced(tmp_path, kind):
    path = tmp_path / "answers.csv"
    if kind == "file":
        path.write_bytes(b"mine")
    else:
        path.mkdir()
    with pytest.raises(ConfigError, match=r"answers\.csv: exists already; add --force"):
        refuse_to_overwrite(path, force=False)
    refuse_to_overwrite(path, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_path_in_a_missing_folder_is_refused_with_the_folders_name(tmp_path, force):
    path = tmp_path / "missing" / "answers.csv"
    with pytest.raises(ConfigError, match=r"the folder .*missing does not exist"):
        refuse_to_overwrite(path, force=force)


def test_an_error_names_the_file_and_not_its_temporary_self(tmp_path):
    path = tmp_path / "missing folder" / "file"
    with pytest.raises(FileNotFoundError) as error, atomic_write(path):
        pass
    assert error.value.filename == str(path)


def test_stdout_is_no_output_file():
    with pytest.raises(ConfigError, match="stdout is for the result"):
        refuse_to_overwrite(Path("-"), force=True)
