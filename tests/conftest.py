"""Fixtures for all tests: dlcli as a function, a working folder, small and full datasets."""

import gc
import io
import itertools
import os
import signal
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

# This must come before NumPy is imported. The tests train small networks, and on a busy machine
# BLAS threads that wait for each other make them many times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from dlcli.cli.main import run
from dlcli.data import datasets, download, idx, registry
from dlcli.data.examples import Dataset
from dlcli.nn.network import Network
from dlcli.runs import checkpoint
from dlcli.runs.metadata import Metadata

REPOSITORY = Path(__file__).parent.parent

# A shell that starts the tests in the background makes them, and their processes, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    stdout: str
    stderr: str


Dlcli = Callable[..., Result]

NUMBERS = itertools.count()  # of the tests, so that each has a cache of its own


def pytest_addoption(parser):
    parser.addoption(
        "--long", action="store_true", help="try every fault, and read more photographs"
    )
    parser.addoption(
        "--screenshots", action="store_true", help="leave pictures of pages in build/screenshots"
    )


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: many tests wait for processes that they started."""
    return (os.cpu_count() or 1) + 1


# Files that take longest begin first and short ones come last, so that no process waits at the
# end for another one.
LONGEST = (
    "test_documentation.py",
    "sweep/test_postgres.py",
    "cli/test_sweep.py",
    "cli/test_sweep_interrupted.py",
    "browser/test_demo.py",
    "test_package.py",
    "lessons/test_shipped.py",
    "faults/test_kills.py",
    "faults/test_failing_calls.py",
    "browser/test_report.py",
    "faults/test_cache.py",
    "faults/test_images.py",
    "nn/test_kernels.py",
    "vision/test_pipeline.py",
    "vision/test_segmentation.py",
    "inference/test_reading.py",
    "tools/test_photographs.py",
    "report/test_page.py",
)
SHORT = ("config", "data", "evaluation")  # folders


def pytest_collection_modifyitems(items) -> None:
    """Put the files of ``LONGEST`` at the beginning and those of ``SHORT`` at the end."""
    places = {REPOSITORY / "tests" / name: place for place, name in enumerate(LONGEST)}
    last = {REPOSITORY / "tests" / name for name in SHORT}
    items.sort(key=lambda item: (places.get(item.path, len(places)), item.path.parent in last))


def pytest_collection_finish() -> None:
    """Spare the garbage collector the tests and modules, which live until the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def long(request) -> bool:
    """Whether a test is to try everything, however long it takes."""
    return request.config.getoption("--long")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path_factory):
    """No test depends on the environment of the shell that started it, or on the user's cache."""
    user_cache = tmp_path_factory.getbasetemp() / "user-cache" / str(next(NUMBERS))
    monkeypatch.setenv("XDG_CACHE_HOME", str(user_cache))
    for variable in [name for name in os.environ if name.startswith("DLCLI_")]:
        if variable != "DLCLI_TEST_MNIST":
            monkeypatch.delenv(variable)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Files and folders are not flushed to the disk, which would take longer than most tests.

    Tests of flushing replace ``os.fsync``, and the processes that tests start flush everything.
    """
    fsync = os.fsync

    def flush(descriptor: int) -> None:
        mode = os.fstat(descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)


@pytest.fixture
def workdir(tmp_path, monkeypatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local_cache(workdir) -> Path:
    """An empty dataset cache in the current folder, as a clone of the repository has it."""
    folder = workdir / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def dlcli(workdir, monkeypatch, capsys) -> Dlcli:
    """Run dlcli in this process, as in ``dlcli("eval", path)``; a traceback fails the test."""

    def invoke(*arguments: object, stdin: bytes = b"") -> Result:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        code = run([str(argument) for argument in arguments])
        stdout, stderr = capsys.readouterr()
        assert "Traceback" not in stderr
        return Result(code, stdout, stderr)

    return invoke


def write_idx_folder(folder: Path, train: int = 60, test: int = 20, seed: int = 0) -> Path:
    """Write a small dataset of noise with a bar, whose height is easy to learn as the label."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    for files, count in ((registry.FILES[:2], train), (registry.FILES[2:], test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[4 + 2 * label : 6 + 2 * label, 4:24] = 255  # a bar whose height tells the label
        (folder / files[0]).write_bytes(idx.serialize(images))
        (folder / files[1]).write_bytes(idx.serialize(labels))
    return folder


@pytest.fixture
def tiny(tmp_path) -> Path:
    """A folder of IDX files with 60 training and 20 test images."""
    return write_idx_folder(tmp_path / "tiny")


