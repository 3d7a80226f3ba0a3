"""Memory does not grow with the number of epochs, pictures or paths."""

import itertools
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from dlcli.cli.main import run

# Bytes by which the memory may be larger in the last third of the work than in the first.
# Threads and photographs come late, and their memory is not returned.
ALLOWANCE = 16_000_000
SAMPLES = 90


# Runs dlcli, and writes its memory in bytes to a file before each line of a stream ("stdout" or
# "stderr"). Nobody else could measure it in time: the lines may be read when the work is done.
_PROGRAM = """
import re
import sys
from pathlib import Path

from dlcli.cli.main import run

name, samples, *arguments = sys.argv[1:]
stream = getattr(sys, name)
write = stream.write


def measure(text):
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    file.write(re.search(r"VmRSS:\\s+(\\d+) kB", status)[1] + "000\\n")
    return write(text)


stream.write = measure
with open(samples, "w", encoding="utf-8") as file:
    code = run(arguments)
sys.exit(code)
"""


def growth(samples: list[int]) -> int:
    """The maximum of the last third minus the maximum of the first."""
    third = len(samples) // 3
    assert third >= 5
    return max(samples[-third:]) - max(samples[:third])


def start(
    stream: str, samples: Path, *arguments: object, **streams: int
) -> subprocess.Popen[bytes]:
    """Start dlcli; ``measured`` has its memory at each line of a stream."""
    command = [sys.executable, "-c", _PROGRAM, stream, str(samples), *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdin=streams.get("stdin"),
        stdout=streams.get("stdout"),
        stderr=streams.get("stderr"),
    )


def measured(samples: Path) -> list[int]:
    return [int(line) for line in samples.read_text(encoding="utf-8").splitlines()]


def test_epochs(long, tally, tmp_path, make_idx_folder):
    """With every feature of an epoch; a leaked copy of the images would be noticed."""
    epochs = 300 if long else 30
    data = make_idx_folder(tmp_path / "data", train=2000, test=10)
    settings = (
        f"dataset={data}",
        f"epochs={epochs}",
        "hidden_layers=[32]",
        "optimizer=adamw",
        "batch_norm=true",
        "dropout=0.2",
        "weight_averaging=0.9",
        "augmentation={rotation: 10}",
        "gradient_clip=1",
    )
    options = [f"--set={setting}" for setting in settings]
    command = ("train", *options, "--threads=1", "--runs-dir", tmp_path)
    samples = tmp_path / "samples"
    with start("stderr", samples, *command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        lines = [line for line in process.stderr if line.startswith(b"epoch ")]
    assert process.returncode == 0
    assert len(lines) == epochs
    assert growth(measured(samples)) < ALLOWANCE
    tally("epochs in one training, its memory flat", epochs)


@pytest.fixture
def pictures(tmp_path) -> list[Path]:
    """Digits like MNIST's, and one like a photograph, on a background and larger."""
    folder = tmp_path / "digits"
    assert run(["data", "export", "--dataset=sample", "--limit=50", f"--output={folder}"]) == 0
    digits = sorted(folder.iterdir())
    photo = np.full((300, 300), 200, np.uint8)
    photo[60:228, 70:238] -= np.kron(np.asarray(Image.open(digits[0])) // 2, np.ones((6, 6), "u1"))
    Image.fromarray(photo).save(folder / "photo.png")
    return [*digits, folder / "photo.png"]


def predict(paths: Iterable[str], samples: Path) -> tuple[int, list[str], list[int]]:
    """Predict a list of paths on stdin: exit code, predictions, and the memory meanwhile."""
    command = ("predict", "--model=pretrained", "--from-file=-", "--quiet")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with start("stdout", samples, *command, **pipes) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def write() -> None:
            for path in paths:
                stdin.write(path.encode() + b"\n")
            stdin.close()

        writer = Thread(target=write)
        writer.start()
        lines = [line.decode() for line in stdout]
        writer.join()
    return process.returncode, lines, measured(samples)


def test_pictures(long, tally, pictures, tmp_path):
    """One in fifty is a photograph, which is prepared in threads."""
    count = 100_000 if long else 2_000
    paths = itertools.islice(itertools.cycle(map(str, pictures)), count)
    code, predictions, samples = predict(paths, tmp_path / "samples")
    assert (code, len(predictions)) == (0, count)
    assert len(set(predictions)) == len(pictures)  # a picture always gets the same prediction
    assert growth(samples) < ALLOWANCE
    tally("pictures in one prediction, its memory flat", count)


def test_a_list_of_paths(long, tally, pictures, tmp_path):
    """Nearly all name files that cannot exist."""
    size = 10_000_000_000 if long else 20_000_000
    missing = "x" * 3990
    count = size // len(missing)
    found = max(count // 1000, SAMPLES)
    every = count // found

    def paths() -> Iterator[str]:
        for number in range(found * every):
            yield str(pictures[0]) if number % every == 0 else f"{number:08}{missing}"

    code, predictions, samples = predict(paths(), tmp_path / "samples")
    assert (code, len(predictions)) == (4, found)
    assert len(set(predictions)) == 1
    assert growth(samples) < ALLOWANCE
    gigabytes = "10 GB" if long else "20 MB"
    tally(f"paths in a list of {gigabytes} on stdin, memory flat", found * every)
