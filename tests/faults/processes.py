"""Start dlcli in processes that ``shim.c`` observes and disturbs, and look at what they leave."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

PROGRAM = "from dlcli.cli.main import main; main()"
STARTED: list["subprocess.Popen[str]"] = []
"""All processes of the current test; a fixture ends those that it left running."""


@dataclass(frozen=True)
class Call:
    """A system call on a file, by the name that the user knows.

    A temporary file has the name that it will get, unless it is only removed.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class Fault:
    """What happens at a call (numbered from 1): an error, or SIGKILL if ``error`` is 0."""

    at: int
    error: int = 0
    onward: bool = False
    """Whether all later calls fail too, as on a disk that stays full or broken."""


@dataclass(frozen=True)
class Shim:
    """The compiled ``shim.c``."""

    library: Path

    @classmethod
    def compiled(cls, folder: Path) -> "Shim":
        """Compile it into ``folder``."""
        library = folder / "shim.so"
        source = Path(__file__).with_name("shim.c")
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*command, "-o", library, source, "-ldl"], check=True)
        return cls(library)

    def environment(self, folder: Path, fault: Fault | None) -> dict[str, str]:
        """The environment in which a process in ``folder`` logs its calls and meets a fault."""
        fault = fault or Fault(at=0)
        return {
            "LD_PRELOAD": str(self.library),
            "SHIM_FOLDER": str(folder),
            "SHIM_LOG": str(log_of(folder)),
            "SHIM_AT": str(fault.at),
            "SHIM_ERRNO": str(fault.error),
            "SHIM_ONWARD": str(int(fault.onward)),
        }


def log_of(folder: Path) -> Path:
    """The log of the calls on files in ``folder``: beside it, so that it does not count itself."""
    return folder.with_name(f"{folder.name}.log")


def start(
    folder: Path,
    arguments: Sequence[object],
    shim: Shim | None = None,
    fault: Fault | None = None,
    program: str = PROGRAM,
    stderr: IO[bytes] | int = subprocess.PIPE,
) -> "subprocess.Popen[str]":
    """Start dlcli in ``folder``, which is created if it does not exist."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=folder,
        env=os.environ | (shim.environment(folder, fault) if shim else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    STARTED.append(process)
    return process


def finish(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for a process; its exit code and output."""
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def calls_in(folder: Path) -> list[Call]:
    """The calls of processes started in ``folder`` on its files."""
    lines = (line.partition(" ") for line in log_of(folder).read_text().splitlines())
    return [_call(name, Path(path).relative_to(folder)) for name, _, path in lines]


def _call(name: str, path: Path) -> Call:
    if path.suffix == ".tmp" and name != "unlink":
        path = _known_as(path)
    return Call(name, path)


def _known_as(path: Path) -> Path:
    """The final name of a temporary file: ``last.npz`` of ``.last.npz.123.tmp``."""
    return path.with_name(path.name.removeprefix(".").removesuffix(".tmp").rpartition(".")[0])


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call the function with all items, as many at a time as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


def spread(items: Sequence[Item], number: int) -> list[Item]:
    """At most ``count`` items, evenly spread from the first to the last."""
    if number >= len(items):
        return list(items)
    return [items[round(index * (len(items) - 1) / (number - 1))] for index in range(number)]


def temporary_files(folder: Path) -> list[Path]:
    """The temporary files, which must not stay."""
    return [path for path in folder.rglob(".*") if path.suffix == ".tmp" or "probe" in path.name]


@contextmanager
def said_of(fault: object) -> Iterator[None]:
    """Add to a failing assertion the fault that it belongs to."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"after {fault}")
        raise
