"""``dlcli data audit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from dlcli.cli import options
from dlcli.cli.completion import complete_dataset, complete_model
from dlcli.cli.help import Command
from dlcli.cli.loading import (
    limit_threads,
    load_config,
    load_dataset_of,
    load_dataset_of_config,
    load_models,
    needs,
)
from dlcli.cli.output import (
    message,
    message_of,
    open_output,
    print_csv,
    print_json,
    print_table,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcli.config.schema import Config
    from dlcli.data.examples import Dataset, Examples
    from dlcli.evaluation.label_issues import LabelIssue, LabelIssues
    from dlcli.training.threads import Threads

_SHIPPED = "audit"  # the config that is used where none is named
_COLUMNS = ["index", "label", "suggestion", "score"]
_PICTURED = 50


@click.command("audit", cls=Command)
@click.argument("dataset", metavar="DATASET", shell_complete=complete_dataset)
@options.split("train", "test")
@click.option(
    "-m",
    "--model",
    "model_paths",
    type=options.PathType(readable=False),
    multiple=True,
    metavar="MODEL",
    shell_complete=complete_model,
    help="With --split test: ask trained models, which have not seen these images, and train none. "
    "May be repeated.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, 100),
    default=5,
    show_default=True,
    help="Number of parts of the training images, and of networks.",
)
@options.config
@options.overrides
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="The N surest, however many there are."
)
@options.output("Draw the surest, .png, .svg or .pdf.")
@options.force
@options.data_dir
@options.threads
@options.output_format("text", "json", "csv")
@options.debug_and_quiet
def command(
    dataset: str,
    split: str,
    model_paths: tuple[str, ...],
    folds: int,
    sources: tuple[str, ...],
    overrides: tuple[str, ...],
    limit: int | None,
    output: Path | None,
    force: bool,
    data_dir: Path,
    threads: int | None,
    output_format: str,
) -> None:
    """List images whose labels are probably wrong.

    Trains a network on all training images but those of a fold, fold after fold, so that each image
    is seen by a network that has not learned its label; the test images are seen by all of these
    networks, or by the models that are named. Confident learning (Northcutt et al., 2021) then
    finds the labels that the networks contradict more surely than they err. The surest come first:
    index, label, suggestion, a score from 0 (surely wrong) to 1, and the path in a folder of
    pictures. Needs the extra "audit".

    \b
    Examples:
      dlcli data audit sample
      dlcli data audit mnist --split test -m pretrained --limit 50 -o worst.png
      dlcli data audit ./mine --config mnist --format csv > issues.csv
    """
    from dlcli.data import datasets

    datasets.refuse_missing(dataset)
    kind = _refuse_output(output, force=force) if output is not None else ""
    with needs("audit"):
        import cleanlab.filter  # noqa: F401 - before the training that needs it
    with limit_threads(threads) as following:
        if model_paths:
            _refuse_contradictions(split)
            loaded, found = _ask(dataset, model_paths, data_dir)
        else:
            config = load_config(sources or (_SHIPPED,), (*overrides, f"dataset={dataset}"))
            loaded = load_dataset_of_config(config, data_dir)
            found = _train(config, loaded, split, folds, following)
    examples = loaded.train if split == "train" else loaded.test
    message_of(
        f"{found.count:,} of {found.images:,} labels are probably wrong ",
        f"({100 * found.count / max(found.images, 1):.2f} %)",
    )
    issues = found.first(limit)
    if len(issues) > found.count:
        message(f"These are the {len(issues):,} labels that the networks doubt most.")
    if output is not None:
        _draw(output, kind, issues, examples, loaded)
    _print(issues, examples, loaded, split, output_format)


def _refuse_output(output: Path, *, force: bool) -> str:
    """Refuse a picture that cannot be written; return its kind."""
    from dlcli.files import refuse_to_overwrite

    with needs("report"):
        from dlcli.report import plots
    kind = output.suffix.removeprefix(".").lower()
    if kind not in plots.FORMATS:
        endings = ", ".join(f".{kind}" for kind in plots.FORMATS)
        raise click.UsageError(f"{output}: the file must end in one of {endings}")
    refuse_to_overwrite(output, force=force)
    return kind


def _refuse_contradictions(split: str) -> None:
    """Refuse options that have no meaning with ``--model``."""
    context = click.get_current_context()
    if split != "test":
        raise click.UsageError(
            "--model is for --split test: a model has learned the labels of its training images"
        )
    for name, option in (("folds", "--folds"), ("sources", "--config"), ("overrides", "--set")):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--model and {option} exclude each other: nothing is trained")


def _ask(
    dataset: str, model_paths: "Sequence[str]", data_dir: Path
) -> "tuple[Dataset, LabelIssues]":
    """What trained models say of the test images."""
    from dlcli.evaluation import label_issues

    models = load_models(model_paths)
    loaded = load_dataset_of(models, dataset, data_dir)
    return loaded, label_issues.unseen(loaded.test, models)


def _train(
    config: "Config", dataset: "Dataset", split: str, folds: int, threads: "Threads"
) -> "LabelIssues":
    """What networks say that are trained for that."""
    from dlcli.cli import cross_validation
    from dlcli.evaluation import label_issues

    trained = cross_validation.shown(config, dataset, folds, threads)
    if split == "train":
        return label_issues.in_folds(dataset, list(trained))
    return label_issues.unseen(dataset.test, [fold.model for fold in trained])


def _draw(
    path: Path, kind: str, issues: "Sequence[LabelIssue]", examples: "Examples", dataset: "Dataset"
) -> None:
    from dlcli.report import plots

    names, pictured = dataset.class_names, issues[:_PICTURED]
    places = examples.places[[issue.index for issue in pictured]]
    captions = [
        f"{place}: {printable(names[issue.label])}\n{printable(names[issue.suggestion])}?"
        for place, issue in zip(places, pictured, strict=True)
    ]
    title = f"{printable(dataset.name)}: index and label, and what it looks like"
    with plots.style():
        figure = plots.labelled(examples.images[[i.index for i in pictured]], captions, title)
        with open_output(path) as file:
            plots.write(figure, file, kind)
    message(f"Picture: {path}")


def _print(
    issues: "Sequence[LabelIssue]",
    examples: "Examples",
    dataset: "Dataset",
    split: str,
    output_format: str,
) -> None:
    names = dataset.class_names
    rows: list[dict[str, Any]] = [
        {
            "index": int(examples.places[issue.index]),
            "label": names[issue.label],
            "suggestion": names[issue.suggestion],
            "score": round(issue.score, 6),
        }
        for issue in issues
    ]
    columns = _COLUMNS
    if dataset.pictures is not None:
        columns = [*_COLUMNS, "path"]
        for row in rows:
            row["path"] = dataset.picture(split, row["index"])
    if output_format == "json":
        print_json(rows)
    elif output_format == "csv":
        print_csv(rows, columns)
    else:
        shown = [row | {"score": f"{row['score']:.4f}"} for row in rows]
        print_table(columns, [list(map(str, row.values())) for row in shown], left=0)
