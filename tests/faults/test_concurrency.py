"""Many processes in one runs directory and one cache do not disturb each other."""

import json
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any, Self

from dlcli.runs import checkpoint
from tests.faults.processes import PROGRAM, finish, start, temporary_files
from tests.faults.stand_in import stand_in_program
from tests.faults.trainings import train_on

PROCESSES = 8


class Watch(threading.Thread):
    """Reads the link ``latest`` repeatedly while other processes replace it."""

    def __init__(self, link: Path) -> None:
        super().__init__()
        self.link = link
        self.seen: list[str] = []
        """The target if it was a complete run, else what was wrong."""
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(0.001):
            if self.link.is_symlink() or self.seen:
                self.seen.append(self._look())

    def _look(self) -> str:
        try:
            name = str(self.link.readlink())
            checkpoint.load(self.link.parent / name / "best.npz")
        except Exception as error:  # noqa: BLE001 - any error is reported by the test
            return repr(error)
        return name

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self.join()


def test_eight_concurrent_trainings_give_eight_complete_runs(
    mirror, workdir, monkeypatch, long, tally
):
    """They start with an empty cache, which one of them fills, and share one stderr."""
    monkeypatch.setenv("DLCLI_MIRROR", mirror.url)
    program = stand_in_program(mirror.contents)
    arguments = ["train", "--set=dataset=mnist", "--set=hidden_layers=[8]", "--set=batch_size=5"]
    arguments += ["--set=epochs=6", "--format=json"]
    for attempt in range(10 if long else 1):
        folder = workdir / str(attempt)
        monkeypatch.setenv("DLCLI_DATA_DIR", str(workdir / f"data-{attempt}"))
        with (
            Watch(folder / "runs" / "latest") as watch,
            (workdir / "terminal").open("ab") as stderr,
        ):
            started = [
                start(folder, [*arguments, f"--set=seed={seed}"], program=program, stderr=stderr)
                for seed in range(PROCESSES)
            ]
            results = [finish(process) for process in started]
        assert [result.returncode for result in results] == [0] * PROCESSES
        summaries = [json.loads(result.stdout) for result in results]
        assert [summary["config"]["seed"] for summary in summaries] == list(range(PROCESSES))
        assert len({summary["run"] for summary in summaries}) == PROCESSES
        for summary in summaries:
            assert_whole(folder / summary["run"], summary)
        names = {Path(summary["run"]).name for summary in summaries}
        assert set(watch.seen) <= names
        assert watch.seen != []
        assert {path.name for path in (folder / "runs").iterdir()} == names | {"latest"}
        assert temporary_files(folder) == []
        tally(f"{PROCESSES} trainings at once, in one runs directory and with one empty cache", 1)
        requested = mirror.requested()
        assert len(requested) == 4 * (attempt + 1)  # by the first process
    assert_lines_are_whole((workdir / "terminal").read_text())


def assert_whole(run: Path, summary: dict[str, Any]) -> None:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3, 4, 5, 6]
    for name, epoch in (("last.npz", 6), ("best.npz", summary["best_epoch"])):
        model = checkpoint.load(run / name)
        assert model.metadata.epoch == epoch
        assert model.metadata.config["seed"] == summary["config"]["seed"]
    assert json.loads((run / "summary.json").read_text()) == summary


def assert_lines_are_whole(text: str) -> None:
    """No process's line is interrupted by another's."""
    kinds = (
        r"784-8-10, |epoch [1-6]/6  loss .* (left|in all)$|Validation loss: \S+ \S{6} \S+$|"
        r"Kept epoch |downloading |Overfitting|Warn"
    )
    assert [line for line in text.splitlines() if not re.match(kinds, line)] == []
    assert text.count("epoch 6/6") % PROCESSES == 0


def test_a_run_is_refused_while_another_process_trains_it(dlcli, tiny, tally):
    # To compile kernels for so many epochs would take longer than the test.
    program = f"import sys; sys.modules['numba'] = None; {PROGRAM}"
    training = start(Path(), train_on(tiny, "hidden_layers=[8]", "epochs=100000"), program=program)
    try:
        while not Path("runs/r/best.npz").exists():
            assert training.poll() is None
            time.sleep(0.01)
        for _ in range(3):
            refused = dlcli("train", "--resume", "runs/r")
            assert (refused.code, refused.stdout) == (2, "")
            assert refused.stderr == "Error: runs/r: another process is training in it\n"
        named = dlcli(*train_on(tiny, "hidden_layers=[8]"))
        assert (named.code, named.stdout) == (2, "")
        assert "runs/r: exists already" in named.stderr
        assert training.poll() is None
    finally:
        training.kill()
        assert finish(training).returncode == -signal.SIGKILL
    assert Path("runs/r/.lock").exists()
    done = checkpoint.load(Path("runs/r/last.npz")).metadata.epoch
    resumed = dlcli("train", "-q", "--resume", "runs/r", "--set", f"epochs={done + 1}")
    assert (resumed.code, resumed.stderr) == (0, "")
    assert checkpoint.load(Path("runs/r/last.npz")).metadata.epoch == done + 1
    tally("training in a run that another process trains in", 4)


def test_one_of_several_processes_gets_a_new_run_with_their_common_name(
    dlcli, workdir, tiny, long, tally
):
    """All may find the name free; the lock decides, and the others change nothing."""
    arguments = train_on(tiny, "hidden_layers=[8]", "epochs=2")
    for attempt in range(10 if long else 1):
        folder = workdir / str(attempt)
        results = [finish(process) for process in [start(folder, arguments) for _ in range(4)]]
        codes = sorted(result.returncode for result in results)
        assert codes == [0, 2, 2, 2]
        for result in results:
            assert result.returncode == 0 or re.search(
                "exists already|another process is training in it", result.stderr
            )
        assert len((folder / "runs/r/metrics.jsonl").read_text().splitlines()) == 2
        tally("4 trainings at once under one name", 1)
