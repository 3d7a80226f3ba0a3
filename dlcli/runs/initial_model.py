"""The trained model that training starts from: what it decides, its weights, what does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.config.schema import Config
from dlcli.config.yaml_loader import Settings, overridden, settings_of
from dlcli.data.registry import sha256
from dlcli.errors import ConfigError
from dlcli.nn.network import Network
from dlcli.runs import lookup
from dlcli.runs.checkpoint import Model
from dlcli.runs.training_data import short
from dlcli.training.state import TrainingState, initial_state


@dataclass(frozen=True)
class InitialModel:
    """A network that fits the config of a training, and the names of its classes."""

    network: Network
    class_names: tuple[str, ...]

    def outputs(self, class_names: Sequence[str]) -> list[int] | None:
        """The output of each class; None if the network does not know all of them."""
        if not set(class_names) <= set(self.class_names):
            return None
        return [self.class_names.index(name) for name in class_names]

    def copy_to(self, network: Network, class_names: Sequence[str]) -> None:
        """Copy the weights to a network with an output for each class.

        If not all of them are known, the weights of the last layer stay as they are.
        """
        outputs, layers = self.outputs(class_names), len(network.weights)
        for name in ("weights", "biases", "scales"):
            pairs = zip(getattr(self.network, name), getattr(network, name), strict=True)
            for layer, (known, values) in enumerate(pairs):
                if layer < layers - 1:
                    values[...] = known
                elif outputs is not None:
                    values[...] = known[..., outputs]
        network.statistics[...] = self.network.statistics


def start_state(
    config: Config, class_names: Sequence[str], initial: InitialModel | None
) -> TrainingState:
    """The state before the first epoch, with random weights or those of a trained model."""
    state = initial_state(config, len(class_names))
    if initial is not None:
        for network in filter(None, (state.network, state.average)):
            initial.copy_to(network, class_names)
    return state


DECIDED = (
    "hidden_layers",
    "activation",
    "output_activation",
    "batch_norm",
    "loss",
    "init_checksum",
)
"""The keys that the model decides, as far as they are not set."""


def complete(settings: Settings) -> Settings:
    """Add to the settings of a config what the model decides that it starts from.

    Those of the network that are not set are the model's. The checksum of its weights is added,
    so that they can be recognised.

    Raises
    ------
    CheckpointError
        There is no such model, or it cannot be used.
    """
    name = settings["init_from"].value
    model = lookup.load_stored(name)
    source = _source(model)
    first, *others = source.activations or ("",)
    alike = all(other == first for other in others)
    network: dict[str, Any] = {
        "hidden_layers": list(source.layer_sizes[1:-1]),
        "activation": first if alike else list(source.activations),
        "output_activation": source.output_activation,
        "batch_norm": source.batch_norm,
        "loss": model.loss,
        "init_checksum": _checksum(source),
    }
    if not source.activations:
        del network["activation"]
    path = str(model.path)
    checksum = settings.get("init_checksum")
    if checksum is not None and checksum.value is None:  # whatever the weights are: record them
        settings = {key: each for key, each in settings.items() if key != "init_checksum"}
    return overridden(settings_of(network, path), settings, ()) | settings_of(
        {"init_from": path}, settings["init_from"].origin
    )


def load(config: Config) -> InitialModel | None:
    """Load the model that a config starts from, if it fits; None if it starts from none.

    Raises
    ------
    CheckpointError
        There is no such model, or it cannot be used.
    ConfigError
        Its network is not that of the config, or its weights are not those that are meant.
    """
    if config.init_from is None:
        return None
    model = lookup.load_stored(config.init_from)
    network = _source(model)
    checksum = _checksum(network)
    if config.init_checksum not in {None, checksum}:
        raise ConfigError(
            f"init_from: the weights of {model.path} have changed (checksum {short(checksum)}, "
            f"then {short(str(config.init_checksum))}); to start from them as they are now: "
            "--set init_checksum=null"
        )
    if network.batch_norm and not config.batch_norm:
        network = network.fuse_batch_norm()
    _refuse_misfit(config, model, network)
    return InitialModel(network, model.class_names)


def _refuse_misfit(config: Config, model: Model, network: Network) -> None:
    sizes = config.layer_sizes(network.layer_sizes[-1])
    found, wanted = _shape(network.layer_sizes), _shape(sizes)
    if found == wanted and network.activations != config.activations:
        found = f"{found} ({', '.join(dict.fromkeys(network.activations)) or 'linear'})"
        wanted = f"{wanted} ({', '.join(dict.fromkeys(config.activations)) or 'linear'})"
    if found != wanted:
        raise ConfigError(
            f"init_from: {model.path} is {found}, and the config asks for {wanted}; "
            "leave out hidden_layers and activation to take those of the model"
        )
    if config.batch_norm and not network.batch_norm:
        raise ConfigError(
            f"init_from: {model.path} has no batch normalisation (or it is fused into the "
            "weights), and the config asks for it; use --set batch_norm=false"
        )
    hidden = len(config.hidden_layers)
    if config.freeze_layers > hidden:
        raise ConfigError(
            f"freeze_layers: got {config.freeze_layers}, but {model.path} has {hidden} hidden "
            f"layer{'' if hidden == 1 else 's'}, and the last layer has to learn"
        )


def _shape(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))


def _source(model: Model) -> Network:
    """The network to start from: the running mean of the weights, if there is one."""
    return model.network if model.average is None else model.average


def _checksum(network: Network) -> str:
    return sha256(network.parameters.tobytes() + network.statistics.tobytes())
