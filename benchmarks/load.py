"""The epoch of a small network on a machine that others use too.

Each contender trains alone, twice at once, and beside processes that keep every core busy, in turn.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.cases import CASES, OURS
from benchmarks.contenders import TITLES
from benchmarks.epochs import VARIANTS, Worker
from benchmarks.verdicts import Verdict, at_most

NAME = "under load"
CASE = CASES[0]
_ROUNDS = 7
# Of one measurement: enough for the threads to follow the machine.
_EPOCHS = 5
_BUSY_PROCESSES = 4
_MAX_AT_ONCE, _MAX_BESIDE_BUSY = 2.6, 4.0


@dataclass
class LoadResult:
    """By contender, the seconds of each round: alone, twice at once, beside busy processes."""

    alone: dict[str, list[float]]
    at_once: dict[str, list[float]]
    busy: dict[str, list[float]]
    name: str = NAME

    def ratios(self, name: str) -> tuple[float, float]:
        """How many times as long as alone: the medians of the rounds."""
        at_once, busy = (
            median(a / b for a, b in zip(loaded[name], self.alone[name], strict=True))
            for loaded in (self.at_once, self.busy)
        )
        return at_once, busy

    @property
    def verdicts(self) -> list[Verdict]:
        """The targets of dlcli."""
        found = []
        for name in OURS:
            if name in self.alone:
                at_once, busy = self.ratios(name)
                what = f"times as long as alone ({TITLES[name]})"
                found.append(at_most(_MAX_AT_ONCE, at_once, f"{what}, two at once"))
                busy_text = f"{what}, beside {_BUSY_PROCESSES} busy processes"
                found.append(at_most(_MAX_BESIDE_BUSY, busy, busy_text))
        return found

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """A row for each contender: its seconds an epoch alone, and both ratios."""
        for name, seconds in self.alone.items():
            at_once, busy = self.ratios(name)
            alone = f"{median(seconds) / _EPOCHS:.3f}"
            yield TITLES[name], alone, f"{at_once:.2f}", f"{busy:.2f}"


def measure(
    names: Iterable[str], data_dir: Path, log: Callable[[str], None], cores: int | None = None
) -> LoadResult:
    """Measure every contender but the variants of dlcli."""
    result = LoadResult({}, {}, {})
    for name in names:
        if name in VARIANTS or name == "products":
            continue
        workers = [Worker(name, CASE, data_dir, cores) for _ in range(2)]
        try:
            for worker in workers:
                worker.epoch()
            _measure(name, workers, result)
        finally:
            for worker in workers:
                worker.stop()
        at_once, busy = result.ratios(name)
        log(f"  {TITLES[name]}: two at once {at_once:.2f}, beside busy processes {busy:.2f}")
    return result


def _measure(name: str, workers: list[Worker], result: LoadResult) -> None:
    alone, at_once, busy = (
        kind.setdefault(name, []) for kind in (result.alone, result.at_once, result.busy)
    )
    for _ in range(_ROUNDS):
        alone.append(_seconds(workers[:1]))
        at_once.append(_seconds(workers))
        with _busy_cores():
            busy.append(_seconds(workers[:1]))


def _seconds(workers: list[Worker]) -> float:
    """How long some epochs of all workers take, of which each begins when all are ready."""
    started = time.perf_counter()
    for _ in range(_EPOCHS):
        for worker in workers:
            worker.begin()
        for worker in workers:
            worker.end()
    return time.perf_counter() - started


@contextmanager
def _busy_cores() -> Iterator[None]:
    """Keep the cores busy in the block."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, daemon=True) for _ in range(_BUSY_PROCESSES)]
    for process in processes:
        process.start()
    time.sleep(2)  # until they have started
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _work() -> None:
    while True:
        pass