@pytest.fixture(scope="session")
def sample() -> Dataset:
    """The embedded sample of MNIST."""
    return datasets.load("sample")


@pytest.fixture(scope="session")
def trained_model(tmp_path_factory) -> Path:
    """A run directory with a model of about 94 % accuracy on the sample."""
    runs_dir = tmp_path_factory.mktemp("runs")
    arguments = ["train", "-q", "--set", "dataset=sample", "--set", "epochs=4"]
    assert run([*arguments, "--runs-dir", str(runs_dir), "--name", "trained"]) == 0
    return runs_dir / "trained"


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """A folder with the four files of the full MNIST, gzipped or not.

    It is DLCLI_TEST_MNIST or the cache of this checkout; without them, the test is skipped.
    """
    for folder in (os.environ.get("DLCLI_TEST_MNIST"), REPOSITORY / "data" / "mnist"):
        if folder and any(Path(folder).glob("train-images-idx3-ubyte*")):
            return Path(folder)
    pytest.skip(
        "needs the full MNIST: set DLCLI_TEST_MNIST to its folder, or run: dlcli data fetch"
    )


@pytest.fixture
def make_idx_folder() -> Callable[..., Path]:
    """A function that writes small datasets: ``make_idx_folder(folder, train=60, test=20)``."""
    return write_idx_folder


@pytest.fixture
def without_workers(monkeypatch) -> Callable[[], None]:
    """From a call of this on, ``dlcli sweep`` runs its trials in this process, one by one.

    It is for tests of what surrounds the trials: a process would begin with a second of imports.
    """

    def run_trials(plan, location, study, numbers, stop, warn):
        for number in numbers:
            Worker(plan, location, load_study(plan, location, number), stop.is_set).work()
        yield Progress(plan, study.get_trials(deepcopy=False))

    def replace_workers() -> None:
        monkeypatch.setattr(processes, "run_workers", run_trials)

    from dlcli.sweep import processes
    from dlcli.sweep.results import Progress
    from dlcli.sweep.storage import load_study
    from dlcli.sweep.worker import Worker

    return replace_workers


@pytest.fixture(scope="session")
def httpserver_listen_address() -> tuple[str, int]:
    """The address of pytest-httpserver: a free port that only this machine can reach."""
    return ("127.0.0.1", 0)


@dataclass(frozen=True)
class Mirror:
    """A web server with a small dataset in place of MNIST."""

    url: str
    contents: dict[str, bytes]
    """The IDX files by name; they are served gzipped."""
    requested: Callable[[], list[str]]
    """The paths requested so far, from any mirror on the same server."""


@pytest.fixture
def mirror(tmp_path_factory, httpserver, monkeypatch) -> Mirror:
    """A working mirror, the only one of ``mnist``; there are no pauses between attempts."""
    folder = write_idx_folder(tmp_path_factory.mktemp("mirror"))
    contents = {file: (folder / file).read_bytes() for file in registry.FILES}
    for file, content in contents.items():
        httpserver.expect_request(f"/good/{file}.gz").respond_with_data(idx.compress(content))
    url = httpserver.url_for("/good/")
    checksums = {f: registry.Checksum(registry.sha256(c)) for f, c in contents.items()}
    mnist = replace(registry.DATASETS["mnist"], mirrors=(url,), checksums=checksums)
    monkeypatch.setitem(registry.DATASETS, "mnist", mnist)
    monkeypatch.setattr(download, "BACKOFF_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "*")
    return Mirror(url, contents, lambda: [request.path for request, _ in httpserver.log])


@pytest.fixture
def make_checkpoint(tmp_path, sample) -> Callable[..., Path]:
    """Write an untrained softmax regression, as in ``make_checkpoint("a.npz", epoch=2)``.

    Keywords replace entries of its metadata; ``network`` is another network to save.
    """

    def make(name: str, network: Network | None = None, **metadata: object) -> Path:
        if network is None:
            network = Network([784, 10], [], "softmax")
            network.initialize("auto", 0.1, np.random.default_rng(0))
        values = {
            "config": {"dataset": "sample"},
            "epoch": 1,
            "dataset": {"name": "sample", "checksum": sample.checksum},
            "preprocessing": "digit",
        }
        path = tmp_path / name
        described = Metadata.from_json(values | metadata)
        checkpoint.save(path, network, "cross_entropy", described, {})
        return path

    return make


# How long an example takes depends on the machine.
settings.register_profile("dlcli", deadline=None)
settings.load_profile("dlcli")
