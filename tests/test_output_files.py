"""Output files, which the user names: none is overwritten by mistake, and none is half written."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from dlcli import files
from dlcli.errors import ConfigError
from dlcli.files import (
    atomic_write,
    refuse_to_overwrite,
    write_output,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_free_path_may_be_written(tmp_path):
    refuse_to_overwrite(tmp_path / "predictions.csv", force=False)
    refuse_to_overwrite(tmp_path / "predictions.csv", force=True)


def test_an_existing_path_is_refused_unless_forced(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_bytes(b"mine")
    with pytest.raises(ConfigError, match=r"predictions\.csv: exists already; add --force"):
        refuse_to_overwrite(path, force=False)
    refuse_to_overwrite(path, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_never_replaced_by_a_file(tmp_path, force):
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        refuse_to_overwrite(tmp_path, force=force)


@pytest.mark.parametrize("force", [False, True])
def test_a_path_below_a_file_is_refused(tmp_path, force):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"the folder .*file does not exist"):
        refuse_to_overwrite(tmp_path / "file" / "predictions.csv", force=force)


@pytest.mark.parametrize("force", [False, True])
def test_a_link_into_a_missing_folder_is_refused(tmp_path, force):
    (tmp_path / "link").symlink_to("missing/predictions.csv")
    with pytest.raises(ConfigError, match=r"link: the folder .*missing does not exist"):
        refuse_to_overwrite(tmp_path / "link", force=force)


@pytest.mark.parametrize("force", [False, True])
def test_a_path_in_a_missing_folder_is_refused_and_names_the_folder(tmp_path, force):
    path = tmp_path / "missing" / "predictions.csv"
    with pytest.raises(ConfigError, match=r"the folder .*missing does not exist"):
        refuse_to_overwrite(path, force=force)


def test_an_error_names_the_file_not_the_temporary_one(tmp_path):
    path = tmp_path / "missing folder" / "file"
    with pytest.raises(FileNotFoundError) as error, atomic_write(path):
        pass
    assert error.value.filename == str(path)


def test_stdout_is_not_an_output_file():
    with pytest.raises(ConfigError, match="stdout is for the result"):
        refuse_to_overwrite(Path("-"), force=True)


def written(path, content=b"new"):
    """Write to a path, and return the notes."""
    notes: list[str] = []
    with write_output(path, notes.append) as file:
        file.write(content)
    return notes


def test_an_output_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")
    inode = path.stat().st_ino
    assert written(path) == []
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != inode


def test_a_device_is_written_into(tmp_path):
    """A pseudo-terminal; without its help a mistake would cost the machine its /dev/null."""
    ours, theirs = os.openpty()
    device = Path(os.ttyname(theirs))
    (tmp_path / "link").symlink_to(device)
    for path in (device, tmp_path / "link"):
        refuse_to_overwrite(path, force=False)
        assert written(path) == []
        assert os.read(ours, 100) == b"new"
    assert stat.S_ISCHR(device.stat().st_mode)
    assert (tmp_path / "link").is_symlink()
    os.close(ours)
    os.close(theirs)


def test_a_socket_is_written_into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the paths of sockets must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        server.listen()
        refuse_to_overwrite(Path("socket"), force=False)
        assert written(Path("socket")) == []
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100) == b"new"
    assert Path("socket").is_socket()


def test_a_link_to_nothing_gets_its_target(tmp_path):
    (tmp_path / "link").symlink_to("target")
    refuse_to_overwrite(tmp_path / "link", force=False)
    assert written(tmp_path / "link") == []
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "link").readlink() == Path("target")


@pytest.mark.parametrize("error", [errno.EBUSY, errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_file_that_cannot_be_replaced_is_written_in_place(tmp_path, monkeypatch, error):
    path = tmp_path / "plot.png"
    path.write_bytes(b"old and longer")

    def refused(self, _target):
        raise OSError(error, os.strerror(error), str(self))

    monkeypatch.setattr(Path, "replace", refused)
    (note,) = written(path)
    assert "plot.png: could not be replaced" in note
    assert path.read_bytes() == b"new"
    assert names_in(tmp_path) == ["plot.png"]


def test_a_full_disk_is_no_reason_to_write_in_place(tmp_path, monkeypatch):
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        written(path)
    assert path.read_bytes() == b"old"


def test_when_the_work_fails_no_output_appears(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "file"):  # opening the pipe would wait for a reader for ever
        with pytest.raises(ValueError, match="failed"), write_output(tmp_path / name, print):
            raise ValueError("failed")
    assert names_in(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a", "a.txt", "run-1.5", ".csv"])
def test_a_file_may_have_its_own_ending_or_one_that_promises_nothing(name):
    files.refuse_wrong_ending(Path(name), "CSV", ".csv")


@pytest.mark.parametrize("name", ["a.json", "a.HTML", "a.png", "a.npz"])
def test_an_ending_that_promises_another_format_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name}: would hold CSV; name it a.csv"):
        files.refuse_wrong_ending(Path(name), "CSV", ".csv")
