"""How many threads BLAS computes with: a number that is pinned, or as many as are fastest now.

The threads of OpenBLAS wait for each other by spinning. Where other programs keep the cores busy,
a matrix product in two threads can take forty times as long as in one; where the cores are idle,
it takes half as long. So both are tried with steps of the training itself, before it begins and
again when it becomes slow.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

Step: TypeAlias = Callable[[], object]
# A block in which steps can be timed; what they change is undone at its end.
Trial: TypeAlias = Callable[[], AbstractContextManager[Step]]

# A block of batches is over in 10 ms or in 10 s; only the mean over so many seconds is compared.
_SPAN_SECONDS = 0.25
# A span that takes so many times as long as the fastest block is slow.
_SLOW = 1.5
# More threads are worth it if their steps take less than this fraction of the time: half as many
# leave a core to others.
_FASTER = 0.9
# The least time between two calibrations. It doubles after one that changes nothing, so that they
# take no time, and halves after one that does: where other programs come and go, so does the count.
_FIRST_PATIENCE, _MAX_PATIENCE = 0.25, 16.0
# With fewer threads than there might be, nothing shows that the cores are idle again. So after so
# many times the patience a calibration looks: first after a second, for the cores may have been
# busy just when the training began, and in the end every minute.
_PATIENCE_TO_GROW = 4
# Seconds of a calibration, for all counts together, and the part of the training it may take.
_CALIBRATION_SECONDS, _CALIBRATION_FRACTION = 0.05, 0.02
# Seconds that one count is measured for until the next one has its turn.
_TURN_SECONDS = 0.004


def candidates(most: int) -> list[int]:
    """The counts to choose among: powers of two, and ``most``.

    >>> candidates(6)
    [1, 2, 4, 6]
    """
    return [*(1 << i for i in range((most - 1).bit_length())), most]


class ThreadPolicy:
    """Decides from measured times how many threads to compute with.

    >>> policy = ThreadPolicy([1, 2])
    >>> policy.choose({1: 0.003, 2: 0.002})
    2
    >>> policy.is_calibration_due(block_seconds=0.5, images=2000)
    False
    >>> policy.is_calibration_due(block_seconds=9.0, images=2000)  # another program began
    True
    >>> policy.choose({1: 0.004, 2: 0.05})
    1
    """

    def __init__(self, counts: Sequence[int], first: int | None = None) -> None:
        """Choose among ``counts``, beginning with ``first``, by default with the highest."""
        self.counts = tuple(sorted({*counts, first or counts[-1]}))
        self.count = first or self.counts[-1]
        self._patience = _FIRST_PATIENCE
        self._since_calibration = math.inf if first is None else 0.0
        self.forget()

    def forget(self) -> None:
        """Forget how fast the blocks were: the next ones are of other images or networks."""
        self._fastest = dict.fromkeys(self.counts, math.inf)  # seconds an image, by count
        self._seconds, self._images = 0.0, 0  # of the present span

    def choose(self, seconds: Mapping[int, float]) -> int:
        """Note what a step takes with each count, and choose one: the fewest of those alike."""
        fastest, old = min(seconds[count] for count in self.counts), self.count
        self.count = next(c for c in self.counts if _FASTER * seconds[c] <= fastest)
        if self.count != old:
            self._patience = max(self._patience / 2, _FIRST_PATIENCE)
        elif self._since_calibration < math.inf:
            self._patience = min(2 * self._patience, _MAX_PATIENCE)
        self._since_calibration = 0.0
        self._seconds, self._images = 0.0, 0
        return self.count

    def is_calibration_due(self, block_seconds: float, images: int) -> bool:
        """Note what a block of batches took; whether the counts have to be compared again."""
        self._seconds += block_seconds
        self._images += images
        self._since_calibration += block_seconds
        fastest = min(self._fastest[self.count], block_seconds / images)
        self._fastest[self.count] = fastest
        if self._seconds < _SPAN_SECONDS:
            return False
        is_slow = self._seconds / self._images > _SLOW * fastest and self.count > self.counts[0]
        may_grow = self.count < self.counts[-1]
        self._seconds, self._images = 0.0, 0
        if is_slow and self._since_calibration >= self._patience:
            return True
        return may_grow and self._since_calibration >= _PATIENCE_TO_GROW * self._patience


class Threads:
    """The BLAS threads of a training.

    Attributes
    ----------
    count
        How many there are now.
    is_pinned
        Whether the count stays, whatever the machine does.
    on_change
        Called with the old and the new count.
    """

    def __init__(
        self, counts: Sequence[int], first: int | None = None, controller: Any = None
    ) -> None:
        """Choose among ``counts``, or start with ``first`` of them, without a calibration.

        ``controller`` is threadpoolctl's, for the libraries whose threads these are.
        """
        self._libraries = controller.lib_controllers if controller is not None else []
        self._policy = ThreadPolicy(counts, first)
        self._is_calibrated = first is not None
        self.count = self._policy.count
        self.is_pinned = len(self._policy.counts) == 1
        self.on_change: Callable[[int, int], None] = lambda _old, _new: None

    def start(self, trial: Trial, steps: int) -> None:
        """Choose a count before a training of ``steps`` steps, by trying one with each."""
        self._set(self.count)
        self._policy.forget()
        if self.is_pinned or self._is_calibrated:
            return
        self._is_calibrated = True
        with trial() as step:
            step()  # touches its memory for the first time, and so takes longer than the next ones
            started = time.perf_counter()
            step()
            training = steps * (time.perf_counter() - started)
            self._calibrate(step, min(_CALIBRATION_SECONDS, _CALIBRATION_FRACTION * training))

    def watch(self, trial: Trial, block_seconds: float, images: int) -> None:
        """Note what a block of batches took; compare the counts again if it has become slow."""
        if not self.is_pinned and self._policy.is_calibration_due(block_seconds, images):
            with trial() as step:
                self._calibrate(step, _CALIBRATION_SECONDS)

    def _calibrate(self, step: Step, budget_seconds: float) -> None:
        old = self.count
        self._set(self._policy.choose(self._measure(step, budget_seconds)))
        if self.count != old:
            self.on_change(old, self.count)

    def _measure(self, step: Step, budget_seconds: float) -> dict[int, float]:
        """The mean seconds of ``step`` with each count; they take turns."""
        seconds = dict.fromkeys(self._policy.counts, 0.0)
        steps = dict.fromkeys(self._policy.counts, 0)
        while not all(steps.values()) or sum(seconds.values()) < budget_seconds:
            for count in self._policy.counts:
                self._set(count)
                started, elapsed = time.perf_counter(), 0.0
                while not steps[count] or elapsed < min(_TURN_SECONDS, budget_seconds):
                    step()
                    steps[count] += 1
                    elapsed = time.perf_counter() - started
                seconds[count] += elapsed
        return {count: seconds[count] / steps[count] for count in seconds}

    def _set(self, count: int) -> None:
        self.count = count
        for library in self._libraries:
            library.set_num_threads(count)
