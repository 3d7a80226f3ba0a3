"""The passes over arrays beside the matrix products: by NumPy, and as loops for Numba.

NumPy goes over its arrays once for every operation; a loop does all the operations of a pass at
once. It does the same sums in the same order and precision, so that no bit depends on whether Numba
(the extra ``numba``) is installed and used. ``KERNELS`` is the table of them all. What a loop
would gain too little for, or could not compute to the same bits (tanh, exp), is NumPy's alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dlcli.nn.activations import ACTIVATIONS, LEAK
from dlcli.nn.image_kernels import interpolate, interpolate_loop, look_up, look_up_loop
from dlcli.nn.losses import LOSSES
from dlcli.nn.network import scale_pixels

if TYPE_CHECKING:
    from dlcli.nn.types import Array, Pixels

Pass: TypeAlias = Callable[..., None]
Bits: TypeAlias = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Kernel:
    """One pass.

    Attributes
    ----------
    reference
        The pass by NumPy, for arrays of any floating-point type.
    loop
        The same as a loop over float32, which Numba compiles; None where NumPy is as fast.
    types
        Of the loop's arguments, as Numba writes them.
    saves
        Nanoseconds by which the loop is faster, for each value it goes over, on a processor with
        AVX-512.
    """

    reference: Pass
    loop: Pass | None = None
    types: str = ""
    saves: float = 0.0


_PIXEL = np.float32(1 / 255)


def _scale_pixels(images: Pixels, out: Array) -> None:
    for i in range(images.shape[0]):
        for j in range(images.shape[1]):
            out[i, j] = images[i, j] * _PIXEL


def _by_numpy(activation: str) -> Pass:
    """Add the bias to the sums z and apply the activation: values and derivatives, in place."""

    def activate(z: Array, bias: Array, derivatives: Array) -> None:
        z += bias
        ACTIVATIONS[activation].forward(z, derivatives)

    return activate


def _relu(z: Array, bias: Array, derivatives: Array) -> None:
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            total = z[i, j] + bias[j]
            derivative = np.float32(total > 0)
            derivatives[i, j] = derivative
            z[i, j] = total * derivative


_ABOVE, _BELOW = np.float32(1 - LEAK) + np.float32(LEAK), np.float32(LEAK)


def _leaky_relu(z: Array, bias: Array, derivatives: Array) -> None:
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            total = z[i, j] + bias[j]
            derivative = _ABOVE if total > 0 else _BELOW
            derivatives[i, j] = derivative
            z[i, j] = total * derivative


def draw_mask(bits: Bits, dropped: int, factor: float, mask: Array) -> None:
    """Fill ``mask`` with 0 where random bits are below ``dropped``, else with ``factor``."""
    np.multiply(bits >= dropped, mask.dtype.type(factor), out=mask)


def _draw_mask(bits: Bits, dropped: int, factor: float, mask: Array) -> None:
    for i in range(mask.size):
        mask[i] = factor if bits[i] >= dropped else np.float32(0)


def shift(logits: Array, out: Array) -> None:
    """Subtract the largest logit of each image, so that exp cannot overflow."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)


def _shift(logits: Array, out: Array) -> None:
    for i in range(logits.shape[0]):
        largest = logits[i, 0]
        for k in range(1, logits.shape[1]):
            largest = max(largest, logits[i, k])
        for k in range(logits.shape[1]):
            out[i, k] = logits[i, k] - largest


def softmax_error(outputs: Array, targets: Array, error: Array) -> None:
    """Divide exp(z) by its sum over the classes; the gradient of the mean cross-entropy."""
    # NumPy sums a single row in pairs and all others one by one, as the loop does.
    one_row = len(outputs) == 1
    total = outputs.cumsum(axis=1)[:, -1:] if one_row else outputs.sum(axis=1, keepdims=True)
    outputs /= total
    LOSSES["cross_entropy"].gradient("softmax", outputs, targets, error)
    error /= len(error)


def _softmax_error(outputs: Array, targets: Array, error: Array) -> None:
    rows = np.float32(outputs.shape[0])
    for i in range(outputs.shape[0]):
        total = outputs[i, 0]
        for k in range(1, outputs.shape[1]):
            total += outputs[i, k]
        for k in range(outputs.shape[1]):
            outputs[i, k] /= total
            error[i, k] = (outputs[i, k] - targets[i, k]) / rows


