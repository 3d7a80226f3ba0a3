"""Write the manual pages in ``man/``, one for each command, from what ``--help`` shows.

make readme
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from dlcli import __version__
from dlcli.cli.help import option_groups
from dlcli.cli.main import COMMANDS, cli

FOLDER = Path(__file__).parent.parent / "man"

# A word that is typed as it is (an option), and one that stands for a value.
_OPTION = re.compile(r"(?<![\w-])(--?[a-zA-Z][\w-]*)")
_VALUE = re.compile(r"\b([A-Z][A-Z_]+)\b")
_OF_EVERY_COMMAND = {"--quiet", "--debug", "--help"}


def pages() -> dict[str, str]:
    """The text of each page, by its file's name."""
    with cli.make_context("dlcli", [COMMANDS[0]]) as context:
        found = {"dlcli.1": _page(cli, context, [f"dlcli-{name}" for name in COMMANDS])}
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None  # noqa: S101 - it is one of its commands
            with click.Context(command, context, name) as inner:
                found[f"dlcli-{name}.1"] = _page(command, inner, ["dlcli"])
    return found


def _page(command: click.Command, context: click.Context, others: list[str]) -> str:
    """A page on a command and, unless they have pages of their own, its subcommands."""
    name = context.command_path.replace(" ", "-")
    summary = command.get_short_help_str(limit=1000).rstrip(".")
    lines = [
        f'.TH {name.upper()} 1 "" "dlcli {__version__}" "dlcli manual"',
        ".nh\n.ad l",  # options must not be hyphenated
        f".SH NAME\n{name} \\- {_escaped(summary[0].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        _synopsis(command, context),
        ".SH DESCRIPTION",
    ]
    paragraphs, examples = _texts(command)
    lines += [*paragraphs, *_options(command, context, ".SH")]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for inner_name in command.list_commands(context):
            inner = command.get_command(context, inner_name)
            assert inner is not None  # noqa: S101 - it is one of its commands
            lines += _subcommand(inner, context, inner_name)
    if examples:
        lines += [".SH EXAMPLES", *examples]
    lines += [".SH SEE ALSO", ",\n".join(f".BR {_escaped(other)} (1)" for other in others)]
    return "\n".join(lines) + "\n"


def _subcommand(command: click.Command, context: click.Context, name: str) -> Iterator[str]:
    if context.parent is None:  # has a page of its own
        yield f".TP\n.BR dlcli\\-{name} (1)\n{_escaped(command.get_short_help_str(limit=1000))}"
        return
    with click.Context(command, context, name) as inner:
        yield f".SS {_escaped(inner.command_path)}"
        yield _synopsis(command, inner)
        yield ".PP"
        paragraphs, examples = _texts(command)
        yield from paragraphs
        yield from _options(command, inner, "")
        if examples:
            yield from (".PP", "Examples:", *examples)


def _synopsis(command: click.Command, context: click.Context) -> str:
    arguments = " ".join(command.collect_usage_pieces(context))
    return f".B {_escaped(context.command_path)}\n{_value_words(_escaped(arguments))}"


def _texts(command: click.Command) -> tuple[list[str], list[str]]:
    """The paragraphs of a help text, and its examples."""
    paragraphs: list[str] = []
    examples: list[str] = []
    for text in inspect.cleandoc(command.help or "").split("\n\n"):
        if not text.startswith("\b\n"):
            paragraphs += [".PP"] * bool(paragraphs) + [_escaped(" ".join(text.split()))]
        elif text.startswith("\b\nExample"):
            lines = (_escaped(line.strip()) for line in text.splitlines()[2:])
            examples += [".RS 4\n.nf", *lines, ".fi\n.RE"]
        else:
            paragraphs += [".PP\n.nf", *map(_escaped, text.splitlines()[1:]), ".fi"]
    return paragraphs, examples


def _options(command: click.Command, context: click.Context, heading: str) -> Iterator[str]:
    parameters = command.get_params(context)
    if not heading:  # a subcommand: the page has these in the options of its group
        parameters = [each for each in parameters if each.opts[-1] not in _OF_EVERY_COMMAND]
    for name, records in option_groups(parameters, context).items():
        if heading:
            yield f"{heading} {name.upper()}"
        for names, text in records:
            typed = _OPTION.sub(lambda match: rf"\fB{match[1]}\fR", names)
            yield f".TP\n{_escaped(_value_words(typed), keep_fonts=True)}\n{_escaped(text)}"


def _value_words(text: str) -> str:
    return _VALUE.sub(lambda match: rf"\fI{match[1]}\fR", text)


def _escaped(text: str, *, keep_fonts: bool = False) -> str:
    """A line of text for ``man``: hyphens that can be copied, and no macro by accident."""
    escaped = re.sub(r"\\(?!f[BIR])" if keep_fonts else r"\\", r"\\e", text)
    escaped = escaped.replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.1"):
        old.unlink()
    for file, text in pages().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
