"""``dlcli predict``."""

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_model
from dlcli.cli.loading import limit_threads, load_default_model, load_models
from dlcli.cli.output import (
    echo,
    echo_error,
    print_csv,
    print_json,
    printable,
    shows_bars,
    warn,
    watch_stdout,
)
from dlcli.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlcli.inference.predictor import Prediction


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


@click.command("predict")
@click.argument(
    "images", nargs=-1, metavar="IMAGE...", type=_ImagePath(readable=False, allow_dash=True)
)
@click.option(
    "-m",
    "--model",
    "model_paths",
    multiple=True,
    type=options.PathType(readable=False),
    metavar="MODEL",
    shell_complete=complete_model,
    help="A run, an .npz file, or pretrained.",
)
@click.option(
    "--from-file",
    "lists",
    multiple=True,
    type=options.PathType(readable=False, allow_dash=True),
    metavar="LIST",
    help="Read paths from a file, one a line or NUL-separated; - for stdin.",
)
@click.option(
    "-r", "--recursive", is_flag=True, help="Search folders on a LIST, as those that are arguments."
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
    help="Print ? where the probability is below P; dlcli eval shows the accuracy of the rest.",
)
@click.option("--raw", is_flag=True, help="Take 28x28 pictures, light on dark, as they are.")
@click.option(
    "--show-preprocessed",
    "shown_dir",
    type=options.PathType(readable=False, path_type=Path),
    metavar="DIR",
    help="Write a PNG for each image: what was found on it and what the network was shown.",
)
@options.force
@options.threads
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def command(
    images: tuple[str, ...],
    model_paths: tuple[str, ...],
    lists: tuple[str, ...],
    recursive: bool,
    top: int,
    reject: float,
    raw: bool,
    shown_dir: Path | None,
    force: bool,
    threads: int | None,
    output_format: str,
) -> None:
    """Predict the digit on each picture.

    IMAGE is a picture of one handwritten digit (a scan, a drawing, a photo of a page) in any
    format that Pillow reads, a folder of them, or - for one picture on stdin. Prints DIGIT,
    PROBABILITY and PATH, separated by tabs, a line a picture, in order; with --format json, a
    JSON object a line with all ten probabilities. Of a file with several pages or frames each is
    a picture, as PATH, PATH#2 and so on.

    The model is a run directory, an .npz file, or "pretrained", which comes with dlcli; without
    one, $DLCLI_MODEL, else runs/latest; pretrained if there are no runs at all.

    For a picture that shows no digit, or several, the digit is ? and stderr says why. A picture
    that cannot be used is reported on stderr; the others are still predicted, and the exit code
    is 4.

    \b
    Examples:
      dlcli predict digit.png
      dlcli predict --model runs/latest --top 3 scans/
      dlcli predict --reject 0.9 scans/
      dlcli predict - < digit.png
      find . -name '*.png' -print0 | dlcli predict --from-file - --format json
    """
    _check_usage(images, lists, model_paths)
    if top > 1 and output_format == "csv":
        raise click.UsageError("csv has all ten probabilities; use --top with text or json")
    from dlcli.files import refuse_full_folder
    from dlcli.inference.predictor import predict
    from dlcli.inference.sources import find_sources, is_folder

    if not model_paths:
        model = load_default_model("--model pretrained ...", or_pretrained=True)
    else:
        (model,) = load_models(model_paths)
    if shown_dir is not None:
        refuse_full_folder(shown_dir, force=force)
        shown_dir.mkdir(parents=True, exist_ok=True)
    if threads is not None:
        click.get_current_context().with_resource(limit_threads(threads))

    # Previews are wanted even if nobody reads the predictions.
    is_unread = watch_stdout() if shown_dir is None else lambda: False
    predictions = predict(
        model,
        find_sources(images, lists, recursive=recursive, is_unread=is_unread),
        raw=raw,
        reject=reject,
        explain=shown_dir is not None,
        threads=threads,
        is_unread=is_unread,
    )
    is_single = len(images) == 1 and not lists and not is_folder(images[0])
    if shows_bars() and not is_single:
        predictions = _with_bar(predictions)
    failures: list[str] = []
    usable = _report_failures(predictions, failures, as_json=output_format == "json")
    if shown_dir is not None:
        usable = _write_previews(usable, shown_dir)
    _print(usable, output_format, top, str(model.path))
    if failures:
        click.get_current_context().exit(InputError.exit_code)


