"""The manual pages say what ``--help`` says, and ``man`` can show them."""

import re
import shutil
import subprocess

import click
import pytest

from dlcli.cli.main import COMMANDS, cli
from tools.generate_man_pages import FOLDER, pages

PAGES = pages()


def test_the_pages_are_up_to_date():
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert on_disk == PAGES, "run: make readme"


def options_of(command: click.Command) -> set[str]:
    """Every option of a command and of its subcommands."""
    found = {name for parameter in command.params for name in parameter.opts}
    if isinstance(command, click.Group):
        found = found.union(*map(options_of, command.commands.values()))
    return {name for name in found if name.startswith("-")}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_page_with_its_options_and_examples(name):
    with cli.make_context("dlcli", [name, "--help"], resilient_parsing=True) as context:
        command = cli.get_command(context, name)
    assert command is not None
    page = PAGES[f"dlcli-{name}.1"].replace(r"\-", "-")
    assert options_of(command) <= set(re.findall(r"\\fB(--?[\w-]+)\\fR", page))
    assert f"\ndlcli {name} " in page
    assert f".BR dlcli-{name} (1)\n" in PAGES["dlcli.1"].replace(r"\-", "-")


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff, which .ci/run installs")
def test_man_formats_every_page_without_a_warning():
    command = ["groff", "-man", "-Tutf8", "-ww", "-rLL=78n", *map(str, FOLDER.iterdir())]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")
    plain = re.sub(r"\x1b\[[\d;]*m", "", finished.stdout)
    assert "  dlcli predict photo.png            which digit is this?\n" in plain
    assert "Override one key of the config, as in --set" in plain
