"""What the images of a dataset look like, so that pictures can be prepared as they are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcli.data.classes import DIGITS, are_digits
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.nn.types import Labels, Pixels
from dlcli.runs.metadata import Centring, Polarity, TrainingImages

if TYPE_CHECKING:
    from dlcli.data.examples import Dataset, Examples
    from dlcli.vision.candidate import FloatImage, Mask

_MOST = 1 / 2
# Images that are looked at, evenly spaced: enough for a majority, and done in 50 ms.
_SAMPLE = 500

MNIST = TrainingImages("light_on_dark", True, True, 20, "mass")
"""What :func:`describe` finds in MNIST."""


def of_dataset(dataset: "Dataset") -> TrainingImages:
    """What most of a dataset's training images are like; nobody has to look at MNIST's."""
    from dlcli.data.registry import DATASETS

    info = DATASETS.get(dataset.name)
    is_known = info is not None and dataset.folder is None and info.preprocessing == "digit"
    if is_known and dataset.class_names == DIGITS:
        return MNIST
    return describe(dataset.train, dataset.class_names)


def describe(train: "Examples", class_names: Sequence[str]) -> TrainingImages:
    """What most of the images are like.

    They show digits if the rejection network, which knows MNIST's, reads most of them as their
    classes are named. Of other signs in classes from 0 to 9 that happens to one in ten.
    """
    from dlcli.vision.mnist_format import is_mnist_like

    chosen = np.linspace(0, len(train) - 1, min(_SAMPLE, len(train))).astype(int)
    images, labels = train.images[chosen], train.labels[chosen]
    polarity: Polarity = "dark_on_light" if light_fraction(images) > 1 / 2 else "light_on_dark"
    squares = images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    squares = 255 - squares if polarity == "dark_on_light" else squares
    formatted = np.array([is_mnist_like(square) for square in squares])
    strokes = [_rescaled(square) for square in squares if square.min() < square.max()]
    side_px, centring = _layout(strokes)
    return TrainingImages(
        polarity=polarity,
        digits=are_digits(class_names) and _show_digits(squares, formatted, labels, class_names),
        mnist_format=bool(formatted.mean() >= _MOST),
        side_px=side_px,
        centring=centring,
    )


def _show_digits(
    squares: Pixels, formatted: "Mask", labels: Labels, class_names: Sequence[str]
) -> bool:
    """Whether most images, light on dark, are read as the digit that their class is named."""
    from dlcli.vision import rejection
    from dlcli.vision.mnist_format import to_mnist_format

    mnist_like = np.stack(
        [
            square.reshape(-1)
            if is_formatted or square.min() == square.max()
            else to_mnist_format(_rescaled(square))
            for square, is_formatted in zip(squares, formatted, strict=True)
        ]
    )
    _, probabilities = rejection.network().infer(mnist_like)
    digits = np.array([int(name) for name in class_names])[labels]
    return bool((probabilities.argmax(axis=1) == digits).mean() >= _MOST)


def _layout(images: list["FloatImage"]) -> tuple[int, Centring]:
    """The median of the strokes' longer side, and which of their centres differs less."""
    from dlcli.vision.mnist_format import DIGIT_SIDE_PX, bounding_box, centre_of_mass

    if not images:
        return DIGIT_SIDE_PX, "mass"
    boxes = [bounding_box(image >= 1 / 2) for image in images]
    sides = [max(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes]
    middles = [[(side.start + side.stop - 1) / 2 for side in box] for box in boxes]
    masses = [centre_of_mass(image) for image in images]
    by_mass = np.std(masses, axis=0).sum() <= np.std(middles, axis=0).sum()
    return int(np.median(sides)), "mass" if by_mass else "box"


def light_fraction(images: Pixels) -> float:
    """The fraction of pixels that are nearer to the lightest of their image than to its darkest.

    The background is what covers more than half of the images; strokes cover less. (The border
    would not tell them apart where strokes reach it.) The shape of ``images`` is (n, 784).
    """
    middle = (images.min(axis=1, keepdims=True) / 2) + images.max(axis=1, keepdims=True) / 2
    return float((images > middle).mean())


def _rescaled(square: Pixels) -> "FloatImage":
    """An image that is not of one colour, from 0 at its darkest to 1 at its lightest."""
    levels: FloatImage = square.astype(np.float32)
    levels -= levels.min()
    levels /= levels.max()
    return levels
