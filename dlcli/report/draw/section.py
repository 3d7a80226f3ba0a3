"""The drawing area of a page: the CSS, JavaScript and data of ``section.html``."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data import datasets
from dlcli.errors import CheckpointError
from dlcli.inference.predictor import SURE_PROBABILITY
from dlcli.nn.network import Network
from dlcli.report import frame
from dlcli.runs import strict_json
from dlcli.runs.checkpoint import Model
from dlcli.vision import rejection
from dlcli.vision.localization import SURE_OOD
from dlcli.vision.rejection import RejectionReason
from dlcli.vision.test_time_augmentation import FIRST_VARIANTS, tta_affine_maps

_FOLDER = Path(__file__).parent
_SCRIPTS = (
    "network",
    "model",
    "mnist_format",
    "prediction",
    "figures",
    "drawing",
    "walkthrough",
    "main",
)
# Networks with more parameters are rounded to 16 bits, to keep the page small.
_MAX_FLOAT32_PARAMETERS = 400_000


@dataclass(frozen=True)
class Demo:
    """What a page needs for its drawing area, which is ``section.html``.

    Attributes
    ----------
    css
        Rules that apply inside the element of ``section.html`` only.
    javascript
        A script to run after the element and the data.
    data
        JSON without ``<``, for ``<script type="application/json" id="demo-data">``.
    """

    css: str
    javascript: str
    data: str


def section(model: Model) -> Demo:
    """Make a drawing area for a model that is ready for inference.

    Raises
    ------
    CheckpointError
        The model was not trained on digits, light on dark.
    """
    if not model.metadata.reads_drawn_digits:
        name = model.metadata.dataset.name
        raise CheckpointError(f"{model.path}: trained on {name}, which cannot be drawn; digits can")
    scripts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    return Demo(
        css=_asset("section.css"),
        javascript=f"(() => {{\n'use strict';\n\n{scripts}}})();\n",
        data=strict_json.dumps(_data(model)).replace("<", "\\u003c"),
    )


def page(demo: Demo) -> bytes:
    """Make a page of the drawing area alone, as UTF-8."""
    return frame.render("draw.html", [demo.css], [demo.javascript], title="Draw a digit", demo=demo)


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _data(model: Model) -> dict[str, Any]:
    config = model.metadata.config
    return {
        "name": str(model.path),
        "network": _stored(model.network)
        | {"loss": model.loss, "temperature": model.metadata.temperature},
        "rejection": _stored(rejection.network()),
        "threshold": rejection.REJECTION_THRESHOLD,
        "reasons": {reason.name: reason.value for reason in RejectionReason},
        "maps": tta_affine_maps(),
        "variants": {
            "first": FIRST_VARIANTS,
            "sureProbability": SURE_PROBABILITY,
            "sureOod": SURE_OOD,
        },
        "examples": _examples(),
        "batchNorm": bool(config.get("batch_norm", False)),
        "learningRate": config.get("learning_rate", 0.1),
    }


def _stored(network: Network) -> dict[str, Any]:
    exact = network.parameters.size <= _MAX_FLOAT32_PARAMETERS
    return {
        "sizes": network.layer_sizes,
        "activations": network.activations,
        "output": network.output_activation,
        "precision": "float32" if exact else "float16",
        "parameters": _base64(network.parameters.astype("<f4" if exact else "<f2")),
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
