"""``dlcli predict``."""

import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli.options import (
    debug_and_quiet,
    force_option,
    format_option,
    limit_threads,
    threads_option,
)
from dlcli.cli.output import echo_error, message, print_csv, print_json, printable, shows_bars, warn
from dlcli.errors import ImageError, InputError
from dlcli.files import stdin

if TYPE_CHECKING:
    from dlcli.inference.predictor import Picture, Prediction


@click.command("predict")
@click.argument(
    "images", nargs=-1, metavar="IMAGE...", type=click.Path(readable=False, allow_dash=True)
)
@click.option(
    "-m",
    "--model",
    "model_path",
    type=click.Path(readable=False),
    help="A run, an .npz file, or pretrained.",
)
@click.option(
    "--from-file",
    "lists",
    multiple=True,
    type=click.Path(readable=False, allow_dash=True),
    metavar="LIST",
    help="Read paths from a file, one a line or NUL-separated; - for stdin.",
)
@click.option(
    "--top",
    type=click.IntRange(1, 10),
    default=1,
    show_default=True,
    metavar="K",
    help="Show the K most probable digits.",
)
@click.option(
    "--reject",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="P",
    help="Answer ? where the probability is below P; dlcli eval shows what that wins on MNIST.",
)
@click.option("--raw", is_flag=True, help="Take 28x28 pictures, light on dark, as they are.")
@click.option(
    "--show-preprocessed",
    "shown_dir",
    type=click.Path(readable=False, path_type=Path),
    metavar="DIR",
    help="Write a PNG for each image: what was found on it and what the network saw.",
)
@force_option
@threads_option
@format_option("text", "json", "csv")
@debug_and_quiet
def command(
    images: tuple[str, ...],
    model_path: str | None,
    lists: tuple[str, ...],
    top: int,
    reject: float,
    raw: bool,  # noqa: FBT001 - click passes options by name
    shown_dir: Path | None,
    force: bool,  # noqa: FBT001 - click passes options by name
    threads: int | None,
    output_format: str,
) -> None:
    """Say which digit each picture shows.

    IMAGE is a picture of one handwritten digit (a scan, a drawing, a photo of a page) in any
    format that Pillow reads, a folder of them, or - for one picture on stdin. Prints DIGIT,
    PROBABILITY and PATH, separated by tabs, a line a picture, in order; with --format json, a
    JSON object a line with all ten probabilities.

    The model is a run directory, an .npz file, or "pretrained", which comes with dlcli; without
    one, $DLCLI_MODEL, else runs/latest, else pretrained.

    A picture that shows no digit, or several, is answered ? with the reason on stderr. One that
    cannot be used is reported on stderr, the others go on, and the exit code is 4.

    \b
    Examples:
      dlcli predict digit.png
      dlcli predict --model runs/latest --top 3 scans/
      dlcli predict --reject 0.9 scans/
      dlcli predict - < digit.png
      find . -name '*.png' -print0 | dlcli predict --from-file - --format json
    """
    if not images and not lists:
        raise click.UsageError("Missing argument 'IMAGE...': name pictures, or use --from-file")
    if images.count("-") + lists.count("-") > 1:
        raise click.UsageError("stdin (-) can be read only once")
    if top > 1 and output_format == "csv":
        raise click.UsageError("--top has no place in csv, which holds all ten probabilities")
    from dlcli.files import refuse_full_folder
    from dlcli.inference.predictor import predict
    from dlcli.runs import lookup

    model = lookup.load_named(model_path)
    message(f"Model: {model.path}")
    if shown_dir is not None:
        refuse_full_folder(shown_dir, force=force)
        shown_dir.mkdir(parents=True, exist_ok=True)
    if threads is not None:
        click.get_current_context().with_resource(limit_threads(threads))

    pictures = _Pictures(images, lists)
    predictions = predict(
        model,
        pictures,
        raw=raw,
        reject=reject,
        explain=shown_dir is not None,
        threads=threads,
    )
    if shows_bars() and not pictures.is_single:
        predictions = _with_bar(predictions)
    answers = _usable(predictions, pictures, as_json=output_format == "json")
    if shown_dir is not None:
        answers = _shown(answers, shown_dir)
    _print(answers, output_format, top, str(model.path))
    if pictures.failures:
        click.get_current_context().exit(InputError.exit_code)


def _print(answers: "Iterator[Prediction]", output_format: str, top: int, model: str) -> None:
    """Print each answer as it comes."""
    if output_format == "csv":
        columns = ["path", "digit", "probability", *[f"p{digit}" for digit in range(10)]]
        print_csv((_csv_row(answer) for answer in answers), columns)
    elif output_format == "json":
        for answer in answers:
            print_json(_json_object(answer, top, model), indent=None)
    else:
        for answer in answers:
            click.echo(_text_line(answer, top))


def _with_bar(predictions: "Iterator[Prediction]") -> "Iterator[Prediction]":
    """Show on stderr how many pictures are done, and how fast."""
    from tqdm import tqdm

    shares_terminal = sys.stdout.isatty()
    with tqdm(unit=" pictures", file=sys.stderr) as bar:
        for prediction in predictions:
            # The bar makes room for lines that are about to be written over it.
            if shares_terminal or prediction.error or prediction.doubt:
                bar.clear()
            yield prediction
            bar.update()


