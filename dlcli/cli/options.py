"""Options and arguments that several commands share, as in ``@options.threads``."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from dlcli.cli.completion import (
    complete_config,
    complete_dataset,
    complete_model,
    complete_setting,
)
from dlcli.files import DEFAULT_RUNS_DIR, expand_home
from dlcli.nn.dimensions import MAX_THREADS

Function = TypeVar("Function", bound=Callable[..., Any])

QUIET = "dlcli.quiet"


def _set_quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[QUIET] = context.meta.get(QUIET, False) or value


def debug_and_quiet(function: Function) -> Function:
    """Add --quiet and --debug, which every command has."""
    quiet = click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_set_quiet,
        help="Print only errors to stderr.",
    )
    debug = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        help="Show the traceback of an error, and how dlcli computes.",
    )
    return quiet(debug(function))


class PathType(click.Path):
    """A path, in which ``~`` is expanded: shells do so only at the start of a word."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Expand the home directory, then check the path."""
        if not os.fspath(value):  # as of a variable that is not set
            self.fail("the path is empty", param, ctx)
        return super().convert(expand_home(os.fspath(value)), param, ctx)


def _default_data_dir() -> Path:
    from dlcli.data import location

    return location.default().path


models = click.argument(
    "model_paths",
    metavar="[MODEL]...",
    nargs=-1,
    type=PathType(readable=False),
    shell_complete=complete_model,
)
config = click.option(
    "-c",
    "--config",
    "sources",
    metavar="FILE",
    type=PathType(readable=False, allow_dash=True),
    multiple=True,
    shell_complete=complete_config,
    help="YAML file, - for stdin, or a shipped config (quickstart, mnist, ...). May be repeated: "
    "later files override earlier ones. Every key has a default.",
)
overrides = click.option(
    "-s",
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=complete_setting,
    help="Override one key of the config, as in --set learning_rate=0.05 or, quoted for the "
    "shell, --set 'hidden_layers=[64, 32]'. May be repeated.",
)
data_dir = click.option(
    "--data-dir",
    type=PathType(readable=False, path_type=Path),
    default=_default_data_dir,
    show_default="./data if it exists, else your cache folder",
    envvar="DLCLI_DATA_DIR",
    show_envvar=True,
    help="Dataset cache.",
)
runs_dir = click.option(
    "--runs-dir",
    type=PathType(readable=False, path_type=Path),
    default=DEFAULT_RUNS_DIR,
    show_default=True,
    help="Folder of run directories.",
)


class Fraction(click.ParamType[float]):
    """A number from 0 to 1; click's own range lets nan through."""

    name = "float"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Check the number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 1:
            self.fail(f"expected a number from 0 to 1, got {value!r}", param, ctx)
        return number


class ThreadCount(click.ParamType["int | None"]):
    """A number of threads; ``auto``, for as many as are fastest, is None."""

    name = "count"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        """Check the number."""
        if value == "auto":
            return None
        try:
            count = int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor auto", param, ctx)
        return click.IntRange(1, MAX_THREADS).convert(count, param, ctx)


threads = click.option(
    "--threads",
    type=ThreadCount(),
    metavar="N|auto",
    envvar="DLCLI_THREADS",
    show_envvar=True,
    help="Threads to compute with; auto: as many as are fastest on this machine now.  "
    "[default: auto]",
)
force = click.option("--force", is_flag=True, help="Replace an existing output file.")


def dataset(
    default: str | None = None, help_text: str = "Use another dataset than the model's own."
) -> Callable[[Function], Function]:
    """``--dataset NAME|DIR``."""
    return click.option(
        "--dataset",
        metavar="NAME|DIR",
        default=default,
        show_default=default is not None,
        shell_complete=complete_dataset,
        help=help_text,
    )


def split(*splits: str) -> Callable[[Function], Function]:
    """``--split`` with a choice of ``splits``; the first is the default."""
    return click.option(
        "--split",
        type=click.Choice(splits),
        default=splits[0],
        show_default=True,
        help="Which images.",
    )


def output(
    help_text: str, *, metavar: str = "FILE", **attributes: Any
) -> Callable[[Function], Function]:
    """``--output FILE``, or a folder; with more attributes of ``click.option``."""
    return click.option(
        "-o",
        "--output",
        type=PathType(readable=False, path_type=Path, dir_okay=metavar == "DIR"),
        metavar=metavar,
        help=help_text,
        **attributes,
    )


def output_format(*formats: str) -> Callable[[Function], Function]:
    """``--format`` with a choice of ``formats``; the first is the default."""
    return click.option(
        "-f",
        "--format",
        "output_format",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Format of the result on stdout.",
    )


def refuse_before_subcommand(context: click.Context) -> None:
    """Refuse a group's own options where a subcommand is called, which would not heed them."""
    if context.invoked_subcommand is None:
        return
    for parameter in context.params:
        if context.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"options go after {context.invoked_subcommand}, not before")


def config_stem(sources: tuple[str, ...]) -> str:
    """A word for the config, for the names of what is made from it."""
    if not sources:
        return "default"
    stem = "stdin" if sources[-1] == "-" else Path(sources[-1]).stem
    # Short enough for every file system, in bytes too.
    word = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem[:50])
    return word.strip("-") or "config"
