"""The loops of ``kernels``, compiled by Numba and kept in the user's cache."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from dlcli.nn.kernels import KERNELS

if TYPE_CHECKING:
    from dlcli.nn.kernels import Pass

_LOG = logging.getLogger(__name__)


class Compiled(dict[str, "Pass"]):
    """Every pass, compiled by Numba when it is first asked for; by NumPy where it has no loop."""

    def __missing__(self, name: str) -> Pass:
        """Compile a pass, in another thread.

        Python handles signals in the main thread. There, Ctrl-C could strike inside one of LLVM's
        callbacks, which print an error and continue.
        """
        from concurrent.futures import ThreadPoolExecutor

        kernel = KERNELS[name]
        if kernel.loop is None:
            self[name] = kernel.reference
        else:
            with ThreadPoolExecutor(1) as other_thread:
                self[name] = other_thread.submit(_compile, kernel.loop, kernel.types).result()
        _LOG.debug("kernel %s: %s", name, "NumPy" if kernel.loop is None else "Numba")
        return self[name]


def compiled() -> Compiled | None:
    """All passes, compiled as they are needed; None without Numba, whose import takes 0.3 s.

    What was compiled is kept in the user's cache folder, or where ``NUMBA_CACHE_DIR`` says.
    """
    try:
        import numba
    except ImportError:
        _LOG.debug("kernels: NumPy, as Numba is not installed")
        return None
    from platformdirs import user_cache_path

    config: Any = numba.config
    config.CACHE_DIR = config.CACHE_DIR or str(user_cache_path("dlcli", appauthor=False) / "numba")
    return Compiled()


def _compile(loop: Pass, types: str) -> Pass:
    import numba

    def jit(*, cache: bool) -> Pass:
        made: Any = numba.njit(f"void({types})", error_model="numpy", cache=cache)
        compiled: Pass = made(loop)
        return compiled

    try:
        return jit(cache=True)
    except Exception as error:  # noqa: BLE001 - no folder, a full disk, a damaged file: never mind
        _LOG.debug("cannot be cached: %s", error)
        return jit(cache=False)
