"""A model as an ONNX graph from MNIST's bytes to probabilities (https://onnx.ai)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from dlcli import __version__
from dlcli.errors import ConfigError
from dlcli.export.description import describe
from dlcli.nn.activations import ACTIVATIONS, GELU_CUBIC, GELU_SCALE
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.runs.checkpoint import Model

INPUT, OUTPUT = "images", "probabilities"
LOWEST_OPSET = 13
"""The operator set of 2020; in earlier ones ReduceSum and Softmax mean something else."""

# The first operator sets in which these operators exist, or take their axes as an input.
_GELU_OPSET, _REDUCE_OPSET = 20, 18


class _Graph:
    """Operators and constants of a graph under construction."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **how: Any) -> str:
        """Append an operator; return the name of its output."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **how))
        return name

    def constant(
        self, values: npt.ArrayLike, name: str | None = None, dtype: npt.DTypeLike = np.float32
    ) -> str:
        """Add a number or an array; return its name."""
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def over_classes(self, operator: str, values: str) -> str:
        """A reduction (sum, minimum or maximum) over the classes of each image, shape (n, 1)."""
        if operator != "ReduceSum" and self.opset < _REDUCE_OPSET:
            return self.add(operator, values, axes=[1], keepdims=1)
        return self.add(operator, values, self.constant([1], dtype=np.int64), keepdims=1)


def _activate(graph: _Graph, name: str, sums: str) -> str:
    activation = ACTIVATIONS[name]
    if activation.onnx_operator == "Gelu" and graph.opset < _GELU_OPSET:
        return _gelu(graph, sums)
    return graph.add(activation.onnx_operator, sums, **activation.onnx_attributes)


def _gelu(graph: _Graph, sums: str) -> str:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))), by elementary operators."""
    cube = graph.add("Mul", graph.add("Mul", sums, sums), sums)
    inner = graph.add("Add", sums, graph.add("Mul", cube, graph.constant(GELU_CUBIC)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.constant(GELU_SCALE)))
    half = graph.add("Mul", sums, graph.constant(0.5))
    return graph.add("Mul", half, graph.add("Add", tanh, graph.constant(1)))


def _softmax(graph: _Graph, logits: str, temperature: float) -> None:
    scaled = graph.add("Div", logits, graph.constant(temperature, "temperature"))
    graph.add("Softmax", scaled, axis=1, output=OUTPUT)


def _sigmoid(graph: _Graph, logits: str, _temperature: float) -> None:
    """Sigmoids divided by their sum.

    They are computed by elementary operators, because runtimes compute Sigmoid below -18 only
    roughly, and their ratios count even where all ten are small.
    """
    negative = graph.add("Neg", graph.add("Max", logits, graph.constant(-80)))
    outputs = graph.add(
        "Reciprocal", graph.add("Add", graph.add("Exp", negative), graph.constant(1))
    )
    graph.add("Div", outputs, graph.over_classes("ReduceSum", outputs), output=OUTPUT)


def _linear(graph: _Graph, logits: str, _temperature: float) -> None:
    """Positive outputs divided by their sum, as in ``activations``."""
    zero = graph.constant(0)
    some_positive = graph.add("Greater", graph.over_classes("ReduceMax", logits), zero)
    shifted = graph.add("Sub", logits, graph.over_classes("ReduceMin", logits))
    parts = graph.add("Where", some_positive, graph.add("Relu", logits), shifted)
    total = graph.over_classes("ReduceSum", parts)
    all_equal = graph.add("Equal", total, zero)
    ones = graph.add("Add", parts, graph.constant(1))
    parts = graph.add("Where", all_equal, ones, parts)
    graph.add("Div", parts, graph.over_classes("ReduceSum", parts), output=OUTPUT)


_OUTPUTS: dict[str, Callable[[_Graph, str, float], None]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "linear": _linear,
}


def to_onnx(model: Model, opset: int = LOWEST_OPSET) -> bytes:
    """The content of an ``.onnx`` file; the same model gives the same bytes.

    It needs the operator set ``opset``, by default the lowest that is enough for any model.

    The input ``images`` has shape (batch, 28, 28), uint8 from 0 to 255; the output
    ``probabilities`` has shape (batch, classes), float32. The graph includes the scaling of
    pixels, the temperature and softmax. The metadata name the classes.

    Raises
    ------
    ConfigError
        The installed onnx does not know the operator set.
    """
    newest = onnx.defs.onnx_opset_version()
    if not LOWEST_OPSET <= opset <= newest:
        raise ConfigError(f"--opset {opset}: use {LOWEST_OPSET} to {newest}")
    network, graph = model.network, _Graph(opset)
    values = graph.add("Cast", graph.add("Flatten", INPUT), to=TensorProto.FLOAT)
    values = graph.add("Mul", values, graph.constant(1 / 255, "scale"))
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        weight_name = graph.constant(weight, f"layers.{layer}.weight")
        bias_name = graph.constant(bias, f"layers.{layer}.bias")
        values = graph.add("Gemm", values, weight_name, bias_name)
        if layer < len(network.activations):
            values = _activate(graph, network.activations[layer], values)
    _OUTPUTS[network.output_activation](graph, values, model.temperature)
    batch, classes = "batch", network.layer_sizes[-1]
    pixels = helper.make_tensor_value_info(
        INPUT, TensorProto.UINT8, [batch, IMAGE_SIDE, IMAGE_SIDE]
    )
    probabilities = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [batch, classes])
    opsets = [helper.make_opsetid("", opset)]
    exported = helper.make_model(
        helper.make_graph(graph.nodes, "dlcli", [pixels], [probabilities], graph.constants),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
        producer_name="dlcli",
        producer_version=__version__,
    )
    helper.set_model_props(exported, describe(model))
    onnx.checker.check_model(exported, full_check=True)
    content: bytes = exported.SerializeToString(deterministic=True)
    return content
