"""What a neuron does with its weighted sum: functions by name, with their derivatives.

Whoever adds a function adds one row to a table here; the config's choices, the gradient
checks and the documentation follow from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcli.nn.types import Array

Activation = Callable[[Array, Array | None], None]
"""``activation(z, slope)``, for hidden layers: each neuron's sum alone decides its answer.

Replaces the sums ``z``, shape (n, neurons), by a(z) in place and, unless ``slope`` is None,
writes da/dz into it: the link of the chain rule that backpropagation multiplies by. No memory
that grows with n is allocated, and what is in the cache is used while it is there.
"""


@dataclass(frozen=True)
class OutputActivation:
    """What turns the last layer's sums (logits) into one answer per class.

    Attributes
    ----------
    function
        ``function(logits, out)`` writes the outputs into ``out``; both of shape (n, classes).
    times_derivative
        ``times_derivative(gradient, outputs)`` turns dJ/doutputs, shape (n, classes), in place
        into dJ/dlogits.
    probabilities
        ``probabilities(outputs)`` gives shares that are at least 0 and sum to 1 over classes.
    """

    function: Callable[[Array, Array], None]
    times_derivative: Callable[[Array, Array], None]
    probabilities: Callable[[Array], Array]


# exp(80) is still a float32; below -80 a sigmoid stays at its value there, 2e-35.
_SIGMOID_LEAST = -80


def _sigmoid(z: Array, slope: Array | None) -> None:
    """1 / (1 + exp(-z)), which tells small answers apart where (1 + tanh(z / 2)) / 2 gives 0."""
    np.maximum(z, _SIGMOID_LEAST, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
    if slope is not None:
        np.subtract(1, z, out=slope)
        slope *= z


def _tanh(z: Array, slope: Array | None) -> None:
    np.tanh(z, out=z)
    if slope is not None:
        np.multiply(z, z, out=slope)
        np.subtract(1, slope, out=slope)


def _relu(z: Array, slope: Array | None) -> None:
    """max(z, 0). Source: Nair and Hinton, 2010."""
    if slope is None:
        np.maximum(z, 0, out=z)
    else:
        # 7 us for 128 x 128 sums, where max(z, 0) alone takes 8.
        np.greater(z, 0, out=slope)
        z *= slope


def _by_blocks(activation: Activation) -> Activation:
    """The same activation, 64 rows at a time, so that what it allocates stays small."""

    def in_blocks(z: Array, slope: Array | None) -> None:
        for start in range(0, len(z), 64):
            rows = slice(start, start + 64)
            activation(z[rows], None if slope is None else slope[rows])

    return in_blocks


_LEAK = 0.01


@_by_blocks
def _leaky_relu(z: Array, slope: Array | None) -> None:
    """max(z, 0.01 z). Source: Maas, Hannun and Ng, 2013."""
    factor = np.empty_like(z) if slope is None else slope
    np.greater(z, 0, out=factor)
    factor *= 1 - _LEAK
    factor += _LEAK
    z *= factor


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


@_by_blocks
def _gelu(z: Array, slope: Array | None) -> None:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))), equation 2 of Hendrycks and Gimpel, 2016.

    With h for what z is multiplied by and u for what tanh is taken of, the slope is
    h + 2 z h (1 - h) du/dz.
    """
    square = z * z
    half = _GELU_CUBIC * square
    half += 1
    half *= z
    half *= _GELU_SCALE
    np.tanh(half, out=half)
    half += 1
    half *= 0.5
    if slope is not None:
        np.subtract(1, half, out=slope)
        slope *= z
        square *= 2 * _GELU_SCALE * 3 * _GELU_CUBIC
        square += 2 * _GELU_SCALE
        slope *= square
        slope += 1
        slope *= half
    z *= half


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
}


def _softmax(logits: Array, out: Array) -> None:
    """exp(z_k) / sum of exp(z_j), shifted by the largest z so that exp cannot overflow."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)


def _softmax_times_derivative(gradient: Array, outputs: Array) -> None:
    """dJ/dz_k = p_k (g_k - sum of g_j p_j), because every p depends on every z."""
    gradient -= (gradient * outputs).sum(axis=1, keepdims=True)
    gradient *= outputs


def _sigmoid_output(logits: Array, out: Array) -> None:
    np.copyto(out, logits)
    _sigmoid(out, None)


def _sigmoid_output_times_derivative(gradient: Array, outputs: Array) -> None:
    gradient *= outputs * (1 - outputs)


def _linear(logits: Array, out: Array) -> None:
    np.copyto(out, logits)


def _linear_times_derivative(_gradient: Array, _outputs: Array) -> None:
    """The derivative is 1."""


def _already_probabilities(outputs: Array) -> Array:
    return outputs


def _normalised(outputs: Array) -> Array:
    """Negative outputs become 0; the rest are divided by their sum.

    Where no output is positive, they are first shifted up by their least, so that the largest
    output always has the largest share; where all are equal, so are the shares.
    """
    positive = np.maximum(outputs, 0)
    none_positive = ~positive.any(axis=1)
    shifted = outputs[none_positive]
    positive[none_positive] = shifted - shifted.min(axis=1, keepdims=True)
    total = positive.sum(axis=1, keepdims=True)
    even = np.full_like(positive, 1 / positive.shape[1])
    np.divide(positive, total, out=even, where=total > 0)
    return even


OUTPUT_ACTIVATIONS: dict[str, OutputActivation] = {
    "softmax": OutputActivation(_softmax, _softmax_times_derivative, _already_probabilities),
    "sigmoid": OutputActivation(_sigmoid_output, _sigmoid_output_times_derivative, _normalised),
    "linear": OutputActivation(_linear, _linear_times_derivative, _normalised),
}