def backward(error: Array, derivatives: Array, bias_gradient: Array) -> None:
    """Turn the gradient by values into that by sums, in place, and sum it over the images."""
    error *= derivatives
    if error.shape[1] == 1:  # summed in pairs, see softmax_error
        bias_gradient[:] = error.cumsum(axis=0)[-1]
    else:
        error.sum(axis=0, out=bias_gradient)


def _backward(error: Array, derivatives: Array, bias_gradient: Array) -> None:
    bias_gradient[:] = 0
    for i in range(error.shape[0]):
        for j in range(error.shape[1]):
            error[i, j] *= derivatives[i, j]
            bias_gradient[j] += error[i, j]


def add_penalty(gradient: Array, parameters: Array, penalty: float, scratch: Array) -> None:
    """Add the gradient of the L2 penalty."""
    np.multiply(parameters, penalty, out=scratch)
    gradient += scratch


def _add_penalty(gradient: Array, parameters: Array, penalty: float, _scratch: Array) -> None:
    for i in range(gradient.size):
        gradient[i] += parameters[i] * penalty


# Parameters that a step of NumPy goes over at once, so that they stay in the cache from one
# operation to the next. A step of Adam over 670,000 parameters takes 1.6 ms in blocks of this
# size, and 1.8 ms in blocks four times as long.
BLOCK = 1 << 16


def _in_blocks(step: Pass) -> Pass:
    """The same step, over as many parameters at a time as there is scratch."""

    def step_in_blocks(parameters: Array, gradient: Array, scratch: Array, *others: Any) -> None:
        for start in range(0, parameters.size, scratch.size):
            block = slice(start, start + scratch.size)
            some = parameters[block]
            rest = (x[block] if isinstance(x, np.ndarray) else x for x in others)
            step(some, gradient[block], scratch[: some.size], *rest)

    return step_in_blocks


@_in_blocks
def gradient_step(parameters: Array, gradient: Array, scratch: Array, rate: float) -> None:
    """One step of ``optimizers.SGD`` without momentum."""
    np.multiply(gradient, rate, out=scratch)
    parameters -= scratch


def _gradient_step(parameters: Array, gradient: Array, _scratch: Array, rate: float) -> None:
    for i in range(parameters.size):
        parameters[i] -= gradient[i] * rate


@_in_blocks
def momentum_step(
    parameters: Array,
    gradient: Array,
    scratch: Array,
    rate: float,
    velocity: Array,
    momentum: float,
) -> None:
    """One step of ``optimizers.SGD`` with momentum."""
    velocity *= momentum
    velocity += gradient
    np.multiply(velocity, rate, out=scratch)
    parameters -= scratch


def _momentum_step(
    parameters: Array,
    gradient: Array,
    _scratch: Array,
    rate: float,
    velocity: Array,
    momentum: float,
) -> None:
    for i in range(parameters.size):
        velocity[i] = velocity[i] * momentum + gradient[i]
        parameters[i] -= velocity[i] * rate


@_in_blocks
def nesterov_step(
    parameters: Array,
    gradient: Array,
    scratch: Array,
    rate: float,
    velocity: Array,
    momentum: float,
) -> None:
    """One step of ``optimizers.SGD`` with Nesterov's look-ahead."""
    velocity *= momentum
    velocity += gradient
    np.multiply(velocity, momentum, out=scratch)
    scratch += gradient
    scratch *= rate
    parameters -= scratch


def _nesterov_step(
    parameters: Array,
    gradient: Array,
    _scratch: Array,
    rate: float,
    velocity: Array,
    momentum: float,
) -> None:
    for i in range(parameters.size):
        velocity[i] = velocity[i] * momentum + gradient[i]
        parameters[i] -= (velocity[i] * momentum + gradient[i]) * rate


