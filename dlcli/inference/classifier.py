"""A trained model as a Python object: the public interface of dlcli as a library.

The names in ``__all__`` follow semantic versioning (before 1.0, the second number of the version
stands for the first). Everything else in the package may change at any time.
"""

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Array
from dlcli.runs.checkpoint import Model
from dlcli.runs.lookup import load_named

__all__ = ["Classifier", "Layer", "load_model"]

_SHAPES = {(IMAGE_SIZE,), (IMAGE_SIDE, IMAGE_SIDE)}


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a network: ``activation(inputs @ weight + bias)``.

    Attributes
    ----------
    weight
        Shape (inputs, neurons), float32, read-only.
    bias
        Shape (neurons,), float32, read-only.
    activation
        Its name as in a config: the value of ``activation``, or of ``output_activation`` for the
        last layer.
    """

    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    activation: str


class Classifier:
    """A trained classifier of digits, as :func:`load_model` returns it.

    Its methods take images in MNIST's format: 28x28, light on dark, centred. For photographs and
    scans use ``dlcli predict``. Arrays have the shape (n, 28, 28) or (n, 784), without the n for
    a single image, and hold pixels from 0 to 255 as uint8 or from 0 to 1 as floats.

    Attributes
    ----------
    layers
        The layers from first to last, for pixels from 0 to 1; batch normalisation is fused.
    temperature
        The divisor of the logits before softmax that calibrates the probabilities; 1 if the
        network has no softmax.
    """

    def __init__(self, model: Model) -> None:
        network = model.network
        self._model = model
        activations = (*network.activations, network.output_activation)
        self.layers = tuple(
            Layer(_read_only(weight), _read_only(bias), activation)
            for weight, bias, activation in zip(
                network.weights, network.biases, activations, strict=True
            )
        )
        self.temperature = model.temperature

    def __repr__(self) -> str:
        sizes = "-".join(str(size) for size in self._model.network.layer_sizes)
        return f"<Classifier {str(self._model.path)!r}: {sizes}>"

    def predict(self, images: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The digit on each image, shape (n,).

        Raises
        ------
        ValueError
            The array cannot be images.
        """
        digits: npt.NDArray[np.int64] = self.predict_proba(images).argmax(axis=1)
        return digits

    def predict_proba(self, images: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The probability of each digit on each image, shape (n, 10); a row sums to 1.

        The same as ``dlcli eval`` and ``dlcli predict --raw`` compute.

        Raises
        ------
        ValueError
            The array cannot be images.
        CheckpointError
            The outputs overflow.
        """
        _, probabilities = self._model.infer(_as_images(images))
        return probabilities.astype(np.float32, copy=False)


def load_model(model: str | os.PathLike[str]) -> Classifier:
    """Load a trained model.

    Parameters
    ----------
    model
        A run directory (its best epoch), an ``.npz`` checkpoint, or ``"pretrained"``, which
        comes with dlcli.

    Raises
    ------
    dlcli.errors.CheckpointError
        There is no such model, or it is damaged.
    """
    return Classifier(load_named(os.fspath(model)))


def _read_only(array: Array) -> npt.NDArray[np.float32]:
    view = array.astype(np.float32, copy=False).view()
    view.flags.writeable = False
    return view


def _as_images(given: npt.ArrayLike) -> npt.NDArray[np.uint8] | Array:
    """Check images and reshape them to (n, 784); their type stays as it is."""
    images = np.asarray(given)
    if images.shape in _SHAPES:
        images = images[np.newaxis]
    if images.shape[1:] not in _SHAPES:
        raise ValueError(
            f"images: expected shape (n, 28, 28) or (n, 784), or (28, 28) or (784,) for one "
            f"image, found {images.shape}"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"images: expected uint8 (0 to 255) or floats (0 to 1), found {images.dtype}"
        )
    if images.dtype != np.uint8 and images.size:
        least, most = float(images.min()), float(images.max())
        if not (least >= 0 and most <= 1):  # nan is neither
            raise ValueError(
                f"images: floats must be from 0 to 1, found {least:g} to {most:g}; "
                "pixels from 0 to 255 are taken as uint8"
            )
    return images.reshape(len(images), IMAGE_SIZE)
