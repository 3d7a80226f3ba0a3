"""``metrics.jsonl``: a line for each epoch of a run."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import msgspec

from dlcli.errors import CheckpointError
from dlcli.files import annotate_errors, atomic_write, open_file
from dlcli.runs import strict_json
from dlcli.runs.directory import METRICS
from dlcli.training.epoch_metrics import EpochRecord

_MAX_BYTES = 200_000_000  # 2,000 bytes, of ten layers, for each of the 100,000 epochs there can be


def append(run: Path, record: EpochRecord) -> None:
    """Add an epoch to the log, and wait until it is on the disk."""
    path = run / METRICS
    with annotate_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(_line(record))
        file.flush()
        os.fsync(file.fileno())


def rewrite(run: Path, records: Iterable[EpochRecord]) -> None:
    """Replace the log."""
    with atomic_write(run / METRICS) as file:
        file.write("".join(map(_line, records)).encode())


def read(run: Path) -> list[EpochRecord]:
    """The epochs in the log, oldest first; raise ``CheckpointError`` if a line is damaged."""
    path = run / METRICS
    try:
        with annotate_errors(path), open_file(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return []
    if len(content) > _MAX_BYTES:
        raise CheckpointError(f"{path}: larger than {_MAX_BYTES:,} bytes")
    try:
        # Text after the last line break was being written when the run was killed.
        lines = content.decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: not a text file (UTF-8)") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(msgspec.json.decode(line, type=EpochRecord))
        except (msgspec.DecodeError, RecursionError) as error:
            raise CheckpointError(f"{path}:{number}: damaged line") from error
    return records


def _line(record: EpochRecord) -> str:
    return strict_json.dumps(asdict(record)) + "\n"
