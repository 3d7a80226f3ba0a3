"""Ctrl-C and SIGTERM wait while files are written, and are never lost."""

import os
import signal

import pytest

from dlcli.errors import Terminated
from dlcli.runs import interrupts

BOTH = pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)


@pytest.fixture(autouse=True)
def installed():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    interrupts.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupt(number: int) -> None:
    os.kill(os.getpid(), number)


@BOTH
def test_an_interrupt_strikes_at_once_where_nothing_is_written(number, error):
    with pytest.raises(error):
        interrupt(number)


@BOTH
def test_an_interrupt_waits_for_the_end_of_the_block_and_of_those_around_it(number, error):
    done = []

    def write() -> None:
        with interrupts.deferred():
            with interrupts.deferred():
                interrupt(number)
                done.append("inner")
            done.append("outer")

    with pytest.raises(error):
        write()
    assert done == ["inner", "outer"]
    with interrupts.deferred():
        done.append("nothing waits any more")


def test_of_several_interrupts_the_first_is_raised():
    def write() -> None:
        with interrupts.deferred():
            interrupt(signal.SIGTERM)
            interrupt(signal.SIGINT)

    with pytest.raises(Terminated):
        write()
    with interrupts.deferred():
        pass


def test_an_error_in_the_block_gives_way_to_an_interrupt():
    def write() -> None:
        with interrupts.deferred():
            interrupt(signal.SIGINT)
            raise OSError("the disk is full")

    with pytest.raises(KeyboardInterrupt) as raised:
        write()
    assert isinstance(raised.value.__context__, OSError)


def test_an_ignored_ctrl_c_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.install()
    interrupt(signal.SIGINT)
