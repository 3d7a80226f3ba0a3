"""Threads follow the machine: times decide, given by the tests, and no bit of a network changes."""

from contextlib import nullcontext

import numpy as np
import pytest

from dlcli.config.schema import Config
from dlcli.data import datasets
from dlcli.training.loop import fit
from dlcli.training.state import initial_state
from dlcli.training.threads import ThreadPolicy, Threads

QUIET = {1: 0.003, 2: 0.002}
BUSY = {1: 0.004, 2: 0.08}


def calibrations(policy: ThreadPolicy, seconds: float, blocks: int) -> list[int]:
    """The blocks of 1,000 images, each of so many seconds, after which a calibration is due."""
    due = []
    for number in range(blocks):
        if policy.is_calibration_due(seconds, 1000):
            policy.choose(QUIET if seconds < 1 else BUSY)
            due.append(number)
    return due


def test_the_fewest_threads_are_used_that_are_about_as_fast_as_any():
    policy = ThreadPolicy([1, 2, 4])
    assert policy.count == 4
    assert policy.choose({1: 0.0030, 2: 0.0019, 4: 0.0010}) == 4
    assert policy.choose({1: 0.0030, 2: 0.0019, 4: 0.0018}) == 2
    assert policy.choose({1: 0.0019, 2: 0.00185, 4: 0.002}) == 1


def test_blocks_that_stay_as_fast_as_the_best_need_no_calibration():
    policy = ThreadPolicy([1, 2])
    policy.choose(QUIET)
    assert calibrations(policy, 0.1, 1000) == []


@pytest.mark.parametrize("seconds", [0.001, 0.1, 1.0])
def test_blocks_that_are_far_slower_than_the_best_need_one(seconds):
    policy = ThreadPolicy([1, 2])
    policy.choose(QUIET)
    for _ in range(2000):
        assert not policy.is_calibration_due(seconds, 1000)
    assert any(policy.is_calibration_due(20 * seconds, 1000) for _ in range(100))
    assert policy.choose(BUSY) == 1


def test_how_fast_other_images_were_is_forgotten():
    """After epochs of images of half the size, whole ones are no reason to calibrate."""
    policy = ThreadPolicy([1, 2])
    policy.choose(QUIET)
    assert calibrations(policy, 0.02, 1000) == []
    policy.forget()
    assert calibrations(policy, 0.1, 1000) == []


def test_a_slow_block_among_fast_ones_needs_none():
    """As when the user stops and continues the process for a moment."""
    policy = ThreadPolicy([1, 2])
    policy.choose(QUIET)
    for _ in range(100):
        assert not any(policy.is_calibration_due(0.01, 1000) for _ in range(24))
        assert not policy.is_calibration_due(0.02, 1000)


def test_the_threads_come_back_when_the_cores_are_idle_again():
    policy = ThreadPolicy([1, 2])
    policy.choose(BUSY)
    assert policy.count == 1
    due = calibrations(policy, 0.1, 1000)
    assert due  # nothing is slow with one thread: it looks from time to time
    assert policy.count == 2


def test_the_first_looks_for_idle_cores_come_soon_and_later_ones_are_rare():
    """Where only the calibration at the start met another program, one second is lost."""
    policy = ThreadPolicy([1, 2])
    policy.choose(BUSY)
    due = []
    for second in range(1, 1000):
        if policy.is_calibration_due(1.0, 1000):
            policy.choose(BUSY)
            due.append(second)
    assert due[:7] == [1, 3, 7, 15, 31, 63, 127]
    assert set(np.diff(due)[6:]) == {64}


def test_where_other_programs_come_and_go_the_looks_come_soon_again():
    policy = ThreadPolicy([1, 2])
    policy.choose(BUSY)
    for _ in range(2000):  # seconds in which nothing changes
        if policy.is_calibration_due(1.0, 1000):
            policy.choose(BUSY)
    waits = []
    for _ in range(8):
        waits.append(1)
        while not policy.is_calibration_due(1.0, 1000):
            waits[-1] += 1
        assert policy.choose(QUIET) == 2
        policy.is_calibration_due(0.5, 1000)
        while not policy.is_calibration_due(9.0, 1000):
            pass
        assert policy.choose(BUSY) == 1
    assert waits[0] > 10
    assert waits[-1] == 1


def test_with_one_thread_alone_nothing_is_ever_measured():
    following = Threads([1])
    following.start(pytest.fail, 1000)
    following.watch(pytest.fail, 60.0, 1000)
    assert following.is_pinned


class Library:
    """A library whose steps take so long on a clock that only they move."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.count, self.seconds = 0.0, 0, seconds
        monkeypatch.setattr("dlcli.training.threads.time.perf_counter", lambda: self.now)

    @property
    def lib_controllers(self):
        return [self]

    def set_num_threads(self, count):
        self.count = count

    def step(self):
        self.now += self.seconds[self.count]

    def trial(self):
        return nullcontext(self.step)


def test_a_calibration_takes_50_ms_and_a_small_part_of_a_short_training(monkeypatch):
    library = Library(monkeypatch, QUIET)
    Threads([1, 2], None, library).start(library.trial, 100_000)
    assert 0.05 <= library.now <= 0.065
    short = Library(monkeypatch, QUIET)
    Threads([1, 2], None, short).start(short.trial, 100)
    assert short.now <= 0.02


def test_a_slow_first_step_does_not_lengthen_a_calibration(monkeypatch):
    """It touches its memory for the first time, and says nothing of the training to come."""
    library = Library(monkeypatch, {1: 0.5, 2: 0.5})
    following = Threads([1, 2], None, library)

    def step():
        library.step()
        library.seconds = QUIET  # of all steps after the first one

    following.start(lambda: nullcontext(step), 100)
    assert library.now <= 0.5 + 0.02


def test_a_change_is_told_and_made(monkeypatch):
    library, told = Library(monkeypatch, QUIET), []
    following = Threads([1, 2], None, library)
    following.on_change = lambda old, new: told.append((old, new))
    following.start(library.trial, 1000)
    assert (following.count, library.count, told) == (2, 2, [])
    following.watch(library.trial, 0.3, 1000)
    library.seconds = BUSY
    following.watch(library.trial, 6.0, 1000)
    assert (following.count, library.count, told) == (1, 1, [(2, 1)])


def test_a_recorded_count_is_kept_without_a_calibration(monkeypatch):
    library = Library(monkeypatch, QUIET)
    following = Threads([1, 2], 1, library)
    following.start(pytest.fail, 1000)
    assert library.count == 1
    assert not following.is_pinned


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_norm": True, "dropout": 0.3, "optimizer": "adamw", "weight_decay": 0.1},
        {"max_norm": 0.5, "gradient_clip": 0.1, "weight_averaging": 0.9, "nesterov": True},
        {"schedule": "cosine"},
    ],
    ids=str,
)
def test_trying_steps_changes_no_bit_of_the_training(tiny, monkeypatch, settings):
    monkeypatch.setattr(ThreadPolicy, "is_calibration_due", lambda *_: True)
    data = datasets.load(str(tiny))
    config = Config(hidden_layers=(12,), batch_size=16, epochs=3, **settings)
    states, rates = [], []
    for following in (None, Threads([1, 2])):
        state = initial_state(config, 10)
        records = list(fit(config, data.train, data.test, state, threads=following))
        assert [r.threads in {None, 1, 2} for r in records] == [True] * 3
        rates.append([r.learning_rate for r in records])
        states.append(state)
    first, second = (state.arrays() for state in states)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert rates[0] == rates[1]
