"""How long tests wait for what must happen, so that they end if it never does."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 900
"""Far longer than anything takes, also where many other programs share the machine."""


def wait_until(holds: Callable[[], Any]) -> Any:
    """What ``holds`` gives once it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found
