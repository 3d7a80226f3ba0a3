"""The worker processes of this machine."""

import math
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType

import optuna
from threadpoolctl import threadpool_limits

from dlcli.errors import DlcliError, Terminated
from dlcli.files import IS_WINDOWS
from dlcli.sweep.plan import Plan
from dlcli.sweep.results import Progress
from dlcli.sweep.storage import StorageError, StudyLocation, explained, load_study
from dlcli.sweep.worker import POLL_SECONDS, Worker

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}
STOP_SECONDS = 30.0  # for a worker to finish its block of batches and to queue its trial again


class WorkerError(DlcliError):
    """The worker processes ended before the study was done."""


class StopFlag:
    """Set by Ctrl-C and SIGTERM while installed, or after some seconds.

    The signal handlers raise nothing: an exception in the middle of a database transaction could
    leave the database locked, and others are swallowed by whatever code was running.
    """

    def __init__(self, timeout: float | None = None) -> None:
        self._signal: int | None = None
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._signal is not None or time.monotonic() > self._deadline

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals with this flag."""
        before = {number: signal.signal(number, self._set) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def raise_signal(self) -> None:
        """Raise what a signal would have raised without the flag."""
        if self._signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self._signal is not None:
            raise Terminated("terminated")

    def _set(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number


def run_workers(
    plan: Plan,
    location: StudyLocation,
    study: optuna.Study,
    numbers: range,
    stop: StopFlag,
    warn: Callable[[str], None],
) -> Generator[Progress]:
    """Work on a study in a process for each of ``numbers`` until it is done or to be stopped.

    Yields the progress twice a second, and at the end, when the processes have ended and the
    trials that they were running are queued again. ``warn`` receives a message when a process
    dies (the others continue) or when the database is away.

    Raises
    ------
    DlcliError, OSError, RuntimeError
        A process failed.
    WorkerError
        All processes died.
    """
    is_away = False
    with _processes(plan, location, numbers) as processes:
        while processes and not stop.is_set():
            try:
                yield _progress(plan, location, study)
                is_away = False
            except StorageError as error:  # the workers decide how long to wait
                if not is_away:
                    warn(f"{error}; trying again")
                is_away = True
            _reap(processes, warn)
            time.sleep(POLL_SECONDS)
    progress = _progress(plan, location, study)
    yield progress
    if not progress.is_done and not stop.is_set():
        raise WorkerError("all workers of this machine died; run the same command to continue")


def _progress(plan: Plan, location: StudyLocation, study: optuna.Study) -> Progress:
    with explained(location.url):
        return Progress(plan, study.get_trials(deepcopy=False))


def _reap(processes: dict[SpawnProcess, Connection], warn: Callable[[str], None]) -> None:
    """Forget the processes that have ended, and raise the error of one that failed."""
    for process in [process for process in processes if not process.is_alive()]:
        errors = processes.pop(process)
        with suppress(EOFError):  # it sent no error
            raise errors.recv()
        if process.exitcode:
            warn(f"a worker died ({_cause(process)}); its trial will be tried again")


@contextmanager
def _processes(
    plan: Plan, location: StudyLocation, numbers: range
) -> Iterator[dict[SpawnProcess, Connection]]:
    """Running workers, each with the end of a pipe that its error comes through."""
    context = multiprocessing.get_context("spawn")
    processes: dict[SpawnProcess, Connection] = {}
    try:
        with _interrupts_blocked():
            for number in numbers:
                errors, end = context.Pipe(duplex=False)
                process = context.Process(
                    target=_work, args=(plan, location, number, end, os.getpid()), daemon=True
                )
                process.start()
                end.close()
                processes[process] = errors
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(STOP_SECONDS)
            process.kill()  # if it still has not ended
            process.join()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which a terminal sends to all: their parent ends them."""
    if IS_WINDOWS:  # it cannot block signals
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing unblocks signals when it starts this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    plan: Plan, location: StudyLocation, number: int, errors: Connection, parent: int
) -> None:
    """Work in this process until the study is done, or its parent ends it or has died."""
    flag = StopFlag()
    try:
        with flag.installed(), threadpool_limits(1, "blas"):
            study = load_study(plan, location, number)
            Worker(plan, location, study, lambda: flag.is_set() or os.getppid() != parent).work()
    except Exception as error:  # noqa: BLE001 - the parent raises it
        errors.send(_sendable(error))


def _sendable(error: Exception) -> Exception:
    """An error that can be sent to another process."""
    if isinstance(error, (DlcliError, OSError)):
        return error
    other = RuntimeError(f"{type(error).__name__}: {error}")
    other.add_note("".join(traceback.format_exception(error)))
    return other


def _cause(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    return f"exit code {code}" if code > 0 else signal.Signals(-code).name
