"""A model in one ``.npz`` file: named arrays and JSON metadata, nothing executable.

``layers.0.weight``, ``layers.0.bias``, ... are the parameters (with batch normalisation,
``scale``, ``mean`` and ``variance`` as well). In a checkpoint that training can resume from,
``optimizer.velocity`` and the like are the optimiser's state, and
``averaged.layers.0.weight``, ... the running mean of the weights. ``metadata`` is JSON, see
:mod:`dlcli.runs.metadata`. The file is read without pickle, and no array is read before its
size is known to be right, so a checkpoint from a stranger can be wrong but can do no harm.
"""

import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcli import __version__
from dlcli.data.classes import MAX_CLASSES, MAX_NAME_LENGTH
from dlcli.errors import CheckpointError, ConfigError
from dlcli.files import annotate_errors, atomic_write, open_file
from dlcli.nn.activations import OUTPUT_ACTIVATIONS
from dlcli.nn.network import Network
from dlcli.nn.types import Array
from dlcli.runs import npz, strict_json
from dlcli.runs.metadata import Architecture, Json, Metadata

if TYPE_CHECKING:
    from dlcli.config.schema import Config

FORMAT_VERSION = 1
# Four bytes a character of the JSON, in which six characters can stand for one of a class's name.
# The names are there twice if the config has them, too; the other settings take less than the rest.
MAX_METADATA_BYTES = 4 * (2 * 6 * MAX_CLASSES * MAX_NAME_LENGTH + 200_000)
_AVERAGED = "averaged."


@dataclass(frozen=True)
class Model:
    """A trained network and what is known about it.

    ``optimizer_state`` is empty in a checkpoint that is only for use; ``average`` is the running
    mean of the network, if training keeps one.
    """

    path: Path
    network: Network
    loss: str
    metadata: Metadata
    optimizer_state: dict[str, Array]
    average: Network | None = None

    @property
    def config(self) -> "Config":
        """The config it was trained with, as :func:`stored_config`."""
        return stored_config(self.metadata.config, self.path)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each output, in order."""
        return self.metadata.class_names

    @property
    def temperature(self) -> float:
        """What logits are divided by before softmax; 1 without softmax."""
        return self.metadata.temperature if self.network.output_activation == "softmax" else 1.0

    def infer(self, images: npt.NDArray[np.uint8] | Array) -> tuple[Array, Array]:
        """Compute the logits of images and the probability of each class, both (n, classes).

        The images are pixels from 0 to 255 or floats from 0 to 1, shape (n, 784). The temperature
        changes the probabilities that softmax gives, not the logits.

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


def stored_config(values: Json, path: Path) -> "Config":
    """Check a config that a run stored in ``path``.

    Raises
    ------
    CheckpointError
        It is not valid in this version of dlcli.
    """
    from dlcli.config.validation import from_builtins

    try:
        return from_builtins(values, str(path))
    except ConfigError as error:
        raise CheckpointError(*error.args) from error


def read_config(path: Path) -> "Config":
    """Read the ``config.yaml`` of a run; its dataset may no longer be there.

    Raises
    ------
    ConfigError
        It is not valid.
    OSError
        It cannot be read.
    """
    from dlcli.config.validation import resolve
    from dlcli.config.yaml_loader import MAX_BYTES, parse

    with annotate_errors(path), open_file(path) as file:
        content = file.read(MAX_BYTES + 1)
    try:
        return resolve(parse(content.decode(), str(path)), ("dataset",))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file (UTF-8)") from error


def save(
    path: Path,
    network: Network,
    loss: str,
    metadata: Metadata,
    optimizer_state: Mapping[str, Array],
    average: Network | None = None,
) -> None:
    """Write a checkpoint, whole or not at all."""
    arrays = _arrays_of(network)
    if average is not None:
        arrays |= {f"{_AVERAGED}{name}": array for name, array in _arrays_of(average).items()}
    arrays |= {f"optimizer.{name}": array for name, array in optimizer_state.items()}
    description = {
        "format": FORMAT_VERSION,
        "dlcli": __version__,  # what to install if the format is newer than the reader
        "architecture": asdict(Architecture.of(network, loss)),
        **metadata.to_json(),
    }
    with atomic_write(path) as file:
        np.savez(file, metadata=np.array(strict_json.dumps(description)), **arrays)  # type: ignore[arg-type]  # the stub takes keywords for allow_pickle


