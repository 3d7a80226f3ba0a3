"""Help: every command has it, with examples, and it fits."""

import re
import sys

import click
import pytest

from dlcli import __version__
from dlcli.cli.main import COMMANDS, cli


def commands() -> dict[str, click.Command]:
    """Every command and subcommand by the words that call it."""
    found: dict[str, click.Command] = {}
    with cli.make_context("dlcli", ["runs"]) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            found[name] = command
            if isinstance(command, click.Group):
                found |= {f"{name} {sub}": child for sub, child in command.commands.items()}
    return found


ALL_COMMANDS = commands()


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_every_command_helps_with_two_examples(dlcli, words):
    result = dlcli(*words.split(), "--help")
    assert result.code == 0
    assert result.stderr == ""
    examples = [line for line in result.stdout.splitlines() if re.match(r"^    .*\bdlcli ", line)]
    assert len(examples) >= 2
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", ["", *ALL_COMMANDS])
def test_no_summary_of_a_command_is_cut_off(dlcli, words):
    assert "..." not in dlcli(*words.split(), "--help").stdout.partition("\nCommands:\n")[2]


def test_options_that_many_commands_have_come_after_those_of_the_command(dlcli):
    text = dlcli("train", "--help").stdout
    order = ["\nOptions:\n", "-c, --config", "\nFiles and machine:\n", "--threads", "\nOutput:\n"]
    assert sorted(order, key=text.index) == order
    assert "Files and machine" not in dlcli("config", "schema", "--help").stdout


@pytest.mark.parametrize(
    ("variables", "is_styled"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_shows_headings_and_errors_in_a_style(
    dlcli, monkeypatch, trained_model, variables, is_styled
):
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    help_text = dlcli("train", "--help").stdout
    header = dlcli("runs", "--runs-dir", trained_model.parent).stdout
    error = dlcli("eval", "no\x1b[31mwhere").stderr
    assert ("\x1b[1mOptions:" in help_text) == is_styled
    assert header.startswith("\x1b[1m") == is_styled
    assert error.startswith("\x1b[31m\x1b[1mError:\x1b[0m" if is_styled else "Error:")
    assert "no\\x1b[31mwhere" in error


def test_a_pipe_gets_no_styles(dlcli, trained_model):
    for words in (["train", "--help"], ["runs", "--runs-dir", trained_model.parent], ["eval", "x"]):
        result = dlcli(*words)
        assert "\x1b" not in result.stdout + result.stderr


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_every_option_has_a_help_text(words):
    for parameter in ALL_COMMANDS[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


@pytest.mark.parametrize("words", ALL_COMMANDS)
def test_every_command_takes_quiet_and_debug(words):
    names = {parameter.name for parameter in ALL_COMMANDS[words].params}
    assert {"quiet", "debug"} <= names


def test_help_lists_every_command(dlcli):
    stdout = dlcli("--help").stdout
    assert all(f"\n  {name} " in stdout for name in COMMANDS)
    assert "..." not in stdout.partition("Commands:")[2]
    assert dlcli("-h").stdout == stdout


def test_no_arguments_show_the_help(dlcli):
    result = dlcli()
    assert result.code == 2
    assert "Usage: dlcli" in result.stdout + result.stderr


@pytest.mark.parametrize("word", ["--version", "version"])
def test_the_version_is_printed(dlcli, word):
    assert dlcli(word).stdout == f"dlcli {__version__}\n"


@pytest.mark.parametrize("words", ["", "train", "config", "config show"])
def test_help_before_a_command_is_its_help(dlcli, words):
    result = dlcli("help", *words.split())
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout == dlcli(*words.split(), "--help").stdout
