"""The images of an experiment: as they are, as negatives, or as another hand writes them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.config.schema import Config
from dlcli.data.examples import Dataset, Examples
from dlcli.lessons.schema import Hand
from dlcli.nn.dimensions import IMAGE_SIDE
from dlcli.training.builders import make_splits


@dataclass(frozen=True)
class Data:
    """The images of an experiment, and the names of its classes."""

    train: Examples
    validation: Examples
    test: Examples
    class_names: tuple[str, ...]


def select(
    dataset: Dataset, config: Config, inverted: float = 0.0, hand: Hand | None = None
) -> Data:
    """The images that a config takes from a dataset.

    A fraction of them are shown as negatives; ``hand`` is who writes them.
    """
    train, validation = make_splits(config, dataset.train)

    def shown(examples: Examples) -> Examples:
        return _inverted(_rewritten(examples, hand), inverted)

    return Data(shown(train), shown(validation), shown(dataset.test), dataset.class_names)


def _rewritten(examples: Examples, hand: Hand | None) -> Examples:
    """The same digits as another hand would write them."""
    if hand is None:
        return examples
    import cv2  # takes 0.1 s, for one lesson

    middle = (IMAGE_SIDE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), -hand.turn, 1)
    lean = np.array([[1, -hand.slant, hand.slant * middle], [0, 1, 0], [0, 0, 1]])
    squares = examples.images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    images = [cv2.warpAffine(square, matrix @ lean, (IMAGE_SIDE,) * 2) for square in squares]
    rewritten: npt.NDArray[np.uint8] = np.array(images, np.uint8).reshape(examples.images.shape)
    return Examples(rewritten, examples.labels)


def _inverted(examples: Examples, fraction: float) -> Examples:
    """The same images, a fraction of them evenly spread as negatives: dark on light."""
    count = np.floor(np.arange(len(examples) + 1) * fraction)
    chosen = np.diff(count) > 0
    images = np.where(chosen[:, np.newaxis], 255 - examples.images, examples.images)
    return Examples(images, examples.labels)
