"""Adam's step compiled by Numba, where that is installed (the extra ``numba``).

NumPy goes over the parameters twelve times for what one loop does. The loop does the same sums
in the same order and precision, so that the weights are the same to the last bit.
"""

from collections.abc import Callable

import numpy as np

from dlcli.nn.types import Array

AdamKernel = Callable[[Array, Array, Array, Array, tuple[float, ...], tuple[float, ...]], None]


def adam_kernel() -> AdamKernel | None:
    """:func:`adam` compiled for float32, which takes 0.4 s; None without Numba."""
    from concurrent.futures import ThreadPoolExecutor

    # Python handles signals in the main thread. There, Ctrl-C could strike inside one of LLVM's
    # callbacks, which print an error and continue.
    with ThreadPoolExecutor(1) as other_thread:
        return other_thread.submit(_compile).result()


def _compile() -> AdamKernel | None:
    try:
        import numba
    except ImportError:
        return None
    vector, scalar = numba.float32[::1], numba.float32
    scalars = [numba.types.UniTuple(scalar, count) for count in (4, 2)]  # type: ignore[no-untyped-call]
    signature = numba.void(vector, vector, vector, vector, *scalars)
    kernel: AdamKernel = numba.njit(signature, error_model="numpy")(adam)
    return kernel


def adam(
    parameters: Array,
    m: Array,
    v: Array,
    gradient: Array,
    weights: tuple[float, ...],
    constants: tuple[float, ...],
) -> None:
    """One step of ``optimizers.Adam``, in place.

    ``weights`` are beta1, 1 - beta1, beta2 and 1 - beta2; ``constants`` are epsilon and the
    learning rate, both corrected for the number of steps.
    """
    old1, new1, old2, new2 = weights
    epsilon, rate = constants
    for i in range(parameters.size):
        g = gradient[i]
        m[i] = m[i] * old1 + g * new1
        v[i] = v[i] * old2 + g * g * new2
        parameters[i] -= m[i] / (np.sqrt(v[i]) + epsilon) * rate
