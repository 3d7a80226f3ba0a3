"""``dlcli config``: look at configurations without training."""

import click

from dlcli.cli.options import (
    complete_config,
    config_option,
    debug_and_quiet,
    format_option,
    set_option,
)
from dlcli.cli.output import message, print_json, warn


@click.group("config")
@debug_and_quiet
def command() -> None:
    """Show, check and describe configurations.

    \b
    Examples:
      dlcli config show --config mnist
      dlcli config check my.yaml
    """


@command.command("show")
@config_option
@set_option
@format_option("yaml", "json")
@debug_and_quiet
def show(sources: tuple[str, ...], overrides: tuple[str, ...], output_format: str) -> None:
    """Print the resolved config: every key, defaults included.

    \b
    Examples:
      dlcli config show
      dlcli config show -c mnist --set epochs=40 > my.yaml
    """
    from dlcli.config import files as config_files
    from dlcli.config import schema as configs

    config = config_files.load(sources, overrides)
    if output_format == "json":
        print_json(configs.to_builtins(config))
    else:
        click.echo(configs.to_yaml(config), nl=False)


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_config)
@debug_and_quiet
def check(files: tuple[str, ...]) -> None:
    """Check config files, also those of a search; print every problem and exit with 2.

    \b
    Examples:
      dlcli config check my.yaml
      dlcli config check configs/*.yaml && echo all good
    """
    from dlcli.config import files as config_files
    from dlcli.config.validation import warnings
    from dlcli.errors import ConfigError
    from dlcli.sweep import plan

    problems: list[str] = []
    for file in files:
        try:
            if file != "-" and plan.is_search(file):  # stdin can be read only once
                searched = plan.load([file], [], None).space
                message(f"{file}: valid; a search over {', '.join(searched)}")
                continue
            config = config_files.load([file])
        except ConfigError as error:
            problems += error.args
            continue
        for warning in warnings(config):
            warn(f"{file}: {warning}")
        message(f"{file}: valid")
    if problems:
        raise ConfigError(*problems)


@command.command("schema")
@format_option("json", "markdown")
@debug_and_quiet
def schema(output_format: str) -> None:
    """Describe every key: as JSON Schema for editors, or as a Markdown table.

    \b
    Examples:
      dlcli config schema > dlcli.schema.json
      dlcli config schema --format markdown
    """
    from dlcli.config import schema as configs

    if output_format == "json":
        print_json(configs.json_schema())
    else:
        click.echo(configs.reference(), nl=False)
