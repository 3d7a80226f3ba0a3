"""What a checkpoint records about its model: JSON in the file, checked dataclasses here.

They are not msgspec types like the config, because ``dlcli predict`` reads a checkpoint and
importing msgspec would add 9 ms to each of its calls.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

from dlcli.data.classes import DIGITS, MAX_CLASSES, MIN_CLASSES, is_name
from dlcli.errors import CheckpointError
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.dimensions import (
    IMAGE_SIDE,
    IMAGE_SIZE,
    MAX_HIDDEN_LAYERS,
    MAX_PARAMETERS,
    MAX_PARTS,
    MAX_PATH,
    MAX_THREADS,
)
from dlcli.nn.losses import LOSSES
from dlcli.nn.network import Network, count_parameters
from dlcli.nn.temperature import is_temperature
from dlcli.vision import Preprocessing

if TYPE_CHECKING:
    from dlcli.config.schema import Config
    from dlcli.data.examples import Dataset
    from dlcli.training.epoch_metrics import EpochRecord
    from dlcli.training.state import TrainingState

Json = dict[str, Any]
Polarity: TypeAlias = Literal["light_on_dark", "dark_on_light"]
Centring: TypeAlias = Literal["mass", "box"]


@dataclass(frozen=True)
class Architecture:
    """The shape of a network, and the loss it was trained with."""

    layer_sizes: tuple[int, ...]
    activations: tuple[str, ...]
    output_activation: str
    batch_norm: bool
    loss: str

    @classmethod
    def of(cls, network: Network, loss: str) -> Self:
        """The architecture of a network."""
        return cls(
            network.layer_sizes,
            network.activations,
            network.output_activation,
            network.batch_norm,
            loss,
        )

    @classmethod
    def of_config(cls, config: "Config", classes: int) -> Self:
        """The architecture that a config describes, for a dataset of so many classes."""
        return cls(
            config.layer_sizes(classes),
            config.activations,
            config.output_activation,
            config.batch_norm,
            config.loss,
        )

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Check an architecture from a file; raise ``CheckpointError`` naming a wrong key."""
        if not isinstance(values, dict):
            raise CheckpointError("metadata: holds no architecture")
        sizes = values.get("layer_sizes")
        if (
            not isinstance(sizes, list)
            or not all(type(size) is int and size > 0 for size in sizes)
            or not 2 <= len(sizes) <= MAX_HIDDEN_LAYERS + 2
            or sizes[0] != IMAGE_SIZE
            or not MIN_CLASSES <= sizes[-1] <= MAX_CLASSES
            or count_parameters(sizes) > MAX_PARAMETERS
        ):
            raise CheckpointError(f"metadata: impossible layer_sizes {str(sizes)[:60]}")
        activations = values.get("activations")
        if not isinstance(activations, list) or len(activations) != len(sizes) - 2:
            raise CheckpointError("metadata: activations do not match layer_sizes")
        output_activation, loss = values.get("output_activation"), values.get("loss")
        for key, names, known in (
            ("activations", activations, ACTIVATIONS),
            ("output_activation", [output_activation], OUTPUT_ACTIVATIONS),
            ("loss", [loss], LOSSES),
        ):
            for name in names:
                if not isinstance(name, str) or name not in known:
                    raise CheckpointError(f"metadata: {key}: unknown name {str(name)[:60]!r}")
        batch_norm = values.get("batch_norm", False)
        if type(batch_norm) is not bool:
            raise CheckpointError("metadata: batch_norm: expected true or false")
        return cls(tuple(sizes), tuple(activations), str(output_activation), batch_norm, str(loss))

    def build(self) -> Network:
        """A network of this shape, all zeros."""
        return Network(
            self.layer_sizes, self.activations, self.output_activation, batch_norm=self.batch_norm
        )


