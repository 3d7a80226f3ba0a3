"""Adam's step compiled by Numba, where that is installed (the extra ``numba``).

NumPy goes over the parameters ten times for what one loop does: 91 us against 20 for 100,000
parameters, 3.5 ms against 1.3 for 2.9 million. The loop does the same sums in the same order
and precision, so that the weights are the same to the last bit.
"""

from collections.abc import Callable

import numpy as np

from dlcli.nn.types import Array

AdamKernel = Callable[[Array, Array, Array, Array, float, float, float, float], None]


def adam_kernel() -> AdamKernel | None:
    """:func:`adam` compiled for float32, which takes 0.4 s; None without Numba."""
    from concurrent.futures import ThreadPoolExecutor

    # Python handles signals in the main thread. There, Ctrl-C could strike inside one of LLVM's
    # callbacks, which print an error and forget it.
    with ThreadPoolExecutor(1) as other_thread:
        return other_thread.submit(_compile).result()


def _compile() -> AdamKernel | None:
    try:
        import numba
    except ImportError:
        return None
    vector, scalar = numba.float32[::1], numba.float32
    signature = numba.void(vector, vector, vector, vector, scalar, scalar, scalar, scalar)
    kernel: AdamKernel = numba.njit(signature, error_model="numpy")(adam)
    return kernel


def adam(
    parameters: Array,
    mean: Array,
    mean_square: Array,
    gradient: Array,
    beta1: float,
    beta2: float,
    epsilon: float,
    rate: float,
) -> None:
    """One step of ``optimizers.Adam``, which knows what the arguments are; in place."""
    for i in range(parameters.size):
        slope = gradient[i]
        mean[i] = mean[i] * beta1 + slope
        mean_square[i] = mean_square[i] * beta2 + slope * slope
        parameters[i] -= mean[i] / (np.sqrt(mean_square[i]) + epsilon) * rate
