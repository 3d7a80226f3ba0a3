"""Memory does not grow with the number of epochs, pictures or paths."""

import itertools
import re
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


def resident(process: subprocess.Popen) -> int:
    """The memory of a process in bytes."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return 1000 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])


def growth(samples: list[int]) -> int:
    """The maximum of the last third minus the maximum of the first."""
    third = len(samples) // 3
    assert third >= 5
    return max(samples[-third:]) - max(samples[:third])


def start(*arguments: object, **streams: int) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "dlcli", *map(str, arguments)], **streams)


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
    with start(*command, stderr=subprocess.PIPE) as process:
        samples = [resident(process) for line in process.stderr if line.startswith(b"epoch ")]
    assert process.returncode == 0
    assert len(samples) == epochs
    assert growth(samples) < ALLOWANCE
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


def predict(paths: Iterable[str], count: int) -> tuple[int, list[str], list[int]]:
    """Predict a list of paths on stdin: exit code, predictions, and the memory meanwhile."""
    lines, samples = [], []
    command = ("predict", "--model=pretrained", "--from-file=-", "--quiet")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with start(*command, **pipes) as process:

        def write() -> None:
            for path in paths:
                process.stdin.write(path.encode() + b"\n")
            process.stdin.close()

        writer = Thread(target=write)
        writer.start()
        for line in process.stdout:
            lines.append(line.decode())
            if len(lines) % (count // SAMPLES) == 0:
                samples.append(resident(process))
        writer.join()
    return process.returncode, lines, samples


def test_pictures(long, tally, pictures):
    """One in fifty is a photograph, which is prepared in threads."""
    count = 100_000 if long else 2_000
    paths = itertools.islice(itertools.cycle(map(str, pictures)), count)
    code, predictions, samples = predict(paths, count)
    assert (code, len(predictions)) == (0, count)
    assert len(set(predictions)) == len(pictures)  # a picture always gets the same prediction
    assert growth(samples) < ALLOWANCE
    tally("pictures in one prediction, its memory flat", count)


def test_a_list_of_paths(long, tally, pictures):
    """Nearly all name files that cannot exist."""
    size = 10_000_000_000 if long else 20_000_000
    missing = "x" * 3990
    count = size // len(missing)
    found = max(count // 1000, SAMPLES)
    every = count // found

    def paths() -> Iterator[str]:
        for number in range(found * every):
            yield str(pictures[0]) if number % every == 0 else f"{number:08}{missing}"

    code, predictions, samples = predict(paths(), found)
    assert (code, len(predictions)) == (4, found)
    assert len(set(predictions)) == 1
    assert growth(samples) < ALLOWANCE
    gigabytes = "10 GB" if long else "20 MB"
    tally(f"paths in a list of {gigabytes} on stdin, memory flat", found * every)