@_in_blocks
def adam_step(
    parameters: Array,
    gradient: Array,
    scratch: Array,
    rate: float,
    m: Array,
    v: Array,
    weights: tuple[float, float, float, float],
    epsilon: float,
) -> None:
    """One step of ``optimizers.Adam``.

    ``weights`` are beta1, 1 - beta1, beta2 and 1 - beta2; ``rate`` and ``epsilon`` are corrected
    for the number of steps.
    """
    old1, new1, old2, new2 = weights
    m *= old1
    np.multiply(gradient, new1, out=scratch)
    m += scratch
    v *= old2
    np.multiply(gradient, gradient, out=scratch)
    scratch *= new2
    v += scratch
    np.sqrt(v, out=scratch)
    scratch += epsilon
    np.divide(m, scratch, out=scratch)
    scratch *= rate
    parameters -= scratch


def _adam_step(
    parameters: Array,
    gradient: Array,
    _scratch: Array,
    rate: float,
    m: Array,
    v: Array,
    weights: tuple[float, float, float, float],
    epsilon: float,
) -> None:
    old1, new1, old2, new2 = weights
    for i in range(parameters.size):
        g = gradient[i]
        m[i] = m[i] * old1 + g * new1
        v[i] = v[i] * old2 + g * g * new2
        parameters[i] -= m[i] / (np.sqrt(v[i]) + epsilon) * rate


_NEGLIGIBLE = np.float32(1e-30)  # far below what changes a weight, far above subnormal floats


def flush_subnormals(values: Array) -> None:
    """Set values to 0 that have faded (see ``Optimizer.flush_subnormals``)."""
    for start in range(0, values.size, BLOCK):
        part = values[start : start + BLOCK]
        part *= np.abs(part) > _NEGLIGIBLE


def _flush_subnormals(values: Array) -> None:
    for i in range(values.size):
        values[i] *= np.float32(np.abs(values[i]) > _NEGLIGIBLE)


_ROWS, _VECTOR = "f4[:, ::1]", "f4[::1]"
_CLASSES = "f4[:, :]"  # stored class by class, see Buffers
_ACTIVATE = f"{_ROWS}, {_VECTOR}, {_ROWS}"
_INTERPOLATE = "u1[:, :, ::1], u1[:, :, :, ::1], f4[:, :, ::1], u1[:, ::1]"
_STEP = f"{_VECTOR}, {_VECTOR}, {_VECTOR}, f4"
KERNELS: dict[str, Kernel] = {
    "interpolate": Kernel(interpolate, interpolate_loop, _INTERPOLATE, 5.0),
    "look_up": Kernel(look_up, look_up_loop, "u1[:, ::1], i8[::1], u1[:, ::1]", 2.0),
    "scale_pixels": Kernel(scale_pixels, _scale_pixels, f"u1[:, ::1], {_ROWS}", 0.1),
    **{name: Kernel(_by_numpy(name)) for name in ACTIVATIONS},
    "relu": Kernel(_by_numpy("relu"), _relu, _ACTIVATE, 0.5),
    "leaky_relu": Kernel(_by_numpy("leaky_relu"), _leaky_relu, _ACTIVATE, 1.0),
    "draw_mask": Kernel(draw_mask, _draw_mask, f"u2[::1], i8, f4, {_VECTOR}", 0.2),
    "shift": Kernel(shift, _shift, f"{_CLASSES}, {_CLASSES}", 1.3),
    "softmax_error": Kernel(softmax_error, _softmax_error, ", ".join([_CLASSES] * 3), 2.4),
    "backward": Kernel(backward, _backward, f"{_ROWS}, {_ROWS}, {_VECTOR}", 0.3),
    "add_penalty": Kernel(add_penalty, _add_penalty, f"{_VECTOR}, {_VECTOR}, f4, {_VECTOR}", 0.15),
    "gradient_step": Kernel(gradient_step, _gradient_step, _STEP, 0.15),
    "momentum_step": Kernel(momentum_step, _momentum_step, f"{_STEP}, {_VECTOR}, f4", 0.3),
    "nesterov_step": Kernel(nesterov_step, _nesterov_step, f"{_STEP}, {_VECTOR}, f4", 0.7),
    "adam_step": Kernel(
        adam_step, _adam_step, f"{_STEP}, {_VECTOR}, {_VECTOR}, UniTuple(f4, 4), f4", 1.5
    ),
    "flush_subnormals": Kernel(flush_subnormals, _flush_subnormals, _VECTOR, 0.35),
}
"""Every pass by its name."""

NUMPY: Mapping[str, Pass] = {name: kernel.reference for name, kernel in KERNELS.items()}
"""Every pass by NumPy."""
