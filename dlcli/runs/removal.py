"""Remove run directories."""

import shutil
from contextlib import suppress
from pathlib import Path

from dlcli.errors import CheckpointError
from dlcli.files import IS_WINDOWS, temporary_path
from dlcli.runs import directory, interrupts
from dlcli.runs.directory import BEST, CONFIG, FILM, FIRST_FILES, LAST, LATEST, LOCK, METRICS

# What a run without checkpoints consists of, apart from temporary files.
_WITHOUT_CHECKPOINTS = {CONFIG, FILM, LOCK, METRICS}


def size_bytes(run: Path) -> int:
    """How much disk space the files of a run take."""
    total = 0
    for path in run.rglob("*"):
        with suppress(FileNotFoundError):  # a temporary file of a process that trains in it
            total += 0 if path.is_dir() else path.lstat().st_size
    return total


def refuse_other_folders(run: Path) -> None:
    """Raise ``CheckpointError`` for a folder that holds runs, or anything else that is no run."""
    names = {path.name for path in run.iterdir() if path.suffix != ".tmp"}
    is_run = bool({LAST, BEST} & names) or names <= _WITHOUT_CHECKPOINTS
    if not (is_run and names.intersection(FIRST_FILES)):
        raise CheckpointError(f"{run}: not a run directory, so it is not removed")
    inside = next((path for path in run.glob("*/") if directory.is_run(path)), None)
    if inside is not None:
        raise CheckpointError(f"{run}: holds another run, {inside}, so it is not removed")


def remove(run: Path) -> bool:
    """Remove a run directory, and the link ``latest`` if it leads there; say whether it did.

    The folder is renamed first, so that a run is there as a whole or not at all.

    Raises
    ------
    ConfigError
        A process is training in it.
    """
    run = run.resolve()  # also of "." and of "runs/a/../b"
    latest = run.parent / LATEST
    target = directory.follow_link(latest)
    is_latest = target != latest and target.resolve() == run.resolve()
    doomed = temporary_path(run)
    with interrupts.deferred():  # a part of a run would stay under a hidden name
        with directory.locked(run):
            if not IS_WINDOWS:
                run.rename(doomed)
        if IS_WINDOWS:  # where the lock, which is open in it, would not let it be renamed
            run.rename(doomed)
        if is_latest:
            latest.unlink()
        shutil.rmtree(doomed)
    return is_latest