def _check_usage(
    images: tuple[str, ...], lists: tuple[str, ...], model_paths: tuple[str, ...]
) -> None:
    """Refuse arguments that cannot be meant together."""
    if not images and not lists:
        raise click.UsageError("Missing argument 'IMAGE...': name pictures, or use --from-file")
    if len(model_paths) > 1:
        raise click.UsageError(
            "--model was given more than once, and predict uses one; "
            f"for an ensemble: dlcli eval {shlex.join(model_paths)}"
        )
    if images.count("-") + lists.count("-") > 1:
        raise click.UsageError("stdin (-) can be read only once")


def _print(predictions: "Iterator[Prediction]", output_format: str, top: int, model: str) -> None:
    """Print each prediction as it comes."""
    if output_format == "csv":
        columns = ["path", "digit", "probability", *[f"p{digit}" for digit in range(10)]]
        print_csv((_csv_row(prediction) for prediction in predictions), columns)
    elif output_format == "json":
        for prediction in predictions:
            print_json(_json_object(prediction, top, model), indent=None)
    else:
        for prediction in predictions:
            echo("\t".join([*_cells(prediction, top), printable(prediction.name)]))


def _with_bar(predictions: "Iterator[Prediction]") -> "Iterator[Prediction]":
    """Show on stderr how many pictures are done, and how fast."""
    from tqdm import tqdm

    stdout_is_terminal = sys.stdout.isatty()
    with tqdm(unit=" pictures", file=sys.stderr) as bar:
        for prediction in predictions:
            # Clear the bar where a line is about to be written.
            if stdout_is_terminal or prediction.error or prediction.reason:
                bar.clear()
            yield prediction
            bar.update()


def _report_failures(
    predictions: "Iterable[Prediction]", failures: list[str], *, as_json: bool
) -> "Iterator[Prediction]":
    """Report pictures that could not be used and pass on the others."""
    for prediction in predictions:
        if prediction.error is None:
            if prediction.reason is not None:
                warn(f"{prediction.name}: {prediction.reason}")
            yield prediction
            continue
        failures.append(prediction.name)
        echo_error(f"Error: {printable(prediction.error)}")
        if as_json:
            print_json({"path": prediction.name, "error": prediction.error}, indent=None)


def _write_previews(predictions: "Iterable[Prediction]", folder: Path) -> "Iterator[Prediction]":
    """Write for each picture what was found on it and what the network was shown."""
    from dlcli.vision.preview import write_preview

    for number, prediction in enumerate(predictions):
        if prediction.trace is None:
            raise AssertionError("predictions were made without traces")
        # Short enough for every file system.
        stem = re.sub(r"[^\w.-]", "_", Path(prediction.name).stem)[:40]
        path = folder / f"{number:05d}-{stem}.png"
        write_preview(prediction.trace, prediction.pixels, " ".join(_cells(prediction, 1)), path)
        yield prediction


def _ranking(prediction: "Prediction") -> list[tuple[int, float]]:
    """Digits with their probabilities, the most probable first; empty if it was rejected."""
    if prediction.probabilities is None:
        return []
    probabilities = [float(probability) for probability in prediction.probabilities]
    return sorted(enumerate(probabilities), key=lambda pair: -pair[1])


def _cells(prediction: "Prediction", top: int) -> list[str]:
    """Digits and probabilities in turn."""
    pairs = _ranking(prediction)[:top]
    return [cell for d, p in pairs for cell in (str(d), f"{p:.4f}")] or ["?", "-"] * top


def _json_object(prediction: "Prediction", top: int, model: str) -> dict[str, Any]:
    ranking = _ranking(prediction)
    result: dict[str, Any] = {"path": prediction.name}
    if ranking:
        result["digit"], result["probability"] = ranking[0]
        result["probabilities"] = [probability for _, probability in sorted(ranking)]
    else:
        result |= {"digit": None, "probability": None, "probabilities": None}
        result["reason"] = prediction.rejection and prediction.rejection.code
        result["message"] = prediction.reason
    result["box"] = prediction.box
    result["model"] = model
    if top > 1:
        result["top"] = [{"digit": d, "probability": p} for d, p in ranking[:top]]
    return result


def _csv_row(prediction: "Prediction") -> dict[str, Any]:
    ranking = _ranking(prediction)
    if not ranking:
        return {"path": prediction.name, "digit": "?"}
    digit, probability = ranking[0]
    row = {"path": prediction.name, "digit": digit, "probability": f"{probability:.6g}"}
    return row | {f"p{d}": f"{p:.6g}" for d, p in ranking}
