"""A checkpoint that is broken, or that means harm, is refused by name."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs.checkpoints import (
    ARCHITECTURE,
    B0,
    STEPS,
    VELOCITY,
    W0,
    W1,
    Arrays,
    assert_refused,
    header,
    members,
    npy,
    replaced,
    rewrite,
    save,
    with_member,
    write_members,
)


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: array for key, array in arrays.items() if key != name}


def with_value(name: str, value: float) -> Callable[[Arrays], Arrays]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.float64)
        array.flat[1 % array.size] = value
        return array

    return replaced(name, change)


def metadata(**changes: object) -> Callable[[Arrays], Arrays]:
    """Replace entries of the metadata; None removes one."""

    def change(array: np.ndarray) -> str:
        description = json.loads(str(array)) | changes
        return json.dumps({key: value for key, value in description.items() if value is not None})

    return replaced("metadata", change)


def architecture(**changes: object) -> Callable[[Arrays], Arrays]:
    return metadata(architecture=ARCHITECTURE | changes)


def metadata_text(text: str) -> Callable[[Arrays], Arrays]:
    return replaced("metadata", lambda _array: text)


def sizes(*layer_sizes: object) -> Callable[[Arrays], Arrays]:
    return architecture(layer_sizes=list(layer_sizes))


NOT_FINITE = "holds values that are not finite"


IMPOSSIBLE = "metadata: impossible layer_sizes"


BROKEN_ARRAYS = {
    "weight missing": (without(W0), f"{W0}: missing"),
    "bias missing": (without("layers.1.bias"), "layers.1.bias: missing"),
    "array too many": (
        lambda arrays: arrays | {"layers.2.bias": arrays[B0]},
        "'layers.2.bias': does not belong",
    ),
    "array with a nasty name": (
        lambda arrays: arrays | {"\x1b[2J\nx": arrays[B0]},
        r"'\x1b[2J\nx': does not belong",
    ),
    "transposed": (
        replaced(W1, lambda array: np.ascontiguousarray(array.T)),
        f"{W1}: expected shape (3, 10), found (10, 3)",
    ),
    "flat": (replaced(W1, np.ravel), f"{W1}: expected shape (3, 10), found (30,)"),
    "bias of one too many": (
        replaced(B0, lambda array: np.append(array, array[:1])),
        f"{B0}: expected shape (3,), found (4,)",
    ),
    "far too large": (replaced(B0, lambda _array: np.zeros(5000)), f"{B0}: "),
    "integers": (replaced(W0, lambda array: array.astype(np.int32)), f"{W0}: expected float32"),
    "complex": (replaced(W0, lambda array: array.astype(np.complex64)), f"{W0}: expected float32"),
    "quarter precision": (replaced(B0, lambda array: array.astype(np.int8)), f"{B0}: expected"),
    "strings": (replaced(B0, lambda array: array.astype("U2")), f"{B0}: expected float32"),
    "structured": (
        replaced(B0, lambda array: array.view([("x", "<f4")])),
        f"{B0}: expected float32",
    ),
    "columns first": (replaced(W0, np.asfortranarray), f"{W0}: columns before rows"),
    "nan weight": (with_value(W0, np.nan), NOT_FINITE),
    "infinite weight": (with_value(W1, np.inf), NOT_FINITE),
    "infinite bias": (with_value(B0, -np.inf), NOT_FINITE),
    "weight beyond float32": (with_value(W0, 1e300), NOT_FINITE),
    "nan in the optimiser": (with_value(VELOCITY, np.nan), f"{VELOCITY}: holds values"),
    "optimiser of another size": (
        replaced(VELOCITY, lambda array: array[:-1]),
        f"{VELOCITY}: expected shape (2395,), found (2394,)",
    ),
    "steps of another shape": (
        replaced(STEPS, lambda _array: np.zeros((1, 1), np.float32)),
        f"{STEPS}: expected shape (1,), found (1, 1)",
    ),
    "optimiser of integers": (
        replaced(VELOCITY, lambda array: array.astype(np.int64)),
        f"{VELOCITY}: expected float32",
    ),
    "no metadata": (without("metadata"), "holds no metadata: not a dlcli checkpoint"),
    "metadata no JSON": (metadata_text("{"), "metadata: not JSON"),
    "metadata a deep nest": (metadata_text("[" * 200_000), "metadata: not JSON"),
    "metadata a list": (metadata_text("[1]"), "metadata: expected a JSON object"),
    "metadata empty": (metadata_text(""), "metadata: not JSON"),
    "metadata bytes": (replaced("metadata", lambda _array: b"{}"), "metadata: expected one"),
    "metadata a number": (replaced("metadata", lambda _array: 1.0), "metadata: expected one"),
    "metadata two strings": (replaced("metadata", lambda _array: ["{}", "{}"]), "metadata: exp"),
    "metadata huge": (metadata_text("{}" + " " * 4_000_000), "metadata: larger than 13,040,000"),
    "format missing": (metadata(format=None), "checkpoint format None"),
    "format older": (metadata(format=0), "checkpoint format 0; this dlcli reads format 1"),
    "format newer": (
        metadata(format=2, dlcli="3.1.0"),
        "this dlcli reads format 1; a newer dlcli is needed: install dlcli 3.1.0 or newer",
    ),
    "format newer, of no known version": (
        metadata(format=2, dlcli="3\x1b[2J"),
        "checkpoint format 2; this dlcli reads format 1; a newer dlcli is needed",
    ),
    "format a long text": (metadata(format="1" * 9999), "checkpoint format '1111"),
    "no config": (metadata(config=None), "metadata: config: missing"),
    "config a list": (metadata(config=[]), "metadata: config: "),
    "no epoch": (metadata(epoch=None), "metadata: epoch: missing"),
    "epoch true": (metadata(epoch=True), "metadata: epoch: "),
    "no dataset": (metadata(dataset=None), "metadata: dataset: missing"),
    "dataset a name": (metadata(dataset="mnist"), "metadata: dataset: "),
    "dataset without a name": (metadata(dataset={"checksum": "x"}), "metadata: dataset.name: "),
    "dataset without a sum": (metadata(dataset={"name": "x"}), "metadata: dataset.checksum: "),
    "no preprocessing": (metadata(preprocessing=None), "metadata: preprocessing: missing"),
    "unknown preprocessing": (metadata(preprocessing="zoom"), "metadata: preprocessing: "),
    "preprocessing a list": (metadata(preprocessing=["digit"]), "metadata: preprocessing: "),
    "temperature 0": (metadata(temperature=0), "metadata: temperature: "),
    "temperature below 0": (metadata(temperature=-1.5), "metadata: temperature: "),
    "temperature tiny": (metadata(temperature=1e-300), "metadata: temperature: "),
    "temperature huge": (metadata(temperature=1e300), "metadata: temperature: "),
    "temperature of 400 digits": (metadata(temperature=10**400), "metadata: temperature: "),
    "temperature true": (metadata(temperature=True), "metadata: temperature: "),
    "temperature no number": (metadata(temperature=float("nan")), "metadata: temperature: "),
    "batch_norm a number": (architecture(batch_norm=1), "metadata: batch_norm: expected"),
    "batch_norm without its arrays": (architecture(batch_norm=True), "layers.0.scale: missing"),
    "half an average": (
        lambda arrays: arrays | {f"averaged.{W0}": arrays[W0]},
        f"averaged.{W1}: missing",
    ),
    "no architecture": (metadata(architecture=None), "metadata: holds no architecture"),
    "architecture a list": (metadata(architecture=[]), "metadata: holds no architecture"),
    "no layer_sizes": (architecture(layer_sizes=None), IMPOSSIBLE),
    "one layer": (sizes(784), IMPOSSIBLE),
    "no layer": (sizes(), IMPOSSIBLE),
    "other images": (sizes(785, 3, 10), IMPOSSIBLE),
    "other classes": (sizes(784, 3, 11), "class_names: 10 names for 11 outputs"),
    "one class": (sizes(784, 3, 1), IMPOSSIBLE),
    "too many classes": (sizes(784, 3, 1001), IMPOSSIBLE),
    "no neurons": (sizes(784, 0, 10), IMPOSSIBLE),
    "negative neurons": (sizes(784, -3, 10), IMPOSSIBLE),
    "neurons in words": (sizes(784, "3", 10), IMPOSSIBLE),
    "neurons true": (sizes(784, True, 10), IMPOSSIBLE),
    "neurons a fraction": (sizes(784, 3.0, 10), IMPOSSIBLE),
    "a trillion neurons": (sizes(784, 10**12, 10), IMPOSSIBLE),
    "too many weights": (sizes(784, 20_000, 20_000, 10), IMPOSSIBLE),
    "too many layers": (sizes(784, *[1] * 101, 10), IMPOSSIBLE),
    "more layers than arrays": (
        architecture(layer_sizes=[784, 3, 3, 10], activations=["relu", "relu"]),
        f"{W1}: expected shape (3, 3), found (3, 10)",
    ),
    "activations too few": (architecture(activations=[]), "activations do not match"),
    "activations too many": (architecture(activations=["relu"] * 2), "activations do not match"),
    "activations a name": (architecture(activations="relu"), "activations do not match"),
    "unknown activation": (
        architecture(activations=["swish"]),
        "activations: unknown name 'swish'",
    ),
    "activation a list": (architecture(activations=[["relu"]]), "activations: unknown name"),
    "unknown output": (architecture(output_activation="relu"), "output_activation: unknown name"),
    "unknown loss": (architecture(loss="hinge"), "loss: unknown name 'hinge'"),
    "no loss": (architecture(loss=None), "loss: unknown name 'None'"),
}


@pytest.mark.parametrize("kind", BROKEN_ARRAYS)
def test_a_broken_checkpoint_is_refused_by_name(tmp_path, kind):
    change, message = BROKEN_ARRAYS[kind]
    path = tmp_path / "model.npz"
    save(path)
    rewrite(path, change)
    assert_refused(path, message)


SHOWN = [
    "integers",
    "nan weight",
    "metadata huge",
    "format newer",
    "a trillion neurons",
    "columns first",
]


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("command", [["eval"], ["predict", "x.png", "--model"]])
def test_the_user_reads_one_line(dlcli, workdir, kind, command):
    change, message = BROKEN_ARRAYS[kind]
    save(Path("bad.npz"))
    rewrite(Path("bad.npz"), change)
    Image.new("L", (28, 28)).save("x.png")
    result = dlcli(*command, "bad.npz")
    assert result.code == 4
    assert result.stdout == ""
    assert result.stderr.startswith("Error: bad.npz: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_checkpoint_can_fill_the_memory(workdir):
    much = bytes(10**8)
    for name, member, content in (
        ("elements.npz", B0, npy(header(shape="(1000000000000,)"))),
        ("bulky.npz", B0, npy(header(), much)),
        ("chatty.npz", "metadata", npy(header("'<U25000000'", shape="()"), much)),
    ):
        save(Path(name))
        with_member(Path(name), f"{member}.npy", content)
    for name, neurons in (("impossible.npz", 10**12), ("possible.npz", 300_000)):
        save(Path(name))
        rewrite(Path(name), sizes(784, neurons, 10))
    save(Path("packed.npz"))
    contents = members(Path("packed.npz")) | {f"{B0}.npy": npy(header(), much)}
    write_members(Path("packed.npz"), list(contents.items()), compression=zipfile.ZIP_DEFLATED)
    # The peak of the process itself; what getrusage tells begins with its parent's.
    code = (
        "import pathlib, re, sys\n"
        "from dlcli.cli.main import run\n"
        "def peak():\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+) kB', status)[1])\n"
        "run(['eval', 'none.npz'])\n"  # what the imports take
        "before = peak()\n"
        "codes = {run(['eval', name]) for name in sys.argv[1:]}\n"
        "print(codes, peak() - before)\n"
    )
    files = [path.name for path in Path().glob("*.npz")]
    finished = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, check=True
    )
    codes, kilobytes = finished.stdout.rsplit(maxsplit=1)
    assert len(files) == 6
    assert codes == "{4}"
    assert int(kilobytes) < 20_000


def test_entries_that_share_their_bytes_are_refused(tmp_path):
    """As many as the directory can name would fill the memory."""
    save(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        entry = archive.getinfo("layers.0.weight.npy")
        for number in range(100):
            same = copy(entry)
            same.filename = f"optimizer.{number}.npy"
            archive.filelist.append(same)
            archive.NameToInfo[same.filename] = same
        archive.writestr("optimizer.last.npy", b"")  # so that the directory is written anew
    assert_refused(tmp_path / "a.npz", "its arrays are larger than the file")
