"""Run directories are never reused, locked by one process, and linked from ``latest``."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.errors import ConfigError
from dlcli.runs import directory


def test_a_run_directory_is_named_by_time_and_config_and_never_reused(tmp_path):
    paths = [directory.create(tmp_path, None, "mnist") for _ in range(3)]
    assert len(set(paths)) == 3
    assert all(path.is_dir() and "-mnist" in path.name for path in paths)


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", ".hidden", "latest", "pretrained", "a b", "x\n", "-x", ".."]
)
def test_only_plain_names_are_accepted(tmp_path, name):
    with pytest.raises(ConfigError, match="--name"):
        directory.create(tmp_path / "runs", name, "mnist")
    assert not (tmp_path / "runs").exists()


def test_a_name_has_up_to_100_characters(tmp_path):
    assert directory.create(tmp_path, "x" * 100, "any").is_dir()
    with pytest.raises(ConfigError, match="use up to 100 letters"):
        directory.create(tmp_path, "x" * 101, "any")


def test_a_study_is_refused_whose_folder_is_a_run(tmp_path):
    for name in ("run", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / directory.CONFIG).write_text("epochs: 1")
    (tmp_path / "link").symlink_to("other")
    for name in ("run", "link", "latest", "pretrained"):
        with pytest.raises(ConfigError, match=rf"--study {name}: .*; choose another --study"):
            directory.refuse_as_study(tmp_path / name)
    for name in ("other", "new"):
        directory.refuse_as_study(tmp_path / name)


def test_only_a_run_is_to_be_resumed(tmp_path):
    (tmp_path / "study" / "trial-0000").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"exists already; choose another --name$"):
        directory.create(tmp_path, "study", "config")


def test_a_taken_name_is_refused(tmp_path):
    path = directory.create(tmp_path, "mine", "x")
    (path / "last.npz").write_bytes(b"what was saved")
    with pytest.raises(ConfigError, match=r"mine: exists already.*--resume"):
        directory.create(tmp_path, "mine", "x")


@pytest.mark.parametrize("left", [[], [".lock"], [".lock", "config.yaml", ".last.npz.7.tmp"]])
def test_a_name_under_which_nothing_was_saved_may_be_used_again(tmp_path, left):
    path = directory.create(tmp_path, "mine", "x")
    for name in left:
        (path / name).touch()
    assert directory.create(tmp_path, "mine", "x") == path
    directory.refuse_taken(path)


@pytest.mark.parametrize("found", [["config.yaml"], ["notes.txt"], [".lock", "notes.txt"]])
def test_a_folder_with_other_files_is_not_an_abandoned_run(tmp_path, found):
    (tmp_path / "mine").mkdir()
    for name in found:
        (tmp_path / "mine" / name).touch()
    with pytest.raises(ConfigError, match="mine: exists already"):
        directory.create(tmp_path, "mine", "x")


def test_a_file_or_a_link_is_not_an_abandoned_run(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(ConfigError, match=f"{name}: exists already"):
            directory.create(tmp_path, name, "x")


def test_a_run_that_another_process_has_started_meanwhile_is_refused(tmp_path):
    path = directory.create(tmp_path, "mine", "x")
    (path / "last.npz").touch()
    with pytest.raises(ConfigError, match="mine: exists already"):
        directory.refuse_taken(path)


def test_only_temporary_files_of_a_run_are_removed(tmp_path):
    for name in (".last.npz.7.tmp", ".latest.8.tmp", ".mine.9.tmp", "last.npz", "last.npz.tmp"):
        (tmp_path / name).touch()
    (tmp_path / ".latest.10.tmp").symlink_to("gone")
    directory.clean_up(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".mine.9.tmp", "last.npz", "last.npz.tmp"}


def test_latest_is_a_link_that_is_replaced_in_one_step(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
        directory.point_latest_to(tmp_path / name)
        assert (tmp_path / "latest").readlink() == Path(name)
    monkeypatch.chdir(tmp_path / "a")
    directory.point_latest_to(Path())
    assert (tmp_path / "latest").readlink() == Path("a")
    assert directory.find(tmp_path / "latest") == tmp_path / "a"

    def killed(_path, _target):
        assert (tmp_path / "latest").readlink() == Path("a")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        directory.point_latest_to(tmp_path / "b")
    assert (tmp_path / "latest").readlink() == Path("a")


def test_a_run_is_locked_by_one_process(tmp_path):
    other = (
        "import pathlib, sys; from dlcli.runs import directory\n"
        "with directory.locked(pathlib.Path(sys.argv[1])): pass"
    )
    with directory.locked(tmp_path):
        refused = subprocess.run(
            [sys.executable, "-c", other, tmp_path], capture_output=True, text=True
        )
    assert "another process is training in it" in refused.stderr
    assert subprocess.run([sys.executable, "-c", other, tmp_path]).returncode == 0


def test_where_there_are_no_links_latest_is_a_file_with_the_name_of_the_run(tmp_path, monkeypatch):
    def refuse(_path, _target, **_options):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    directory.point_latest_to(tmp_path / "a")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert directory.LatestLink(tmp_path / "b").make() is None
    assert (tmp_path / "latest").read_text() == "b\n"
    assert directory.find(tmp_path / "latest") == tmp_path / "b"
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("content", [b"", b"../a", b"a/b", b"a\nb", b"\xff\xfe", b"x" * 300])
def test_a_file_latest_that_names_no_run_leads_nowhere(tmp_path, content):
    (tmp_path / "latest").write_bytes(content)
    assert directory.follow_link(tmp_path / "latest") == tmp_path / "latest"


def test_the_folder_is_flushed_to_the_disk_once_latest_is_linked(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    flushed = []

    def flush(folder):
        flushed.append(folder)
        assert (folder / "latest").readlink() == Path("a")

    monkeypatch.setattr(directory, "flush_folder", flush)
    directory.point_latest_to(tmp_path / "a")
    assert flushed == [tmp_path]


def test_a_lock_file_that_was_copied_with_a_run_locks_nothing(tmp_path):
    (tmp_path / ".lock").write_text("1\nother-machine\n")
    with directory.locked(tmp_path):
        assert directory.lock_warning(tmp_path) is None


def test_without_locks_a_warning_is_due_and_nothing_of_other_processes_is_removed(
    tmp_path, monkeypatch
):
    def missing(_descriptor, _operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", missing)
    (tmp_path / ".last.npz.7.tmp").touch()
    with directory.locked(tmp_path):
        assert "this file system has no locks" in str(directory.lock_warning(tmp_path))
        directory.clean_up(tmp_path)
    assert (tmp_path / ".last.npz.7.tmp").exists()


def test_a_failed_link_causes_one_warning_and_is_tried_again(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "latest").mkdir()
    link = directory.LatestLink(tmp_path / "a")
    assert "latest: cannot be made a link to the run" in str(link.make())
    assert link.make() is None
    (tmp_path / "latest").rmdir()
    assert link.make() is None
    assert (tmp_path / "latest").readlink() == Path("a")
    (tmp_path / "latest").unlink()
    assert link.make() is None  # it was made, and may be somebody else's business by now
    assert not (tmp_path / "latest").exists()
