"""What a checkpoint records about its model: JSON in the file, checked dataclasses here.

They are not msgspec types like the config, because ``dlcli predict`` reads a checkpoint and
importing msgspec would add 9 ms to each of its calls.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

from dlcli.config.dimensions import (
    CLASSES,
    IMAGE_SIZE,
    MAX_HIDDEN_LAYERS,
    MAX_PARAMETERS,
    MAX_PATH,
    MAX_THREADS,
)
from dlcli.errors import CheckpointError
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES
from dlcli.nn.network import Network, count_parameters
from dlcli.nn.temperature import is_temperature

PREPROCESSING = ("digit", "none")
"""How a picture becomes an input: as MNIST's digits were made, or unchanged."""

Json = dict[str, Any]


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
            tuple(network.layer_sizes),
            tuple(network.activations),
            network.output_activation,
            network.batch_norm,
            loss,
        )

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Check an architecture from a file: no config can ask for a shape that is refused.

        Raises
        ------
        CheckpointError
            Naming the key that is wrong.
        """
        if not isinstance(values, dict):
            raise CheckpointError("metadata: holds no architecture")
        sizes = values.get("layer_sizes")
        if (
            not isinstance(sizes, list)
            or not all(type(size) is int and size > 0 for size in sizes)
            or not 2 <= len(sizes) <= MAX_HIDDEN_LAYERS + 2
            or (sizes[0], sizes[-1]) != (IMAGE_SIZE, CLASSES)
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

    def to_json(self) -> Json:
        """The architecture as plain values."""
        return asdict(self)

    def build(self) -> Network:
        """A network of this shape, all zeros."""
        return Network(
            self.layer_sizes, self.activations, self.output_activation, batch_norm=self.batch_norm
        )


@dataclass(frozen=True)
class DatasetIdentity:
    """Which data the model was trained on: the name is a hint, the checksum is the identity."""

    name: str
    checksum: str


@dataclass(frozen=True)
class Scores:
    """The scores of the epoch; those of validation are None without validation images."""

    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True)
class TrainingProgress:
    """What training needs to resume, beside the arrays; infinity is null in the file."""

    best_epoch: int
    best_accuracy: float
    best_loss: float
    gradient_norm: float
    temperature: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What is known about a model, apart from its architecture, which its network has.

    Attributes
    ----------
    config
        The resolved config as it was written; :attr:`checkpoint.Model.config` checks it.
    epoch
        How many epochs the weights were trained for.
    preprocessing
        A name in ``PREPROCESSING``.
    threads
        BLAS threads during training; None if nobody recorded them.
    temperature
        What logits are divided by before softmax.
    training
        None in a checkpoint that is only for use.
    """

    config: Json
    epoch: int
    dataset: DatasetIdentity
    preprocessing: str
    scores: Scores | None = None
    threads: int | None = None
    temperature: float = 1.0
    training: TrainingProgress | None = None

    @classmethod
    def from_json(cls, values: Json) -> Self:
        """Check metadata from a file; keys that are unknown here are ignored.

        Raises
        ------
        CheckpointError
            Naming the key that is missing or wrong.
        """
        fields = _Fields(values)
        dataset = fields.nested("dataset")
        if dataset is None:
            raise fields.error("dataset")
        return cls(
            config=fields.required("config", lambda value: isinstance(value, dict)),
            epoch=fields.required("epoch", _is_count),
            dataset=DatasetIdentity(
                dataset.required("name", _is_path),
                dataset.required("checksum", lambda value: isinstance(value, str)),
            ),
            preprocessing=fields.required("preprocessing", lambda value: value in PREPROCESSING),
            scores=_scores(fields.nested("scores")),
            threads=fields.optional("threads", _is_thread_count, None),
            temperature=float(fields.optional("temperature", is_temperature, 1.0)),
            training=_training(fields.nested("training")),
        )

    def to_json(self) -> Json:
        """The metadata as plain values, for a file."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        if self.training is not None:
            values["training"] = {
                key: None if value == math.inf else value
                for key, value in values["training"].items()
            }
        return values


class _Fields:
    """The values of a JSON object; each is taken by its key and checked."""

    def __init__(self, values: Json, prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    def required(self, key: str, is_valid: Callable[[Any], bool]) -> Any:
        """The value of a key that must be there."""
        value = self._values.get(key)
        if not is_valid(value):
            raise self.error(key)
        return value

    def optional(self, key: str, is_valid: Callable[[Any], bool], default: Any) -> Any:
        """The value of a key, or ``default`` where there is none."""
        return self.required(key, is_valid) if key in self._values else default

    def nested(self, key: str) -> "_Fields | None":
        """The values of an object inside this one; None if it is missing or empty."""
        values = self.optional(key, lambda value: isinstance(value, dict), {})
        return _Fields(values, f"{self._prefix}{key}.") if values else None

    def error(self, key: str) -> CheckpointError:
        """The error that names a key."""
        return CheckpointError(f"metadata: {self._prefix}{key}: missing or invalid")


def _scores(fields: _Fields | None) -> Scores | None:
    if fields is None:
        return None
    return Scores(
        train_loss=fields.required("train_loss", _is_number),
        train_accuracy=fields.required("train_accuracy", _is_number),
        validation_loss=fields.optional("validation_loss", _is_number_or_null, None),
        validation_accuracy=fields.optional("validation_accuracy", _is_number_or_null, None),
    )


def _training(fields: _Fields | None) -> TrainingProgress | None:
    if fields is None:
        return None
    best_loss = fields.required("best_loss", _is_number_or_null)
    gradient_norm = fields.required("gradient_norm", _is_number_or_null)
    return TrainingProgress(
        best_epoch=fields.required("best_epoch", _is_count),
        best_accuracy=fields.required("best_accuracy", _is_number),
        best_loss=math.inf if best_loss is None else best_loss,
        gradient_norm=math.inf if gradient_norm is None else gradient_norm,
        temperature=float(fields.optional("temperature", is_temperature, 1.0)),
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_thread_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_THREADS


def _is_number(value: Any) -> bool:
    """Whether it is a finite number that a float can hold."""
    return type(value) in {int, float} and abs(value) <= 1e308  # not so of NaN


def _is_number_or_null(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_PATH
