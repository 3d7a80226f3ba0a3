"""Pictures to digits, one block of files at a time."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from dlcli import images
from dlcli.activations import Array
from dlcli.checkpoints import Model
from dlcli.errors import ImageError
from dlcli.images import Pixels

# Few enough that answers appear soon, enough that the matrix products are efficient.
_BLOCK = 64


@dataclass(frozen=True)
class Picture:
    """A picture to read: its file, or an open stream, and what to call it.

    Attributes
    ----------
    error
        Why there is nothing to read.
    """

    source: Path | BinaryIO
    name: str
    error: str | None = None


@dataclass(frozen=True)
class Prediction:
    """The answer to one picture.

    Attributes
    ----------
    pixels
        What the network saw, shape (784,); None if the picture could not be used.
    probabilities
        Shape (10,); None if the picture could not be used.
    error
        Why it could not be used.
    """

    name: str
    pixels: Pixels | None = None
    probabilities: Array | None = None
    error: str | None = None


def predict(model: Model, pictures: Iterable[Picture], *, raw: bool) -> Iterator[Prediction]:
    """Answer each picture, in order; one that cannot be used does not stop the others.

    Parameters
    ----------
    model
        The network to ask.
    pictures
        What to read; consumed as answers are.
    raw
        Take 28x28 pictures as they are, light on dark, without any preparation.
    """
    pictures = iter(pictures)
    as_is = raw or model.metadata["preprocessing"] == "none"
    while block := list(islice(pictures, _BLOCK)):
        prepared = [_prepare(picture, as_is=as_is) for picture in block]
        usable = [item.pixels for item in prepared if item.pixels is not None]
        answers = iter(_probabilities(model, usable))
        for item in prepared:
            if item.pixels is None:
                yield item
            else:
                yield Prediction(item.name, item.pixels, next(answers))


def find_pictures(folder: Path) -> Iterator[Path]:
    """The picture files in a folder and the folders below it, in order of their names.

    Hidden files and folders are passed over.

    Raises
    ------
    ImageError
        There is none; or, after those that there are, a folder could not be looked into.
    """
    Image.init()
    kinds = Image.registered_extensions().items()
    known = {suffix for suffix, kind in kinds if kind in Image.OPEN}
    found = False
    unreadable: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            if not file.startswith(".") and Path(file).suffix.lower() in known:
                found = True
                yield Path(parent, file)
    for error in unreadable:
        raise ImageError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not found:
        raise ImageError(f"{folder}: holds no pictures")


def _prepare(picture: Picture, *, as_is: bool) -> Prediction:
    if picture.error is not None:
        return Prediction(picture.name, error=picture.error)
    try:
        image = images.read(picture.source, picture.name)
        prepare = images.plain if as_is else images.prepare
        return Prediction(picture.name, prepare(image, picture.name))
    except ImageError as error:
        return Prediction(picture.name, error=str(error))


def _probabilities(model: Model, pixels: list[Pixels]) -> Array:
    if not pixels:
        return np.empty((0, model.network.layer_sizes[-1]), np.float32)
    _, outputs = model.infer(np.stack(pixels))
    return model.network.probabilities(outputs)
