"""Run directories: their files and names, the lock while one is trained in, the link ``latest``."""

import errno
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dlcli.errors import CheckpointError, ConfigError, DivergenceError
from dlcli.files import (
    DEFAULT_RUNS_DIR,
    IS_WINDOWS,
    flush_folder,
    has_locks,
    lock,
    make_folder,
    open_file,
    quoted,
    remove_temporary_files,
    temporary_path,
)

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
BEST = "best.npz"  # the epoch to keep, for use
LAST = "last.npz"  # the latest epoch, with all that training needs to resume
SUMMARY = "summary.json"  # exists as soon as the run is finished
FILM = "film.npz"  # how the first layer's weights and the confusion matrix changed
DIVERGED = "diverged.txt"  # why, if training diverged
EVENTS = "events.out.tfevents.*"  # TensorBoard's
LOCK = ".lock"

FIRST_FILES = (CONFIG, LAST, LOCK)
"""At least one of these is in every run directory."""

LATEST = "latest"  # beside run directories: a link to the one that was trained last

_OTHER_MEANING = (LATEST, "pretrained")  # as names of models they stand for something else
_MAX_REASON_BYTES = 1_000
_MAX_NAME_BYTES = 200
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{,99}")
# What making a link says where there are none (vfat, exFAT, some network drives).
_HAS_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def create(runs_dir: Path, name: str | None, stem: str) -> Path:
    """Create a run directory, never reusing one in which anything was saved.

    Without a ``name`` it is named after the time (UTC) and ``stem``.

    Raises
    ------
    ConfigError
        The name is taken, or is not a plain name; or ``runs_dir`` is a file.
    """
    if name is None:
        make_runs_dir(runs_dir)
        return create_numbered(runs_dir, f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{stem}")
    check_name(name)
    make_runs_dir(runs_dir)
    path = runs_dir / name
    try:
        path.mkdir()
    except FileExistsError as error:
        if not _is_abandoned(path):
            raise _taken(path) from error
    return path


def make_runs_dir(runs_dir: Path) -> None:
    """Make the folder that runs are written into; raise ``ConfigError`` where a file is."""
    try:
        make_folder(runs_dir)
    except NotADirectoryError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error


def create_numbered(folder: Path, name: str) -> Path:
    """Create a directory ``name`` in ``folder``; if that is taken, ``name-2`` and so on."""
    for number in itertools.count(1):
        path = folder / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("numbers never end")


def check_name(name: str) -> None:
    """Raise ``ConfigError`` for a name that is not a plain name, such as ``../x``."""
    if not _PLAIN_NAME.fullmatch(name) or name in _OTHER_MEANING:
        raise ConfigError(
            f"--name {name!r:.110}: use up to 100 letters, digits, '.', '_' and '-' "
            f"(and not {' or '.join(map(repr, _OTHER_MEANING))})"
        )


def refuse_as_study(folder: Path) -> None:
    """Raise ``ConfigError`` for a folder that cannot hold the runs of a search."""
    if folder.name in _OTHER_MEANING or folder.is_symlink() or is_run(folder):
        raise ConfigError(
            f"--study {folder.name}: {folder} is or stands for a run; choose another --study"
        )
    if folder.exists() and not folder.is_dir():
        raise ConfigError(
            f"--study {folder.name}: {folder} is a file, not a folder; choose another --study"
        )


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes from training in a run directory; raise ``ConfigError`` if one does.

    A ``.lock`` that was copied with the run locks nothing. On a file system without locks, nothing
    does: see :func:`lock_warning`.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(lock(path / LOCK, wait=False))
        except TimeoutError as error:
            raise ConfigError(f"{path}: another process is training in it") from error
        yield


def lock_warning(path: Path) -> str | None:
    """What to tell the user if nothing can keep two processes from training in a run directory."""
    if has_locks(path / LOCK):
        return None
    return f"{path}: this file system has no locks; do not train in this run twice at once"


def find(path: Path) -> Path:
    """The run directory that the user named, directly or by a link; else ``CheckpointError``."""
    path = follow_link(path)
    if path.is_file() and is_run(path.parent):
        meant = quoted(path.parent)
        raise CheckpointError(f"{path}: a file, not a run directory; did you mean {meant}?")
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such run directory{did_you_mean(path)}")
    if not any((path / name).exists() for name in FIRST_FILES):
        raise CheckpointError(f"{path}: not a run directory; it has neither {CONFIG} nor {LAST}")
    return path


def is_run(path: Path) -> bool:
    """Whether a folder has files of a run."""
    return any(os.path.isfile(path / name) for name in (CONFIG, BEST, LAST))  # noqa: PTH113 - never raises


def did_you_mean(path: Path) -> str:
    """A hint at the run of this name in the usual folder, if there is one."""
    run = DEFAULT_RUNS_DIR / path
    return f"; did you mean {quoted(run)}?" if is_run(run) else ""


def entries(runs_dir: Path) -> list[Path]:
    """What is in a folder of runs; nothing if there is no such folder.

    Temporary names are left out: a run that is being removed has one.
    """
    try:
        return [path for path in runs_dir.iterdir() if not _is_temporary(path)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix == ".tmp"


def has_runs(runs_dir: Path) -> bool:
    """Whether a folder has anything of a run, finished or not, or of a search."""
    return any(
        path.name == LATEST or is_run(path) or any(path.glob(f"*/{CONFIG}"))
        for path in entries(runs_dir)
    )


def follow_link(run: Path) -> Path:
    """The run directory itself, where ``run`` is a link to it (``runs/latest``).

    What is printed about a run, or written into it, must not change when the link does. Where
    links cannot be made, ``latest`` is a file with the name of the run.
    """
    if os.path.islink(run):  # noqa: PTH114 - never raises
        return run.parent / run.readlink()
    if run.name != LATEST or not os.path.isfile(run):  # noqa: PTH113 - never raises
        return run
    with open_file(run) as file:
        name = file.read(_MAX_NAME_BYTES).decode(errors="replace").strip()
    return run.parent / name if _PLAIN_NAME.fullmatch(name) else run


class LatestLink:
    """The link ``latest`` beside a run, to be made as soon as an epoch is saved."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._is_made = self._has_warned = False

    def make(self) -> str | None:
        """Make the link if it is not made yet; return a warning the first time this fails."""
        if self._is_made:
            return None
        try:
            point_latest_to(self._run)
        except OSError as error:
            if self._has_warned:
                return None
            self._has_warned = True
            link = self._run.parent / LATEST
            return f"{link}: cannot be made a link to the run: {error.strerror}"
        self._is_made = True
        return None


def point_latest_to(run: Path) -> None:
    """Make ``latest`` beside the run a link to it, in one step; see :func:`follow_link`.

    The link is created inside the run directory and moved out of it, because what a crash
    leaves there is removed when the run is resumed.
    """
    run = run.resolve()  # a relative path such as "." has neither name nor parent
    temporary = temporary_path(run / LATEST)
    _write_link(temporary, run.name)
    try:
        temporary.replace(run.parent / LATEST)
    except OSError:
        temporary.unlink()
        raise
    flush_folder(run.parent)


def _write_link(path: Path, name: str) -> None:
    if not IS_WINDOWS:  # where links need a privilege, and one to a folder cannot be replaced
        try:
            path.symlink_to(name, target_is_directory=True)
        except OSError as error:
            if error.errno not in _HAS_NO_LINKS:
                raise
        else:
            return
    path.write_text(f"{name}\n", encoding="utf-8")


def why_diverged(run: Path) -> DivergenceError | None:
    """The error of training when it diverged in this run; None if it did not."""
    try:
        with open_file(run / DIVERGED) as file:
            lines = file.read(_MAX_REASON_BYTES).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    reason, setting, *_ = [*lines, "", ""]  # older files have no second line
    return DivergenceError(reason, setting)


def refuse_taken(path: Path) -> None:
    """Raise ``ConfigError`` for a run directory in which anything was saved."""
    if (path / LAST).exists():
        raise _taken(path)


def clean_up(path: Path) -> None:
    """Remove what killed processes left in a run directory; the caller has locked it."""
    if not has_locks(path / LOCK):
        return  # another process may be writing these files
    remove_temporary_files(path, (CONFIG, METRICS, FILM, BEST, LAST, SUMMARY, DIVERGED, LATEST))


def _is_abandoned(path: Path) -> bool:
    """Whether this run directory was created by a process that stopped before saving anything."""
    if path.is_symlink() or not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir() if entry.suffix != ".tmp"}
    return not names or (LOCK in names and names <= {LOCK, CONFIG, FILM})


def _taken(path: Path) -> ConfigError:
    resume = f", or resume it: dlcli train --resume {quoted(path)}" if is_run(path) else ""
    return ConfigError(f"{path}: exists already; choose another --name{resume}")
