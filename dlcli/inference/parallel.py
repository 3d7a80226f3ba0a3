"""Work on pictures in several threads, with the results in the order of the pictures."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from dlcli.errors import Terminated
from dlcli.inference.sources import ImageSource

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

Page = TypeVar("Page")
Result = TypeVar("Result")

# Pictures in a batch: enough that matrix products are efficient (with 256, a picture takes the
# pretrained network 0.06 ms; with 16, 0.15 ms), and so few that results appear soon.
_MAX_BATCH = 256
_MAX_BATCH_SECONDS = 0.2
# Pictures that take longer are prepared in threads. Python runs one thread at a time, except while
# Pillow, OpenCV or NumPy work on large arrays: small PNG files take 0.1 ms each, and half as long
# again in two threads.
_MIN_SECONDS_FOR_THREADS = 0.001
# Smaller batches of pictures that take less do not make up for the time to start a thread.
_MIN_BATCH_FOR_THREAD = 64


def in_order(
    prepare: Callable[[ImageSource], list[Page]],
    finish: Callable[[list[Page]], list[Result]],
    sources: Iterable[ImageSource | None],
    threads: int,
) -> Iterator[list[Result]]:
    """Prepare each picture, and finish them in batches, which grow as long as they are fast.

    Several batches of slow pictures are in work at once. Fast pictures are prepared here, while a
    thread finishes those before them. None among the sources says that the next one may take a
    while: everything before it is returned first.
    """
    seconds = math.inf  # to prepare a picture; unknown until the first one is done, alone
    taken = 0

    def prepared(batch: list[ImageSource]) -> list[Page]:
        nonlocal seconds
        start = time.perf_counter()
        pages = [page for source in batch for page in prepare(source)]
        seconds = (time.perf_counter() - start) / max(len(pages), 1)
        return pages

    def batch_size() -> int:
        return max(1, min(_MAX_BATCH, int(_MAX_BATCH_SECONDS / seconds), taken // (2 * threads)))

    pending: deque[Future[list[Result]]] = deque()
    with ExitStack() as stack:
        pool: Executor | None = None
        for batch in _batches(sources, batch_size):
            taken += len(batch)
            is_slow = _MIN_SECONDS_FOR_THREADS < seconds < math.inf
            is_worth_it = is_slow or len(batch) >= _MIN_BATCH_FOR_THREAD
            in_pool = bool(batch) and threads > 1 and is_worth_it
            if in_pool:
                pool = pool or stack.enter_context(_thread_pool(threads))
                if is_slow:
                    pending.append(pool.submit(lambda batch: finish(prepared(batch)), batch))
                else:
                    pending.append(pool.submit(finish, prepared(batch)))
            while pending and (len(pending) > (2 * threads if in_pool else 0) or pending[0].done()):
                yield pending.popleft().result()
            if batch and not in_pool:
                yield finish(prepared(batch))
        while pending:
            yield pending.popleft().result()


def _batches(
    sources: Iterable[ImageSource | None], size: Callable[[], int]
) -> Iterator[list[ImageSource]]:
    """The sources in batches, and an empty batch where the next source may take a while."""
    batch: list[ImageSource] = []
    for source in sources:
        if source is not None:
            batch.append(source)
        if batch and (source is None or len(batch) >= size()):
            yield batch
            batch = []
        if source is None:
            yield []
    if batch:
        yield batch


@contextmanager
def _thread_pool(threads: int) -> Iterator["Executor"]:
    """A thread pool that cancels what it has not begun when it is left.

    As long as there is one, BLAS computes with a single thread: those of the pool keep the cores
    busy, and threads of BLAS that wait for one another on busy cores are many times slower.
    """
    from concurrent.futures import ThreadPoolExecutor

    from threadpoolctl import threadpool_limits

    pool = ThreadPoolExecutor(threads, "pictures")
    wait = True
    try:
        with threadpool_limits(1, "blas"):
            yield pool
    except (KeyboardInterrupt, Terminated):
        # Do not wait for a read that may block for ever, as of a named pipe.
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
