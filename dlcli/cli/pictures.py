"""What commands that take pictures share: which pictures, which model, and what failed."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_model
from dlcli.cli.loading import load_default_model, load_models
from dlcli.cli.output import echo_error, print_json, printable, shows_bars, warn
from dlcli.files import quoted

if TYPE_CHECKING:
    from dlcli.runs.checkpoint import Model


class Result(Protocol):
    """What a command found on a picture, or why the picture could not be used."""

    @property
    def name(self) -> str:
        """The picture's path."""

    @property
    def error(self) -> str | None:
        """Why it could not be used."""


AnyResult = TypeVar("AnyResult", bound=Result)


@dataclass
class Failures:
    """How many pictures could not be used; the names of millions would fill the memory."""

    count: int = 0


class _ImagePath(options.PathType):
    """A path in which ``~`` is expanded, unless a picture is called so."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        """Take the name of a file that there is as it is."""
        if os.path.lexists(value):
            return click.Path.convert(self, value, param, ctx)
        return super().convert(value, param, ctx)


_IMAGES = click.argument(
    "images", nargs=-1, metavar="IMAGE...", type=_ImagePath(readable=False, allow_dash=True)
)
_MODEL = click.option(
    "-m",
    "--model",
    "model_paths",
    multiple=True,
    type=options.PathType(readable=False),
    metavar="MODEL",
    shell_complete=complete_model,
    help="A run, an .npz file, or pretrained.",
)
_LISTS = click.option(
    "--from-file",
    "lists",
    multiple=True,
    type=options.PathType(readable=False, allow_dash=True),
    metavar="LIST",
    help="Read paths from a file, one a line or NUL-separated; - for stdin.",
)
_RECURSIVE = click.option(
    "-r", "--recursive", is_flag=True, help="Search folders on a LIST, as those that are arguments."
)


def arguments(function: options.Function) -> options.Function:
    """IMAGE..., --model, --from-file and --recursive."""
    return _IMAGES(_MODEL(_LISTS(_RECURSIVE(function))))


def use_one_thread(threads: int | None) -> None:
    """Let BLAS compute with one thread, unless ``--threads`` says otherwise; before NumPy is there.

    The pictures are prepared in several threads, and the network takes little time. No time is lost
    here with a library that would have to look for BLAS.
    """
    if threads is None:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def check_usage(images: Sequence[str], lists: Sequence[str], model_paths: Sequence[str]) -> None:
    """Refuse pictures and models that cannot be meant together."""
    if not images and not lists:
        raise click.UsageError("Missing argument 'IMAGE...': name pictures, or use --from-file")
    if len(model_paths) > 1:
        command = click.get_current_context().command.name
        raise click.UsageError(
            f"--model was given more than once, and {command} uses one; "
            f"for an ensemble: dlcli eval {quoted(*model_paths)}"
        )
    if [*images, *lists].count("-") > 1:
        raise click.UsageError("stdin (-) can be read only once")


def load_model(model_paths: Sequence[str]) -> "Model":
    """Load the model that is named, else the latest run, else the pretrained model."""
    if not model_paths:
        return load_default_model("--model pretrained ...", or_pretrained=True)
    (model,) = load_models(model_paths)
    return model


def make_folder(folder: Path, *, force: bool) -> None:
    """Make a folder for a file a picture; refuse one with files in it, unless forced."""
    from dlcli.files import refuse_full_folder

    refuse_full_folder(folder, force=force)
    folder.mkdir(parents=True, exist_ok=True)


def path_in(folder: Path, number: int, name: str) -> Path:
    """The file in a folder for a picture: its number among the results, and its name."""
    # Short enough for every file system.
    stem = re.sub(r"[^\w.-]", "_", Path(name).stem)[:40]
    return folder / f"{number:05d}-{stem}.png"


def with_bar(
    results: Iterator[AnyResult],
    images: Sequence[str],
    lists: Sequence[str],
    reason: Callable[[AnyResult], str | None],
) -> Iterator[AnyResult]:
    """Show on stderr how many pictures are done, and how fast, if there may be several.

    ``reason`` is that of :func:`usable`.
    """
    from dlcli.inference.sources import is_folder

    is_single = len(images) == 1 and not lists and not is_folder(images[0])
    return _counted(results, reason) if shows_bars() and not is_single else results


def _counted(
    results: Iterator[AnyResult], reason: Callable[[AnyResult], str | None]
) -> Iterator[AnyResult]:
    from tqdm import tqdm

    stdout_is_terminal = sys.stdout.isatty()
    with tqdm(unit=" pictures", file=sys.stderr) as bar:
        for result in results:
            # Clear the bar where a line is about to be written.
            if stdout_is_terminal or result.error or reason(result):
                bar.clear()
            yield result
            bar.update()


def usable(
    results: Iterable[AnyResult],
    failures: Failures,
    reason: Callable[[AnyResult], str | None],
    *,
    as_json: bool,
) -> Iterator[AnyResult]:
    """Report pictures that could not be used, count them in ``failures``, pass on the others.

    ``reason`` says of a picture that could be used why nothing was found on it, for a warning.
    """
    for result in results:
        if result.error is None:
            if (found := reason(result)) is not None:
                warn(f"{result.name}: {found}")
            yield result
            continue
        failures.count += 1
        echo_error(f"Error: {printable(result.error)}")
        if as_json:
            print_json({"path": result.name, "error": result.error}, indent=None)
