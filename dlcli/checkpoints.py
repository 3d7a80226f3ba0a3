"""A model in one ``.npz`` file: named arrays and a JSON description, nothing executable.

``layers.0.weight``, ``layers.0.bias``, ... are the parameters (with batch normalisation,
``scale``, ``mean`` and ``variance`` as well); where training can go on, ``optimizer.velocity``
and the like are the optimiser's memory, and ``averaged.layers.0.weight``, ... the running mean
of the weights; ``metadata`` is JSON. The file is read without pickle, and no array is read
before its size is known to be right, so a checkpoint from a stranger can be wrong, but can do
no harm.
"""

import io
import json
import math
import os
import re
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dlcli import __version__
from dlcli.activations import ACTIVATIONS, OUTPUT_ACTIVATIONS, Array
from dlcli.calibration import is_temperature
from dlcli.dimensions import CLASSES, IMAGE_SIZE, MAX_HIDDEN_LAYERS, MAX_PARAMETERS
from dlcli.errors import CheckpointError
from dlcli.files import DEFAULT_RUNS_DIR, atomic_write, open_file
from dlcli.losses import LOSSES
from dlcli.network import Network, count_parameters

FORMAT_VERSION = 1
# How a picture becomes an input: as MNIST's digits were made (images.prepare), or not at all.
PREPROCESSING = ("digit", "none")
LATEST = "latest"
PRETRAINED = "pretrained"  # the model that is in the package, by its name
BEST = "best.npz"
LAST = "last.npz"
MAX_METADATA_BYTES = 1_000_000
_PRETRAINED_FILE = Path(__file__).parent / PRETRAINED / "mnist.npz"
_MAX_HEADER_BYTES = 10_000
_ZIP_END = struct.Struct("<4s6xH10x")  # APPNOTE.TXT 4.3.16, without a comment
_NPY_MAGIC = np.lib.format.magic(1, 0)


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
                OUTPUT_ACTIVATIONS["softmax"].function(logits / self.temperature, outputs)
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


def _refuse_lost_entries(file: BinaryIO, archive: zipfile.ZipFile) -> None:
    """Count the directory's entries, which ``zipfile`` does not.

    A single flipped bit in the length of a comment makes it take the entries that follow for the
    comment; a running mean that has vanished in it would not be missed.
    """
    file.seek(-_ZIP_END.size, os.SEEK_END)
    signature, count = _ZIP_END.unpack(file.read(_ZIP_END.size))
    if signature != b"PK\5\6" or count != len(archive.infolist()):
        raise CheckpointError("its zip directory is damaged")


class _BoundedReader(io.BufferedReader):
    """A zip file, of which not much is read until its directory is known.

    ``zipfile`` makes an object of every entry, and those of millions would fill the memory.
    """

    most = 1_000_000
    """Bytes; the directory of the largest checkpoint has a fifth of it."""

    def read(self, size: int | None = -1, /) -> bytes:
        if (size or 0) > self.most:
            raise CheckpointError("its zip directory is far too long")
        return super().read(size)


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
        with (
            open_file(path) as file,
            _BoundedReader(file) as reader,
            zipfile.ZipFile(reader) as archive,
        ):
            reader.most = sys.maxsize
            _refuse_lost_entries(reader, archive)
            return _load(path, archive)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such checkpoint") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,  # zipfile, of features it lacks
        RuntimeError,  # zipfile, of encrypted members
        ValueError,
    ) as error:
        fault = error.__context__  # zipfile takes a disk that fails for a file that is no zip
        if isinstance(fault, OSError):
            raise CheckpointError(f"{path}: cannot be read: {fault.strerror or fault}") from error
        raise CheckpointError(f"{path}: not a whole .npz checkpoint: {error!s:.150}") from error


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
        array = _read_array(archive, members.pop(full_name), full_name, shape)
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
        array = _read_array(archive, members.pop(full_name, None), full_name, values.shape)
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
    content, dtype, shape = _read_member(archive, member, "metadata")
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
        ("dataset.name", isinstance(dataset, dict) and isinstance(dataset.get("name"), str)),
        (
            "dataset.checksum",
            isinstance(dataset, dict) and isinstance(dataset.get("checksum"), str),
        ),
        ("temperature", is_temperature(metadata.get("temperature", 1))),
        ("preprocessing", metadata.get("preprocessing") in PREPROCESSING),
    ):
        if not right:
            raise CheckpointError(f"metadata: {key}: missing or of the wrong kind")


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


def _read_array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, name: str, shape: tuple[int, ...]
) -> Array:
    """A float array of exactly the expected shape; its content is not read if it has another."""
    if member is None:
        raise CheckpointError(f"{name}: missing")
    if member.file_size > 8 * math.prod(shape) + _MAX_HEADER_BYTES:
        raise CheckpointError(f"{name}: {member.file_size:,} bytes are too many for shape {shape}")
    content, dtype, found = _read_member(archive, member, name)
    if found != shape:
        raise CheckpointError(f"{name}: expected shape {shape}, found {found}")
    if dtype.kind != "f" or dtype.itemsize not in {2, 4, 8}:
        raise CheckpointError(f"{name}: expected float32, found {dtype}")
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise CheckpointError(f"{name}: {len(content):,} bytes do not fill shape {shape}")
    return np.frombuffer(content, dtype).reshape(shape)


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str
) -> tuple[memoryview, np.dtype[Any], tuple[int, ...]]:
    """An array's bytes, element type and shape; the zip's CRC is checked on the way."""
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise CheckpointError(f"{name}: compressed; dlcli stores its arrays as they are")
    content = archive.read(member)
    file = io.BytesIO(content)
    if file.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
        raise CheckpointError(f"{name}: not an array of .npy format 1.0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of headers that no present NumPy writes
            header = np.lib.format.read_array_header_1_0(file, _MAX_HEADER_BYTES)
    # NumPy's parser answers broken headers with whatever it stumbles over.
    except Exception as error:
        raise CheckpointError(f"{name}: damaged array header") from error
    shape, fortran_order, dtype = header
    if fortran_order and len(shape) > 1:
        raise CheckpointError(f"{name}: columns before rows; dlcli stores rows first")
    return memoryview(content)[file.tell() :], dtype, shape  # no copy: it may be of a gigabyte
