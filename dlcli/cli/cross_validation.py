"""What ``dlcli eval --folds`` does and shows."""

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from dlcli.cli.loading import limit_threads, load_config, load_dataset_of_config
from dlcli.cli.output import echo, message_of, print_json, print_table, warn
from dlcli.errors import ThresholdError
from dlcli.evaluation.formatting import duration, loss, percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dlcli.config.schema import Config
    from dlcli.data.examples import Dataset
    from dlcli.evaluation.cross_validation import Fold
    from dlcli.training.threads import Threads


def evaluate(
    sources: "Sequence[str]",
    overrides: "Sequence[str]",
    folds: int,
    data_dir: Path,
    threads: int | None,
) -> "tuple[Dataset, list[Fold]]":
    """Cross-validate a config on the training images of its dataset, with a line for each fold."""
    config = load_config(sources, overrides)

    from dlcli.config.validation import warnings
    from dlcli.runs import initial_model

    for text in warnings(config):
        warn(text)
    initial_model.load(config)  # before the dataset, to fail fast
    dataset = load_dataset_of_config(config, data_dir)
    with limit_threads(threads) as following:
        return dataset, list(shown(config, dataset, folds, following))


def shown(config: "Config", dataset: "Dataset", folds: int, threads: "Threads") -> "Iterator[Fold]":
    """The folds of a config, with a line on stderr for each."""
    from dlcli.evaluation import cross_validation
    from dlcli.runs import initial_model

    layers = "-".join(map(str, config.layer_sizes(len(dataset.class_names))))
    message_of(
        f"{folds} networks {layers}, ",
        f"each trained on {dataset.name} without a fold, ",
        f"for {config.epochs} epoch{'' if config.epochs == 1 else 's'}",
    )
    started = monotonic()
    initial = initial_model.load(config)
    for fold in cross_validation.cross_validate(config, dataset, folds, initial, threads):
        elapsed, left = monotonic() - started, folds - fold.number
        time = f"{duration(elapsed / fold.number * left)} left"
        message_of(
            f"fold {fold.number:{len(str(folds))}}/{folds}  ",
            f"accuracy {percent(fold.evaluation.accuracy)}  ",
            time if left else f"{duration(elapsed)} in all",
        )
        yield fold


def print_result(
    dataset: "Dataset", folds: "Sequence[Fold]", output_format: str, min_accuracy: float | None
) -> None:
    """Print the scores of each fold, their mean and their standard deviation."""
    from dlcli.evaluation.cross_validation import scores, summary
    from dlcli.evaluation.metrics import METRICS

    rows = [scores(fold) for fold in folds]
    means = {name: summary([row[name] for row in rows]) for name in rows[0]}
    if output_format == "json":
        per_fold = [
            {"fold": fold.number, "images": fold.evaluation.images, **row}
            for fold, row in zip(folds, rows, strict=True)
        ]
        named = {"dataset": dataset.name, "folds": len(folds), "images": len(dataset.train)}
        print_json({**named, **means, "per_fold": per_fold})
    else:
        texts: dict[str, Callable[[float], str]] = {"accuracy": percent, "loss": loss}
        texts |= {name: metric.text for name, metric in METRICS.items()}
        titles = {name: METRICS[name].title if name in METRICS else name for name in texts}
        numbered = [
            [str(fold.number), *(texts[name](row[name]) for name in texts)]
            for fold, row in zip(folds, rows, strict=True)
        ]
        ends = [
            [title, *(texts[name](means[name][key]) for name in texts)]
            for title, key in (("mean", "mean"), ("stdev", "stdev"))
        ]
        print_table(["fold", *(titles[name] for name in texts)], [*numbered, *ends])
        echo()
        accuracy = means["accuracy"]
        echo(
            f"accuracy {percent(accuracy['mean'])} ± {percent(accuracy['stdev'])} over "
            f"{len(folds)} folds of {len(dataset.train):,} images"
        )
    if min_accuracy is not None and not means["accuracy"]["mean"] >= min_accuracy:
        raise ThresholdError(
            f"mean accuracy {means['accuracy']['mean']:.4f} is below {min_accuracy:g}"
        )
