"""Time one epoch of every contender, in alternating rounds."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import click

from benchmarks.cases import CASES, Case
from benchmarks.contenders import CONTENDERS, TITLES, accuracy
from benchmarks.verdicts import Verdict, at_least, at_most, same_work
from dlcli.data import datasets

VARIANTS = {name for case in CASES for name, _ in case.variants}

# Before each timed epoch: waiting threads of the contender before spin for a while.
_PAUSE_SECONDS = 0.2


@dataclass
class Times:
    """The results of one contender in one case: seconds of each epoch, loss of the last."""

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

    def ratio(self, name: str, ours: str = "dlcli") -> float:
        """The time of dlcli divided by a contender's: the median of the rounds' ratios."""
        pairs = zip(self.times[ours].seconds, self.times[name].seconds, strict=True)
        return median(a / b for a, b in pairs)

    @property
    def name(self) -> str:
        """The name of the case."""
        return self.case.name

    def product_fraction(self, ours: str = "dlcli") -> float:
        """The fraction of dlcli's time that the matrix products alone take."""
        return 1 / self.ratio("products", ours)

    @property
    def verdicts(self) -> list[Verdict]:
        """Targets, and whether each contender did the same work."""
        found = [
            at_most(limit, self.ratio("dlcli", ours=name), f"of the time of dlcli ({TITLES[name]})")
            for name, limit in self.case.variants
            if limit is not None and name in self.times
        ]
        if self.case.variants:
            return found
        for ours, name, limit in self.case.targets:
            if {ours, name} <= self.times.keys():
                what = f"of the time of {TITLES[name]} ({TITLES[ours]})"
                found.append(at_most(limit, self.ratio(name, ours), what))
        ours, fraction = "dlcli_compiled", self.case.min_product_fraction
        if fraction is not None and ours in self.times:
            what = f"of the limit ({TITLES[ours]})"
            found.append(at_least(fraction, self.product_fraction(ours), what))
        reached = {TITLES[name]: times.accuracy for name, times in self.times.items()}
        found.append(same_work({name: a for name, a in reached.items() if a is not None}))
        return found


def takes_part(name: str, case: Case) -> bool:
    """Whether a contender takes part in a case."""
    if case.variants:
        return name in {"dlcli", "products", *dict(case.variants)}
    return name not in VARIANTS


def measure(
    case: Case,
    names: Iterable[str],
    data_dir: Path,
    log: Callable[[str], None],
    cores: int | None = None,
) -> CaseResult:
    """Run one case: a first epoch of each that is not timed, then alternating rounds.

    ``cores`` is how many of them each contender may use; its threads are then as many.
    """
    workers: dict[str, Worker] = {}
    times: dict[str, Times] = {}
    try:
        for name in names:
            if not takes_part(name, case):
                continue
            workers[name] = Worker(name, case, data_dir, cores)
            times[name] = Times()
            times[name].warm_up, _ = workers[name].epoch()
            log(f"  {TITLES[name]}: first epoch {times[name].warm_up:.2f} s")
        order, random = list(workers), Random(0)  # noqa: S311 - an order is not a secret
        for _ in range(case.rounds):
            random.shuffle(order)  # so that none always runs after the same other one
            for name in order:
                time.sleep(_PAUSE_SECONDS)
                seconds, times[name].loss = workers[name].epoch()
                times[name].seconds.append(seconds)
        for name, worker in workers.items():
            times[name].accuracy, times[name].versions = worker.verdict()
            log(f"  {TITLES[name]}: median {median(times[name].seconds):.3f} s")
    finally:
        for worker in workers.values():
            worker.stop()
    return CaseResult(case, times)


class Worker:
    """A contender in its own process, idle between requests."""

    def __init__(self, name: str, case: Case, data_dir: Path, cores: int | None = None) -> None:
        """Start it, on so many of the cores that this process may use."""
        self.name = TITLES[name]
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, name, case, data_dir))
        with _on_cores(cores):
            self.process.start()
        theirs.close()

    def epoch(self) -> tuple[float, float]:
        """Train one epoch; its seconds and its mean loss."""
        self.begin()
        return self.end()

    def begin(self) -> None:
        """Begin an epoch."""
        self._send("epoch")

    def end(self) -> tuple[float, float]:
        """Wait for the end of an epoch; its seconds and its mean loss."""
        seconds, loss = self._receive()
        return seconds, loss

    def verdict(self) -> tuple[float | None, str]:
        """Test accuracy, if the contender is a network, and versions."""
        self._send("verdict")
        reached, versions = self._receive()
        return reached, versions

    def _send(self, request: str) -> None:
        with self._failing():
            self.connection.send(request)

    def _receive(self) -> Any:
        with self._failing():
            return self.connection.recv()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, BrokenPipeError) as error:
            raise click.ClickException(
                f"{self.name} failed, see above; to leave it out, name the others with --contender"
            ) from error

    def stop(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.join(10)
        self.process.kill()


@contextmanager
def _on_cores(count: int | None) -> Iterator[None]:
    """Let the processes that are started in the block use so many cores."""
    if count is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _serve(connection: Connection, name: str, case: Case, data_dir: Path) -> None:
    dataset = datasets.load("mnist", data_dir)
    contender = CONTENDERS[name](case, dataset.train)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if request == "epoch":
            started = time.perf_counter()
            loss = contender.epoch()
            connection.send((time.perf_counter() - started, loss))
        else:
            layers = contender.layers()
            reached = accuracy(layers, dataset.test) if layers else None
            connection.send((reached, contender.versions()))
