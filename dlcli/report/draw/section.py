"""The drawing area of a page, and small networks that train in it: CSS, JavaScript and data."""

import base64
import gzip
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
    "training",
    "model",
    "mnist_format",
    "prediction",
    "figures",
    "drawing",
    "walkthrough",
    "main",
)
_LIVE_SCRIPTS = ("curves", "live", "live_digits", "live_plane", "live_main")
# Images of the sample to train on in the page, and unseen ones: those take 300 kB, and 0.2 % of
# the unseen ones is one image.
_LIVE_TRAINING = 1000
_LIVE_UNSEEN = 500
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
    images
        What ``live.html`` says of the images to train on: how many, and their size in kB; empty
        without it.
    has_hidden_layers
        Whether there are neurons to show besides those of the digits.
    """

    css: str
    javascript: str
    data: str
    images: dict[str, int]
    has_hidden_layers: bool


def section(model: Model, *, live: bool = False) -> Demo:
    """Make a drawing area for a model that is ready for inference.

    Parameters
    ----------
    live
        Add what small networks need that train in the page, for ``live.html``.

    Raises
    ------
    CheckpointError
        The model was not trained on digits, light on dark.
    """
    if not model.metadata.reads_drawn_digits:
        name = model.metadata.dataset.name
        raise CheckpointError(f"{model.path}: trained on {name}, which cannot be drawn; digits can")
    styles = ("section", "live") if live else ("section",)
    names = (*_SCRIPTS, *_LIVE_SCRIPTS) if live else _SCRIPTS
    scripts = "\n".join(_asset(f"{name}.js") for name in names)
    stored = _live_images() if live else None
    images = {}
    if stored is not None:
        kilobytes = round(len(stored["images"]) / 1000)
        images = {"training": _LIVE_TRAINING, "unseen": _LIVE_UNSEEN, "kilobytes": kilobytes}
    data = _data(model) | ({} if stored is None else {"live": stored})
    return Demo(
        css="\n".join(_asset(f"{name}.css") for name in styles),
        javascript=f"(() => {{\n'use strict';\n\n{scripts}}})();\n",
        data=strict_json.dumps(data).replace("<", "\\u003c"),
        images=images,
        has_hidden_layers=bool(model.network.activations),
    )


def page(model: Model) -> bytes:
    """Make a page to draw on, in which small networks can also be trained, as UTF-8.

    Raises
    ------
    CheckpointError
        The model was not trained on digits, light on dark.
    """
    demo = section(model, live=True)
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


def _live_images() -> dict[str, Any]:
    """Images of the sample to train on, then unseen ones, compressed; their labels in one text."""
    sample = datasets.load("sample")
    parts = (
        (sample.train.images[:_LIVE_TRAINING], sample.train.labels[:_LIVE_TRAINING]),
        (sample.test.images[:_LIVE_UNSEEN], sample.test.labels[:_LIVE_UNSEEN]),
    )
    images = b"".join(images.tobytes() for images, _ in parts)
    return {
        "images": base64.b64encode(gzip.compress(images, mtime=0)).decode(),
        "labels": "".join(str(label) for _, labels in parts for label in labels),
        "training": _LIVE_TRAINING,
    }


def _base64(array: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
