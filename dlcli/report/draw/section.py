"""The part of a page that one can draw on: its markup, style, script and data."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data import datasets
from dlcli.errors import CheckpointError
from dlcli.nn.network import Network
from dlcli.report import frame
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from dlcli.vision import rejection

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "resampling",
    "ink",
    "pieces",
    "placement",
    "views",
    "images",
    "network",
    "model",
    "drawing",
    "figures",
    "lesson",
    "main",
)
# Networks with more parameters are rounded to 16 bits, so that the page stays small.
_MOST_EXACT = 400_000


@dataclass(frozen=True)
class Demo:
    """What a page needs to be drawn on.

    Attributes
    ----------
    html
        A ``section`` element; its ids and classes begin with ``demo``.
    css
        Rules for what is inside that element alone.
    javascript
        Runs when the element and the data are in the page.
    data
        JSON for ``<script type="application/json" id="demo-data">``; it holds no ``<``.
    """

    html: str
    css: str
    javascript: str
    data: str


def section(model_path: str | None) -> Demo:
    """The section for a model, named as for :func:`dlcli.runs.lookup.load_named`.

    Raises
    ------
    CheckpointError
        The model cannot be used, or was not trained on digits.
    """
    model = lookup.load_named(model_path)
    if model.metadata.preprocessing == "none":
        name = model.metadata.dataset.name
        raise CheckpointError(f"{model.path}: trained on {name}, which cannot be drawn; digits can")
    scripts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    return Demo(
        html=_asset("section.html"),
        css=_asset("section.css"),
        javascript=f"(() => {{\n'use strict';\n\n{scripts}}})();\n",
        data=json.dumps(_data(model)).replace("<", "\\u003c"),
    )


def page(demo: Demo) -> bytes:
    """A page of its own, as UTF-8; it opens from disk and needs no network."""
    return frame.render("draw.html", [demo.css], [demo.javascript], title="Draw a digit", demo=demo)


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _data(model: Model) -> dict[str, Any]:
    config = model.metadata.config
    return {
        "name": str(model.path),
        "network": _stored(model.network)
        | {"loss": model.loss, "temperature": model.metadata.temperature},
        "likeness": _rounded(rejection.network()),
        "maps": rejection.look_maps(),
        "examples": _examples(),
        "batchNorm": bool(config.get("batch_norm", False)),
        "learningRate": config.get("learning_rate", 0.1),
    }


def _stored(network: Network) -> dict[str, Any]:
    exact = network.parameters.size <= _MOST_EXACT
    return {
        "sizes": network.layer_sizes,
        "activations": network.activations,
        "output": network.output_activation,
        "precision": "float32" if exact else "float16",
        "parameters": _base64(network.parameters.astype("<f4" if exact else "<f2")),
    }


def _rounded(network: Network) -> dict[str, Any]:
    """A network whose weights are rounded to 8 bits, each neuron's by a factor of its own.

    It halves the second network, which decides between digits and other things. Its share of
    other things changes by up to 0.02, which counts only where it was as near to the limit.
    """
    factors = [np.abs(weight).max(axis=0) / 127 for weight in network.weights]
    rounded = [
        np.rint(weight / np.maximum(factor, np.finfo(np.float32).tiny)).astype(np.int8)
        for weight, factor in zip(network.weights, factors, strict=True)
    ]
    return _stored(network) | {
        "precision": "int8",
        "parameters": _base64(np.concatenate([weight.ravel() for weight in rounded])),
        "factors": _base64(np.concatenate(factors).astype("<f4")),
        "biases": _base64(network.parameters[network.weight_count :].astype("<f4")),
    }


def _examples() -> list[dict[str, Any]]:
    """One test image of each digit from the embedded sample."""
    test = datasets.load("sample").test
    first = [int(np.flatnonzero(test.labels == digit)[0]) for digit in range(10)]
    return [
        {"digit": digit, "pixels": _base64(test.images[index])} for digit, index in enumerate(first)
    ]


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
