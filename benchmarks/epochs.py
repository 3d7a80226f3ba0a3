"""Time one epoch of every contender, in turn, round after round."""

import multiprocessing
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

from benchmarks.cases import Case
from benchmarks.contenders import CONTENDERS, TITLES, accuracy
from dlcli import datasets

# A contender that gets further than this from dlcli's accuracy, in either direction, does not
# do the same work.
ACCURACY_NOISE = 0.01

# Threads of the one before, waiting for more work, have gone to sleep by then.
_REST = 0.2


@dataclass
class Times:
    """What one contender showed in one case; seconds an epoch."""

    warm_up: float = 0.0
    seconds: list[float] = field(default_factory=list)
    loss: float = 0.0
    accuracy: float | None = None
    versions: str = ""


@dataclass
class CaseResult:
    """All contenders in one case."""

    case: Case
    times: dict[str, Times]

    def ratio(self, name: str) -> float:
        """dlcli's time over a contender's: the median of the rounds' ratios."""
        pairs = zip(self.times["dlcli"].seconds, self.times[name].seconds, strict=True)
        return median(ours / theirs for ours, theirs in pairs)

    @property
    def share(self) -> float:
        """The share of dlcli's time that the matrix products alone take."""
        return 1 / self.ratio("products")

    def failures(self) -> Iterable[str]:
        """Targets missed, and contenders that did not do the same work."""
        for name, limit in self.case.targets:
            if name in self.times and self.ratio(name) > limit:
                yield f"{self.ratio(name):.2f} of {TITLES[name]}'s time, target {limit:.2f}"
        least = self.case.least_share
        if least is not None and self.share < least:
            yield f"{self.share:.0%} of the limit, target {least:.0%}"
        ours = self.times["dlcli"].accuracy or 0.0
        for name, times in self.times.items():
            if times.accuracy is not None and abs(times.accuracy - ours) > ACCURACY_NOISE:
                yield f"{TITLES[name]} reached {times.accuracy:.2%}, dlcli {ours:.2%}"


def measure(
    case: Case, names: Iterable[str], data_dir: Path, tell: Callable[[str], None]
) -> CaseResult:
    """Run one case: a first epoch each that is not timed, then alternating rounds."""
    workers: dict[str, _Worker] = {}
    times: dict[str, Times] = {}
    try:
        for name in names:
            workers[name] = _Worker(name, case, data_dir)
            times[name] = Times()
            times[name].warm_up, _ = workers[name].epoch()
            tell(f"  {TITLES[name]}: first epoch {times[name].warm_up:.2f} s")
        order = list(workers)
        for _ in range(case.rounds):
            for name in order:
                time.sleep(_REST)
                seconds, times[name].loss = workers[name].epoch()
                times[name].seconds.append(seconds)
            order = order[1:] + order[:1]  # nobody is always the one after the slowest
        for name, worker in workers.items():
            times[name].accuracy, times[name].versions = worker.verdict()
            tell(f"  {TITLES[name]}: median {median(times[name].seconds):.3f} s")
    finally:
        for worker in workers.values():
            worker.stop()
    return CaseResult(case, times)


class _Worker:
    """A contender in its own process, idle until asked."""

    def __init__(self, name: str, case: Case, data_dir: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, name, case, data_dir))
        self.process.start()
        theirs.close()

    def epoch(self) -> tuple[float, float]:
        """Seconds of one epoch, and its mean loss."""
        self.connection.send("epoch")
        seconds, loss = self.connection.recv()
        return seconds, loss

    def verdict(self) -> tuple[float | None, str]:
        """Test accuracy, if it is a network, and versions."""
        self.connection.send("verdict")
        reached, versions = self.connection.recv()
        return reached, versions

    def stop(self) -> None:
        self.connection.close()
        self.process.join(10)
        self.process.kill()


def _serve(connection: Connection, name: str, case: Case, data_dir: Path) -> None:
    dataset = datasets.load("mnist", data_dir)
    contender = CONTENDERS[name](case, dataset.train)
    while True:
        try:
            wish = connection.recv()
        except EOFError:
            return
        if wish == "epoch":
            started = time.perf_counter()
            loss = contender.epoch()
            connection.send((time.perf_counter() - started, loss))
        else:
            layers = contender.layers()
            reached = accuracy(layers, dataset.test) if layers else None
            connection.send((reached, contender.versions()))
