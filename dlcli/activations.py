"""What a neuron does with its weighted sum: functions by name, with their derivatives.

Whoever adds a function adds one row to a table here; the config's choices, the gradient
checks and the documentation follow from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Activation:
    """A function of each neuron's sum z alone, for hidden layers.

    Attributes
    ----------
    function
        ``function(z, out)`` writes a(z) into ``out``; both of shape (n, neurons).
    times_derivative
        ``times_derivative(gradient, z, a)`` multiplies ``gradient``, shape (n, neurons),
        in place by da/dz: one link of the chain rule.
    """

    function: Callable[[Array, Array], None]
    times_derivative: Callable[[Array, Array, Array], None]


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


def _sigmoid(z: Array, out: Array) -> None:
    """1 / (1 + exp(-z)), which tells small answers apart where (1 + tanh(z / 2)) / 2 gives 0."""
    np.maximum(z, _SIGMOID_LEAST, out=out)
    np.negative(out, out=out)
    np.exp(out, out=out)
    out += 1
    np.reciprocal(out, out=out)


def _sigmoid_times_derivative(gradient: Array, _z: Array, a: Array) -> None:
    gradient *= a * (1 - a)


def _tanh(z: Array, out: Array) -> None:
    np.tanh(z, out=out)


def _tanh_times_derivative(gradient: Array, _z: Array, a: Array) -> None:
    gradient *= 1 - a * a


def _relu(z: Array, out: Array) -> None:
    """max(z, 0). Source: Nair and Hinton, 2010."""
    np.maximum(z, 0, out=out)


def _relu_times_derivative(gradient: Array, z: Array, _a: Array) -> None:
    gradient *= z > 0


_LEAK = 0.01


def _leaky_relu(z: Array, out: Array) -> None:
    """max(z, 0.01 z). Source: Maas, Hannun and Ng, 2013."""
    np.multiply(z, _LEAK, out=out)
    np.maximum(z, out, out=out)


def _leaky_relu_times_derivative(gradient: Array, z: Array, _a: Array) -> None:
    one, leak = gradient.dtype.type(1), gradient.dtype.type(_LEAK)
    gradient *= np.where(z > 0, one, leak)  # three times as fast as multiplying where z <= 0


_GELU_SCALE = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


def _gelu(z: Array, out: Array) -> None:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))), equation 2 of Hendrycks and Gimpel, 2016."""
    _gelu_tanh(z, out)
    out += 1
    out *= z
    out *= 0.5


def _gelu_tanh(z: Array, out: Array) -> None:
    np.multiply(z, z, out=out)
    out *= _GELU_CUBIC
    out += 1
    out *= z
    out *= _GELU_SCALE
    np.tanh(out, out=out)


def _gelu_times_derivative(gradient: Array, z: Array, _a: Array) -> None:
    t = np.empty_like(z)
    _gelu_tanh(z, t)
    inner = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * z * z)
    gradient *= 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * inner


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(_sigmoid, _sigmoid_times_derivative),
    "tanh": Activation(_tanh, _tanh_times_derivative),
    "relu": Activation(_relu, _relu_times_derivative),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_times_derivative),
    "gelu": Activation(_gelu, _gelu_times_derivative),
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
    "sigmoid": OutputActivation(_sigmoid, _sigmoid_output_times_derivative, _normalised),
    "linear": OutputActivation(_linear, _linear_times_derivative, _normalised),
}
