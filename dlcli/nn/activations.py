"""Activations: the nonlinear functions between the layers, and those at the network's end.

Each is one row of a table here. The config's choices, the initial weights, gradient checks, the
exporters and the report read that row. Tests ask for the rest that a new row needs: its formula in
``report/draw/network.js`` (JavaScript) and, to be compared with PyTorch, a line each in
``tools/generate_oracle.py`` and ``tests/export/test_export.py``; ``make exports readme``; for an
output activation also ``export/onnx_format.py`` and ``report/draw/walkthrough.js``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dlcli.nn.lazy_numpy import np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dlcli.nn.types import Array


@dataclass(frozen=True, eq=False)
class Activation:
    """The activation of a hidden layer.

    Attributes
    ----------
    forward
        ``forward(z, derivative)`` replaces the weighted sums ``z``, shape (n, neurons), by a(z)
        in place. Unless ``derivative`` is None, it is filled with da/dz, computed in the same
        pass while the values are in the cache. Allocates no memory that grows with n.
    initializer
        The initial weights that suit the layer, where the config says ``auto``.
    onnx_operator, onnx_attributes
        The operator of ONNX (https://onnx.ai/onnx/operators) that computes the same.
    pytorch
        The module of ``torch.nn`` that computes the same.
    bounds
        Both ends of its range, if it saturates at both.
    rectifies
        Whether it lets little or nothing of sums below 0 pass, so that a neuron whose sums are
        never above 0 is dead.
    """

    forward: Callable[[Array, Array | None], None]
    initializer: str
    onnx_operator: str
    pytorch: str
    onnx_attributes: Mapping[str, Any] = field(default_factory=dict)
    bounds: tuple[float, float] | None = None
    rectifies: bool = False


@dataclass(frozen=True, eq=False)
class OutputActivation:
    """What turns the last layer's sums (logits) into one output per class.

    Attributes
    ----------
    forward
        ``forward(logits, out)`` writes the outputs into ``out``; both of shape (n, classes).
    backward
        ``backward(gradient, outputs)`` turns dJ/doutputs, shape (n, classes), into dJ/dlogits,
        in place.
    probabilities
        ``probabilities(outputs)`` gives numbers of at least 0 that sum to 1 over the classes.
    cross_entropy
        The form of the cross-entropy that fits the outputs: ``categorical`` where the classes
        exclude each other, ``binary`` where each class is a yes or no of its own, and None
        where the outputs are no probabilities.
    initializer, pytorch
        As those of :class:`Activation`; None where ``torch.nn`` needs no module.
    """

    forward: Callable[[Array, Array], None]
    backward: Callable[[Array, Array], None]
    probabilities: Callable[[Array], Array]
    cross_entropy: Literal["categorical", "binary"] | None
    initializer: str
    pytorch: str | None

    @property
    def gives_probabilities(self) -> bool:
        """Whether each output is the probability of its class."""
        return self.cross_entropy is not None


# exp(80) still fits into a float32; below -80 a sigmoid stays at its value there, 2e-35.
_MIN_SIGMOID_INPUT = -80


def _sigmoid(z: Array, derivative: Array | None) -> None:
    """1 / (1 + exp(-z)), which stays above 0 where the equal (1 + tanh(z / 2)) / 2 gives 0."""
    np.maximum(z, _MIN_SIGMOID_INPUT, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    np.reciprocal(z, out=z)
    if derivative is not None:
        np.subtract(1, z, out=derivative)
        derivative *= z


def _tanh(z: Array, derivative: Array | None) -> None:
    np.tanh(z, out=z)
    if derivative is not None:
        np.multiply(z, z, out=derivative)
        np.subtract(1, derivative, out=derivative)


def _relu(z: Array, derivative: Array | None) -> None:
    """max(z, 0). Source: Nair and Hinton, 2010."""
    if derivative is None:
        np.maximum(z, 0, out=z)
    else:
        np.greater(z, 0, out=derivative)
        z *= derivative


_ROWS_AT_ONCE = 64


def _by_blocks(forward: Callable[[Array, Array | None], None]) -> Callable[..., None]:
    """The same function, a few rows at a time, so that its temporary arrays stay small."""

    def in_blocks(z: Array, derivative: Array | None) -> None:
        for start in range(0, len(z), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            forward(z[rows], None if derivative is None else derivative[rows])

    return in_blocks


LEAK = 0.01


@_by_blocks
def _leaky_relu(z: Array, derivative: Array | None) -> None:
    """max(z, 0.01 z). Source: Maas, Hannun and Ng, 2013."""
    factor = np.empty_like(z) if derivative is None else derivative
    np.greater(z, 0, out=factor)
    factor *= 1 - LEAK
    factor += LEAK
    z *= factor


GELU_SCALE = math.sqrt(2 / math.pi)
GELU_CUBIC = 0.044715


@_by_blocks
def _gelu(z: Array, derivative: Array | None) -> None:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))), equation 2 of Hendrycks and Gimpel, 2016.

    With h for the factor of z and u for the argument of tanh, the derivative is
    h + 2 z h (1 - h) du/dz.
    """
    square = z * z
    half = GELU_CUBIC * square
    half += 1
    half *= z
    half *= GELU_SCALE
    np.tanh(half, out=half)
    half += 1
    half *= 0.5
    if derivative is not None:
        np.subtract(1, half, out=derivative)
        derivative *= z
        square *= 2 * GELU_SCALE * 3 * GELU_CUBIC
        square += 2 * GELU_SCALE
        derivative *= square
        derivative += 1
        derivative *= half
    z *= half


def _unsquashed(_z: Array, derivative: Array | None) -> None:
    """The sums as they are. Layers of such neurons compute no more than one of them."""
    if derivative is not None:
        derivative.fill(1)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(
        _sigmoid, "glorot_uniform", onnx_operator="Sigmoid", pytorch="Sigmoid()", bounds=(0, 1)
    ),
    "tanh": Activation(
        _tanh, "glorot_uniform", onnx_operator="Tanh", pytorch="Tanh()", bounds=(-1, 1)
    ),
    "relu": Activation(_relu, "he_normal", onnx_operator="Relu", pytorch="ReLU()", rectifies=True),
    "leaky_relu": Activation(
        _leaky_relu,
        "he_normal",
        onnx_operator="LeakyRelu",
        onnx_attributes={"alpha": LEAK},
        pytorch=f"LeakyReLU({LEAK})",
        rectifies=True,
    ),
    "gelu": Activation(
        _gelu,
        "he_normal",
        onnx_operator="Gelu",
        onnx_attributes={"approximate": "tanh"},
        pytorch="GELU(approximate='tanh')",
        rectifies=True,
    ),
    "linear": Activation(
        _unsquashed, "glorot_uniform", onnx_operator="Identity", pytorch="Identity()"
    ),
}


