"""``dlcli eval``."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlcli.cli.options import (
    complete_dataset,
    data_dir_option,
    debug_and_quiet,
    force_option,
    format_option,
    limit_threads,
    threads_option,
)
from dlcli.cli.output import download_progress, message, print_json, print_table
from dlcli.errors import ThresholdError
from dlcli.evaluation.formatting import percent

if TYPE_CHECKING:
    from dlcli.evaluation.evaluate import Evaluation


@click.command("eval")
@click.argument("model_paths", metavar="[MODEL]...", nargs=-1, type=click.Path(readable=False))
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which images to score on.",
)
@click.option(
    "--dataset",
    metavar="NAME|DIR",
    shell_complete=complete_dataset,
    help="Use another dataset than the model's own.",
)
@data_dir_option
@click.option(
    "--min-accuracy",
    type=click.FloatRange(0, 1),
    help="Exit with 5 if the accuracy is lower, as in 0.98.",
)
@click.option(
    "--predictions",
    "predictions_path",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Write index, label, prediction and probabilities of every image as CSV.",
)
@force_option
@threads_option
@format_option("text", "json")
@debug_and_quiet
def command(
    model_paths: tuple[str, ...],
    split: str,
    dataset: str | None,
    data_dir: Path,
    min_accuracy: float | None,
    predictions_path: Path | None,
    force: bool,  # noqa: FBT001 - click passes options by name
    threads: int | None,
    output_format: str,
) -> None:
    """Score a model on images it has not seen.

    MODEL is a run directory, an .npz file, or "pretrained", which comes with dlcli; without
    MODEL, it is $DLCLI_MODEL, else runs/latest, else pretrained. Several models are scored as
    an ensemble, by the mean of their probabilities. Prints the accuracy with its 95 % Wilson
    interval, loss, calibration error, the error rate when the least certain predictions are
    rejected, precision, recall and F1 of each digit, and the confusion matrix.

    \b
    Examples:
      dlcli eval
      dlcli eval runs/latest --format json | jq .accuracy
      dlcli eval model.npz --min-accuracy 0.98 && ./deploy.sh
      dlcli eval runs/seed-0 runs/seed-1 runs/seed-2
      dlcli eval --split validation --predictions predictions.csv
    """
    from dlcli.data import datasets
    from dlcli.evaluation import evaluate
    from dlcli.files import refuse_to_overwrite
    from dlcli.runs import lookup

    if predictions_path is not None:
        refuse_to_overwrite(predictions_path, force=force)
    models = [lookup.load_named(path) for path in model_paths or (None,)]
    paths = [str(model.path) for model in models]
    for path in paths:
        message(f"Model: {path}")
    name = dataset or evaluate.common_dataset(models)
    with download_progress() as progress:
        data = datasets.load(name, data_dir, progress)
    examples = evaluate.common_split(models, data, split)
    with limit_threads(threads):
        result = evaluate.evaluate(models, examples)
    if predictions_path is not None:
        _write_predictions(predictions_path, result)
    if output_format == "json":
        named = {"model": paths[0]} if len(paths) == 1 else {"models": paths}
        print_json({**named, "dataset": name, "split": split, **result.to_builtins()})
    else:
        _print_text(result)
    if min_accuracy is not None and not result.accuracy >= min_accuracy:  # also if it is NaN
        raise ThresholdError(
            f"{', '.join(paths)}: accuracy {result.accuracy:.4f} is below {min_accuracy:g}"
        )


def _print_text(result: "Evaluation") -> None:
    low, high = result.interval
    click.echo(
        f"accuracy           {percent(result.accuracy)}  ({result.correct:,} of "
        f"{result.images:,}; 95 % interval {percent(low)} to {percent(high)})\n"
        f"loss               {result.loss:.4f}\n"
        f"calibration error  {percent(result.calibration_error)}\n"
    )
    print_table(
        ["rejected", "below", "error"],
        [
            [f"{100 * r.rejected:g} %", f"{r.threshold:.4f}", percent(r.error)]
            for r in result.rejections
        ],
    )
    click.echo()
    print_table(
        ["digit", "precision", "recall", "F1", "images"],
        [
            [
                str(digit),
                percent(scores.precision),
                percent(scores.recall),
                percent(scores.f1),
                f"{scores.images:,}",
            ]
            for digit, scores in enumerate(result.classes)
        ],
    )
    click.echo("\nconfusion matrix (row: label, column: prediction)")
    digits = [str(digit) for digit in range(len(result.classes))]
    rows = [[digits[i], *[str(n) for n in row]] for i, row in enumerate(result.confusion.tolist())]
    print_table(["", *digits], rows)


def _write_predictions(path: Path, result: "Evaluation") -> None:
    from dlcli.files import atomic_write

    digits = range(result.probabilities.shape[1])
    header = ",".join(["index", "label", "answer", *[f"p{digit}" for digit in digits]])
    with atomic_write(path) as file:
        file.write(f"{header}\n".encode())
        for index, (label, prediction, probabilities) in enumerate(
            zip(result.labels, result.predictions, result.probabilities, strict=True)
        ):
            columns = ",".join(f"{probability:.6g}" for probability in probabilities)
            file.write(f"{index},{label},{prediction},{columns}\n".encode())
