"""Run exported networks in other runtimes and record the largest difference from dlcli."""

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from dlcli.cli import options
from dlcli.config.schema import Config, to_builtins
from dlcli.data import datasets
from dlcli.data.examples import Dataset
from dlcli.data.splits import split_validation
from dlcli.export.onnx_format import to_onnx
from dlcli.export.safetensors_format import modules, to_safetensors
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.types import Array
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from dlcli.runs.metadata import DatasetIdentity, Metadata
from dlcli.training.loop import fit
from dlcli.training.state import initial_state

RECORD = Path(__file__).with_name("exports.json")
TOLERANCE = 1e-5
# Linear hidden layers are no operation of their own in any format.
KINDS = [kind for kind in product(ACTIVATIONS, OUTPUT_ACTIVATIONS) if kind[0] != "linear"]
Images = npt.NDArray[np.uint8]


@click.command()
@options.data_dir
def main(data_dir: Path) -> None:
    """Compare exports of the pretrained model and of small ones on MNIST's test images."""
    import onnxruntime
    import torch

    images = datasets.load("mnist", data_dir).test.images
    sample = datasets.load("sample")
    small = [small_model(sample, *kind) for kind in KINDS]
    pretrained = [lookup.load_named(lookup.PRETRAINED)]
    runners = {
        "onnx": (f"onnxruntime {onnxruntime.__version__}", by_onnxruntime),
        "safetensors": (f"PyTorch {torch.__version__.partition('+')[0]}", by_pytorch),
    }
    rows = [
        {
            "format": name,
            "run_by": run_by,
            "pretrained": largest_difference(pretrained, images, runner),
            "small": largest_difference(small, images, runner),
        }
        for name, (run_by, runner) in runners.items()
    ]
    record = {"images": len(images), "small_networks": len(small), "rows": rows}
    RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    click.echo(table(), nl=False)


def small_model(
    dataset: Dataset, activation: Any, output_activation: Any, learning_rate: float = 0.1
) -> Model:
    """A network of two hidden layers, trained for an epoch."""
    config = Config(
        dataset=dataset.name,
        hidden_layers=(32, 16),
        activation=activation,
        output_activation=output_activation,
        loss="cross_entropy" if output_activation == "softmax" else "mse",
        learning_rate=learning_rate,
        epochs=1,
    )
    train, validation = split_validation(dataset.train, config.validation_size, config.seed)
    state = initial_state(config, 10)
    (record,) = fit(config, train, validation, state)
    metadata = Metadata(
        config=to_builtins(config),
        epoch=record.epoch,
        dataset=DatasetIdentity(dataset.name, dataset.checksum),
        preprocessing="digit",
        temperature=state.temperature,
    )
    name = Path(f"{activation}-{output_activation}")
    return Model(name, state.network, config.loss, metadata, {})


def largest_difference(
    models: list[Model], images: Images, runner: Callable[[Model, Images], Array]
) -> float:
    """The largest difference of a probability, over models, images and classes."""
    return max(
        float(np.abs(runner(model, images) - model.infer(images)[1]).max()) for model in models
    )


def by_onnxruntime(model: Model, images: Images) -> Array:
    """The probabilities that onnxruntime computes from the exported file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(to_onnx(model), providers=["CPUExecutionProvider"])
    blocks = [
        session.run(["probabilities"], {"images": block})[0]
        for block in _blocks(images.reshape(-1, 28, 28))
    ]
    return np.concatenate(blocks)


def by_pytorch(model: Model, images: Images) -> Array:
    """The probabilities that PyTorch computes from the exported file."""
    import torch
    from safetensors.torch import load

    network = eval(f"Sequential({modules(model)})", vars(torch.nn))  # noqa: S307 - the code that users paste
    network.load_state_dict(load(to_safetensors(model)))
    with torch.no_grad():
        blocks = [network(torch.tensor(block) / 255).numpy() for block in _blocks(images)]
    return model.network.probabilities(np.concatenate(blocks))


def _blocks(images: Images) -> Iterator[Images]:
    """A thousand images at a time."""
    for start in range(0, len(images), 1000):
        yield images[start : start + 1000]


def table(path: Path = RECORD) -> str:
    """The recorded differences as a Markdown table."""
    record = json.loads(path.read_text(encoding="utf-8"))
    lines = [
        f"| format | run by | pretrained | {record['small_networks']} small networks |",
        "| --- | --- | --- | --- |",
    ]
    for row in record["rows"]:
        found = row["pretrained"], row["small"]
        if max(found) > TOLERANCE:
            raise ValueError(f"{path}: {row['format']} differs by more than {TOLERANCE}")
        cells = [f"`{row['format']}`", row["run_by"], *(f"{value:.1e}" for value in found)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
