"""Lists and folders from strangers: each name in them gets a prediction or an error."""

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.faults.hostile import MAX_MEMORY, assert_civil, no_hanging, run_apart
from tests.patience import PATIENCE_SECONDS

QUIET = ("-q", "-m", "pretrained")  # no word of which model is used


def draw(name: bytes | str) -> None:
    """A stroke like MNIST's, which needs no preprocessing."""
    Path(os.fsdecode(name)).parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("L", (28, 28))
    picture.paste(255, (13, 4, 16, 24))
    picture.save(os.fsdecode(name), "PNG")


def some_names(count: int) -> set[bytes]:
    """Names of all bytes that a file name can have, first those with a special meaning."""
    chance = random.Random(6)
    alphabet = [bytes([byte]) for byte in range(1, 256) if byte != ord("/")]
    alphabet += [b"\n", b"\r", b"\t", b"\x1b[2J", b"\x1b]0;x\x07", b"\xc2\x9b31m", b"\xe2\x80\xae"]
    alphabet += [b"-", b"--help", b" ", b"'", b'"', b"$(id)", b"`id`", b"%n", b"{0}", b"\\", b"*"]
    names = {b"".join(chance.choices(alphabet, k=chance.randrange(1, 40))) for _ in range(count)}
    return {name for name in names if name not in {b".", b"..", b"-"} and len(name) < 250}


def test_any_name_is_read_from_a_list_and_shown_safely(dlcli, workdir, long, tally):
    names = sorted(some_names(2_000 if long else 60))
    for name in names:
        draw(name)
    for form in ("text", "json", "csv"):
        options = ["-q", "--format", form, "--from-file", "-"]
        result = dlcli("predict", *options, stdin=b"\0".join(names))
        assert_civil(result, {0})
        assert len(result.stdout.splitlines()) == len(names) + (form == "csv")
        if form == "json":
            paths = [json.loads(line)["path"] for line in result.stdout.splitlines()]
            assert [os.fsencode(path) for path in paths] == names
    tally("hostile names", len(names))


def test_any_name_may_be_missing_and_is_shown_safely(dlcli, long, tally):
    names = sorted(some_names(5_000 if long else 300))
    for start in range(0, len(names), 100):
        some = names[start : start + 100]
        result = dlcli("predict", "--from-file", "-", stdin=b"\0".join(some))
        assert_civil(result, {4})
        assert result.stderr.count("Error: ") == result.stderr.count("\n") - 1 == len(some)
    tally("hostile names", len(names))


def test_previews_of_pictures_with_any_name_stay_in_the_named_folder(dlcli, workdir, tally):
    outside = ["../outside.png", "/tmp/../tmp/outside.png", "a/../../../outside.png"]  # noqa: S108 - never written
    inside = workdir / "inside"
    inside.mkdir()
    os.chdir(inside)
    names = sorted(some_names(40))
    for name in names:
        draw(name)
    draw("pictures/..\\..\\outside.png")
    stdin = b"\0".join([*names, b"pictures/..\\..\\outside.png", *map(os.fsencode, outside)])
    before = {path for path in workdir.rglob("*") if path.parent != inside / "seen"}
    result = dlcli(
        "predict", *QUIET, "--from-file", "-", "--show-preprocessed", "seen", stdin=stdin
    )
    assert_civil(result, {4})
    after = {path for path in workdir.rglob("*") if path.parent != inside / "seen"}
    assert after - before == {inside / "seen"}
    seen = [path.name for path in (inside / "seen").iterdir()]
    assert len(seen) == len(names) + 1
    assert all(name.isprintable() and name.endswith(".png") for name in seen)
    tally("hostile names", len(seen))


def pipe(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "pipe": pipe,
    "socket": bound_socket,
    "dangling": link_to("nowhere"),
    "loop": link_to("special.png"),
    "zeros": link_to("/dev/zero"),
    "random": link_to("/dev/urandom"),
    "null": link_to("/dev/null"),
    "full": link_to("/dev/full"),
    "memory": link_to("/proc/self/mem"),
    "terminal": link_to("/dev/tty"),
    "its own stdin": link_to("/proc/self/fd/0"),
}


@pytest.mark.parametrize("kind", SPECIAL)
def test_pipes_and_devices_are_reported_and_do_not_block(dlcli, workdir, kind, tally):
    draw("a.png")
    SPECIAL[kind](Path("special.png"))
    with no_hanging():
        result = dlcli("predict", *QUIET, "--from-file", "-", stdin=b"special.png\na.png\n")
    assert_civil(result, {4})
    assert result.stderr.startswith("Error: special.png: ")
    assert result.stdout.endswith("\ta.png\n")
    tally("hostile names", 1)


