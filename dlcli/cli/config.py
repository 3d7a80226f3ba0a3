"""``dlcli config``: look at configurations without training."""

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_config
from dlcli.cli.loading import load_config
from dlcli.cli.output import echo, message, print_json, warn


@click.group("config")
@options.debug_and_quiet
def command() -> None:
    """Show, check and describe configurations.

    \b
    Examples:
      dlcli config show --config mnist
      dlcli config check my.yaml
    """


@command.command("show")
@options.config
@options.overrides
@options.output_format("yaml", "json")
@options.debug_and_quiet
def show(sources: tuple[str, ...], overrides: tuple[str, ...], output_format: str) -> None:
    """Print the resolved config: every key, defaults included.

    \b
    Examples:
      dlcli config show
      dlcli config show -c mnist --set epochs=40 > my.yaml
    """
    from dlcli.config import schema

    config = load_config(sources, overrides)
    if output_format == "json":
        print_json(schema.to_builtins(config))
    else:
        echo(schema.to_yaml(config), nl=False)


@command.command("check")
@click.argument(
    "names",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=options.PathType(readable=False, allow_dash=True),
    shell_complete=complete_config,
)
@options.debug_and_quiet
def check(names: tuple[str, ...]) -> None:
    """Check config files, also those of a search; print every problem and exit with 2.

    \b
    Examples:
      dlcli config check my.yaml
      dlcli config check *.yaml && echo all good
    """
    from dlcli.config import files
    from dlcli.config.validation import warnings
    from dlcli.errors import ConfigError
    from dlcli.sweep import plan

    problems: list[str] = []
    for name in names:
        try:
            if name != "-" and plan.is_search(name):  # stdin can be read only once
                searched = plan.load([name], [], None).space
                message(f"{name}: valid; a search over {', '.join(searched)}")
                continue
            config = files.load([name])
        except ConfigError as error:
            problems += error.args
            continue
        for warning in warnings(config):
            warn(f"{name}: {warning}")
        message(f"{name}: valid")
    if problems:
        raise ConfigError(*problems)


@command.command("schema")
@options.output_format("json", "markdown")
@options.debug_and_quiet
def describe(output_format: str) -> None:
    """Describe every key: as JSON Schema for editors, or as a Markdown table.

    \b
    Examples:
      dlcli config schema > dlcli.schema.json
      dlcli config schema --format markdown
    """
    from dlcli.config import schema

    if output_format == "json":
        print_json(schema.json_schema())
    else:
        echo(schema.reference(), nl=False)
