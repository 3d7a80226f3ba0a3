"""Downloads that are interrupted or killed, several at once, and that of the full MNIST."""

import errno
import os
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from dataclasses import replace

import pytest
from filelock import FileLock
from werkzeug import Response

from dlcli.data import cache, datasets, idx
from dlcli.data.registry import DATASETS, FILES
from tests.data.downloads import FIRST, Told, cached, in_cache
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("local_cache")


def test_ctrl_c_during_the_transfer_leaves_complete_files_and_no_lock(mirror, tmp_path):
    class Interrupting(Told):
        def received(self, name, *_numbers) -> None:
            if name == FILES[1]:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.fetch("mnist", tmp_path, Interrupting())
    assert cached(tmp_path) == in_cache({FIRST: mirror.contents[FIRST]})
    with FileLock(tmp_path / ".mnist.lock", timeout=0):
        pass


def test_a_full_disk_leaves_no_incomplete_file(mirror, dlcli, workdir, monkeypatch):
    def full(descriptor):
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = dlcli("data", "fetch", "--quiet")
    assert (result.code, result.stdout) == (1, "")
    assert result.stderr == "Error: data/mnist/train-images-idx3-ubyte: No space left on device\n"
    assert cached(workdir / "data") == {}


PROGRAM = """
import sys
from dlcli.cli import main
from dataclasses import replace
from dlcli.data.registry import DATASETS, FILES, Checksum
checksums = dict(zip(FILES, map(Checksum, sys.argv[1].split(","))))
DATASETS["mnist"] = replace(DATASETS["mnist"], mirrors=(), checksums=checksums)
sys.exit(main.run(sys.argv[2:]))
"""


@pytest.fixture
def start_fetch(mirror, monkeypatch, tmp_path):
    """Start a process that fetches into ``tmp_path``."""
    monkeypatch.setenv("DLCLI_MIRROR", mirror.url)
    sums = [checksum.sha256 for checksum in DATASETS["mnist"].checksums.values()]
    command = [sys.executable, "-c", PROGRAM, ",".join(sums), "data", "fetch"]

    def start():
        return processes.enter_context(
            subprocess.Popen(
                [*command, "--data-dir", tmp_path],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    with ExitStack() as processes:
        yield start


def test_concurrent_processes_all_succeed_and_download_each_file_once(
    start_fetch, mirror, tmp_path
):
    processes = [start_fetch() for _ in range(3)]
    outcomes = [process.communicate() for process in processes]
    assert [stdout for stdout, _ in outcomes] == [f"{tmp_path / 'mnist'}\n"] * 3
    assert sorted(stderr.splitlines()[-1] for _, stderr in outcomes) == [
        "mnist: already complete",
        "mnist: already complete",
        "mnist: fetched 4 of 4 files",
    ]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(mirror.requested()) == sorted(f"/good/{file}.gz" for file in FILES)
    assert cached(tmp_path) == in_cache(mirror.contents)


@pytest.mark.parametrize(("end", "code"), [("terminate", 143), ("kill", -9)])
def test_a_process_killed_during_the_download_leaves_complete_files_and_no_lock(
    start_fetch, httpserver, mirror, tmp_path, end, code
):
    file = FILES[2]
    asked, released = threading.Event(), threading.Event()

    def hold(_request):
        asked.set()
        assert released.wait(PATIENCE_SECONDS)
        return Response(idx.compress(mirror.contents[file]))

    httpserver.expect_oneshot_request(f"/good/{file}.gz").respond_with_handler(hold)
    process = start_fetch()
    assert asked.wait(PATIENCE_SECONDS)
    getattr(process, end)()
    stdout, stderr = process.communicate()
    released.set()
    assert (process.returncode, stdout) == (code, "")
    assert stderr.splitlines() == [
        *(f"downloading {name}" for name in FILES[:3]),
        *(["Error: terminated"] if end == "terminate" else []),
    ]
    arrived = {name: mirror.contents[name] for name in FILES[:2]}
    assert cached(tmp_path) == in_cache(arrived)

    assert cache.fetch("mnist", tmp_path) == list(FILES[2:])
    assert cached(tmp_path) == in_cache(mirror.contents)


# The full MNIST.


@pytest.fixture
def real_mirror(mnist_dir, httpserver, monkeypatch):
    """A local mirror with the full MNIST, the only one."""
    for file in FILES:
        path = mnist_dir / f"{file}.gz"
        content = path.read_bytes() if path.exists() else (mnist_dir / file).read_bytes()
        httpserver.expect_request(f"/mnist/{file}.gz").respond_with_data(content)
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], mirrors=()))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("DLCLI_MIRROR", httpserver.url_for("/mnist"))


def test_the_full_mnist_is_fetched_verified_and_loaded(real_mirror, dlcli, workdir):
    result = dlcli("data", "fetch")
    assert (result.code, result.stdout) == (0, "data/mnist\n")
    result = dlcli("data", "verify")
    assert result.code == 0
    assert result.stdout.splitlines() == [f"data/mnist/{file}: ok" for file in FILES]
    mnist = datasets.load("mnist")
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.train.images.shape == (60_000, 784)
