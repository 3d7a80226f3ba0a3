"""Checkpoints to load, and ways to break them."""

import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli.errors import CheckpointError
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from dlcli.runs.metadata import DatasetIdentity, Metadata, Scores

METADATA = Metadata(
    config={"dataset": "sample"},
    epoch=3,
    scores=Scores(0.25, 0.9, 0.5, None),
    dataset=DatasetIdentity("sample", "abc"),
    preprocessing="digit",
    threads=1,
)


ARCHITECTURE = {
    "layer_sizes": [784, 3, 10],
    "activations": ["relu"],
    "output_activation": "softmax",
    "batch_norm": False,
    "loss": "cross_entropy",
}


Arrays = dict[str, np.ndarray]


def random_network(hidden=(3,), activation="relu", output="softmax") -> Network:
    network = Network([784, *hidden, 10], [activation] * len(hidden), output)
    random = np.random.default_rng(0)
    network.parameters[...] = random.standard_normal(network.parameters.size)
    return network


def save(path: Path, network: Network | None = None, loss="cross_entropy", **metadata) -> Network:
    network = network or random_network()
    state = {"velocity": network.parameters * 2, "steps": np.array([7], np.float32)}
    checkpoint.save(path, network, loss, replace(METADATA, **metadata), state)
    return network


def normalised_network() -> Network:
    network = Network([784, 3, 4, 10], ["relu", "tanh"], "softmax", batch_norm=True)
    network.parameters[...] = np.random.default_rng(1).standard_normal(network.parameters.size)
    network.statistics[...] = np.random.default_rng(2).uniform(0.5, 2, network.statistics.size)
    return network


def rewrite(path: Path, change: Callable[[Arrays], Arrays]) -> None:
    with np.load(path) as arrays:
        changed = change(dict(arrays))
    np.savez(path, **changed)  # type: ignore[arg-type]  # as in dlcli/runs/checkpoint.py


def replaced(name: str, change: Callable[[np.ndarray], Any]) -> Callable[[Arrays], Arrays]:
    """Change one array of a checkpoint."""
    return lambda arrays: arrays | {name: change(arrays[name])}


W0, B0, W1 = "layers.0.weight", "layers.0.bias", "layers.1.weight"


VELOCITY, STEPS = "optimizer.velocity", "optimizer.steps"


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(CheckpointError) as raised:
        checkpoint.load(path)
    text = str(raised.value)
    assert text.startswith(f"{path}: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < len(str(path)) + 250


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, contents: list[tuple[str, bytes]], **options) -> None:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in contents:
            archive.writestr(name, content)


def with_member(path: Path, name: str, content: bytes) -> None:
    write_members(path, list((members(path) | {name: content}).items()))


def npy(header: str, content: bytes = b"") -> bytes:
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(header) + 1)
        + header.encode()
        + b"\n"
        + content
    )


def header(descr="'<f4'", order="False", shape="(3,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
