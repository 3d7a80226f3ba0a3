"""A dataset's images as picture files, and in rows for a grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcli.data.augmentation import Distortions, Ranges
from dlcli.data.classes import DIGITS, NAMES_FILE
from dlcli.data.examples import Examples
from dlcli.data.image_folder import exported_name
from dlcli.errors import DatasetError
from dlcli.files import atomic_write
from dlcli.nn.random import random_stream
from dlcli.nn.types import Pixels
from dlcli.vision import Preprocessing
from dlcli.vision.preview import write_image

_COLUMNS = 10
# Most file systems allow names of 255 bytes; a file that is being written has a longer one.
_MAX_STEM_BYTES = 220


def export(
    examples: Examples,
    class_names: Sequence[str],
    folder: Path,
    limit: int | None,
    prepared: Preprocessing = "digit",
) -> int:
    """Write the first ``limit`` images into ``folder`` as ``INDEX-CLASS.png``; return how many.

    Each file says how its image was ``prepared``, so that a model trained on them prepares new
    pictures alike. Names of classes that are not the digits stand in a ``classes.txt``, so that
    they keep their order when the folder is read.

    Raises
    ------
    DatasetError
        The name of a class is too long for the name of a file.
    """
    count = min(limit or len(examples), len(examples))
    for label in np.unique(examples.labels[:count]):
        name = class_names[label]
        if len(exported_name(0, count, name).encode()) > _MAX_STEM_BYTES:
            raise DatasetError(
                f"the class {name[:60]!r}... cannot be exported: its name is too long for the "
                "names of its pictures"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        name = exported_name(index, count, class_names[examples.labels[index]])
        write_image(examples.images[index], folder / f"{name}.png", prepared)
    if tuple(class_names) != DIGITS:
        exported = [class_names[label] for label in np.unique(examples.labels[:count])]
        with atomic_write(folder / NAMES_FILE) as file:
            file.write("".join(f"{name}\n" for name in exported).encode())
    return count


def rows(train: Examples) -> list[Pixels]:
    """The first ten images of each class that has images."""
    return [images[:_COLUMNS] for images in _by_class(train)]


def distorted_rows(train: Examples, augmentation: Ranges, seed: int) -> list[Pixels]:
    """The first image of each class, followed by nine distortions of it."""
    distort = Distortions(augmentation).apply
    random = random_stream(seed, "augmentation")
    firsts = [images[:1] for images in _by_class(train)]
    return [
        np.concatenate([first, distort(np.repeat(first, _COLUMNS - 1, axis=0), random)])
        for first in firsts
    ]


def _by_class(train: Examples) -> list[Pixels]:
    return [train.images[train.labels == label] for label in np.unique(train.labels)]
