"""The runs in a folder: a row for each, and which of its epochs is kept."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dlcli.config import files as config_files
from dlcli.errors import CheckpointError, ConfigError
from dlcli.runs import metrics_log
from dlcli.runs.directory import CONFIG, DIVERGED, LAST, SUMMARY
from dlcli.training import kept_epoch
from dlcli.training.epoch_metrics import EpochRecord


def list_runs(runs_dir: Path) -> Iterator[dict[str, Any]]:
    """A row for every run, the last trained last: status, epochs, scores of the kept epoch."""
    found = [
        path
        for path in runs_dir.iterdir()
        if not path.is_symlink() and (path / CONFIG).is_file() and (path / LAST).is_file()
    ]
    for path in sorted(found, key=lambda path: ((path / LAST).stat().st_mtime_ns, path.name)):
        yield _row(path)


def _row(path: Path) -> dict[str, Any]:
    try:
        records = metrics_log.read(path)
        kept = kept_record(path, records)
        status = "finished" if (path / SUMMARY).exists() else "unfinished"
        if (path / DIVERGED).exists():
            status = "diverged"
    except (CheckpointError, ConfigError, OSError):
        records, kept, status = [], None, "damaged"
    return {
        "run": str(path),
        "status": status,
        "epochs": len(records),
        "best_epoch": kept.epoch if kept else None,
        "validation_accuracy": kept.validation_accuracy if kept else None,
        "validation_loss": kept.validation_loss if kept else None,
        "seconds": round(sum(record.seconds for record in records), 3),
    }


def kept_record(path: Path, records: Sequence[EpochRecord]) -> EpochRecord | None:
    """The epoch that training keeps, or would keep if it ended now."""
    return kept_epoch.kept_record(config_files.load([str(path / CONFIG)]).keep, records)
