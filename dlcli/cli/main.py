"""The command group, loaded lazily, and the one place where errors become exit codes."""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NoReturn

import click

from dlcli import __version__
from dlcli.cli import options
from dlcli.cli.help import Group
from dlcli.cli.output import (
    STOP_IS_TOLD,
    discard,
    echo_error,
    print_any_character,
    printable,
    styled,
)
from dlcli.errors import DlcliError, Terminated
from dlcli.runs import interrupts

# In the order in which a newcomer needs them; the modules have the same names.
COMMANDS = (
    *("train", "eval", "predict", "read", "data", "config", "runs"),
    *("compare", "report", "gradcheck", "export", "plot", "sweep", "lesson"),
)


class LazyGroup(Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a command; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dlcli.cli.{cmd_name}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take ``help COMMAND`` as ``COMMAND --help``, and ``version`` as ``--version``."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        elif args == ["version"]:
            args = ["--version"]
        return super().parse_args(ctx, args)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dlcli", message="%(prog)s %(version)s")
@options.debug_and_quiet
def cli() -> None:
    """Train, evaluate and use neural networks on MNIST digits.

    \b
    Examples:
      dlcli train --config quickstart    train on the embedded sample, at once
      dlcli train --config mnist         download MNIST and train on it
      dlcli eval                         score the latest run on the test images
      dlcli predict photo.png            which digit is this?
      dlcli read page.png                which numbers are on this page?

    dlcli help COMMAND shows a command's options and examples, as COMMAND --help does.

    Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failure, 2 wrong
    usage or configuration, 3 dataset unavailable, 4 unreadable image or checkpoint, 5 below
    --min-accuracy, 130 or 143 interrupted.
    """


def run(arguments: Sequence[str], *, silence: bool = False) -> int:
    """Run dlcli with ``arguments`` and return its exit code; errors become one message.

    With ``silence``, warnings and logs of libraries stay hidden in all of the process, unless
    ``--debug`` is among the arguments.
    """
    debug = "--debug" in arguments
    interrupts.install()
    print_any_character()
    meta: dict[str, Any] = {}
    try:
        with (
            debug_log() if debug else nullcontext(),
            cli.make_context("dlcli", list(arguments)) as context,
        ):
            meta = context.meta
            if silence and not debug:
                silence_libraries()
            cli.invoke(context)
        if sys.stdout is not None:  # it is None when it was closed before the start (>&-)
            sys.stdout.flush()
    except click.exceptions.Exit as finished:
        return finished.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        echo_error(error.format_message())
        return error.exit_code
    except BrokenPipeError:
        # The reader of a help text has seen enough (| head -1). Python would complain when it
        # flushes the rest at exit.
        discard(sys.stdout)
        return 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, it becomes one message here
        code, lines = _explain(error, arguments)
        if meta.get(STOP_IS_TOLD) and isinstance(error, (KeyboardInterrupt, Terminated)):
            return code
        # Messages may quote a file's name or content, with control sequences in it.
        lines = [printable(line) for line in lines]
        lines[0] = f"{styled('Error:', sys.stderr, fg='red', bold=True)} {lines[0]}"
        if debug:
            import traceback

            lines = [*map(printable, traceback.format_exc().splitlines()), *lines]
        echo_error("\n".join(lines))
        return code
    return 0


@contextmanager
def debug_log() -> Iterator[None]:
    """Show on stderr what dlcli logs in the block, as with which kernels it computes."""
    import logging

    logger, handler = logging.getLogger("dlcli"), logging.StreamHandler(sys.stderr)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def main() -> NoReturn:
    """Run dlcli with the process's arguments and end the process at once.

    Python would need 10 ms to tear down itself and NumPy, a tenth of the time of a prediction.
    (``python -m dlcli`` ends as usual, for profilers.)
    """
    if "_DLCLI_COMPLETE" in os.environ:  # click answers the shell's completion
        from dlcli.cli import completion

        completion.install()
        cli.main(prog_name="dlcli")
    code = run(sys.argv[1:], silence=True)
    for stream in (sys.stdout, sys.stderr):
        # After an error, the reader of what is left here is gone, or the disk is full, which
        # was reported already.
        with suppress(OSError):
            if stream is not None:
                stream.flush()
    os._exit(code)


def silence_libraries() -> None:
    """Keep warnings and logs of libraries from the user, who can do nothing about them.

    The processes of a sweep learn it from the environment. Who sets PYTHONWARNINGS has a say.
    """
    import logging
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        os.environ["PYTHONWARNINGS"] = "ignore"
    logging.lastResort = logging.NullHandler()


def _explain(error: BaseException, arguments: Sequence[str]) -> tuple[int, list[str]]:
    """The exit code and the lines of the message for an error; others are raised again."""
    if isinstance(error, (DlcliError, Terminated)):
        return error.exit_code, list(error.args)
    if isinstance(error, click.UsageError):
        from dlcli.cli import hints

        return error.exit_code, [hints.explain(error, cli, arguments)]
    if isinstance(error, click.ClickException):
        return error.exit_code, [error.format_message()]
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return 130, ["interrupted"]
    if isinstance(error, MemoryError):
        return 1, [f"not enough memory: {error}"]
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return 1, [f"{place}{error.strerror or error}"]
    if isinstance(error, Exception):
        kind = type(error).__name__
        return 1, [f"unexpected {kind}: {error} (run again with --debug for the traceback)"]
    raise error
