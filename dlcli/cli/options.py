"""Options and arguments that several commands share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dlcli.config.dimensions import MAX_THREADS
from dlcli.files import DEFAULT_DATA_DIR, DEFAULT_RUNS_DIR

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

QUIET = "dlcli.quiet"


def _set_quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's signature
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
        "--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."
    )
    return quiet(debug(function))


def complete_config(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Complete the names of shipped configs, and files."""
    from click.shell_completion import CompletionItem

    from dlcli.config.files import shipped_configs

    names = [name for name in shipped_configs() if name.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="file")]


def _complete_setting(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Complete the keys of a config."""
    from dlcli.config.schema import key_types

    return [f"{key}=" for key in key_types() if key.startswith(incomplete)]


def complete_dataset(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Complete the names of datasets, and folders."""
    from click.shell_completion import CompletionItem

    from dlcli.data.registry import DATASETS

    names = [name for name in DATASETS if name.startswith(incomplete)]
    return [*map(CompletionItem, names), CompletionItem(incomplete, type="dir")]


config_option = click.option(
    "-c",
    "--config",
    "sources",
    metavar="FILE",
    multiple=True,
    shell_complete=complete_config,
    help="YAML config; - for stdin, or the name of a shipped one (quickstart, mnist, ...). "
    "May be repeated: later files override earlier ones. Every key has a default.",
)
set_option = click.option(
    "-s",
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    shell_complete=_complete_setting,
    help="Override one key of the config, as in --set learning_rate=0.05. May be repeated.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(readable=False, path_type=Path),
    default=DEFAULT_DATA_DIR,
    show_default=True,
    envvar="DLCLI_DATA_DIR",
    show_envvar=True,
    help="Dataset cache.",
)
runs_dir_option = click.option(
    "--runs-dir",
    type=click.Path(readable=False, path_type=Path),
    default=DEFAULT_RUNS_DIR,
    show_default=True,
    help="Folder of run directories.",
)
threads_option = click.option(
    "--threads",
    type=click.IntRange(1, MAX_THREADS),
    envvar="DLCLI_THREADS",
    show_envvar=True,
    help="Threads to compute with; fewer are faster while other programs keep the cores "
    "busy.  [default: one per core]",
)
force_option = click.option("--force", is_flag=True, help="Replace an existing output file.")


def output_option(help_text: str) -> Callable[[Function], Function]:
    """``--output FILE``, for a command that always writes a file."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        required=True,
        metavar="FILE",
        help=help_text,
    )


def format_option(*formats: str) -> Callable[[Function], Function]:
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


def config_stem(sources: tuple[str, ...]) -> str:
    """A word for the config, for the names of what is made from it."""
    if not sources:
        return "default"
    stem = "stdin" if sources[-1] == "-" else Path(sources[-1]).stem
    # Short enough for every file system, in bytes too.
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem[:50])


@contextmanager
def limit_threads(count: int | None) -> Iterator[int]:
    """Use ``count`` BLAS threads, or for None as many as BLAS chose; yield how many they are."""
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController().select(user_api="blas")
    with controller.limit(limits=count):
        used = [pool["num_threads"] for pool in controller.info()]
        yield max(used, default=1)
