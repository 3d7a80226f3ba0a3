"""``dlcli compare``."""

from dataclasses import asdict
from pathlib import Path

import click

from dlcli.cli.options import (
    complete_dataset,
    data_dir_option,
    debug_and_quiet,
    format_option,
    limit_threads,
    threads_option,
)
from dlcli.cli.output import download_progress, print_json, print_table, printable
from dlcli.evaluation.formatting import percent


@click.command("compare")
@click.argument("first_path", metavar="MODEL", type=click.Path(readable=False))
@click.argument("second_path", metavar="MODEL", type=click.Path(readable=False))
@click.option(
    "--dataset",
    metavar="NAME|DIR",
    shell_complete=complete_dataset,
    help="Use another dataset than the first model's own.",
)
@data_dir_option
@threads_option
@format_option("text", "json")
@debug_and_quiet
def command(
    first_path: str,
    second_path: str,
    dataset: str | None,
    data_dir: Path,
    threads: int | None,
    output_format: str,
) -> None:
    """Compare two models on the same test images.

    MODEL is a run directory, an .npz file, or "pretrained", which comes with dlcli.
    McNemar's test tells whether the difference is more than chance. It looks at the images that
    only one of the models got right: p is the probability that they are divided so unevenly if
    both models are equally good.

    \b
    Examples:
      dlcli compare runs/small runs/large
      dlcli compare runs/latest pretrained --dataset sample
      dlcli compare runs/a runs/b --format json | jq .p_value
    """
    from dlcli.data import datasets
    from dlcli.evaluation.compare import compare
    from dlcli.evaluation.evaluate import evaluate
    from dlcli.runs import lookup

    models = [lookup.load_named(path) for path in (first_path, second_path)]
    name = dataset or models[0].metadata.dataset.name
    with download_progress() as progress:
        data = datasets.load(name, data_dir, progress)
    with limit_threads(threads):
        first, second = (evaluate([model], data.test) for model in models)
    result = compare(first, second)
    paths = [str(model.path) for model in models]
    if output_format == "json":
        accuracies = {"first_accuracy": first.accuracy, "second_accuracy": second.accuracy}
        print_json(
            {
                "first": paths[0],
                "second": paths[1],
                "dataset": name,
                **accuracies,
                **asdict(result),
            }
        )
        return
    print_table(
        ["model", "accuracy", "correct", "only this one correct"],
        [
            [
                path,
                percent(scores.accuracy),
                f"{scores.correct:,}",
                f"{only:,}",
            ]
            for path, scores, only in (
                (paths[0], first, result.only_first_right),
                (paths[1], second, result.only_second_right),
            )
        ],
    )
    verdict = "is more than chance" if result.is_significant() else "may well be chance"
    click.echo(
        f"\n{result.images:,} test images of {printable(name)}; "
        f"both correct {result.both_right:,}, both wrong {result.both_wrong:,}\n"
        f"McNemar's test: p = {result.p_value:.3g} (the difference {verdict})"
    )
