"""The configuration: every key with its range, default and meaning.

A config is flat, but for ``augmentation``, whose keys have a dot: ``augmentation.rotation``.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import msgspec
import yaml
from msgspec import Meta

from dlcli.config.dimensions import CLASSES, IMAGE_SIZE, MAX_HIDDEN_LAYERS, MAX_PATH
from dlcli.config.messages import describe_allowed, listed, shown
from dlcli.config.yaml_loader import settings_of
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.initializers import AUTO, INITIALIZERS
from dlcli.nn.losses import LOSSES
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.schedules import SCHEDULES

if TYPE_CHECKING:
    ActivationName: TypeAlias = str
    OutputActivationName: TypeAlias = str
    LossName: TypeAlias = str
    InitializerName: TypeAlias = str
    OptimizerName: TypeAlias = str
    ScheduleName: TypeAlias = str
else:  # the keys of the tables in dlcli.nn, as msgspec wants them
    ActivationName = Literal[tuple(ACTIVATIONS)]
    OutputActivationName = Literal[tuple(OUTPUT_ACTIVATIONS)]
    LossName = Literal[tuple(LOSSES)]
    InitializerName = Literal[AUTO, *INITIALIZERS]
    OptimizerName = Literal[tuple(OPTIMIZERS)]
    ScheduleName = Literal[tuple(SCHEDULES)]
DatasetName = Literal["mnist", "fashion-mnist", "kmnist", "sample"]
KeepName = Literal["best_accuracy", "best_loss", "last"]

_Fraction = Annotated[float, Meta(ge=0, lt=1)]


def default_learning_rate(optimizer: str) -> float:
    """The learning rate where the config has none."""
    return OPTIMIZERS[optimizer].usual_learning_rate


def _initializers_of_activations() -> str:
    """Which initial weights ``auto`` means, in words."""
    elsewhere = OUTPUT_ACTIVATIONS["softmax"].initializer
    before: dict[str, list[str]] = {}
    for name, activation in ACTIVATIONS.items():
        if activation.initializer != elsewhere:
            before.setdefault(activation.initializer, []).append(name)
    cases = [
        f"{initializer} before {listed(names, 'and')}" for initializer, names in before.items()
    ]
    return ", ".join([*cases, f"{elsewhere} elsewhere"])


class Augmentation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Random distortions of training images."""

    rotation: Annotated[
        float, Meta(ge=0, le=180, description="Largest turn, in degrees, either way.")
    ] = 0.0
    scale: Annotated[
        float,
        Meta(ge=0, le=0.9, description="Largest change of width, and of height, as a share."),
    ] = 0.0
    shear: Annotated[
        float, Meta(ge=0, le=2, description="Largest slant: pixels to the side for each one down.")
    ] = 0.0
    shift: Annotated[
        float, Meta(ge=0, le=28, description="Largest shift across, and down, in pixels.")
    ] = 0.0
    elastic_alpha: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Strength of the elastic distortion, in which every pixel moves by "
            "itself, but as its neighbours do; 34 to 38 is usual.",
        ),
    ] = 0.0
    elastic_sigma: Annotated[
        float,
        Meta(gt=0, le=28, description="How far apart pixels still move alike, in pixels."),
    ] = 5.0
    probability: Annotated[
        float, Meta(gt=0, le=1, description="Share of the images that are distorted.")
    ] = 1.0

    @property
    def distorts(self) -> bool:
        """Whether any image can change."""
        return any((self.rotation, self.scale, self.shear, self.shift, self.elastic_alpha))


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyperparameters of one training run."""

    dataset: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_PATH,
            description="What to learn: mnist, fashion-mnist, kmnist, sample (12,000 MNIST images "
            "inside the package), or a folder of four IDX files.",
        ),
    ] = "mnist"
    hidden_layers: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=100_000)], ...],
        Meta(
            max_length=MAX_HIDDEN_LAYERS,
            description="Neurons in each hidden layer, from the input on; [] is softmax "
            "regression.",
        ),
    ] = (128,)
    activation: Annotated[
        ActivationName | Annotated[tuple[ActivationName, ...], Meta(max_length=MAX_HIDDEN_LAYERS)],
        Meta(
            description="What squashes a hidden neuron's sum: one name for all hidden layers, "
            "or a list with one a layer."
        ),
    ] = "relu"
    output_activation: Annotated[
        OutputActivationName,
        Meta(
            description="What turns the last layer's sums into answers; softmax makes them "
            "probabilities."
        ),
    ] = "softmax"
    loss: Annotated[
        LossName,
        Meta(
            description="The cost J: cross_entropy, or mse, the sum over classes of "
            "1/2 (y - yhat)^2; both are means over images."
        ),
    ] = "cross_entropy"
    label_smoothing: Annotated[
        _Fraction,
        Meta(
            description="Share of each target given to all classes alike, so that the network "
            "does not learn to be too sure."
        ),
    ] = 0.0
    batch_norm: Annotated[
        bool,
        Meta(
            description="Give every hidden neuron's sums mean 0 and variance 1 over the batch, "
            "then a learned scale (batch normalisation)."
        ),
    ] = False
    initializer: Annotated[
        InitializerName,
        Meta(
            description="How the random initial weights are drawn; auto: "
            f"{_initializers_of_activations()}. Biases start at 0."
        ),
    ] = "auto"
    initializer_stddev: Annotated[
        float, Meta(gt=0, le=100, description="Standard deviation of initializer normal.")
    ] = 0.05
    optimizer: Annotated[
        OptimizerName, Meta(description="The rule that turns a gradient into a step downhill.")
    ] = "sgd"
    momentum: Annotated[
        float, Meta(ge=0, lt=1, description="sgd: share of the last step that is kept.")
    ] = 0.9
    nesterov: Annotated[
        bool, Meta(description="sgd: look ahead along the momentum (Nesterov).")
    ] = False
    beta1: Annotated[
        float, Meta(ge=0, lt=1, description="adam, adamw: decay of the mean gradient.")
    ] = 0.9
    beta2: Annotated[
        float, Meta(ge=0, lt=1, description="adam, adamw: decay of the mean squared gradient.")
    ] = 0.999
    epsilon: Annotated[
        float, Meta(gt=0, le=1, description="adam, adamw: keeps the division finite.")
    ] = 1e-8
    learning_rate: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            description="Length of a step along the gradient; left out beside adam "
            f"or adamw: {default_learning_rate('adam'):g}.",
        ),
    ] = default_learning_rate("sgd")
    weight_decay: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            description="Pull of the weights (not of biases and scales) towards 0: an L2 "
            "penalty weight_decay/2 * sum of squares in the cost for sgd and adam, decoupled "
            "from it for adamw.",
        ),
    ] = 0.0
    dropout: Annotated[
        _Fraction,
        Meta(description="Share of hidden activations set to 0 in training."),
    ] = 0.0
    input_dropout: Annotated[
        _Fraction, Meta(description="Share of pixels set to 0 in training.")
    ] = 0.0
    max_norm: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(
            description="Largest norm of the weights that come into a hidden neuron; longer "
            "ones are shortened after each step. 2 to 4 is usual beside dropout."
        ),
    ] = None
    weight_averaging: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(
            description="Judge, and keep, a running mean of the weights: its decay a step; "
            "0.999 looks back over some 1,000 steps."
        ),
    ] = None
    augmentation: Annotated[
        Augmentation | None,
        Meta(
            description="Distorts the training images, each anew in every epoch, so that the "
            "network learns what does not matter; a mapping of the keys below."
        ),
    ] = None
    schedule: Annotated[
        ScheduleName,
        Meta(
            description="How the learning rate falls: constant; step: times decay_factor every "
            "step_epochs; exponential: times decay_factor an epoch; cosine: to 0 at the last "
            "step; one_cycle: up from a 25th of it for three tenths of the steps, then to "
            "nearly 0."
        ),
    ] = "constant"
    decay_factor: Annotated[
        float, Meta(gt=0, le=1, description="step, exponential: the factor.")
    ] = 0.5
    step_epochs: Annotated[
        int, Meta(ge=1, le=100_000, description="step: epochs between two steps.")
    ] = 10
    warmup_epochs: Annotated[
        float,
        Meta(
            ge=0,
            le=100_000,
            description="Epochs in which the learning rate rises from 0 before "
            "the schedule starts; may be a fraction.",
        ),
    ] = 0.0
    gradient_clip: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(description="Largest gradient norm; a longer gradient is scaled to it."),
    ] = None
    batch_size: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Images a step; all of them or more: plain (full-batch) gradient descent.",
        ),
    ] = 128
    epochs: Annotated[
        int, Meta(ge=1, le=100_000, description="Passes over the training images.")
    ] = 10
    validation_size: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | _Fraction,
        Meta(
            description="Training images kept aside to judge each epoch: a number of images, or "
            "a share below 1. 0: none; the last epoch is then kept."
        ),
    ] = 0.1
    keep: Annotated[
        KeepName,
        Meta(
            description="Which epoch is kept: the one of the highest validation accuracy (of "
            "equals, the lowest loss), of the lowest validation loss, or the last, which is "
            "steadiest where the learning rate falls to 0."
        ),
    ] = "best_accuracy"
    early_stopping: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)] | None,
        Meta(
            description="Stop after so many epochs (patience) without a better one, as keep has it."
        ),
    ] = None
    min_gradient_norm: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)] | None,
        Meta(
            description="Stop when the slope is flat: when an epoch's mean gradient norm falls "
            "below this."
        ),
    ] = None
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**32 - 1,
            description="Where all randomness starts; the same seed gives "
            "the same network to the last bit, on one machine with one number of threads.",
        ),
    ] = 0

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Neurons in every layer, input and output included."""
        return (IMAGE_SIZE, *self.hidden_layers, CLASSES)

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * len(self.hidden_layers)
        return self.activation