def test_pipes_and_devices_in_a_folder_are_skipped(dlcli, workdir, tally):
    draw("folder/a.png")
    draw("folder/z.png")
    os.chdir("folder")
    for kind, make in SPECIAL.items():
        make(Path("special.png"))
        Path("special.png").rename(f"{kind}.png")
    Path("loop.png").unlink()
    Path("loop.png").symlink_to("loop.png")
    Path("up").symlink_to("..")
    with no_hanging():
        result = dlcli("predict", *QUIET, ".")
    assert_civil(result, {4})
    assert [line.split("\t")[2] for line in result.stdout.splitlines()] == ["a.png", "z.png"]
    tally("hostile names", len(SPECIAL))


def test_deeply_nested_folders_are_searched_or_reported(dlcli, workdir, tally):
    draw("a.png")
    for _ in range(1_500):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(workdir)
    result = dlcli("predict", *QUIET, ".")
    os.removedirs("/".join(["d"] * 1_500))  # too deep for pytest's own clean-up
    assert_civil(result, {0, 4})
    assert "\ta.png\n" in result.stdout
    tally("hostile names", 1)


ENDLESS = {
    "zeros": "cat /dev/zero",
    "one line": "cat /dev/zero | tr '\\0' x",
    "empty lines": "yes ''",
    "returns": "yes '' | tr '\\n' '\\r'",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_endless_list_without_a_name_is_refused(workdir, kind, tally):
    program = (
        f"{ENDLESS[kind]} | {sys.executable} -m dlcli predict -q -m pretrained --from-file - a.png"
    )
    draw("a.png")
    finished = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert finished.returncode == 4
    assert finished.stdout.endswith("\ta.png\n")
    assert finished.stderr == "Error: -: no list of paths: 1,048,576 bytes without a name\n"
    tally("endless lists", 1)


def test_endless_devices_are_refused_as_pictures_and_lists(workdir, tally):
    draw("a.png")
    commands = [
        ["predict", *QUIET, "--from-file", "/dev/zero", "a.png"],
        ["predict", *QUIET, "/dev/zero", "a.png"],
    ]
    outcome = run_apart(commands, workdir)
    for result in outcome.results:
        assert_civil(result, {4})
        assert "\ta.png\n" in result.stdout
    with Path("/dev/zero").open("rb") as zeros:
        command = [sys.executable, "-m", "dlcli", "predict", *QUIET, "-"]
        finished = subprocess.run(
            command,
            stdin=zeros,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert finished.returncode == 4
    assert finished.stderr == "Error: -: more than 250,000,000 bytes; make it smaller\n"
    assert outcome.peak < MAX_MEMORY
    tally("endless lists", 3)


# The program is started without the rights of root, to which permissions do not apply.
_WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        if libc.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "cannot give up a capability")
os.execv(sys.executable, [sys.executable, "-m", "dlcli", *sys.argv[1:]])
"""


def test_other_pictures_are_predicted_when_one_cannot_be_read(workdir, tally):
    draw("a.png")
    for name in ("scans/a.png", "scans/locked/b.png", "scans/unlisted/c.png", "scans/secret.png"):
        draw(name)
    Path("list").write_text("a.png\n")
    Path("run").mkdir()
    for name in ("scans/locked", "scans/secret.png", "list", "run"):
        Path(name).chmod(0)
    Path("scans/unlisted").chmod(0o300)

    def dlcli(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _WITHOUT_RIGHTS, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    found = dlcli(
        "predict", *QUIET, "scans", "a.png", "scans/unlisted/c.png", "--from-file", "list"
    )
    assert found.returncode == 4
    names = ["scans/a.png", "a.png", "scans/unlisted/c.png"]
    assert [line.split("\t")[2] for line in found.stdout.splitlines()] == names
    reported = [line.split(": ")[1] for line in found.stderr.splitlines()]
    assert sorted(reported) == ["list", "scans/locked", "scans/secret.png"]
    assert found.stderr.count("Permission denied") == 3
    for arguments in (["eval", "run"], ["predict", "-m", "run", "a.png"]):
        refused = dlcli(*arguments)
        assert refused.returncode == 4
        assert refused.stderr.count("\n") == 1
        assert "Permission denied" in refused.stderr
    refused = dlcli("config", "show", "-c", "list")
    assert (refused.returncode, refused.stdout) == (2, "")
    for name in ("scans/locked", "scans/unlisted", "run"):
        Path(name).chmod(0o700)
    tally("hostile names", 6)
