"""A model in one ``.npz`` file: named arrays and a JSON description, nothing executable.

``layers.0.weight``, ``layers.0.bias``, ... are the parameters (with batch normalisation,
``scale``, ``mean`` and ``variance`` as well); where training can go on, ``optimizer.velocity``
and the like are the optimiser's memory, and ``averaged.layers.0.weight``, ... the running mean
of the weights; ``metadata`` is JSON. The file is read without pickle, and no array is read
before its size is known to be right, so a checkpoint from a stranger can be wrong, but can do
no harm.
"""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcli import __version__
from dlcli.config.dimensions import CLASSES, IMAGE_SIZE, MAX_HIDDEN_LAYERS, MAX_PARAMETERS, MAX_PATH
from dlcli.errors import CheckpointError
from dlcli.files import DEFAULT_RUNS_DIR, atomic_write
from dlcli.nn.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS
from dlcli.nn.losses import LOSSES
from dlcli.nn.network import Network, count_parameters
from dlcli.nn.temperature import is_temperature
from dlcli.nn.types import Array
from dlcli.runs import npz

FORMAT_VERSION = 1
# How a picture becomes an input: as MNIST's digits were made (images.prepare), or not at all.
PREPROCESSING = ("digit", "none")
LATEST = "latest"
PRETRAINED = "pretrained"  # the model that is in the package, by its name
BEST = "best.npz"
LAST = "last.npz"
MAX_METADATA_BYTES = 1_000_000
_PRETRAINED_FILE = Path(__file__).parent / PRETRAINED / "mnist.npz"


@dataclass(frozen=True)
class Model:
    """A trained network and what is known about it.

    Attributes
    ----------
    metadata
        ``config``, ``epoch``, ``scores``, ``dataset`` (name and checksum), ``preprocessing``
        (a name in ``PREPROCESSING``), ``threads``, ``temperature`` (see ``calibration``), and,
        for going on, ``training``.
    optimizer_state
        The optimiser's arrays; empty in a checkpoint made for use alone.
    average
        The running mean of the network, where training goes on with one.
    """

    path: Path
    network: Network
    loss: str
    metadata: dict[str, Any]
    optimizer_state: dict[str, Array]
    average: Network | None = None

    @property
    def temperature(self) -> float:
        """What logits are divided by before softmax; 1 where there is no softmax."""
        if self.network.output_activation != "softmax":
            return 1.0
        return float(self.metadata.get("temperature", 1))

    def infer(self, images: npt.NDArray[np.uint8] | Array) -> tuple[Array, Array]:
        """The network's logits for images, and the probability of each class.

        The temperature changes the probabilities that softmax makes, and no logits.

        Parameters
        ----------
        images
            Shape (n, 784), 0 to 255; or floats, 0 to 1.

        Returns
        -------
        tuple
            Both of shape (n, classes).

        Raises
        ------
        CheckpointError
            The weights are so large that the outputs overflow.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            logits, outputs = self.network.infer(images)
            if self.temperature != 1:
                OUTPUT_ACTIVATIONS["softmax"].forward(logits / self.temperature, outputs)
        if not np.isfinite(outputs).all():
            raise CheckpointError(f"{self.path}: its weights are so large that outputs overflow")
        return logits, self.network.probabilities(outputs)


def save(
    path: Path,
    network: Network,
    loss: str,
    metadata: Mapping[str, Any],
    optimizer_state: Mapping[str, Array],
    average: Network | None = None,
) -> None:
    """Write a checkpoint whole or not at all.

    Raises
    ------
    OSError
        The disk refused.
    """
    arrays = _arrays_of(network)
    if average is not None:
        arrays |= {f"{_AVERAGED}{name}": array for name, array in _arrays_of(average).items()}
    arrays |= {f"optimizer.{name}": array for name, array in optimizer_state.items()}
    description = {
        "format": FORMAT_VERSION,
        "dlcli": __version__,  # what to install, where the format is newer than the reader
        "architecture": {
            "layer_sizes": network.layer_sizes,
            "activations": network.activations,
            "output_activation": network.output_activation,
            "batch_norm": network.batch_norm,
            "loss": loss,
        },
        **metadata,
    }
    with atomic_write(path) as file:
        np.savez(file, metadata=np.array(json.dumps(description)), **arrays)  # type: ignore[arg-type]  # the stub takes keywords for allow_pickle


def _arrays_of(network: Network) -> dict[str, Array]:
    """Every array of a network by its name in a checkpoint."""
    kinds = {
        "weight": network.weights,
        "bias": network.biases,
        "scale": network.scales,
        "mean": network.means,
        "variance": network.variances,
    }
    return {
        f"layers.{layer}.{kind}": array
        for kind, arrays in kinds.items()
        for layer, array in enumerate(arrays)
    }


_AVERAGED = "averaged."
_SINGLE_VALUES = ("optimizer.steps", "optimizer.learning_rate")


def load(path: Path) -> Model:
    """Read a checkpoint, trusting nothing in it.

    Raises
    ------
    CheckpointError
        Naming the file, and the array where one is wrong.
    """
    try:
        with npz.opened(path) as archive:
            return _load(path, archive)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def load_named(argument: str | None) -> Model:
    """Find and load the model a command is to use, ready for it.

    Parameters
    ----------
    argument
        A run directory, an ``.npz`` file, or "pretrained"; None for ``$DLCLI_MODEL``, else
        ``runs/latest``, else the pretrained model.

    Raises
    ------
    CheckpointError
        There is none, or it cannot be used.
    """
    if argument is not None and not argument:
        raise CheckpointError("the model's name is empty")  # as in: dlcli eval "$unset"
    named = argument or os.environ.get("DLCLI_MODEL")
    path = Path(named) if named else DEFAULT_RUNS_DIR / LATEST
    if named == PRETRAINED or not (named or _is_there(path)):
        return replace(load(_PRETRAINED_FILE), path=Path(PRETRAINED))
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
        return _for_use(_load_run(follow_link(path)))
    if not named:
        raise CheckpointError(
            f"{path}: the run that it links to is gone; name a model, or train one (dlcli train)"
        )
    try:
        return _for_use(load(path))
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise CheckpointError(f"{path}: no such run directory or checkpoint") from error
        raise


def _load_run(run: Path) -> Model:
    """The model that a run directory has kept."""
    try:
        return load(run / BEST)
    except CheckpointError as error:
        if isinstance(error.__cause__, FileNotFoundError) and _is_there(run / LAST):
            raise CheckpointError(
                f"{run}: no epoch is done yet; go on with: dlcli train --resume {run}"
            ) from error
        raise


def _is_there(path: Path) -> bool:
    """Whether there is anything of this name, be it a link to nothing."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    return True


