"""Processes that fill the cache, alone or many at once, may die or fail: no file is incomplete."""

import errno
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from dlcli.data import idx
from dlcli.data.registry import DATASETS, FILES, Checksum, sha256
from tests.faults.processes import (
    Call,
    Fault,
    Shim,
    at_once,
    calls_in,
    finish,
    said_of,
    spread,
    start,
    temporary_files,
)
from tests.faults.stand_in import gz_sums, stand_in_program

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)
HOW = ("fetch mnist", "fetch kmnist", "import mnist")


@dataclass(frozen=True)
class Filling:
    """A command that fills the cache, and the content it must then have."""

    name: str
    arguments: list[str]
    program: str
    contents: dict[str, bytes]
    shim: Shim
    dlcli: Any

    def start(self, folder: Path, fault: Fault | None) -> Any:
        """Start the command in ``folder``."""
        return start(folder, self.arguments, self.shim, fault, self.program)

    def calls(self, folder: Path) -> list[Call]:
        """The calls that it makes when nothing happens to it."""
        assert finish(self.start(folder, None)).returncode == 0
        assert self.found(folder) == self.contents
        return calls_in(folder)

    def found(self, folder: Path) -> dict[str, bytes]:
        """The dataset's files in the cache of ``folder``."""
        cache = folder / "data" / self.name
        return {path.name: path.read_bytes() for path in cache.glob("[!.]*")}

    def check(self, folder: Path) -> None:
        """Each file is complete or absent; a later fetch downloads and cleans up the rest.

        ``folder`` must be the current one, in which ``dlcli`` works.
        """
        assert self.contents.items() >= self._images_and_labels(folder).items()
        fetched = self.dlcli("data", "fetch", "-q", self.name)
        assert (fetched.code, fetched.stderr) == (0, "")
        assert self.found(folder) == self.contents
        assert self.dlcli("data", "verify", self.name).code == 0
        assert temporary_files(folder) == []

    def _images_and_labels(self, folder: Path) -> dict[str, bytes]:
        found = self.found(folder)
        return {file: found[file] for file in FILES if file in found}

    def check_result(self, folder: Path, result: Any, fault: Fault | None) -> None:
        """A process died, or reported the error in a line with the file's name, or succeeded."""
        if fault is not None and fault.error == 0:
            assert result.returncode in {-signal.SIGKILL, 0}
        if result.returncode == 0:
            assert result.stdout == f"data/{self.name}\n"
            assert self.found(folder) == self.contents
        elif result.returncode != -signal.SIGKILL:
            assert fault is not None
            assert result.returncode in {1, 3}
            assert result.stderr.count("\n") == 1
            # The lock has an absolute path; all others are as the user gave them.
            place = re.escape(f"{folder}/")
            assert re.match(rf"Error: (\.|({place})?data[^:]*): ", result.stderr)
            assert os.strerror(fault.error) in result.stderr


@pytest.fixture
def make_filling(mirror, shim, dlcli, tmp_path, monkeypatch) -> Callable[[str], Filling]:
    """The command for one of ``HOW``."""
    packed = {file: idx.compress(content) for file, content in mirror.contents.items()}
    checksums = {file: Checksum(value, "gz") for file, value in gz_sums(mirror.contents).items()}
    kmnist = replace(DATASETS["kmnist"], mirrors=(mirror.url,), checksums=checksums)
    monkeypatch.setitem(DATASETS, "kmnist", kmnist)
    monkeypatch.setenv("DLCLI_MIRROR", mirror.url)
    monkeypatch.setenv("DLCLI_DATA_DIR", "data")
    carried = tmp_path / "carried"
    carried.mkdir()
    for file, content in packed.items():
        (carried / f"{file}.gz").write_bytes(content)
    recorded = "".join(
        f"{sha256(content)}  {file}\n" for file, content in mirror.contents.items()
    ).encode()
    program = stand_in_program(mirror.contents)

    def make(how: str) -> Filling:
        command, name = how.split()
        if command == "fetch":
            arguments = ["data", "fetch", "-q", name]
        else:
            arguments = ["data", "import", "-q", str(carried), "--dataset", name]
        contents = mirror.contents | ({"SHA256SUMS": recorded} if name == "kmnist" else {})
        return Filling(name, arguments, program, contents, shim, dlcli)

    return make


@pytest.mark.parametrize("how", HOW)
def test_alone(how, make_filling, tmp_path, monkeypatch, long, tally):
    filling = make_filling(how)
    calls = filling.calls(tmp_path / "undisturbed")
    faults = [Fault(at, error) for at in range(1, len(calls) + 1) for error in (0, *ERRORS)]
    if not long:
        faults = spread(faults, 6)

    def disturb(numbered):
        number, fault = numbered
        return finish(filling.start(tmp_path / str(number), fault))

    results = at_once(disturb, enumerate(faults))
    for number, (fault, result) in enumerate(zip(faults, results, strict=True)):
        folder = tmp_path / str(number)
        with said_of(f"{fault}, {calls[fault.at - 1]}"):
            if fault.error == 0:
                assert result.returncode == -signal.SIGKILL
            elif result.returncode != 0:
                assert f"{calls[fault.at - 1].path}: " in result.stderr
            filling.check_result(folder, result, fault)
            monkeypatch.chdir(folder)
            filling.check(folder)
    killed = sum(fault.error == 0 for fault in faults)
    tally("`data fetch` or `data import` killed at a system call", killed)
    tally("system call of `data fetch` or `data import` failed", len(faults) - killed)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("processes", [2, 8])
def test_many_at_once(processes, how, make_filling, tmp_path, monkeypatch, long, tally):
    """Half of them are killed or fail, each at another call; the others must not be affected."""
    filling = make_filling(how)
    calls = len(filling.calls(tmp_path / "undisturbed"))
    tries = 80 // processes if long else 1
    moments = iter(spread(range(1, calls + 1), max(tries * processes // 2, 2)))
    for number in range(tries):
        folder = tmp_path / str(number)
        disturbed = [
            Fault(at, error=0 if at % 2 else ERRORS[at // 2 % len(ERRORS)])
            for at in islice(moments, processes // 2)
        ]
        faults = [*disturbed, *[None] * (processes - len(disturbed))]
        started = [filling.start(folder, fault) for fault in faults]
        results = [finish(process) for process in started]
        with said_of(f"{disturbed} in {processes} processes"):
            for fault, result in zip(faults, results, strict=True):
                assert fault is not None or result.returncode == 0, result.stderr
                filling.check_result(folder, result, fault)
            monkeypatch.chdir(folder)
            filling.check(folder)
        tally(
            f"{processes} `data fetch` or `data import` at once, half of them killed or failing", 1
        )
