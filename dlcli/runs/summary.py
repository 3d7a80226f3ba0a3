"""``summary.json``: how a run ended; the file exists as soon as the run is finished."""

from pathlib import Path
from typing import Any

import msgspec

from dlcli.errors import CheckpointError
from dlcli.files import atomic_write, open_file
from dlcli.runs import strict_json
from dlcli.runs.directory import SUMMARY

_MAX_BYTES = 1_000_000


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    ``stopped_by`` is the config key whose rule ended training. The scores are those of the kept
    epoch, ``best_epoch``. ``finished`` is the time (UTC), which survives copying, unlike the
    file's own; None in summaries of older versions. ``init`` is the model that training started
    from, by name and checksum; None after random weights. ``threads`` computed at the end;
    ``threads_auto`` says whether they followed the machine.
    """

    run: str
    epochs: int
    stopped_by: str | None
    best_epoch: int
    validation_accuracy: float | None
    validation_loss: float | None
    train_accuracy: float | None
    train_loss: float | None
    overfitting_since: int | None = None
    seconds: float
    parameters: int
    config: dict[str, Any]
    dataset: dict[str, str]
    init: dict[str, str] | None = None
    threads: int
    threads_auto: bool = False
    versions: dict[str, str]
    finished: str | None = None

    def to_builtins(self) -> dict[str, Any]:
        """The summary as plain values, for JSON."""
        return msgspec.structs.asdict(self)


def write(run: Path, summary: Summary) -> None:
    """Write a run's summary, which marks the run as finished."""
    with atomic_write(run / SUMMARY) as file:
        file.write((strict_json.dumps(summary.to_builtins(), indent=2) + "\n").encode())


def read(run: Path) -> Summary | None:
    """A run's summary, None while it is unfinished; raise ``CheckpointError`` if it is damaged."""
    path = run / SUMMARY
    try:
        with open_file(path) as file:
            return msgspec.json.decode(file.read(_MAX_BYTES), type=Summary)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: damaged: {error}") from error