def _for_use(model: Model) -> Model:
    """The running mean, if there is one, with batch normalisation folded in once and for all."""
    network = model.network if model.average is None else model.average
    with np.errstate(over="ignore", invalid="ignore"):  # seen when outputs overflow
        return replace(model, network=network.folded(), average=None)


def follow_link(run: Path) -> Path:
    """The run directory itself, where ``run`` is a link to it (``runs/latest``).

    What is said of a run, or written into it, must not change with where the link points.
    """
    return run.parent / run.readlink() if run.is_symlink() else run


def _load(path: Path, archive: zipfile.ZipFile) -> Model:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise CheckpointError("holds two arrays of one name")
    metadata = _read_metadata(archive, members.pop("metadata", None))
    network, loss = _build_network(metadata.pop("architecture", None))
    _fill(network, archive, members, "")
    average = None
    if any(name.startswith(_AVERAGED) for name in members):
        average = network.like()
        _fill(average, archive, members, _AVERAGED)
    _check_description(metadata)
    optimizer_state = {}
    for full_name in [name for name in members if name.startswith("optimizer.")]:
        shape = (1,) if full_name in _SINGLE_VALUES else network.parameters.shape
        array = npz.read_array(archive, members.pop(full_name), full_name, shape)
        if not np.isfinite(array).all():
            raise CheckpointError(f"{full_name}: holds values that are no finite numbers")
        optimizer_state[full_name.removeprefix("optimizer.")] = array
    if members:
        raise CheckpointError(f"{min(members)!r:.60}: does not belong into a checkpoint")
    return Model(path, network, loss, metadata, optimizer_state, average)


