"""Limits for hostile files: no traceback, no excessive memory, no endless work."""

import json
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Result

MAX_MEMORY = 1 << 30
"""Bytes of memory that a hostile file may make dlcli use at most."""

# Not measured here: five seconds of one core may be a minute on a busy machine.
HANGS_AFTER = 120
_PROGRAM = """
import io, json, pathlib, re, signal, sys
from contextlib import redirect_stderr, redirect_stdout
from dlcli.cli.main import run

signal.signal(signal.SIGALRM, signal.SIG_DFL)
for arguments in json.load(open(sys.argv[1])):
    signal.alarm(int(sys.argv[2]))
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with redirect_stdout(stdout), redirect_stderr(stderr):
        code = run(arguments)
    stdout.flush(), stderr.flush()
    outputs = [stream.buffer.getvalue().decode() for stream in (stdout, stderr)]
    print(json.dumps([code, *outputs]), flush=True)
status = pathlib.Path("/proc/self/status").read_text()
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]))
"""


def assert_civil(result: Result, codes: Collection[int]) -> None:
    """A documented exit code, with a printable message that is not a traceback."""
    assert result.code in codes, result
    assert bool(result.stderr) or not result.code
    for text in (result.stdout, result.stderr):
        assert "Traceback" not in text
        assert "run again with --debug" not in text, text
        odd = {c for c in text if not c.isprintable() and unicodedata.category(c) != "Zs"}
        assert odd <= {"\n", "\t"}, text
    assert len(result.stderr) < 20_000


@contextmanager
def no_hanging(seconds: int = HANGS_AFTER) -> Iterator[None]:
    """End the tests if the block does not end."""
    earlier = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


@dataclass(frozen=True)
class Outcome:
    """The results of a process that ran several commands."""

    results: list[Result]
    peak: int
    """The largest memory in bytes."""


def run_apart(commands: Sequence[Sequence[object]], folder: Path) -> Outcome:
    """Run commands in a process of their own, in ``folder``; a command that hangs ends it."""
    plan = folder / ".commands.json"
    plan.write_text(json.dumps([[str(word) for word in command] for command in commands]))
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM, plan, str(HANGS_AFTER)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, (finished.returncode, finished.stderr[-2000:])
    *results, peak = map(json.loads, finished.stdout.splitlines())
    assert len(results) == len(commands)
    return Outcome([Result(*result) for result in results], peak)
