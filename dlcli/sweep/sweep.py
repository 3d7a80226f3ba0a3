"""The worker processes of this machine, and how the study stands meanwhile."""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType

import optuna
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import threadpool_limits

from dlcli.errors import DlcliError
from dlcli.sweep.plan import Plan
from dlcli.sweep.results import best_of
from dlcli.sweep.storage import PATIENCE_SECONDS, connect, open_study
from dlcli.sweep.tickets import is_settled, tickets
from dlcli.sweep.worker import POLL_SECONDS, Place, Worker


class WorkerError(DlcliError):
    """The worker processes ended before the study did."""


@dataclass(frozen=True)
class Standing:
    """How a study stands.

    Attributes
    ----------
    tickets
        The latest trial of each of the tickets that the study is to have (see ``tickets``).
    limit
        How many there will be.
    best
        The best complete trial.
    """

    tickets: list[FrozenTrial]
    limit: int
    best: FrozenTrial | None

    @property
    def settled(self) -> list[FrozenTrial]:
        """Those that need no more work, in the order in which they ended."""
        done = [trial for trial in self.tickets if is_settled(trial)]
        return sorted(done, key=lambda t: (t.datetime_complete or t.datetime_start, t.number))

    @property
    def is_done(self) -> bool:
        """Whether all are settled."""
        return len(self.settled) == self.limit

    def count(self, state: TrialState) -> int:
        """How many are in a state."""
        return sum(trial.state is state for trial in self.tickets)


def standing_of(study: optuna.Study, limit: int) -> Standing:
    """How a study of ``limit`` trials stands."""
    trials = study.get_trials(deepcopy=False)
    return Standing(tickets(trials)[:limit], limit, best_of(trials))


def conduct(
    plan: Plan,
    place: Place,
    study: optuna.Study,
    jobs: int,
    timeout: float | None,
    on_death: Callable[[str], None],
) -> Generator[Standing]:
    """Work on a study in ``jobs`` processes until it is done, or for ``timeout`` seconds.

    However it is left, the processes are ended before; trials that they were at are put back.

    Parameters
    ----------
    on_death
        Told of a process that died; the others go on.

    Yields
    ------
    Standing
        Twice a second.

    Raises
    ------
    DlcliError
        What a process failed with.
    WorkerError
        All of them died.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    with _processes(plan, place, jobs) as processes:
        while deadline is None or time.monotonic() < deadline:
            standing = standing_of(study, plan.trials)
            yield standing
            for process, errors in list(processes.items()):
                if process.is_alive():
                    continue
                del processes[process]
                with suppress(EOFError):  # it had nothing to say
                    raise errors.recv()
                if process.exitcode:
                    on_death(f"a worker died ({_cause(process)}); its trial will be tried again")
            if not processes:
                break
            time.sleep(POLL_SECONDS)
    standing = standing_of(study, plan.trials)
    yield standing
    if not processes and not standing.is_done:
        raise WorkerError("every worker of this machine died; the same command goes on")


@contextmanager
def _processes(plan: Plan, place: Place, jobs: int) -> Iterator[dict[SpawnProcess, Connection]]:
    """Running workers, each with the end of a pipe that an error comes through."""
    context = multiprocessing.get_context("spawn")
    processes: dict[SpawnProcess, Connection] = {}
    # Ctrl-C goes to every process of a terminal. Until a worker can answer it, it is to be deaf.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in range(jobs):
            errors, end = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(plan, place, end, os.getpid()), daemon=True
            )
            process.start()
            end.close()
            processes[process] = errors
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()


def _work(plan: Plan, place: Place, errors: Connection, parent: int) -> None:
    """What a worker process does."""
    stop = _StopSignal(parent)
    try:
        database = connect(place.url, plan.search.worker_timeout, PATIENCE_SECONDS)
        database.gives_up = stop.is_set
        with closing(database), threadpool_limits(1, "blas"):
            study = open_study(database, plan, place.study)
            Worker(plan, place, study, stop.is_set).work()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        if isinstance(error, (DlcliError, OSError)):
            errors.send(error)
        else:
            other = RuntimeError(f"{type(error).__name__}: {error}")
            other.add_note(traceback.format_exc())
            errors.send(other)


class _StopSignal:
    """Set by Ctrl-C and SIGTERM, and when the parent process is gone.

    The signals raise nothing: they could strike in the middle of a database transaction.
    """

    def __init__(self, parent: int) -> None:
        self._parent = parent
        self._told = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._tell)

    def is_set(self) -> bool:
        return self._told or os.getppid() != self._parent

    def _tell(self, _signal: int, _frame: FrameType | None) -> None:
        self._told = True


def _cause(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name
