"""Trainings that are disturbed, and what they must leave."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import write_idx_folder
from tests.faults.processes import Call, Fault, Shim, calls_in, finish, start, temporary_files

RUN = Path("runs", "r")
CALLS = {"open", "read", "write", "fsync", "mkdir", "rename", "symlink"}
PLAIN = ("hidden_layers=[8]", "epochs=3")
RICH = (
    "hidden_layers=[8]",
    "epochs=2",
    "optimizer=adam",
    "batch_norm=true",
    "weight_averaging=0.9",
    "dropout=0.1",
)


def train_on(dataset: Path, *settings: str) -> list[str]:
    """The arguments of a quick training."""
    pairs = (f"dataset={dataset}", "batch_size=50", *settings)
    return ["train", "-q", "--name", RUN.name, *(f"--set={pair}" for pair in pairs)]


@dataclass(frozen=True)
class Training:
    """A training, its undisturbed result, and the calls that it makes."""

    begin: list[str]
    disturbed: list[str]
    """The command to disturb: one that starts the training, or one that resumes it."""
    whole: Path
    """A folder with the complete, undisturbed training."""
    earlier: Path | None
    """A folder with the run before the disturbed command."""
    calls: list[Call]

    def prepare(self, folder: Path) -> Path:
        """Create ``folder`` for the disturbed command."""
        if self.earlier is None:
            folder.mkdir()
        else:
            shutil.copytree(self.earlier, folder, symlinks=True)
        return folder

    def check(self, folder: Path, dlcli: Any) -> None:
        """A disturbed run can be read and resumed, and ends as if nothing had happened.

        ``folder`` must be the current one, for that is where ``dlcli`` works.
        """
        if self.earlier is not None:
            assert Path("runs", "latest").readlink() == Path(RUN.name)
        saved = (RUN / "last.npz").exists()
        if (RUN / "best.npz").exists():
            assert dlcli("eval", RUN).code == 0
        rows = json.loads(dlcli("runs", "-f", "json").stdout)
        assert len(rows) == saved
        assert all(row["status"] in {"unfinished", "finished"} for row in rows)
        again = dlcli("train", "-q", "--resume", RUN) if saved else dlcli(*self.begin)
        assert (again.code, again.stderr) == (0, "")
        self.assert_whole(folder)

    def assert_whole(self, folder: Path) -> None:
        """The run in ``folder`` is the undisturbed one, to the last bit."""
        found, expected = folder / RUN, self.whole / RUN
        for name in ("best.npz", "last.npz", "film.npz", "config.yaml"):
            assert (found / name).read_bytes() == (expected / name).read_bytes(), name
        assert _scores(found) == _scores(expected)
        assert sorted(path.name for path in found.iterdir()) == sorted(
            path.name for path in expected.iterdir()
        )
        assert (folder / "runs" / "latest").readlink() == Path(RUN.name)
        assert temporary_files(folder) == []


def _scores(run: Path) -> list[dict[str, Any]]:
    """The metrics log without times."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    clock = {"seconds", "samples_per_second"}
    return [{key: record[key] for key in record.keys() - clock} for record in records]


def begun(shim: Shim, folder: Path, settings: Sequence[str]) -> Training:
    """A training that is disturbed from its start."""
    # Twenty steps in an epoch, and a tenth of the time that the sample takes.
    dataset = write_idx_folder(folder / "dataset", train=1200, test=100)
    whole, command = folder / "whole", train_on(dataset, *settings)
    assert finish(start(whole, command, shim)).returncode == 0
    calls = calls_in(whole)
    assert {call.name for call in calls} == CALLS
    return Training(command, command, whole, None, calls)


def resumed(shim: Shim, folder: Path, settings: Sequence[str]) -> Training:
    """A resumed training that is disturbed, after it was killed while writing a checkpoint.

    It was in its second epoch: the log has its line, and a half checkpoint lies about.
    """
    first = begun(shim, folder, settings)
    second_line = _writes_to(RUN / "metrics.jsonl", first.calls)[1]
    writes = [at for at in _writes_to(RUN / "last.npz", first.calls) if at > second_line]
    killed = Fault(at=writes[len(writes) // 2])
    earlier, found = folder / "earlier", folder / "found"
    assert finish(start(earlier, first.begin, shim, killed)).returncode == -9
    shutil.copytree(earlier, found, symlinks=True)
    command = ["train", "-q", "--resume", str(RUN)]
    assert finish(start(found, command, shim)).returncode == 0
    return Training(first.begin, command, first.whole, earlier, calls_in(found))


def _writes_to(path: Path, calls: list[Call]) -> list[int]:
    """The numbers of the calls that write to a file."""
    return [at for at, call in enumerate(calls, start=1) if call == Call("write", path)]
