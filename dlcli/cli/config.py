"""``dlcli config``: look at configurations without training."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from dlcli.cli import layout, options
from dlcli.cli.completion import complete_config
from dlcli.cli.help import Group
from dlcli.cli.loading import load_config
from dlcli.cli.output import (
    can_ask,
    echo,
    message,
    open_output,
    print_json,
    print_path,
    warn,
)


@click.group("config", cls=Group)
@options.debug_and_quiet
def command() -> None:
    """List, write, show and check configurations.

    \b
    Examples:
      dlcli config list
      dlcli config init my.yaml
      dlcli config show --config mnist
    """


# What ``dlcli config init`` asks: the key that the answer sets, the question, the usual answer.
_QUESTIONS = (
    ("dataset", "Dataset: sample (in the package), mnist (to download), or a folder", "sample"),
    ("hidden_layers", "Neurons in each hidden layer, as in 128 or 256,64", "128"),
    ("epochs", "Passes over the training images", "10"),
)
_AUGMENTATION_QUESTION = "Distort the training images? More accurate, and slower"


@command.command("list")
@options.output_format("text", "json")
@options.debug_and_quiet
def list_configs(output_format: str) -> None:
    """List the configs that come with dlcli, with accuracy and time of training.

    \b
    Examples:
      dlcli config list
      dlcli config list --format json | jq -r '.[].name'
    """
    from dlcli.config import template

    found = list(template.described())
    if output_format == "json":
        print_json([asdict(shipped) for shipped in found])
        return
    for shipped in found:
        measured = f"{shipped.dataset}: {shipped.result or 'not measured'}"
        for name, text in ((shipped.name, shipped.title), ("", measured)):
            for line in layout.beside(name, 12, text, layout.width(sys.stdout)):
                echo(line)
    message("to train with one: dlcli train --config quickstart")


@command.command("init")
@click.argument("path", metavar="FILE", type=options.PathType(path_type=Path, readable=False))
@options.dataset(None, "The dataset to train on.  [default: sample]")
@click.option("--hidden-layers", metavar="SIZES", help="As in 256,64.  [default: 128]")
@click.option("--epochs", metavar="NUMBER", help="Passes over the images.  [default: 10]")
@click.option("--augment/--no-augment", default=None, help="Distort images, as in best.yaml.")
@options.force
@options.debug_and_quiet
def init(
    path: Path,
    dataset: str | None,
    hidden_layers: str | None,
    epochs: str | None,
    augment: bool | None,
    force: bool,
) -> None:
    """Write a config to start from, with a comment on every key.

    On a terminal it asks for what no option says.

    \b
    Examples:
      dlcli config init my.yaml
      dlcli config init my.yaml --dataset mnist --hidden-layers 512,512
    """
    import msgspec

    from dlcli.config import files, template
    from dlcli.files import is_stdout, is_stream, quoted, refuse_to_overwrite

    refuse_to_overwrite(path, force=force)
    given = {"dataset": dataset, "hidden_layers": hidden_layers, "epochs": epochs}
    is_asked = can_ask()
    settings = []
    for key, question, usual in _QUESTIONS:
        answer = given[key]
        if answer is None and is_asked:
            settings.append(click.prompt(question, usual, value_proc=_setting_of(key), err=True))
        else:
            settings.append(_setting_of(key)(usual if answer is None else answer))
    if augment is None:
        augment = is_asked and click.confirm(_AUGMENTATION_QUESTION, err=True)
    config = files.load([], settings)
    if augment:
        distortions = files.load(["best"]).augmentation
        config = msgspec.structs.replace(config, augmentation=distortions)
    kept = None if is_stdout(path) or is_stream(path) else path
    with open_output(path) as file:
        file.write(template.commented(config, kept).encode())
    print_path(path)
    if kept is not None:
        message(f"to train with it: dlcli train --config {quoted(kept)}")


def _setting_of(key: str) -> Callable[[str], str]:
    """A function that turns an answer into a valid ``KEY=VALUE``; else it raises ``UsageError``."""
    from dlcli.config import files
    from dlcli.errors import ConfigError

    def checked(answer: str) -> str:
        is_list = key == "hidden_layers" and not answer.strip().startswith("[")
        setting = f"{key}=[{answer}]" if is_list else f"{key}={answer}"
        try:
            files.load([], [setting])
        except ConfigError as error:
            option = f"--{key.replace('_', '-')}"
            raise click.UsageError(error.args[0].replace(f"--set: {key}", option)) from error
        return setting

    return checked


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
        # A config file is UTF-8, whatever the encoding of stdout.
        is_utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
        echo(schema.to_yaml(config, ascii_only=not is_utf8), nl=False)


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
    from dlcli.config import reference

    if output_format == "json":
        print_json(reference.json_schema())
    else:
        echo(reference.reference(), nl=False)
