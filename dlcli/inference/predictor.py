"""Pictures to digits, as they come: read on all cores, answered in order."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from dlcli.errors import ImageError, Terminated
from dlcli.nn.types import Array, Pixels
from dlcli.runs.checkpoint import Model
from dlcli.vision import pipeline
from dlcli.vision.decode import read, without_warnings
from dlcli.vision.localization import Steps
from dlcli.vision.pipeline import Prepared
from dlcli.vision.rejection import DOUBTFUL, looks, unlikeness

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

# Few enough that answers appear soon, enough that the matrix products are efficient.
_BLOCK = 16
# Seconds a picture takes from which on threads pay: Python runs one at a time, and only while
# Pillow or NumPy are at work on larger ones does another get its turn. Small PNG files take
# 0.1 ms each, and half as long again in two threads.
_WORTH_THREADS = 0.001


@dataclass(frozen=True)
class Picture:
    """A picture to read: its file, or an open stream, and what to call it.

    Attributes
    ----------
    error
        Why there is nothing to read.
    """

    source: Path | BinaryIO
    name: str
    error: str | None = None


@dataclass(frozen=True)
class Prediction:
    """The answer to one picture.

    Attributes
    ----------
    pixels
        What the network saw, shape (784,); None if there was nothing to see.
    probabilities
        Shape (10,); None without an answer.
    doubt
        Why there is no answer to a picture that could be read: it shows no digit, or several,
        or one that the network is not sure enough of.
    error
        Why the picture could not be used.
    steps
        How it was prepared, if that was asked for.
    """

    name: str
    pixels: Pixels | None = None
    probabilities: Array | None = None
    doubt: str | None = None
    error: str | None = None
    steps: Steps | None = None


def predict(
    model: Model,
    pictures: Iterable[Picture | None],
    *,
    raw: bool,
    reject: float = 0.0,
    explain: bool = False,
    threads: int | None = None,
) -> Iterator[Prediction]:
    """Answer each picture, in order; one that cannot be used does not stop the others.

    A picture like MNIST's own is answered as ``evaluate`` would. Any other is shown to the
    network several times, a little turned, scaled and shifted, and the mean of its answers
    counts.

    Parameters
    ----------
    model
        The network to ask.
    pictures
        What to read; consumed as answers are. None among them: what comes next may take a
        while, so all before it is answered first.
    raw
        Take 28x28 pictures as they are, light on dark, without any preparation.
    reject
        Give no answer whose probability is below this.
    explain
        Keep how each picture was prepared.
    threads
        How many pictures to prepare at once, where that pays; None for as many as there are
        cores.
    """
    as_is = raw or model.metadata.preprocessing == "none"

    def prepare(picture: Picture) -> _Ready:
        return _prepare(picture, as_is=as_is, explain=explain)

    with without_warnings():
        for block in _in_order(prepare, pictures, threads or _cores()):
            yield from _answer(model, block, reject)


@dataclass(frozen=True)
class _Ready:
    """A picture on its way to the network."""

    name: str
    prepared: Prepared | None = None
    error: str | None = None


def _in_order(
    prepare: Callable[[Picture], _Ready], pictures: Iterable[Picture | None], threads: int
) -> Iterator[list[_Ready]]:
    """Prepare pictures and pass them on in order.

    Those that take hardly any time go on in blocks, which the network answers at once; others
    are prepared in threads, one each, and go on one by one.
    """

    def timed(block: list[Picture]) -> tuple[list[_Ready], float]:
        start = time.perf_counter()
        return [prepare(picture) for picture in block], (time.perf_counter() - start) / len(block)

    waiting: deque[Future[tuple[list[_Ready], float]]] = deque()
    block: list[Picture] = []
    seconds = math.inf  # the first picture, prepared alone, tells how long one takes
    with ExitStack() as stack:
        pool: Executor | None = None
        for picture in pictures:
            is_slow = _WORTH_THREADS < seconds < math.inf and threads > 1
            if picture is not None and is_slow:
                pool = pool or stack.enter_context(_pool(threads))
                waiting.append(pool.submit(timed, [picture]))
            while len(waiting) > (2 * threads if picture is not None and is_slow else 0):
                ready, seconds = waiting.popleft().result()
                yield ready
            if picture is not None and not is_slow:
                block.append(picture)
            size = 1 if seconds > _WORTH_THREADS else _BLOCK
            if block and (picture is None or len(block) >= size):
                ready, seconds = timed(block)
                block = []
                yield ready
        while waiting:
            yield waiting.popleft().result()[0]
        if block:
            yield timed(block)[0]


@contextmanager
def _pool(threads: int) -> Iterator["Executor"]:
    """Threads; what they have not begun when nobody wants it any more is left undone."""
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(threads, "pictures")
    wait = True
    try:
        yield pool
    except (KeyboardInterrupt, Terminated):
        # A reader that waits for ever, as of a named pipe, must not make the user wait as well.
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _prepare(picture: Picture, *, as_is: bool, explain: bool) -> _Ready:
    if picture.error is not None:
        return _Ready(picture.name, error=picture.error)
    try:
        image = read(picture.source, picture.name)
        prepare = pipeline.plain if as_is else pipeline.prepare
        return _Ready(picture.name, prepare(image, picture.name, explain=explain))
    except ImageError as error:
        return _Ready(picture.name, error=str(error))


def _answer(model: Model, block: list[_Ready], reject: float) -> Iterator[Prediction]:
    """Show the network what there is to see of a block, all at once."""
    shown = [
        item.prepared.pixels[np.newaxis] if item.prepared.unchanged else looks(item.prepared.pixels)
        for item in block
        if item.prepared is not None and item.prepared.pixels is not None
    ]
    probabilities = np.empty((0, model.network.layer_sizes[-1]), np.float32)
    if shown:
        _, probabilities = model.infer(np.concatenate(shown))
    done = 0
    views = iter(shown)
    for item in block:
        prepared = item.prepared
        if prepared is None:
            yield Prediction(item.name, error=item.error)
        elif prepared.pixels is None:
            yield Prediction(item.name, doubt=prepared.doubt, steps=prepared.steps)
        else:
            seen = next(views)
            shares = probabilities[done : done + len(seen)].mean(axis=0)
            done += len(seen)
            doubt = None if prepared.unchanged else prepared.doubt or doubt_of(seen, shares)
            if doubt is None and not shares.max() >= reject:  # nan is never reached
                doubt = f"not sure enough ({shares.max():.4f}): {_either(shares)}"
            answer = shares if doubt is None else None
            yield Prediction(item.name, prepared.pixels, answer, doubt, steps=prepared.steps)


def doubt_of(seen: Pixels, probabilities: Array) -> str | None:
    """Why what the network saw is no digit, or not clearly one.

    Parameters
    ----------
    seen
        What it was shown of one picture, shape (looks, 784).
    probabilities
        Its mean answer, shape (10,).
    """
    no_digit, another = unlikeness(seen), 1 - float(probabilities.max())
    if no_digit > DOUBTFUL:
        return "unlike any digit"
    if no_digit + another > DOUBTFUL:
        return f"not clear: {_either(probabilities)}"
    return None


def _either(probabilities: Array) -> str:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return f"{first} or {second}"


def find_pictures(folder: Path) -> Iterator[Path]:
    """The picture files in a folder and the folders below it, in order of their names.

    Hidden files and folders are passed over.

    Raises
    ------
    ImageError
        There is none; or, after those that there are, a folder could not be looked into.
    """
    Image.init()
    kinds = Image.registered_extensions().items()
    known = {suffix for suffix, kind in kinds if kind in Image.OPEN}
    found = False
    unreadable: list[OSError] = []
    try:
        for parent, folders, files in os.walk(folder, onerror=unreadable.append):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in sorted(files):
                path = Path(parent, file)
                if file.startswith(".") or path.suffix.lower() not in known:
                    continue
                # What is no file, as a named pipe, could keep a reader waiting for ever.
                if not path.is_fifo():
                    found = True
                    yield path
    except RecursionError:  # up to Python 3.11, os.walk calls itself
        raise ImageError(f"{folder}: folders are nested too deeply in it") from None
    for error in unreadable:
        raise ImageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not found:
        raise ImageError(f"{folder}: holds no pictures")
