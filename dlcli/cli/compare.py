"""``dlcli compare``."""

from dataclasses import asdict
from pathlib import Path

import click

from dlcli.cli import options
from dlcli.cli.completion import complete_model
from dlcli.cli.help import Command
from dlcli.cli.loading import limit_threads, load_dataset_of, load_default_model
from dlcli.cli.output import echo, echo_of, print_json, print_table, warn
from dlcli.evaluation.formatting import percent
from dlcli.files import quoted


@click.command("compare", cls=Command)
@click.argument(
    "first_name",
    metavar="[MODEL]",
    type=options.PathType(readable=False),
    shell_complete=complete_model,
)
@click.argument(
    "second_name",
    metavar="MODEL",
    required=False,
    type=options.PathType(readable=False),
    shell_complete=complete_model,
)
@options.dataset(help_text="Use another dataset than the models' own.")
@options.data_dir
@options.threads
@options.output_format("text", "json")
@options.debug_and_quiet
def command(
    first_name: str,
    second_name: str | None,
    dataset: str | None,
    data_dir: Path,
    threads: int | None,
    output_format: str,
) -> None:
    """Compare two models on the same test images.

    MODEL is a run directory, an .npz file, or "pretrained", which comes with dlcli; of a single
    MODEL, the other is $DLCLI_MODEL, else runs/latest. McNemar's test tells whether the difference
    is more than chance. It looks at the images that only one of the models got right: p is the
    probability that they are divided so unevenly if both models are equally good.

    \b
    Examples:
      dlcli compare runs/small runs/large
      dlcli compare pretrained --dataset sample
      dlcli compare runs/a runs/b --format json | jq .p_value
    """
    from dlcli.evaluation.compare import compare
    from dlcli.evaluation.evaluate import evaluate
    from dlcli.runs import lookup

    if second_name is None:
        given = f"MODEL {quoted(first_name)}"
        models = [load_default_model(given), lookup.load_named(first_name)]
    else:
        models = [lookup.load_named(name) for name in (first_name, second_name)]
    paths = [str(model.path) for model in models]
    if paths[0] == paths[1]:
        warn(f"{paths[0]} is compared with itself; name another model")
    data = load_dataset_of(models, dataset, data_dir)
    with limit_threads(threads):
        first, second = (evaluate([model], data.test) for model in models)
    result = compare(first, second)
    if output_format == "json":
        accuracies = {"first_accuracy": first.accuracy, "second_accuracy": second.accuracy}
        compared = {"first": paths[0], "second": paths[1], "dataset": data.name}
        print_json(compared | accuracies | asdict(result))
        return
    only_right = (result.only_first_right, result.only_second_right)
    print_table(
        ["model", "accuracy", "correct", "only this one"],
        [
            [path, percent(scores.accuracy), f"{scores.correct:,}", f"{only:,}"]
            for path, scores, only in zip(paths, (first, second), only_right, strict=True)
        ],
    )
    verdict = "is more than chance" if result.is_significant() else "may well be chance"
    echo()
    echo_of(
        f"{result.images:,} test images of {data.name}; ",
        f"both correct {result.both_right:,}, both wrong {result.both_wrong:,}",
    )
    echo_of(f"McNemar's test: p = {result.p_value:.3g} ", f"(the difference {verdict})")
