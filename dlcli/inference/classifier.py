"""A trained model as a Python object: the public interface of dlcli as a library.

The names in ``__all__`` follow semantic versioning (before 1.0, the second number of the version
stands for the first). Everything else in the package may change at any time.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from dlcli.data.classes import are_digits
from dlcli.errors import ImageError
from dlcli.inference import predictor, reading
from dlcli.inference.reading import Number, ReadDigit, ReadingOptions
from dlcli.nn.dimensions import IMAGE_SIDE, IMAGE_SIZE
from dlcli.nn.types import Array
from dlcli.runs.checkpoint import Model
from dlcli.runs.lookup import load_named
from dlcli.vision.candidate import Box
from dlcli.vision.decode import PAGE_SIDE_PX, USEFUL_SIDE_PX, read_image, upright

__all__ = ["Classifier", "Layer", "Number", "PicturePrediction", "ReadDigit", "load_model"]

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


Picture: TypeAlias = str | os.PathLike[str] | Image.Image | npt.NDArray[np.generic]
"""A picture of any size: its path, an image of Pillow, or an array of its pixels.

An array has the shape (height, width) if it is grey, or (height, width, 3) or (height, width, 4)
for RGB or RGBA. It holds uint8 from 0 to 255, floats from 0 to 1, or booleans.
"""


@dataclass(frozen=True, eq=False)
class PicturePrediction:
    """The prediction for one picture.

    Attributes
    ----------
    digit
        None if the picture was rejected (it shows no digit, several, or none that is clear), or
        the model has other classes.
    probability
        Of the digit or class; None if the picture was rejected.
    probabilities
        Of each class, shape (classes,), float32; None if the picture was rejected.
    reason
        Why it was rejected: ``blank``, ``no_digit``, ``several_digits``, ``not_a_digit``,
        ``ambiguous`` or ``low_confidence``; else None.
    message
        A sentence about the reason; else None.
    box
        Where the digit lies: left, top, right, bottom, in the picture's pixels. None for a picture
        in MNIST's format, and if nothing was found.
    label
        The name of the class; None if the picture was rejected.
    """

    digit: int | None
    probability: float | None
    probabilities: npt.NDArray[np.float32] | None
    reason: str | None
    message: str | None
    box: Box | None
    label: str | None = None


class Classifier:
    """A trained classifier of digits or other classes, as :func:`load_model` returns it.

    :meth:`predict_picture` and :meth:`read` take pictures of any kind, such as photographs and
    scans. The other methods take images in MNIST's format: 28x28, light on dark, centred. Arrays of
    these have the shape (n, 28, 28) or (n, 784), without the n for a single image, and hold pixels
    from 0 to 255 as uint8 or from 0 to 1 as floats.

    A classifier can be pickled, and so sent to other processes.

    Attributes
    ----------
    class_names
        The name of each class: a prediction is an index of these. Of digits, name and index are
        the same number.
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
        self.class_names = model.class_names

    def __repr__(self) -> str:
        sizes = "-".join(str(size) for size in self._model.network.layer_sizes)
        return f"<Classifier {str(self._model.path)!r}: {sizes}>"

    def __reduce__(self) -> tuple[type["Classifier"], tuple[Model]]:
        """Pickle what inference needs."""
        return Classifier, (replace(self._model, optimizer_state={}, average=None),)

    def predict(self, images: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The digit on each image, or the index of its class, shape (n,).

        Raises
        ------
        ValueError
            The array cannot be images.
        """
        digits: npt.NDArray[np.int64] = self.predict_proba(images).argmax(axis=1)
        return digits

    def predict_proba(self, images: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The probability of each class for each image, shape (n, classes); a row sums to 1.

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

    def predict_picture(self, picture: Picture, *, reject: float = 0.0) -> PicturePrediction:
        """The digit on a picture of any kind, as ``dlcli predict`` finds it.

        Of a file with several pages this is the first.

        Parameters
        ----------
        picture
            A path, an image of Pillow or an array; see :data:`Picture`.
        reject
            Reject predictions whose probability is lower.

        Raises
        ------
        dlcli.errors.ImageError
            The file cannot be read, or is no picture.
        ValueError
            The array cannot be a picture, or ``reject`` be a probability.
        """
        ReadingOptions(reject=reject)  # checks it
        image, name = _opened(picture, USEFUL_SIDE_PX)
        found = predictor.predict_image(self._model, image, name, reject)
        probabilities = found.probabilities
        if probabilities is None:
            code = found.rejection and found.rejection.code
            return PicturePrediction(None, None, None, code, found.reason, found.box)
        best = int(probabilities.argmax())
        probabilities = probabilities.astype(np.float32, copy=False)
        label = self.class_names[best]
        digit = int(label) if are_digits(self.class_names) else None
        return PicturePrediction(
            digit, float(probabilities[best]), probabilities, None, None, found.box, label
        )

    def read(
        self,
        picture: Picture,
        *,
        reject: float = 0.0,
        digits: int | None = None,
        lines: int | None = None,
        grid: tuple[int, int] | None = None,
    ) -> tuple[Number, ...]:
        """The numbers on a picture in reading order, as ``dlcli read`` finds them.

        Of a file with several pages this is the first.

        Parameters
        ----------
        picture
            A path, an image of Pillow or an array; see :data:`Picture`.
        reject
            Read a digit whose probability is lower as ``?``.
        digits
            How many digits each number has, if that is known.
        lines
            How many lines the picture has, if that is known.
        grid
            Rows and columns of a picture that is a grid of boxes with a digit or nothing in each.

        Raises
        ------
        dlcli.errors.ImageError
            The file cannot be read, or is no picture.
        dlcli.errors.CheckpointError
            The model does not know the ten digits.
        ValueError
            The array cannot be a picture.
        """
        image, _ = _opened(picture, PAGE_SIDE_PX)
        options = ReadingOptions(reject=reject, digits=digits, lines=lines, grid=grid)
        return reading.read_picture(self._model, image, options)

    def activations(self, images: npt.ArrayLike) -> tuple[npt.NDArray[np.float32], ...]:
        """What each layer gives for each image: one array a layer, shape (n, neurons).

        In the order of :attr:`layers`: the activations of the hidden layers, then the outputs.
        The temperature changes only :meth:`predict_proba`.

        Raises
        ------
        ValueError
            The array cannot be images.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self._model.network.layer_outputs(_as_images(images))
        return tuple(array.astype(np.float32, copy=False) for array in outputs)


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


def _opened(picture: Picture, useful_side: int) -> tuple[Image.Image, str]:
    """A picture as an image, reduced to no less than the useful side, and its name in messages."""
    if isinstance(picture, (str, os.PathLike)):
        name = os.fspath(picture)
        return read_image(Path(name), name, useful_side), name
    if isinstance(picture, Image.Image):
        try:
            picture.load()  # its file is read only now
            return upright(picture).copy(), "picture"
        except Exception as error:  # Pillow raises all kinds
            raise ImageError(f"picture: cannot be read: {error}") from error
    return _from_pixels(np.asarray(picture)), "picture"


def _from_pixels(pixels: npt.NDArray[np.generic]) -> Image.Image:
    """An array of pixels as an image."""
    if not pixels.size or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in {3, 4})
    ):
        raise ValueError(
            "picture: expected shape (height, width), (height, width, 3) or (height, width, 4), "
            f"found {pixels.shape}"
        )
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.float32)
    _check_levels(pixels, "picture")
    if pixels.dtype != np.uint8:
        pixels = np.round(255 * pixels.astype(np.float32)).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels))


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
    _check_levels(images, "images")
    return images.reshape(len(images), IMAGE_SIZE)


def _check_levels(pixels: npt.NDArray[np.generic], name: str) -> None:
    """Refuse an array that holds neither uint8 from 0 to 255 nor floats from 0 to 1."""
    if pixels.dtype == np.uint8:
        return
    if pixels.dtype.kind != "f":
        raise ValueError(
            f"{name}: expected uint8 (0 to 255) or floats (0 to 1), found {pixels.dtype}"
        )
    if pixels.size:
        least, most = float(pixels.min()), float(pixels.max())
        if not (least >= 0 and most <= 1):  # nan is neither
            raise ValueError(
                f"{name}: floats must be from 0 to 1, found {least:g} to {most:g}; "
                "pixels from 0 to 255 are taken as uint8"
            )
