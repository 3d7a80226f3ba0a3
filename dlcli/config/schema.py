"""The configuration: every key with its range, default and meaning.

A config is flat, but for ``augmentation``, whose keys have a dot: ``augmentation.rotation``.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dlcli.config.augmentation import Augmentation
from dlcli.config.choices import (
    ActivationName,
    InitializerName,
    LossName,
    OptimizerName,
    OutputActivationName,
    ScheduleName,
    decoupling_optimizers,
    initializers_of_activations,
    learning_rates,
    summaries,
    users,
)
from dlcli.config.yaml_loader import dump
from dlcli.data.classes import MAX_CLASSES, MAX_NAME_LENGTH, MIN_CLASSES
from dlcli.data.registry import DATASETS
from dlcli.nn.dimensions import IMAGE_SIZE, MAX_HIDDEN_LAYERS, MAX_PARTS, MAX_PATH
from dlcli.nn.losses import LOSSES
from dlcli.nn.optimizers import OPTIMIZERS
from dlcli.nn.schedules import SCHEDULES
from dlcli.vision import Preparation

CLASS_WEIGHTS = "class_weights"
"""A key whose value may be a mapping with names of classes as keys."""

SplitName = Literal["random", "writers"]
KeepName = Literal["best_accuracy", "best_loss", "last"]

_Fraction = Annotated[float, Meta(ge=0, lt=1)]
_Positive = Annotated[float, Meta(gt=0, le=1e6)]
# The product of two of them is far above the smallest float32.
_Weight = Annotated[float, Meta(ge=1e-6, le=1e6)]
_Dataset = Annotated[str, Meta(min_length=1, max_length=MAX_PATH)]
_Epochs = Annotated[int, Meta(ge=1, le=100_000)]


class DatasetPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One dataset of a mixture."""

    name: Annotated[_Dataset, Meta(description="The name of a dataset, or a folder.")]
    weight: Annotated[
        _Weight, Meta(description="How often each of its images counts in training.")
    ] = 1.0


