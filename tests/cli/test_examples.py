"""Every example in a help text and in the documentation can be pasted into bash and into zsh."""

import inspect
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dlcli.cli.hints import _called
from dlcli.cli.main import cli
from tests.cli.test_help import ALL_COMMANDS

REPOSITORY = Path(__file__).parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

# Stand-ins: dlcli notes its words, one line a call, and prints a name; no other program runs.
STAND_INS = """
dlcli() { printf '<%s>' "$@" >> calls; echo >> calls; echo runs/a; }
find() { :; }; jq() { cat; }; pip() { :; }; tensorboard() { :; }; make() { :; }; python() { :; }
xargs() { cat; "$@"; }
docker() { while [ "$1" != dlcli ]; do shift; done; "$@"; }
autoload() { :; }; compinit() { :; }; awk() { cat; }; git() { :; }; ssh() { :; }
"""


def examples_of_help() -> Iterator[str]:
    """The examples of all commands, without the explanations that follow some."""
    for words in ["", *ALL_COMMANDS]:
        command = ALL_COMMANDS.get(words, cli)
        text = inspect.cleandoc(command.help or "").partition("Examples:")[2]
        for line in text.splitlines():
            if line.startswith("  ") and "dlcli " in line:
                yield re.split(r" {3,}", line.strip())[0]


def lines_of_documentation() -> list[str]:
    """The lines to type that call dlcli."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [
        line for line in lines if re.search(r"\bdlcli ", line) and "_DLCLI_COMPLETE" not in line
    ]


EXAMPLES = sorted({*examples_of_help(), *lines_of_documentation()})


@pytest.fixture
def calls_in(workdir):
    """The calls of dlcli that a line makes in a shell."""
    for name in ("digit.png", "my.yaml", "deploy.sh", "digits/00000-7.png", "mine/7/a.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch(mode=0o755)

    def calls_in(shell: str, line: str) -> list[list[str]]:
        options = ["-f"] if shell == "zsh" else ["--norc"]
        Path("calls").unlink(missing_ok=True)
        finished = subprocess.run(
            [shell, *options, "-c", f"{STAND_INS}\nrun=runs/a\n{line}"],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert finished.stderr == ""
        lines = Path("calls").read_text().splitlines()
        return [re.findall("<(.*?)>", line) for line in lines]

    return calls_in


def test_there_are_examples():
    assert len(EXAMPLES) > 80


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_understood(calls_in, example):
    for words in calls_in("bash", example):
        call = _called(cli, words)
        assert not isinstance(call.command, click.Group) or call.path in {
            "dlcli runs",
            "dlcli sweep",
        }
        call.command.make_context(call.path, list(call.words))


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh, which .ci/run installs")
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_means_the_same_in_zsh(calls_in, example):
    assert calls_in("zsh", example) == calls_in("bash", example)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_has_no_comment_which_zsh_would_pass_on(example):
    assert " # " not in example
