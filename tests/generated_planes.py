"""The file with which ``predict`` tells digits from other things; ``make planes`` writes it."""

import io
from pathlib import Path

import numpy as np

import dlcli
from dlcli import datasets, likeness
from dlcli.dimensions import CLASSES

PLANES = Path(dlcli.__file__).parent / "sample" / "planes.npz"


def render() -> bytes:
    """The file's content: the planes of the embedded sample's training digits."""
    train = datasets.load("sample").train
    means, components = planes_of(train.images, train.labels)
    file = io.BytesIO()
    np.savez(file, means=means.astype(np.float16), components=components.astype(np.float16))
    return file.getvalue()


def planes_of(
    images: likeness.Pixels, labels: likeness.Pixels
) -> tuple[likeness.Floats, likeness.Floats]:
    """Each class's mean and principal components, shapes (10, 784) and (10, 24, 784)."""
    means, components = [], []
    for digit in range(CLASSES):
        vectors = likeness.smooth(images[labels == digit])
        means.append(vectors.mean(axis=0))
        _, _, directions = np.linalg.svd(vectors - means[-1], full_matrices=False)
        components.append(directions[: likeness.COMPONENTS])
    return np.stack(means), np.stack(components)


if __name__ == "__main__":
    PLANES.write_bytes(render())