_Mixture = Annotated[tuple[_Dataset | DatasetPart, ...], Meta(min_length=1, max_length=MAX_PARTS)]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hyperparameters of one training run."""

    dataset: Annotated[
        _Dataset | _Mixture,
        Meta(
            description=f"The dataset: {', '.join(DATASETS)} (see dlcli data status), or a folder "
            "of IDX files or pictures; or a list of these, as in [mnist, ./mine] or "
            "[mnist, {name: ./mine, weight: 5}].",
        ),
    ] = "mnist"
    classes: Annotated[
        Annotated[
            tuple[
                Annotated[int, Meta(ge=0, le=999)]
                | Annotated[str, Meta(min_length=1, max_length=MAX_NAME_LENGTH, title="name")],
                ...,
            ],
            Meta(min_length=MIN_CLASSES, max_length=MAX_CLASSES),
        ]
        | None,
        Meta(
            description="Use only the images of these classes, as in [3, 7]: one output for each."
        ),
    ] = None
    preparation: Annotated[
        Preparation | None,
        Meta(
            description="How to make 28x28 images of pictures. digit: as MNIST's; plain: scaled "
            "and centred by their box alone; null: digit for digits, plain for other classes."
        ),
    ] = None
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
            description="The nonlinear function of hidden neurons: one name for all hidden "
            "layers, or a list with one name a layer."
        ),
    ] = "relu"
    output_activation: Annotated[
        OutputActivationName,
        Meta(description="The function that turns the last layer's sums into outputs."),
    ] = "softmax"
    loss: Annotated[
        LossName,
        Meta(
            description=f"The cost J of an image; that of a batch is the mean. {summaries(LOSSES)}."
        ),
    ] = "cross_entropy"
    class_weights: Annotated[
        Literal["balanced"] | dict[str, _Weight] | None,
        Meta(
            description="How much an image of each class counts in the cost, as in {7: 2.0}; "
            "others count 1. balanced: all classes count alike, however many images they have."
        ),
    ] = None
    label_smoothing: Annotated[
        _Fraction,
        Meta(
            description="Fraction of each target that all classes share, so that the network "
            "does not become overconfident."
        ),
    ] = 0.0
    mixup: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="Train on mixtures: each image of a batch, and its target, is blended with "
            "another one, by fractions from a beta distribution with both parameters so large. "
            "0.2 leaves most images nearly as they are; with 1 all fractions are equally likely.",
        ),
    ] = 0.0
    batch_norm: Annotated[
        bool,
        Meta(
            description="Batch normalisation: every hidden neuron's sums get mean 0 and "
            "variance 1 over the batch, then a learned scale."
        ),
    ] = False
    init_from: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_PATH, title="model")] | None,
        Meta(
            description="Start from the weights of this model, as train --init does: a run, an "
            ".npz file or pretrained. Keys of the network that are not set are the model's."
        ),
    ] = None
    init_checksum: Annotated[
        Annotated[str, Meta(pattern="^[0-9a-f]{64}$", title="SHA-256 sum")] | None,
        Meta(
            description="The SHA-256 sum of the weights that init_from names; a run records it, "
            "and other weights are refused."
        ),
    ] = None
    freeze_layers: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_HIDDEN_LAYERS,
            description="Keep the first so many hidden layers as they are, from the input on; "
            "for training further with init_from.",
        ),
    ] = 0
    initializer: Annotated[
        InitializerName,
        Meta(
            description="Distribution of the random initial weights; auto: "
            f"{initializers_of_activations()}. Biases start at 0."
        ),
    ] = "auto"
    initializer_stddev: Annotated[
        float,
        Meta(gt=0, le=100, description=f"{users('initializer_stddev')}: the standard deviation."),
    ] = 0.05
    receptive_field: Annotated[
        Annotated[float, Meta(ge=0.5, le=28)] | None,
        Meta(
            description="Each neuron of the first layer starts with weights for a random part of "
            "the image: a Gaussian with this standard deviation in pixels; 4 suits digits. null: "
            "for the whole image."
        ),
    ] = None
    optimizer: Annotated[
        OptimizerName,
        Meta(description=f"The rule that turns a gradient into a step. {summaries(OPTIMIZERS)}."),
    ] = "sgd"
    momentum: Annotated[
        _Fraction,
        Meta(description=f"{users('momentum')}: fraction of the velocity that a step keeps."),
    ] = 0.9
    nesterov: Annotated[
        bool, Meta(description=f"{users('nesterov')}: look ahead along the velocity (Nesterov).")
    ] = False
    beta1: Annotated[
        _Fraction, Meta(description=f"{users('beta1')}: decay of the mean gradient.")
    ] = 0.9
    beta2: Annotated[
        _Fraction, Meta(description=f"{users('beta2')}: decay of the mean squared gradient.")
    ] = 0.999
    epsilon: Annotated[
        float,
        Meta(ge=1e-15, le=1, description=f"{users('epsilon')}: keeps the division finite."),
    ] = 1e-8
    learning_rate: Annotated[
        float,
        Meta(
            gt=0,
            le=1000,
            description=f"Length of a step along the gradient; by default {learning_rates()}.",
        ),
    ] = OPTIMIZERS["sgd"].usual_learning_rate
    weight_decay: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            description="Pulls the weights (not biases and scales) towards 0, by an L2 penalty "
            "of weight_decay/2 * sum of squares in the cost; "
            f"{decoupling_optimizers()}: apart from the cost.",
        ),
    ] = 0.0
    dropout: Annotated[
        _Fraction, Meta(description="Fraction of hidden activations set to 0 in training.")
    ] = 0.0
    input_dropout: Annotated[
        _Fraction, Meta(description="Fraction of pixels set to 0 in training.")
    ] = 0.0
    max_norm: Annotated[
        _Positive | None,
        Meta(
            description="Largest norm of a hidden neuron's incoming weights; longer ones are "
            "scaled down after each step. 2 to 4 is usual with dropout."
        ),
    ] = None
    weight_averaging: Annotated[
        Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(
            description="Evaluate and keep a running mean of the weights, with this decay a "
            "step; 0.999 averages over about 1,000 steps."
        ),
    ] = None
    augmentation: Annotated[
        Augmentation | None,
        Meta(
            description="Random distortions of the training images, new ones in every epoch; a "
            "mapping of the keys below."
        ),
    ] = None
    half_size_epochs: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000,
            description="Train the first so many epochs on images of half the size (14x14), which "
            "takes a fraction of the time; the weights are spread over all pixels after each.",
        ),
    ] = 0
    schedule: Annotated[
        ScheduleName, Meta(description=f"How the learning rate changes. {summaries(SCHEDULES)}.")
    ] = "constant"
    decay_factor: Annotated[
        float, Meta(gt=0, le=1, description=f"{users('decay_factor')}: the factor.")
    ] = 0.5
    step_epochs: Annotated[
        _Epochs, Meta(description=f"{users('step_epochs')}: epochs from one step to the next.")
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
        _Positive | None,
        Meta(description="Largest gradient norm; a longer gradient is scaled to it."),
    ] = None
    batch_size: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Images a step; with all images or more: full-batch gradient descent.",
        ),
    ] = 128
    epochs: Annotated[_Epochs, Meta(description="Passes over the training images.")] = 10
    validation_size: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)] | _Fraction,
        Meta(
            description="Training images held out to evaluate each epoch: a number of images, "
            "or a fraction below 1. With 0, the last epoch is kept."
        ),
    ] = 0.1
    validation_split: Annotated[
        SplitName,
        Meta(
            description="Which training images are held out: random ones, or all images of some "
            "writers, whose hands are then new to the network as those of the test images are. "
            "Only where a file says who wrote each image."
        ),
    ] = "random"
    train_size: Annotated[
        Annotated[int, Meta(ge=1, le=10_000_000)] | Annotated[float, Meta(gt=0, lt=1)] | None,
        Meta(
            description="Train on only so many of the images that are not held out, a number or "
            "a fraction below 1, with as many of each class as there are in proportion."
        ),
    ] = None
    keep: Annotated[
        KeepName,
        Meta(
            description="Which epoch is kept: the one with the highest validation accuracy "
            "(among equals, the lowest loss), the one with the lowest validation loss, or the "
            "last, which is the steadiest choice if the learning rate falls to 0."
        ),
    ] = "best_accuracy"
    early_stopping: Annotated[
        _Epochs | None,
        Meta(
            description="Stop after this many epochs (the patience) without a better one in the "
            "sense of keep."
        ),
    ] = None
    min_gradient_norm: Annotated[
        _Positive | None,
        Meta(description="Stop when an epoch's mean gradient norm falls below this."),
    ] = None
    seed: Annotated[
        int,
        Meta(
            ge=0,
            le=2**32 - 1,
            description="The seed of all randomness: the same seed gives the same network to "
            "the last bit, on the same machine with the same --threads N.",
        ),
    ] = 0

    def layer_sizes(self, classes: int) -> tuple[int, ...]:
        """Neurons in every layer, input and output included; the dataset has the classes."""
        return (IMAGE_SIZE, *self.hidden_layers, classes)

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """The name or folder of each dataset, of one or of a mixture."""
        parts = (self.dataset,) if isinstance(self.dataset, str) else self.dataset
        return tuple(part if isinstance(part, str) else part.name for part in parts)

    @property
    def dataset_name(self) -> str:
        """The dataset in words: its name or folder, or those of a mixture."""
        return " + ".join(self.dataset_names)

    @property
    def dataset_weights(self) -> tuple[float, ...]:
        """How often an image of each dataset counts in training."""
        parts = (self.dataset,) if isinstance(self.dataset, str) else self.dataset
        return tuple(1.0 if isinstance(part, str) else part.weight for part in parts)

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * len(self.hidden_layers)
        return self.activation


def key_types() -> dict[str, Any]:
    """The type of every key; keys of a mapping have a dot."""
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
    """The config as plain values for JSON or YAML, with lists instead of tuples."""
    return dict(msgspec.json.decode(msgspec.json.encode(config)))


def to_yaml(config: Config, *, ascii_only: bool = False) -> str:
    """The config as YAML; ``files.load`` reads an equal config back."""
    return dump(to_builtins(config), flow=None, ascii_only=ascii_only)
