"""Files appear whole or not at all, and locks exclude others."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from dlcli import files
from dlcli.files import (
    atomic_write,
    flush_folder,
    has_locks,
    lock,
    make_folder,
    quoted,
    remove_temporary_files,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def umask():
    """Set the umask of the process for one test."""
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


def test_a_new_file_has_the_content_and_leaves_no_other_file(tmp_path):
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"first ")
        file.write(b"second")
    assert (tmp_path / "model.npz").read_bytes() == b"first second"
    assert names_in(tmp_path) == ["model.npz"]


def test_until_the_block_ends_the_old_file_stays(tmp_path):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_until_the_block_ends_a_new_file_does_not_exist(tmp_path):
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
        file.flush()
        assert not (tmp_path / "model.npz").exists()


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_when_the_block_raises_nothing_changes(tmp_path, error, old):
    path = tmp_path / "model.npz"
    if old is not None:
        path.write_bytes(old)
    before = names_in(tmp_path)

    def fail():
        with atomic_write(path) as file:
            file.write(b"incomplete")
            raise error

    with pytest.raises(error):
        fail()
    assert names_in(tmp_path) == before
    if old is not None:
        assert path.read_bytes() == old


def test_when_the_last_flush_fails_nothing_changes(tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["model.npz"]


def test_an_error_without_a_file_name_gets_it(tmp_path, monkeypatch):
    def fails(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input") as error, atomic_write(tmp_path / "a") as file:
        file.write(b"new")
    assert error.value.filename == str(tmp_path / "a")
    with pytest.raises(OSError, match="Input") as error:
        flush_folder(tmp_path)
    assert error.value.filename == str(tmp_path)


def test_the_first_of_two_errors_is_reported(tmp_path, monkeypatch):
    def fails(_path, missing_ok):
        raise PermissionError(13, "Permission denied")

    def write():
        with atomic_write(tmp_path / "a"):
            monkeypatch.setattr(Path, "unlink", fails)
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write()


def test_missing_folders_are_made_and_their_names_flushed(tmp_path, monkeypatch):
    flushed: list[Path] = []
    monkeypatch.setattr("dlcli.files.flush_folder", flushed.append)
    for _ in range(2):
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file, not a folder"):
        make_folder(tmp_path / "file")


def test_only_temporary_files_of_the_given_names_are_removed(tmp_path):
    for name in (".a.1.tmp", ".a.22.tmp", ".b.1.tmp", "a"):
        (tmp_path / name).touch()
    remove_temporary_files(tmp_path, ["a"])
    assert names_in(tmp_path) == [".b.1.tmp", "a"]


def test_a_folder_is_not_replaced_and_no_temporary_file_stays(tmp_path):
    (tmp_path / "model.npz").mkdir()
    with pytest.raises(OSError, match=r"model\.npz"), atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
    assert names_in(tmp_path) == ["model.npz"]


def test_a_missing_folder_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "missing" / "model.npz"):
        pass
    assert names_in(tmp_path) == []


def test_processes_with_the_same_number_do_not_share_a_temporary_file(tmp_path, monkeypatch):
    """In a container, the first process is always number 1."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    path = tmp_path / "model.npz"
    with atomic_write(path) as ours:
        ours.write(b"ours")
        with atomic_write(path) as theirs:
            theirs.write(b"theirs")
        assert path.read_bytes() == b"theirs"
    assert path.read_bytes() == b"ours"
    assert names_in(tmp_path) == ["model.npz"]


def test_the_temporary_file_of_another_process_is_neither_written_nor_removed(
    tmp_path, monkeypatch
):
    theirs = tmp_path / "theirs.tmp"
    theirs.write_bytes(b"theirs")
    monkeypatch.setattr(files, "temporary_path", lambda _path: theirs)
    with pytest.raises(FileExistsError), atomic_write(tmp_path / "model.npz") as file:
        file.write(b"ours")
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mask, mode):
    umask(mask)
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
    assert stat.S_IMODE((tmp_path / "model.npz").stat().st_mode) == mode


def test_the_content_is_flushed_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, Path.replace

    def recorded_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append(f"flush {kind} of {os.fstat(descriptor).st_size if kind == 'file' else '-'}")
        fsync(descriptor)

    def recorded_replace(self, target):
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"content")
    assert steps == ["flush file of 7", "rename", "flush folder of -"]


def test_flushing_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        flush_folder(tmp_path / "missing")


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_folder_that_cannot_be_flushed_does_not_stop_anything(tmp_path, monkeypatch, error):
    """As on CIFS, vboxsf and some FUSE file systems."""
    fsync = os.fsync

    def refused(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(error, os.strerror(error))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    with atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "model.npz").read_bytes() == b"new"


def test_a_file_that_cannot_be_flushed_is_an_error(tmp_path, monkeypatch):
    def refused(_descriptor):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="Invalid"), atomic_write(tmp_path / "model.npz") as file:
        file.write(b"new")


def test_paths_are_quoted_as_the_shell_of_the_system_reads_them(monkeypatch):
    assert quoted(Path("my runs/a"), "b") == "'my runs/a' b"
    assert quoted(Path("-r/a"), "-r") == "./-r/a -r"
    monkeypatch.setattr(files, "IS_WINDOWS", True)
    assert quoted(r"runs\a") == r"runs\a"
    assert quoted(r"my runs\a", "b") == r'"my runs\a" b'
    assert quoted("", 'a"b', "a&b") == r'"" "a\"b" "a&b"'


def test_on_windows_folders_are_not_flushed(tmp_path, monkeypatch):
    missing = tmp_path / "missing"
    with monkeypatch.context() as patch:
        patch.setattr(files, "IS_WINDOWS", True)
        flush_folder(missing)


def test_a_lock_excludes_others_until_its_block_ends(tmp_path):
    path = tmp_path / ".lock"
    with lock(path), pytest.raises(TimeoutError), lock(path, wait=False):
        pass
    with lock(path, wait=False):
        pass


def test_an_error_names_a_lock_that_cannot_be_opened(tmp_path):
    path = tmp_path / ".lock"
    path.mkdir()
    with pytest.raises(OSError, match=r"\.lock") as error, lock(path):
        pass
    assert error.value.filename == str(path)


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
@pytest.mark.parametrize("wait", [False, True])
def test_on_a_file_system_without_locks_nothing_is_locked(tmp_path, monkeypatch, error, wait):
    """The tests make every warning an error: filelock's must not come."""

    def missing(_descriptor, _operation):
        raise OSError(error, os.strerror(error))

    path = tmp_path / ".lock"
    assert has_locks(path)
    monkeypatch.setattr(fcntl, "flock", missing)
    with lock(path, wait=wait), lock(path, wait=wait):
        assert not has_locks(path)