def _softmax(logits: Array, out: Array) -> None:
    """exp(z_k) / sum of exp(z_j), shifted by the largest z so that exp cannot overflow."""
    np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)


def _softmax_backward(gradient: Array, outputs: Array) -> None:
    """dJ/dz_k = p_k (g_k - sum of g_j p_j), because every p depends on every z."""
    gradient -= (gradient * outputs).sum(axis=1, keepdims=True)
    gradient *= outputs


def _sigmoid_output(logits: Array, out: Array) -> None:
    np.copyto(out, logits)
    _sigmoid(out, None)


def _sigmoid_backward(gradient: Array, outputs: Array) -> None:
    gradient *= outputs * (1 - outputs)


def _linear(logits: Array, out: Array) -> None:
    np.copyto(out, logits)


def _linear_backward(_gradient: Array, _outputs: Array) -> None:
    """The derivative is 1."""


def _unchanged(outputs: Array) -> Array:
    return outputs


def _normalised(outputs: Array) -> Array:
    """Negative outputs become 0; the rest are divided by their sum.

    Where no output is positive, the least is first subtracted from all of them, so that the
    largest output always has the largest probability. Equal outputs get equal probabilities.
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
    "softmax": OutputActivation(
        _softmax,
        _softmax_backward,
        _unchanged,
        cross_entropy="categorical",
        initializer="glorot_uniform",
        pytorch="Softmax(dim=1)",
    ),
    "sigmoid": OutputActivation(
        _sigmoid_output,
        _sigmoid_backward,
        _normalised,
        cross_entropy="binary",
        initializer="glorot_uniform",
        pytorch="Sigmoid()",
    ),
    "linear": OutputActivation(
        _linear,
        _linear_backward,
        _normalised,
        cross_entropy=None,
        initializer="glorot_uniform",
        pytorch=None,
    ),
}
