"""``dlcli eval``."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from dlcli.cli import options
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads, load_dataset_of, load_models
from dlcli.cli.output import (
    echo,
    echo_of,
    open_output,
    print_json,
    print_table,
    printable,
    shows_bars,
)
from dlcli.data.classes import are_digits
from dlcli.errors import ThresholdError
from dlcli.evaluation.formatting import loss, percent

# Columns of a confusion matrix that fit side by side on most terminals.
_MAX_MATRIX_CLASSES = 20
_MAX_CONFUSIONS = 20
_TRIAL_IMAGES = 128  # to find out with how many threads the network is fastest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcli.data.examples import Dataset, Examples
    from dlcli.evaluation.evaluate import Evaluation, TtaScores
    from dlcli.runs.checkpoint import Model


@click.command("eval", cls=Command)
@options.models
@options.split("test", "validation", "train")
@options.dataset()
@options.data_dir
@click.option(
    "--min-accuracy",
    type=options.Fraction(),
    help="Exit with 5 if the accuracy is lower, as in 0.98.",
)
@click.option(
    "--predictions",
    "predictions_path",
    type=options.PathType(readable=False, path_type=Path),
    metavar="FILE",
    help="Write index, label, prediction and probabilities of every image as CSV; of a folder of "
    "pictures their paths, too.",
)
@click.option(
    "--tta",
    is_flag=True,
    help="Also print the accuracy with test-time augmentation: of the mean prediction over 46 "
    "variants of each image, as dlcli predict does for photographs. 46 times as slow.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 100),
    metavar="K",
    help="Cross-validate a config (--config, --set) instead of a model: train K networks, each "
    "on all training images but a K-th, and score it on those.",
)
@options.config
@options.overrides
@options.force
@options.threads
@options.output_format("text", "json")
@options.debug_and_quiet
def command(
    model_paths: tuple[str, ...],
    split: str,
    dataset: str | None,
    data_dir: Path,
    min_accuracy: float | None,
    predictions_path: Path | None,
    tta: bool,
    folds: int | None,
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    force: bool,
    threads: int | None,
    output_format: str,
) -> None:
    """Score a model on images it has not seen.

    MODEL is a run directory, an .npz file, or "pretrained", which comes with dlcli; without MODEL,
    it is $DLCLI_MODEL, else runs/latest. A mixture of datasets is scored together, and each of
    them by itself. Several models are scored as an ensemble, by the mean of
    their probabilities. Prints the accuracy with its 95 % Wilson interval, loss, calibration
    error, the error rate when the least certain predictions are rejected, precision, recall and F1
    of each class, and the confusion matrix.

    \b
    Examples:
      dlcli eval
      dlcli eval runs/latest --format json | jq .accuracy
      dlcli eval model.npz --min-accuracy 0.98 && ./deploy.sh
      dlcli eval runs/seed-0 runs/seed-1 runs/seed-2
      dlcli eval --split validation --predictions predictions.csv
      dlcli eval --folds 5 --config quickstart
    """
    _refuse_contradictions(folds)
    if folds is not None:
        from dlcli.cli import cross_validation

        data, found = cross_validation.evaluate(sources, overrides, folds, data_dir, threads)
        cross_validation.print_result(data, found, output_format, min_accuracy)
        return
    from dlcli.evaluation import evaluate
    from dlcli.files import refuse_to_overwrite, refuse_wrong_ending

    if predictions_path is not None:
        refuse_wrong_ending(predictions_path, "CSV", ".csv")
        refuse_to_overwrite(predictions_path, force=force)
    models = load_models(model_paths)
    paths = [str(model.path) for model in models]
    data = load_dataset_of(models, dataset, data_dir, split)
    examples = evaluate.common_split(models, data, split)
    with limit_threads(threads) as following:
        trial, network = examples.images[:_TRIAL_IMAGES], models[0].network
        steps = len(examples) * len(models) // _TRIAL_IMAGES
        following.start(lambda: nullcontext(lambda: network.infer(trial)), steps)
        result = evaluate.score_parts(evaluate.evaluate(models, examples), examples, data)
        if tta:
            result = _with_tta(result, models, examples)
    if split == "test":
        result = evaluate.mark_disputed(result, data)
    if predictions_path is not None:
        _write_predictions(predictions_path, result, examples, data, split)
    if output_format == "json":
        named = {"model": paths[0]} if len(paths) == 1 else {"models": paths}
        print_json({**named, "dataset": data.name, "split": split, **result.to_builtins()})
    else:
        _print_text(result)
    if min_accuracy is not None and not result.accuracy >= min_accuracy:  # also if it is NaN
        raise ThresholdError(
            f"{', '.join(paths)}: accuracy {result.accuracy:.4f} is below {min_accuracy:g}"
        )


def _with_tta(
    result: "Evaluation", models: "Sequence[Model]", examples: "Examples"
) -> "Evaluation":
    from tqdm import tqdm

    from dlcli.evaluation import evaluate

    bar = tqdm(total=result.images, desc="variants", leave=False, disable=not shows_bars())
    with bar:
        return evaluate.score_tta(result, models, examples.images, bar.update)


def _refuse_contradictions(folds: int | None) -> None:
    """Refuse what has no meaning with ``--folds``, or without."""
    context = click.get_current_context()
    given = {
        name
        for name in context.params
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    options = {
        "split": "--split",
        "dataset": "--dataset",
        "predictions_path": "--predictions",
        "tta": "--tta",
    }
    if folds is None:
        for name, option in (("sources", "--config"), ("overrides", "--set")):
            if name in given:
                raise click.UsageError(f"{option} is for --folds, which trains a config")
        return
    if context.params["model_paths"]:
        raise click.UsageError("--folds trains networks of a --config; it takes no MODEL")
    for name, option in options.items():
        if name in given:
            hint = "; use --set dataset=NAME" if name == "dataset" else ""
            raise click.UsageError(f"--folds and {option} exclude each other{hint}")


def _figures(result: "Evaluation") -> dict[str, tuple[str, ...]]:
    """The scores in one number each, by title, with the pieces of text that follow the title."""
    from dlcli.evaluation.metrics import METRICS

    figures: dict[str, tuple[str, ...]] = {}
    figures["accuracy"] = (percent(result.accuracy), *_counted(result))
    figures["loss"] = (loss(result.loss),)
    for name, value in result.scalars.items():
        figures[METRICS[name].title] = (METRICS[name].text(value),)
    if result.disputed:
        wrong = len(result.disputed_errors)
        title = f"accuracy without {len(result.disputed)} disputed labels"
        figures[title] = (percent(result.undisputed_accuracy), f"  ({wrong} of these are errors)")
    if result.tta:
        count = f"  (mean over {result.tta.variants} variants)"
        figures["accuracy with TTA"] = (percent(result.tta.accuracy), *_counted(result.tta), count)
    return figures


def _counted(scores: "Evaluation | TtaScores") -> tuple[str, str]:
    """How many predictions are correct, and the interval of the accuracy."""
    low, high = scores.interval
    return (
        f"  ({scores.correct:,} of {scores.images:,}; ",
        f"95 % interval {percent(low)} to {percent(high)})",
    )


def _print_text(result: "Evaluation") -> None:
    figures = _figures(result)
    width = max(map(len, figures))
    for title, (text, *details) in figures.items():
        echo_of(f"{title:<{width}}  {text}", *details)
    echo()
    if result.parts:
        print_table(
            ["dataset", "accuracy", "correct", "images"],
            [
                [part.dataset, percent(part.accuracy), f"{part.correct:,}", f"{part.images:,}"]
                for part in result.parts
            ],
        )
        echo()
    print_table(
        ["rejected", "below", "error"],
        [
            [f"{100 * r.rejected:g} %", f"{r.threshold:.4f}", percent(r.error)]
            for r in result.rejections
        ],
    )
    echo()
    names = list(map(printable, result.class_names))
    print_table(
        ["digit" if are_digits(names) else "class", "precision", "recall", "F1", "images"],
        [
            [name, *map(percent, c.known()), f"{c.images:,}"]
            for name, c in zip(names, result.classes, strict=True)
        ],
    )
    if len(names) > _MAX_MATRIX_CLASSES:
        _print_confusions(result, names)
        return
    echo("\nconfusion matrix (row: label, column: prediction)")
    rows = [[name, *map(str, row)] for name, row in zip(names, result.confusion, strict=True)]
    print_table(["", *names], rows)


def _print_confusions(result: "Evaluation", names: list[str]) -> None:
    """The most frequent errors, where a confusion matrix would be too wide to read."""
    from dlcli.evaluation.metrics import most_confused

    echo(f"\nthe most frequent errors ({len(names)} classes; --format json has the whole matrix)")
    print_table(
        ["label", "prediction", "images"],
        [
            [names[label], names[prediction], f"{count:,}"]
            for label, prediction, count in most_confused(result.confusion, _MAX_CONFUSIONS)
        ],
        left=2,
    )


def _write_predictions(
    path: Path, result: "Evaluation", examples: "Examples", dataset: "Dataset", split: str
) -> None:
    """Write what was predicted for each image, and for which picture, if it was made of one."""
    import csv
    import io

    has_pictures = dataset.pictures is not None
    names = list(map(printable, result.class_names))
    arrays = (examples.places, result.labels, result.predictions, result.probabilities)
    numbers = zip(*(array.tolist() for array in arrays), strict=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    ending = ["path"] if has_pictures else []
    writer.writerow(["index", "label", "prediction", *(f"p{name}" for name in names), *ending])
    for index, label, prediction, probabilities in numbers:
        shown = [f"{probability:.6g}" for probability in probabilities]
        picture = [printable(dataset.picture(split, index) or "")] if has_pictures else []
        writer.writerow([index, names[label], names[prediction], *shown, *picture])
    with open_output(path) as file:
        file.write(text.getvalue().encode())
