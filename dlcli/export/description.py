"""What an exported file says of the model that is in it."""

import json

from dlcli import __version__
from dlcli.runs.checkpoint import Model

KEY = "dlcli"


def describe(model: Model, **more: str) -> dict[str, str]:
    """Where the model comes from: one text, in JSON, by the name ``KEY``.

    It is one, for safetensors writes several in an order that is another each time.
    """
    metadata = model.metadata
    described = {
        "version": __version__,
        "config": metadata.config,
        "epoch": metadata.epoch,
        "dataset": metadata.dataset.name,
        "dataset_checksum": metadata.dataset.checksum,
        "temperature": model.temperature,
        **more,
    }
    return {KEY: json.dumps(described)}
