"""``dlcli predict``."""

import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlcli.cli import options, pictures
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads
from dlcli.cli.output import echo, print_csv, print_json, printable, watch_stdout
from dlcli.data.classes import MAX_CLASSES, are_digits
from dlcli.errors import InputError
from dlcli.files import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlcli.inference.predictor import Prediction
    from dlcli.runs.checkpoint import Model

Names = tuple[str, ...]


@click.command("predict", cls=Command)
@pictures.arguments
@click.option(
    "--top",
    type=click.IntRange(1, MAX_CLASSES),
    default=1,
    show_default=True,
    metavar="K",
    help="Show the K most probable digits or classes.",
)
@click.option(
    "--reject",
    type=options.Fraction(),
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
    JSON object a line with all probabilities. A model of other classes than digits prints their
    names instead. Of a file with several pages or frames each is
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
    pictures.check_usage(images, lists, model_paths)
    pictures.use_one_thread(threads)
    if top > 1 and output_format == "csv":
        raise click.UsageError("csv has all probabilities; use --top with text or json")
    from dlcli.inference.predictor import predict
    from dlcli.inference.sources import find_sources

    model = pictures.load_model(model_paths)
    if top > len(model.class_names):
        raise click.UsageError(f"--top {top}: the model has {len(model.class_names)} classes")
    if shown_dir is not None:
        pictures.make_folder(shown_dir, force=force)
    if threads is not None:
        click.get_current_context().with_resource(limit_threads(threads))

    # Previews are wanted even if nobody reads the predictions.
    is_unread = watch_stdout() if shown_dir is None else lambda: False
    predictions = predict(
        model,
        find_sources(images, lists, recursive=recursive, written=shown_dir, is_unread=is_unread),
        raw=raw,
        reject=reject,
        explain=shown_dir is not None,
        threads=threads,
        is_unread=is_unread,
    )
    reason = partial(_reason, model=model)
    predictions = pictures.with_bar(predictions, images, lists, reason)
    failures = pictures.Failures()
    usable = pictures.usable(predictions, failures, reason, as_json=output_format == "json")
    if shown_dir is not None:
        usable = _write_previews(usable, shown_dir, model.class_names)
    _print(usable, output_format, top, model)
    if failures.count:
        click.get_current_context().exit(InputError.exit_code)


def _print(
    predictions: "Iterator[Prediction]", output_format: str, top: int, model: "Model"
) -> None:
    """Print each prediction as it comes."""
    names = model.class_names
    if output_format == "csv":
        word = "digit" if are_digits(names) else "label"
        columns = ["path", word, "probability", *[f"p{name}" for name in names]]
        print_csv((_csv_row(prediction, names, word) for prediction in predictions), columns)
    elif output_format == "json":
        for prediction in predictions:
            print_json(_json_object(prediction, top, model), indent=None)
    else:
        for prediction in predictions:
            echo("\t".join([*_cells(prediction, names, top), printable(prediction.name)]))


def _write_previews(
    predictions: "Iterable[Prediction]", folder: Path, names: Names
) -> "Iterator[Prediction]":
    """Write for each picture what was found on it and what the network was shown."""
    from dlcli.vision.preview import write_preview

    for number, prediction in enumerate(predictions):
        if prediction.trace is None:
            raise AssertionError("predictions were made without traces")
        path = pictures.path_in(folder, number, prediction.name)
        caption = " ".join(_cells(prediction, names, 1))
        write_preview(prediction.trace, prediction.pixels, caption, path)
        yield prediction


def _reason(prediction: "Prediction", model: "Model") -> str | None:
    """Why there is no prediction for a picture, and what to type instead if it has a number."""
    rejection = prediction.rejection
    is_number = rejection is not None and rejection.code == "several_digits"
    if not is_number or not are_digits(model.class_names):
        return prediction.reason
    path = prediction.name
    if not os.path.lexists(path):
        path = re.sub(r"#\d+$", "", path)  # of a file with several pages
    model_paths = click.get_current_context().params["model_paths"]
    if not model.metadata.reads_drawn_digits:
        model_paths = ("pretrained",)
    models = [word for model in model_paths for word in ("-m", model)]
    words = ["dlcli", "read", *models, *(["--"] if path[:1] == "-" != path else []), path]
    return f"{prediction.reason}; for the number: {quoted(*words)}"


def _ranking(prediction: "Prediction", names: Names) -> list[tuple[str, float]]:
    """Classes with their probabilities, the most probable first; empty if it was rejected."""
    if prediction.probabilities is None:
        return []
    probabilities = [float(probability) for probability in prediction.probabilities]
    return sorted(zip(names, probabilities, strict=True), key=lambda pair: -pair[1])


def _cells(prediction: "Prediction", names: Names, top: int) -> list[str]:
    """Classes and probabilities in turn."""
    pairs = _ranking(prediction, names)[:top]
    return [cell for n, p in pairs for cell in (printable(n), f"{p:.4f}")] or ["?", "-"] * top


def _json_object(prediction: "Prediction", top: int, model: "Model") -> dict[str, Any]:
    digits = are_digits(model.class_names)

    def named(label: str | None) -> dict[str, Any]:
        return {"label": label} | ({"digit": label and int(label)} if digits else {})

    ranking = _ranking(prediction, model.class_names)
    result: dict[str, Any] = {"path": prediction.name}
    if ranking:
        (label, probability), by_name = ranking[0], dict(ranking)
        result |= {**named(label), "probability": probability}
        result["probabilities"] = [by_name[name] for name in model.class_names]
    else:
        result |= {**named(None), "probability": None, "probabilities": None}
        result["reason"] = prediction.rejection and prediction.rejection.code
        result["message"] = _reason(prediction, model)
    result["box"] = prediction.box
    result["model"] = str(model.path)
    if top > 1:
        result["top"] = [{**named(label), "probability": p} for label, p in ranking[:top]]
    return result


def _csv_row(prediction: "Prediction", names: Names, word: str) -> dict[str, Any]:
    ranking = _ranking(prediction, names)
    if not ranking:
        return {"path": prediction.name, word: "?"}
    label, probability = ranking[0]
    row = {"path": prediction.name, word: label, "probability": f"{probability:.6g}"}
    return row | {f"p{name}": f"{p:.6g}" for name, p in ranking}
