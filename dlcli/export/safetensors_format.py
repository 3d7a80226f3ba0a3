"""A model's arrays in safetensors, with the names of PyTorch's ``Sequential``."""

import numpy as np
from safetensors.numpy import save

from dlcli.export.description import describe
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.runs.checkpoint import Model


def to_safetensors(model: Model) -> bytes:
    """The content of a ``.safetensors`` file; the same model gives the same bytes.

    Layer i is the ``Linear`` at index 2 i of a ``Sequential`` (see :func:`modules`): ``0.weight``
    of shape (neurons, inputs), ``0.bias``, ``2.weight``, ... The inputs are pixels from 0 to 1.
    The last layer of a network with softmax is divided by the temperature.
    """
    network, arrays = model.network, {}
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        divisor = np.float32(model.temperature if layer == last else 1)
        # safetensors 0.8.0 silently writes non-contiguous arrays wrongly.
        arrays[f"{2 * layer}.weight"] = np.ascontiguousarray(weight.T / divisor)
        arrays[f"{2 * layer}.bias"] = np.ascontiguousarray(bias / divisor)
    return save(arrays, describe(model, modules=modules(model)))


def modules(model: Model) -> str:
    """The arguments of ``torch.nn.Sequential``, in Python."""
    network = model.network
    sizes = network.layer_sizes
    names = []
    for layer in range(len(network.weights)):
        names.append(f"Linear({sizes[layer]}, {sizes[layer + 1]})")
        if layer < len(network.activations):
            names.append(ACTIVATIONS[network.activations[layer]].pytorch)
    output = OUTPUT_ACTIVATIONS[network.output_activation].pytorch
    return ", ".join([*names, *([output] if output is not None else [])])
