"""Help texts: options in groups, headings in bold on a terminal."""

import sys
from collections.abc import Mapping, Sequence

import click

from dlcli.cli.output import styled

_OPTIONS, _PLACES, _OUTPUT = "Options", "Files and machine", "Output"
# The group of each option that many commands have; all others are the command's own.
_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("--runs-dir", "--name", "--data-dir", "--threads", "--storage"), _PLACES),
    **dict.fromkeys(("--output", "--force", "--format", "--quiet", "--debug", "--help"), _OUTPUT),
}
# So few options are one group.
_MAX_UNGROUPED = 6
_NO_LIMIT = 10_000  # characters; no summary is longer


class _Formatter(click.HelpFormatter):
    def write_heading(self, heading: str) -> None:
        """Write a heading in bold."""
        self.write(f"{'':>{self.current_indent}}{styled(f'{heading}:', sys.stdout, bold=True)}\n")


class _Context(click.Context):
    formatter_class = _Formatter


class Command(click.Command):
    """A command whose help shows its options in groups."""

    context_class = _Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then those that many commands have."""
        _write_options(self.get_params(ctx), ctx, formatter)


class Group(click.Group):
    """A group of commands whose help shows its options in groups."""

    context_class = _Context
    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options as a command does, then the commands."""
        _write_options(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with the whole first sentence of their help texts."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [
            (name, found.get_short_help_str(limit=_NO_LIMIT))
            for name, found in commands.items()
            if found is not None
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def option_groups(
    parameters: Sequence[click.Parameter], ctx: click.Context
) -> dict[str, list[tuple[str, str]]]:
    """The names and the help of options, by the headings under which they are shown."""
    groups: dict[str, list[tuple[str, str]]] = {_OPTIONS: [], _PLACES: [], _OUTPUT: []}
    for parameter in parameters:
        record = parameter.get_help_record(ctx)
        if record is not None and isinstance(parameter, click.Option):
            groups[_GROUPS.get(parameter.opts[-1], _OPTIONS)].append(record)
    if sum(map(len, groups.values())) <= _MAX_UNGROUPED:
        groups = {_OPTIONS: [record for records in groups.values() for record in records]}
    return {name: records for name, records in groups.items() if records}


def _write_options(
    parameters: Sequence[click.Parameter], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    for name, records in option_groups(parameters, ctx).items():
        with formatter.section(name):
            formatter.write_dl(records)
