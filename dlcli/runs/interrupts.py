"""Ctrl-C and SIGTERM, held back while files are written.

An interrupt inside ``numpy.savez`` leaves a half-open zip file, which complains on stderr when
it is deleted. It could also come between two files that belong together.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlcli.errors import Terminated

_shields = 0
_deferred: list[int] = []


def install() -> None:
    """Handle SIGINT and SIGTERM here; an ignored SIGINT, as under nohup, stays ignored."""
    signal.signal(signal.SIGTERM, _handle)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _handle)


@contextmanager
def deferred() -> Iterator[None]:
    """Let interrupts wait until the block is done, and then raise the first of them."""
    global _shields  # noqa: PLW0603 - signal handlers can share state in no other way
    _shields += 1
    try:
        yield
    finally:
        _shields -= 1
        if not _shields and _deferred:
            number = _deferred[0]
            _deferred.clear()
            _interrupt(number)


def _handle(number: int, _frame: FrameType | None) -> None:
    if _shields:
        _deferred.append(number)
    else:
        _interrupt(number)


def _interrupt(number: int) -> None:
    raise Terminated("terminated") if number == signal.SIGTERM else KeyboardInterrupt