@dataclass(frozen=True)
class DatasetIdentity:
    """Which data the model was trained on: the checksum says so, the rest are hints.

    ``folder`` is the absolute path at training time of a dataset that is named by its folder;
    ``parts`` are the datasets of a mixture. ``writers`` is the SHA-256 sum of the file that names
    the writers, which may decide what is held out for validation.
    """

    name: str
    checksum: str
    folder: str | None = None
    parts: "tuple[DatasetIdentity, ...]" = ()
    writers: str | None = None

    @classmethod
    def of(cls, dataset: "Dataset") -> Self:
        """The identity of a dataset."""
        parts = tuple(map(cls.of, dataset.parts))
        writers = dataset.writers_checksum
        return cls(dataset.name, dataset.checksum, dataset.folder, parts, writers)

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Check an identity from a file; raise ``CheckpointError`` naming a wrong key."""
        found = _checked(values, _DATASET, "dataset.")
        parts = [_checked(part, _PART, "dataset.parts.") for part in found["parts"]]
        return cls(**found | {"parts": tuple(cls(**part) for part in parts)})

    def to_json(self) -> Json:
        """The identity as plain values, without what is not known."""
        values: Json = {"name": self.name, "checksum": self.checksum}
        if self.folder is not None:
            values["folder"] = self.folder
        if self.parts:
            values["parts"] = [part.to_json() for part in self.parts]
        if self.writers is not None:
            values["writers"] = self.writers
        return values


@dataclass(frozen=True)
class TrainingImages:
    """What most of the training images look like, so that pictures can be prepared alike.

    Attributes
    ----------
    polarity
        Light strokes on a dark background, as in MNIST, or dark ones on a light one.
    digits
        Whether they show the digits that their labels name.
    mnist_format
        Whether they are scaled and centred as MNIST's are.
    side_px
        The longer side of the strokes' bounding box; 20 in MNIST.
    centring
        Whether the middle of the image is the strokes' centre of mass, as in MNIST, or the middle
        of their bounding box.
    """

    polarity: Polarity
    digits: bool
    mnist_format: bool
    side_px: int
    centring: Centring


@dataclass(frozen=True)
class Scores:
    """The scores of the epoch; those of validation are None without validation images."""

    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None

    @classmethod
    def of(cls, record: "EpochRecord") -> Self:
        """The scores of an epoch."""
        return cls(**{field.name: getattr(record, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class TrainingProgress:
    """What training needs to resume, beside the arrays; infinity is null in the file."""

    best_epoch: int
    best_accuracy: float
    best_loss: float
    gradient_norm: float
    temperature: float = 1.0

    @classmethod
    def of(cls, state: "TrainingState") -> Self:
        """The progress of a training."""
        return cls(**{field.name: getattr(state, field.name) for field in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What is known about a model, apart from its architecture.

    Attributes
    ----------
    config
        The resolved config as it was written; :attr:`checkpoint.Model.config` checks it.
    threads
        BLAS threads at the end of the epoch; None if they were not recorded.
    threads_auto
        Whether they follow the machine, true or None.
    temperature
        What logits are divided by before softmax.
    class_names
        The name of each output. Checkpoints of older versions name none: theirs are the digits.
    images
        None in checkpoints of older versions, whose images are taken for MNIST's.
    training
        None in a checkpoint that is only for use.
    """

    config: Json
    epoch: int
    dataset: DatasetIdentity
    preprocessing: Preprocessing
    scores: Scores | None = None
    threads: int | None = None
    threads_auto: bool | None = None
    temperature: float = 1.0
    class_names: tuple[str, ...] = DIGITS
    images: TrainingImages | None = None
    training: TrainingProgress | None = None

    @property
    def reads_drawn_digits(self) -> bool:
        """Whether it reads digits as a page draws them: light on dark, in MNIST's format."""
        if self.preprocessing != "digit" or self.class_names != DIGITS:
            return False
        images = self.images
        return images is None or (images.digits and images.polarity == "light_on_dark")

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Check metadata from a file; keys that are unknown here are ignored.

        Raises
        ------
        CheckpointError
            Naming the key that is missing or wrong.
        """
        found = _checked(values, _METADATA)
        found["dataset"] = DatasetIdentity.from_json(found["dataset"])
        scores, training, images = found["scores"], found["training"], found["images"]
        found["images"] = TrainingImages(**_checked(images, _IMAGES, "images.")) if images else None
        found["scores"] = Scores(**_checked(scores, _SCORES, "scores.")) if scores else None
        if training:
            training = _checked(training, _TRAINING, "training.")
            for key in ("best_loss", "gradient_norm"):
                training[key] = math.inf if training[key] is None else training[key]
        found["training"] = TrainingProgress(**training) if training else None
        found["class_names"] = tuple(found["class_names"])
        return cls(**found)

    def to_json(self) -> Json:
        """The metadata as plain values, for a file."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        values["dataset"] = self.dataset.to_json()
        if self.training is not None:
            values["training"] = {
                key: None if value == math.inf else value
                for key, value in values["training"].items()
            }
        return values


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_thread_count(value: Any) -> bool:
    return value is None or (type(value) is int and 1 <= value <= MAX_THREADS)


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that a float can hold."""
    return type(value) in {int, float} and abs(value) <= 1e308  # false for NaN


def _is_number_or_null(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_PATH


def _are_class_names(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or not MIN_CLASSES <= len(value) <= MAX_CLASSES:
        return False
    return all(map(is_name, value)) and len(set(value)) == len(value)


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_PARTS and all(map(_is_object, value))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


# Every key of the JSON with its check, and its value where the file has none (by default null).
_Fields = dict[str, tuple[Callable[[Any], bool], Any]]
_METADATA: _Fields = {
    "config": (_is_object, None),
    "epoch": (_is_count, None),
    "dataset": (lambda value: isinstance(value, dict) and bool(value), None),
    "preprocessing": (lambda value: value in get_args(Preprocessing), None),
    "scores": (_is_object, {}),
    "threads": (_is_thread_count, None),
    "threads_auto": (lambda value: value is None or value is True, None),
    "temperature": (is_temperature, 1.0),
    "class_names": (_are_class_names, DIGITS),
    "images": (_is_object, {}),
    "training": (_is_object, {}),
}
_PART: _Fields = {
    "name": (_is_path, None),
    "checksum": (lambda value: isinstance(value, str), None),
    "folder": (lambda value: value is None or _is_path(value), None),
    "writers": (lambda value: value is None or isinstance(value, str), None),
}
_DATASET: _Fields = _PART | {"parts": (_are_parts, [])}
_IMAGES: _Fields = {
    "polarity": (lambda value: value in get_args(Polarity), None),
    "digits": (lambda value: isinstance(value, bool), None),
    "mnist_format": (lambda value: isinstance(value, bool), None),
    "side_px": (lambda value: type(value) is int and 1 <= value <= IMAGE_SIDE, None),
    "centring": (lambda value: value in get_args(Centring), None),
}
_SCORES: _Fields = {
    "train_loss": (_is_number, None),
    "train_accuracy": (_is_number, None),
    "validation_loss": (_is_number_or_null, None),
    "validation_accuracy": (_is_number_or_null, None),
}
_TRAINING: _Fields = {
    "best_epoch": (_is_count, None),
    "best_accuracy": (_is_number, None),
    "best_loss": (_is_number_or_null, None),
    "gradient_norm": (_is_number_or_null, None),
    "temperature": (is_temperature, 1.0),
}


def _checked(values: Json, fields: _Fields, prefix: str = "") -> Json:
    """The values of the known keys, if all of them are valid."""
    found = {key: values.get(key, default) for key, (_, default) in fields.items()}
    for key, (is_valid, _) in fields.items():
        if not is_valid(found[key]):
            raise CheckpointError(f"metadata: {prefix}{key}: missing or invalid")
    return found