def key_types() -> dict[str, Any]:
    """The type of every key; those in a mapping with a dot."""
    types = {}
    for field in msgspec.structs.fields(Config):
        types[field.name] = field.type
        if field.name == "augmentation":
            for inner in msgspec.structs.fields(Augmentation):
                types[f"augmentation.{inner.name}"] = inner.type
    return types


def differences(old: Config, new: Config) -> dict[str, tuple[Any, Any]]:
    """Keys whose values differ, each with its old and new value."""
    was, now = to_builtins(old), to_builtins(new)
    return {key: (was[key], now[key]) for key in was if was[key] != now[key]}


def to_builtins(config: Config) -> dict[str, Any]:
    """The config as plain values, ready for JSON or YAML."""
    # By way of JSON, tuples become lists, as they will be once they are read back.
    return dict(msgspec.json.decode(msgspec.json.encode(config)))


def to_yaml(config: Config) -> str:
    """The config as YAML that ``config_files.load`` reads back to an equal one."""
    return yaml.safe_dump(
        to_builtins(config), sort_keys=False, default_flow_style=None, width=10**6
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a config, for editors (https://json-schema.org)."""
    schema = msgspec.json.schema(Config)
    properties = schema["$defs"]["Config"]["properties"]
    properties["dataset"]["examples"] = list(get_args(DatasetName))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def reference() -> str:
    """The config reference as a Markdown table: key, default, allowed values, meaning."""
    rows = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    defaults = settings_of(to_builtins(Config(augmentation=Augmentation())), "")
    for key, kind in key_types().items():
        description = msgspec.json.schema(kind).get("description", "")
        default = defaults[key].value if key in defaults else None
        rows.append(f"| `{key}` | `{shown(default)}` | {describe_allowed(kind)} | {description} |")
    return "\n".join(rows) + "\n"
