"""The file with which ``predict`` tells digits from other things; ``make planes`` writes it."""

import io
from pathlib import Path

import numpy as np

import dlcli
from dlcli import datasets, likeness

PLANES = Path(dlcli.__file__).parent / "sample" / "planes.npz"


def render() -> bytes:
    """The file's content: the planes of the embedded sample's training digits."""
    train = datasets.load("sample").train
    means, components = likeness.planes_of(train.images, train.labels)
    file = io.BytesIO()
    np.savez(file, means=means.astype(np.float16), components=components.astype(np.float16))
    return file.getvalue()


if __name__ == "__main__":
    PLANES.write_bytes(render())