def load(path: Path) -> Model:
    """Read a checkpoint, trusting nothing in it.

    Raises
    ------
    CheckpointError
        Naming the file, and the array or key that is wrong.
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


def _load(path: Path, archive: zipfile.ZipFile) -> Model:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise CheckpointError("holds two arrays of one name")
    description = _read_description(archive, members.pop("metadata", None))
    architecture = Architecture.from_json(description.get("architecture"))
    metadata = Metadata.from_json(description)
    names, outputs = len(metadata.class_names), architecture.layer_sizes[-1]
    if names != outputs:
        raise CheckpointError(f"metadata: class_names: {names} names for {outputs} outputs")
    network = architecture.build()
    _fill(network, archive, members, "")
    average = None
    if any(name.startswith(_AVERAGED) for name in members):
        average = network.like()
        _fill(average, archive, members, _AVERAGED)
    optimizer_state = _read_optimizer_state(network, archive, members)
    if members:
        raise CheckpointError(f"{min(members)!r:.60}: does not belong in a checkpoint")
    return Model(path, network, architecture.loss, metadata, optimizer_state, average)


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


def _fill(
    network: Network, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], prefix: str
) -> None:
    """Read a network's arrays and remove them from ``members``."""
    for name, values in _arrays_of(network).items():
        full_name = f"{prefix}{name}"
        array = npz.read_array(archive, members.pop(full_name, None), full_name, values.shape)
        with np.errstate(over="ignore"):  # numbers too large for float32 are refused below
            values[...] = array
        _check_finite(full_name, values)
        if name.endswith("variance") and (values < 0).any():
            raise CheckpointError(f"{full_name}: holds negative variances")


def _read_optimizer_state(
    network: Network, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]
) -> dict[str, Array]:
    """Read the optimiser's arrays and remove them from ``members``."""
    state = {}
    for full_name in [name for name in members if name.startswith("optimizer.")]:
        member = members.pop(full_name)
        # Every value fills at least two bytes, so a smaller file can only hold a single number.
        is_single = member.file_size < network.parameters.size
        shape = (1,) if is_single else network.parameters.shape
        array = npz.read_array(archive, member, full_name, shape)
        _check_finite(full_name, array)
        state[full_name.removeprefix("optimizer.")] = array
    return state


def _check_finite(name: str, array: Array) -> None:
    if not np.isfinite(array).all():
        raise CheckpointError(f"{name}: holds values that are not finite")


def _read_description(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None) -> Json:
    """The JSON object in a checkpoint, if it is of a format known here."""
    if member is None:
        raise CheckpointError("holds no metadata: not a dlcli checkpoint")
    if member.file_size > MAX_METADATA_BYTES:
        raise CheckpointError(f"metadata: larger than {MAX_METADATA_BYTES:,} bytes")
    content, dtype, shape = npz.read_member(archive, member, "metadata")
    if dtype.kind != "U" or shape != () or len(content) != dtype.itemsize:
        raise CheckpointError("metadata: expected one string")
    try:
        description = json.loads(str(np.frombuffer(content, dtype)[0]))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"metadata: not JSON: {error}") from error
    if not isinstance(description, dict):
        raise CheckpointError("metadata: expected a JSON object")
    _check_format(description)
    return description


def _check_format(description: Json) -> None:
    """Refuse an unknown format, naming the dlcli that wrote a newer one."""
    version, writer = description.get("format"), description.get("dlcli")
    if version == FORMAT_VERSION:
        return
    problem = f"checkpoint format {version!r:.60}; this dlcli reads format {FORMAT_VERSION}"
    if isinstance(version, int) and version > FORMAT_VERSION:
        problem += "; a newer dlcli is needed"
        if isinstance(writer, str) and re.fullmatch(r"[0-9][0-9A-Za-z.+]{0,30}", writer):
            problem += f": install dlcli {writer} or newer"
    raise CheckpointError(problem)
