"""Where an exported model comes from, in the metadata of its file."""

from dlcli import __version__
from dlcli.runs import strict_json
from dlcli.runs.checkpoint import Model

KEY = "dlcli"


def describe(model: Model, **more: str) -> dict[str, str]:
    """The origin of the model, as one JSON text under the name ``KEY``.

    It is a single text because safetensors writes several in a random order.
    """
    metadata = model.metadata
    described = {
        "version": __version__,
        "config": metadata.config,
        "epoch": metadata.epoch,
        "dataset": metadata.dataset.name,
        "dataset_checksum": metadata.dataset.checksum,
        "temperature": model.temperature,
        "class_names": model.class_names,
        **more,
    }
    return {KEY: strict_json.dumps(described)}