class _Pictures:
    """The pictures named on the command line, found as they are asked for."""

    def __init__(self, images: Iterable[str], lists: Iterable[str]) -> None:
        self._images = tuple(images)
        self._lists = tuple(lists)
        self.failures = 0

    @property
    def is_single(self) -> bool:
        """Whether there can be no more than one."""
        return len(self._images) == 1 and not self._lists and not _is_folder(self._images[0])

    def __iter__(self) -> "Iterator[Picture | None]":
        from dlcli.inference.predictor import Picture
        from dlcli.vision.decode import MAX_BYTES

        for name in self._images:
            if name == "-":
                yield Picture(io.BytesIO(stdin().read(MAX_BYTES + 1)), "-")
            else:
                yield from self._at(name)
        for name in self._lists:
            yield from self._listed_in(name)

    def report(self, error: str) -> None:
        """Tell of a picture that cannot be used; the others go on."""
        self.failures += 1
        echo_error(f"Error: {printable(error)}")

    def _named_in(self, stream: io.BufferedIOBase) -> "Iterator[Picture | None]":
        for path in split_list(stream):
            if path is None:
                yield None
            else:
                yield from self._at(path)

    def _listed_in(self, name: str) -> "Iterator[Picture | None]":
        from dlcli.inference.predictor import Picture

        path = Path(name)
        try:
            if name == "-":
                yield from self._named_in(stdin())
            else:
                with path.open("rb") as stream:
                    yield from self._named_in(stream)
        except OSError as error:
            yield Picture(path, name, f"{name}: cannot be read: {error.strerror}")
        except InputError as error:
            yield Picture(path, name, f"{name}: {error}")

    def _at(self, name: str) -> "Iterator[Picture]":
        from dlcli.inference.predictor import Picture, find_pictures

        path = Path(name)
        if not _is_folder(name):
            yield Picture(path, name)
            return
        try:
            for found in find_pictures(path):
                yield Picture(found, str(found))
        except ImageError as error:
            yield Picture(path, name, str(error))


# No system has paths of more than a few thousand bytes.
_MAX_NAMELESS = 1 << 20


def _is_folder(name: str) -> bool:
    return os.path.isdir(name)  # noqa: PTH112 - Path.is_dir raises where it may not look


def split_list(stream: io.BufferedIOBase) -> Iterator[str | None]:
    """The paths in a list: NUL-separated if it holds a NUL, else one a line (LF or CRLF).

    None stands where more may be long in coming.

    Raises
    ------
    InputError
        It goes on and on without naming anything.
    """
    separator, line_end = None, b"\r"
    rest = b""
    nameless = 0
    while chunk := stream.read1(1 << 16):
        rest += chunk
        if separator is None:
            separator = b"\0" if b"\0" in rest else b"\n"
            line_end = b"" if separator == b"\0" else b"\r"
        *paths, rest = rest.split(separator)
        names = [os.fsdecode(path.removesuffix(line_end)) for path in paths if path]
        yield from names
        yield None
        nameless = 0 if names else nameless + len(chunk)
        if nameless > _MAX_NAMELESS:
            raise InputError(f"no list of paths: {_MAX_NAMELESS:,} bytes without a name")
    if rest:
        yield os.fsdecode(rest.removesuffix(line_end))


def _usable(
    predictions: "Iterable[Prediction]", pictures: _Pictures, *, as_json: bool
) -> "Iterator[Prediction]":
    """Pass on what has an answer; report the rest."""
    for prediction in predictions:
        if prediction.error is None:
            if prediction.doubt is not None:
                warn(f"{prediction.name}: {prediction.doubt}")
            yield prediction
            continue
        pictures.report(prediction.error)
        if as_json:
            print_json({"path": prediction.name, "error": prediction.error}, indent=None)


def _shown(predictions: "Iterable[Prediction]", folder: Path) -> "Iterator[Prediction]":
    """Write into ``folder`` what was found on each picture and what the network saw."""
    from dlcli.vision import preview

    for number, prediction in enumerate(predictions):
        if prediction.steps is None:
            raise AssertionError("predictions were asked to explain themselves")
        # Short enough that no file system refuses it.
        stem = re.sub(r"[^\w.-]", "_", Path(prediction.name).stem)[:40]
        answer = " ".join(_cells(prediction, top=1))
        preview.write(
            prediction.steps, prediction.pixels, answer, folder / f"{number:05d}-{stem}.png"
        )
        yield prediction


def _ranking(prediction: "Prediction") -> list[tuple[int, float]]:
    """Digits with their probabilities, the most probable first; none in doubt."""
    if prediction.probabilities is None:
        return []
    shares = [float(share) for share in prediction.probabilities]
    return sorted(enumerate(shares), key=lambda pair: -pair[1])


def _cells(prediction: "Prediction", top: int) -> list[str]:
    """Digits and probabilities in turn."""
    pairs = _ranking(prediction)[:top]
    return [cell for d, p in pairs for cell in (str(d), f"{p:.4f}")] or ["?", "-"] * top


def _text_line(prediction: "Prediction", top: int) -> str:
    return "\t".join([*_cells(prediction, top), printable(prediction.name)])


def _json_object(prediction: "Prediction", top: int, model: str) -> dict[str, Any]:
    ranking = _ranking(prediction)
    result: dict[str, Any] = {"path": prediction.name}
    if ranking:
        result["digit"], result["probability"] = ranking[0]
        result["probabilities"] = [share for _, share in sorted(ranking)]
    else:
        result |= {"digit": None, "probability": None, "probabilities": None}
        result["reason"] = prediction.doubt
    result["model"] = model
    if top > 1:
        result["top"] = [{"digit": d, "probability": p} for d, p in ranking[:top]]
    return result


def _csv_row(prediction: "Prediction") -> dict[str, Any]:
    ranking = _ranking(prediction)
    path = prediction.name
    if not ranking:
        return {"path": path, "digit": "?"}
    digit, probability = ranking[0]
    shares = {f"p{d}": f"{p:.6g}" for d, p in ranking}
    return {"path": path, "digit": digit, "probability": f"{probability:.6g}", **shares}
