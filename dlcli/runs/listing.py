"""The runs in a folder: a row for each, the newest, and which epoch of each is kept."""

import errno
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlcli.errors import CheckpointError, ConfigError
from dlcli.runs import checkpoint, directory, metrics_log
from dlcli.runs import summary as summaries
from dlcli.runs.directory import BEST, CONFIG, DIVERGED, LAST, LATEST, SUMMARY
from dlcli.training import kept_epoch
from dlcli.training.epoch_metrics import EpochRecord

# Nothing is in the place of a file, or something else: a folder, a pipe, a device, a loop of links.
_NO_REGULAR_FILE = {errno.ENOENT, errno.EISDIR, errno.EINVAL, errno.ELOOP}


def list_runs(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """A row for every run, the last trained last: status, epochs, scores of the kept epoch.

    A run that is deleted meanwhile has no row.
    """
    found = []
    for path in directory.entries(runs_dir):
        trained = None if path.is_symlink() else _time_of(path / LAST)
        if trained is not None:
            found.append((trained, path.name, path))
    for _, _, path in sorted(found):
        row = row_of(path)
        if _time_of(path / LAST) is not None:
            yield row


def newest_finished(runs_dir: Path) -> Path | None:
    """The finished run whose training ended last; None if there is none.

    A folder ``latest``, as copying makes of the link, counts if its run is not there itself.
    """
    found = []
    for path in directory.entries(runs_dir):
        if path.is_symlink() or not os.path.isfile(path / BEST):  # noqa: PTH113 - never raises
            continue
        try:
            summary = summaries.read(path)
        except CheckpointError:
            continue
        if summary is not None:
            time = _seconds(summary.finished) or (_time_of(path / SUMMARY) or 0) / 1e9
            found.append((time, path.name != LATEST, path.name, path))
    return max(found)[-1] if found else None


def _seconds(time: str | None) -> float | None:
    """A time in ISO 8601 as seconds since 1970; None if it is no such time."""
    try:
        return datetime.fromisoformat(time or "").timestamp()
    except ValueError:
        return None


def row_of(path: Path) -> dict[str, Any]:
    """The row of a run; ``trained`` is when its last epoch was saved (UTC), None before the first.

    What cannot be read of a run is None in its row.
    """
    records: Sequence[EpochRecord] = []
    config = kept = None
    try:
        config = checkpoint.read_config(path / CONFIG)
        records = metrics_log.read(path)
        kept = kept_epoch.kept_record(config.keep, records)
        status = "finished" if (path / SUMMARY).exists() else "unfinished"
        if (path / DIVERGED).exists():
            status = "diverged"
    except (CheckpointError, ConfigError, OSError) as error:
        is_unreadable = isinstance(error, OSError) and error.errno not in _NO_REGULAR_FILE
        records, kept, status = [], None, "unreadable" if is_unreadable else "damaged"
    trained = _time_of(path / LAST)
    return {
        "run": str(path),
        "status": status,
        "epochs": len(records),
        "best_epoch": kept.epoch if kept else None,
        "validation_accuracy": kept.validation_accuracy if kept else None,
        "validation_loss": kept.validation_loss if kept else None,
        "seconds": round(sum(record.seconds for record in records), 3),
        "hidden_layers": list(config.hidden_layers) if config else None,
        "dataset": config.dataset_name if config else None,
        "trained": _utc(trained / 1e9) if trained else None,
    }


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _time_of(path: Path) -> int | None:
    """When a file was written; None if there is no such file, 0 if its folder is locked."""
    try:
        return path.stat().st_mtime_ns
    except PermissionError:
        return 0
    except (FileNotFoundError, NotADirectoryError):
        return None


def kept_record(path: Path, records: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch that training keeps, or would keep if it ended now."""
    return kept_epoch.kept_record(checkpoint.read_config(path / CONFIG).keep, records)
