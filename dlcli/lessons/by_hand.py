"""Backpropagation by hand: every number of one image in a network of two hidden neurons.

The same gradient is computed three times: by the chain rule with scalars, as on paper; by
``dlcli.nn``; and by finite differences.
"""

import math

import numpy as np

from dlcli.data.examples import Dataset
from dlcli.lessons.by_hand_figures import FIGURES
from dlcli.nn.backpropagation import Backpropagation
from dlcli.nn.network import Network
from dlcli.nn.types import Array, Pixels

# Random numbers rounded to one decimal, so that they can be put into a calculator.
_WEIGHTS = ((0.8, -0.6, 0.4, 1.2), (-1.1, 0.9, 0.7, -0.5))  # of the hidden neurons, from 4 inputs
_BIASES = (0.1, -0.2)
_OUT_WEIGHTS = ((1.3, -0.7), (-0.4, 1.0))  # of the outputs, from the hidden neurons
_OUT_BIASES = (0.2, 0.1)
_DIGITS = (0, 1)  # what the outputs stand for
_LEARNING_RATE = 1.0
_STEP = 1e-5  # of the finite differences, as in nn.gradcheck


def figures(dataset: Dataset) -> dict[str, float]:
    """The numbers of one training image, forward and backward."""
    image, label = _image(dataset)
    target = [1.0 if digit == label else 0.0 for digit in _DIGITS]
    found = dict.fromkeys(FIGURES, 0.0)
    inputs = [level / 255 for level in image.tolist()]
    _name(found, "x", inputs)
    _name(found, "y", target)
    for number, (row, bias) in enumerate(zip(_WEIGHTS, _BIASES, strict=True), 1):
        _name(found, f"w{number}", row)
        found[f"b{number}"] = bias
    for number, (out, bias) in enumerate(zip(_OUT_WEIGHTS, _OUT_BIASES, strict=True), 1):
        _name(found, f"v{number}", out)
        found[f"c{number}"] = bias
    _forward(found)
    _backward(found)
    _compare(found, image, np.array([target]))
    return found


def _image(dataset: Dataset) -> tuple[Pixels, int]:
    """The mean grey levels of the four quarters of the first 0, and its label."""
    index = int(np.flatnonzero(dataset.train.labels == _DIGITS[0])[0])
    quarters = dataset.train.images[index].reshape(2, 14, 2, 14).mean(axis=(1, 3))
    levels: Pixels = np.rint(quarters).astype(np.uint8).reshape(-1)
    return levels, int(dataset.train.labels[index])


def _name(found: dict[str, float], prefix: str, values: list[float] | tuple[float, ...]) -> None:
    found.update({f"{prefix}{number}": value for number, value in enumerate(values, 1)})


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _forward(f: dict[str, float]) -> None:
    """From the inputs to the cost, a sum and an activation at a time."""
    for n in (1, 2):
        f[f"z{n}"] = sum(f[f"w{n}{i}"] * f[f"x{i}"] for i in range(1, 5)) + f[f"b{n}"]
        f[f"h{n}"] = _sigmoid(f[f"z{n}"])
    for k in (1, 2):
        f[f"s{k}"] = f[f"v{k}1"] * f["h1"] + f[f"v{k}2"] * f["h2"] + f[f"c{k}"]
        f[f"o{k}"] = _sigmoid(f[f"s{k}"])
    f["cost"] = sum((f[f"y{k}"] - f[f"o{k}"]) ** 2 / 2 for k in (1, 2))


def _backward(f: dict[str, float]) -> None:
    """From the cost back to every weight, by the chain rule."""
    for k in (1, 2):
        f[f"d{k}"] = (f[f"o{k}"] - f[f"y{k}"]) * f[f"o{k}"] * (1 - f[f"o{k}"])
        for n in (1, 2):
            f[f"gv{k}{n}"] = f[f"d{k}"] * f[f"h{n}"]
    for n in (1, 2):
        arriving = f["d1"] * f[f"v1{n}"] + f["d2"] * f[f"v2{n}"]
        f[f"e{n}"] = arriving * f[f"h{n}"] * (1 - f[f"h{n}"])
        for i in range(1, 5):
            f[f"gw{n}{i}"] = f[f"e{n}"] * f[f"x{i}"]


def _compare(found: dict[str, float], image: Pixels, target: Array) -> None:
    """Compute the derivatives by ``dlcli.nn`` and by finite differences, then take a step."""
    network = Network((4, 2, 2), ["sigmoid"], "sigmoid", np.float64)
    network.weights[0][...] = np.transpose(_WEIGHTS)
    network.biases[0][...] = _BIASES
    network.weights[1][...] = np.transpose(_OUT_WEIGHTS)
    network.biases[1][...] = _OUT_BIASES
    backpropagation = Backpropagation(network, "mse", batch_size=1)
    parameters, random = network.parameters, np.random.default_rng(0)  # there is no dropout

    def cost() -> float:
        logits = backpropagation.run(image[np.newaxis], target, random)
        return float(backpropagation.loss.value("sigmoid", logits, target)[0])

    cost()
    gradient = backpropagation.gradient.copy()
    numeric = np.empty_like(gradient)
    for index, value in enumerate(parameters.tolist()):
        costs = []
        for shift in (_STEP, -_STEP):
            parameters[index] = value + shift
            costs.append(cost())
        parameters[index] = value
        numeric[index] = (costs[0] - costs[1]) / (2 * _STEP)
    hand = [found[f"gw{n}{i}"] for i in range(1, 5) for n in (1, 2)]
    hand += [found[f"gv{k}{n}"] for n in (1, 2) for k in (1, 2)]
    hand += [found["e1"], found["e2"], found["d1"], found["d2"]]  # the biases' derivatives
    found["by_program"] = float(np.abs(gradient - hand).max())
    found["by_differences"] = float(np.abs(numeric - hand).max())
    found["numeric_w11"], found["numeric_v11"] = float(numeric[0]), float(numeric[8])
    start = parameters.copy()
    for name, direction in (("cost_after", -1), ("cost_uphill", 1)):
        parameters[...] = start + direction * _LEARNING_RATE * gradient
        found[name] = cost()
    parameters[...] = start
