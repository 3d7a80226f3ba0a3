"""Measure searches on the sample: what they find, what pruning saves, what a second job brings."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import click

from benchmarks.report import processor
from benchmarks.verdicts import Verdict, at_least
from dlcli.evaluation.formatting import percent

DLCLI = str(Path(sys.executable).with_name("dlcli"))
SEARCH_SECONDS = 300
JOB_ROUNDS = 3
JOB_SECONDS = 60
# Trials of equal cost: quickstart, each with another seed.
JOB_SEARCH = (
    "--config=quickstart",
    "--set=epochs=5",
    "--set=seed={low: 0, high: 1000000}",
    "--set=sweep={sampler: random, pruner: none, trials: 1000000}",
)


@dataclass(frozen=True)
class Search:
    """The result of a search.

    Attributes
    ----------
    trials
        The number of complete and pruned trials.
    epochs
        The epochs of all of these trials.
    validation_accuracy, test_accuracy
        The scores of the best trial's network.
    """

    seed: int
    pruner: str
    seconds: float
    trials: int
    epochs: int
    validation_accuracy: float
    test_accuracy: float


@click.command()
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("benchmarks/SWEEP.md"))
def main(seeds: int, output: Path) -> None:
    """Search configs/sweep.yaml with and without pruning, then count the trials of two jobs.

    With one seed, it takes eleven minutes on two idle cores.
    """
    with tempfile.TemporaryDirectory() as folder:
        quickstart = _quickstart(Path(folder))
        searches = []
        for seed in range(seeds):
            for pruner in ("hyperband", "none"):
                searches.append(_search(Path(folder), seed, pruner))
                click.echo(searches[-1], err=True)
        trials: dict[int, list[int]] = {1: [], 2: []}
        for round_number in range(JOB_ROUNDS):
            for jobs, counts in trials.items():
                counts.append(_trials_of(jobs, Path(folder) / f"jobs-{jobs}-{round_number}"))
                click.echo(f"{jobs} jobs: {counts[-1]} trials", err=True)
    output.write_text(render(quickstart, searches, trials), encoding="utf-8")


def render(
    quickstart: tuple[float, float], searches: Sequence[Search], trials: dict[int, list[int]]
) -> str:
    """The page with the results and the targets.

    Parameters
    ----------
    quickstart
        Validation and test accuracy of ``configs/quickstart.yaml``.
    searches
        The searches with and without pruning, seed by seed.
    trials
        The number of trials in each round, by the number of jobs.
    """
    rows = [
        "| pruner | sampler's seed | seconds | trials | epochs | validation | test |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| quickstart itself | | | | | {percent(quickstart[0])} | {percent(quickstart[1])} |",
        *(
            f"| {s.pruner} | {s.seed} | {s.seconds:.0f} | {s.trials} | {s.epochs:,} | "
            f"{percent(s.validation_accuracy)} | {percent(s.test_accuracy)} |"
            for s in searches
        ),
    ]
    counts = ["| jobs | trials in a minute |", "| --- | --- |"]
    counts += [f"| {jobs} | {', '.join(map(str, done))} |" for jobs, done in trials.items()]
    verdicts = _verdicts(quickstart, searches, trials)
    minutes = SEARCH_SECONDS / 60
    same_cost = (
        "Trials of equal cost (`quickstart` with five epochs), in turn with one job and with two, "
        "including start and end:"
    )
    setting = (
        f"wrote this page on {processor()}. Searches are `dlcli sweep --config sweep --jobs 2`, "
        f"at most {minutes:g} minutes with pruning; validation and test accuracy are those of "
        "the best trial."
    )
    parts = [
        "# Benchmark of the search\n\n    make sweep",
        setting,
        "\n".join(rows),
        same_cost,
        "\n".join(counts),
        "\n".join(
            [
                "| target | met |",
                "| --- | --- |",
                *(f"| {v.text} | {'yes' if v.is_met else 'no'} |" for v in verdicts),
            ]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _verdicts(
    quickstart: tuple[float, float], searches: Sequence[Search], trials: dict[int, list[int]]
) -> list[Verdict]:
    pruned = [search for search in searches if search.pruner != "none"]
    whole = [search for search in searches if search.pruner == "none"]
    # Per trial: on a slow machine, five minutes may be too short for all trials.
    saved = 1 - _epochs_a_trial(pruned) / _epochs_a_trial(whole)
    gained = sum(trials[2]) / sum(trials[1])
    return [
        at_least(60, min(s.trials for s in pruned), "trials within 5 minutes"),
        *(
            at_least(
                100 * quickstart[0],
                100 * s.validation_accuracy,
                f"% on the validation images with seed {s.seed}; quickstart's",
            )
            for s in pruned
        ),
        at_least(40, 100 * saved, "% of the epochs saved by pruning"),
        at_least(
            100 * mean(s.validation_accuracy for s in whole) - 0.2,  # two images of 1,000
            100 * mean(s.validation_accuracy for s in pruned),
            "% on the validation images with pruning, mean; without, less 0.2",
        ),
        at_least(1.7, gained, "times the trials with two jobs"),
    ]


def _epochs_a_trial(searches: Sequence[Search]) -> float:
    return sum(s.epochs for s in searches) / sum(s.trials for s in searches)


def _dlcli(*arguments: object) -> dict[str, Any]:
    """The JSON output of a command."""
    finished = subprocess.run(
        [DLCLI, *map(str, arguments), "--format", "json"], stdout=subprocess.PIPE, check=True
    )
    printed: dict[str, Any] = json.loads(finished.stdout)
    return printed


def _quickstart(folder: Path) -> tuple[float, float]:
    trained = _dlcli("train", "-q", "--config", "quickstart", "--runs-dir", folder)
    return trained["validation_accuracy"], _dlcli("eval", "-q", trained["run"])["accuracy"]


def _search(folder: Path, seed: int, pruner: str) -> Search:
    limit = () if pruner == "none" else ("--timeout", SEARCH_SECONDS)
    started = time.perf_counter()
    found = _dlcli(
        *("sweep", "-q", "--config", "sweep", "--jobs", 2, "--runs-dir", folder, *limit),
        *("--study", f"{pruner}-{seed}", "--set", f"sweep={{seed: {seed}, pruner: {pruner}}}"),
    )
    seconds = time.perf_counter() - started
    return Search(
        seed,
        pruner,
        seconds,
        found["trials"]["complete"] + found["trials"]["pruned"],
        found["epochs"],
        found["validation_accuracy"],
        _dlcli("eval", "-q", found["run"])["accuracy"],
    )


def _trials_of(jobs: int, folder: Path) -> int:
    limit = ("--timeout", JOB_SECONDS)
    found = _dlcli("sweep", "-q", *JOB_SEARCH, "--jobs", jobs, "--runs-dir", folder, *limit)
    done: int = found["trials"]["complete"]
    return done


if __name__ == "__main__":
    main()
