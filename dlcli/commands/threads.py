"""How many threads the matrix products use."""

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController


@contextmanager
def limit_threads(count: int | None) -> Iterator[int]:
    """Use ``count`` BLAS threads (None: as many as BLAS chose) and tell how many they are."""
    controller = ThreadpoolController().select(user_api="blas")
    with controller.limit(limits=count):
        used = [pool["num_threads"] for pool in controller.info()]
        yield max(used, default=1)