def _fill(
    network: Network, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], prefix: str
) -> None:
    """Read a network's arrays, taking them out of ``members``."""
    for name, values in _arrays_of(network).items():
        full_name = f"{prefix}{name}"
        array = npz.read_array(archive, members.pop(full_name, None), full_name, values.shape)
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused below
            values[...] = array
        if not np.isfinite(values).all():
            raise CheckpointError(f"{full_name}: holds values that are no finite numbers")
        if name.endswith("variance") and (values < 0).any():
            raise CheckpointError(f"{full_name}: holds negative variances")


def _read_metadata(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None) -> dict[str, Any]:
    if member is None:
        raise CheckpointError("holds no metadata: not a dlcli checkpoint")
    if member.file_size > MAX_METADATA_BYTES:
        raise CheckpointError(f"metadata: larger than {MAX_METADATA_BYTES:,} bytes")
    content, dtype, shape = npz.read_member(archive, member, "metadata")
    if dtype.kind != "U" or shape != () or len(content) != dtype.itemsize:
        raise CheckpointError("metadata: expected one string")
    try:
        metadata = json.loads(str(np.frombuffer(content, dtype)[0]))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"metadata: not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise CheckpointError("metadata: expected a JSON object")
    _check_format(metadata.pop("format", None), metadata.pop("dlcli", None))
    return metadata


def _check_format(version: Any, writer: Any) -> None:
    """Refuse a format that is not this one, naming the dlcli that wrote a newer one."""
    if version == FORMAT_VERSION:
        return
    problem = f"checkpoint format {version!r:.60}; this dlcli reads format {FORMAT_VERSION}"
    if isinstance(version, int) and version > FORMAT_VERSION:
        problem += "; a newer dlcli is needed"
        if isinstance(writer, str) and re.fullmatch(r"[0-9][0-9A-Za-z.+]{0,30}", writer):
            problem += f": install dlcli {writer} or newer"
    raise CheckpointError(problem)


def _check_description(metadata: dict[str, Any]) -> None:
    """Refuse metadata that lacks what every command relies on."""
    dataset = metadata.get("dataset")
    for key, right in (
        ("config", isinstance(metadata.get("config"), dict)),
        ("epoch", type(metadata.get("epoch")) is int and metadata["epoch"] >= 0),
        ("dataset", isinstance(dataset, dict)),
        ("dataset.name", isinstance(dataset, dict) and _is_name(dataset.get("name"))),
        (
            "dataset.checksum",
            isinstance(dataset, dict) and isinstance(dataset.get("checksum"), str),
        ),
        ("temperature", is_temperature(metadata.get("temperature", 1))),
        ("preprocessing", metadata.get("preprocessing") in PREPROCESSING),
    ):
        if not right:
            raise CheckpointError(f"metadata: {key}: missing or of the wrong kind")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_PATH


def _build_network(architecture: Any) -> tuple[Network, str]:
    """A network of the described shape, refusing shapes that no config can ask for."""
    if not isinstance(architecture, dict):
        raise CheckpointError("metadata: holds no architecture")
    sizes = architecture.get("layer_sizes")
    if (
        not isinstance(sizes, list)
        or not all(type(size) is int and size > 0 for size in sizes)
        or not 2 <= len(sizes) <= MAX_HIDDEN_LAYERS + 2
        or (sizes[0], sizes[-1]) != (IMAGE_SIZE, CLASSES)
        or count_parameters(sizes) > MAX_PARAMETERS
    ):
        raise CheckpointError(f"metadata: impossible layer_sizes {str(sizes)[:60]}")
    activations = architecture.get("activations")
    if not isinstance(activations, list) or len(activations) != len(sizes) - 2:
        raise CheckpointError("metadata: activations do not match layer_sizes")
    for key, names, table in (
        ("activations", activations, ACTIVATIONS),
        ("output_activation", [architecture.get("output_activation")], OUTPUT_ACTIVATIONS),
        ("loss", [architecture.get("loss")], LOSSES),
    ):
        for name in names:
            if not isinstance(name, str) or name not in table:
                raise CheckpointError(f"metadata: {key}: unknown name {str(name)[:60]!r}")
    batch_norm = architecture.get("batch_norm", False)
    if type(batch_norm) is not bool:
        raise CheckpointError("metadata: batch_norm: expected true or false")
    network = Network(sizes, activations, architecture["output_activation"], batch_norm=batch_norm)
    return network, architecture["loss"]
