"""Train every shipped config with several seeds, evaluate each network, and keep the logs."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import click

from dlcli.config.files import shipped_configs
from dlcli.evaluation.formatting import percent

DLCLI = str(Path(sys.executable).with_name("dlcli"))
LOGS = Path(__file__).with_name("runs")
_SEEDS = (0, 1, 2)
_FEWER_SEEDS = {"record": (0, 1)}  # each takes hours
_COUNTS = {2: "two", 3: "three"}
SCORES = "test.json"
_CLAIM = re.compile(r"^# .* % ± .*$", re.MULTILINE)
Results = list[tuple[dict[str, Any], dict[str, Any]]]  # summary and scores of each seed
_KEPT = ("config.yaml", "metrics.jsonl", "summary.json")


@click.command()
@click.option(
    "--config", "configs", multiple=True, help="Only this one.  [default: those with logs]"
)
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"))
def main(configs: tuple[str, ...], runs_dir: Path) -> None:
    """Train the runs missing in RUNS_DIR, evaluate all on the test images, and keep the logs.

    Then write accuracy and time into the first lines of each config.
    """
    files = shipped_configs()
    for config in configs or _measured(LOGS):
        for seed in seeds(config):
            run = runs_dir / f"{config}-{seed}"
            if not (run / "summary.json").exists():
                _train(run, config, seed)
            keep(run, LOGS)
        text = files[config].read_text(encoding="utf-8")
        files[config].write_text(_CLAIM.sub(f"# {claim(config)}", text), encoding="utf-8")


def _measured(logs: Path) -> list[str]:
    """The configs with logs: `audit` and `finetune` are no networks to compare."""
    return sorted({path.name.rpartition("-")[0] for path in logs.iterdir() if path.is_dir()})


def seeds(config: str) -> tuple[int, ...]:
    """The seeds that a config is trained with."""
    return _FEWER_SEEDS.get(config, _SEEDS)


def keep(run: Path, logs: Path) -> None:
    """Evaluate a run on the test images, and copy its logs, without weights, into ``logs``."""
    kept = logs / run.name
    kept.mkdir(parents=True, exist_ok=True)
    for name in _KEPT:
        shutil.copyfile(run / name, kept / name)
    finished = subprocess.run(
        [DLCLI, "eval", run, "--format", "json"], stdout=subprocess.PIPE, check=True
    )
    (kept / SCORES).write_bytes(finished.stdout)


def _train(run: Path, config: str, seed: int) -> None:
    if (run / "last.npz").exists():
        arguments = ["--resume", str(run)]
    else:
        begin = f"--config {config} --set seed={seed} --name {run.name} --runs-dir".split()
        arguments = [*begin, str(run.parent)]
    subprocess.run([DLCLI, "train", *arguments], stdout=subprocess.DEVNULL, check=True)


def table(logs: Path = LOGS) -> str:
    """The results in the logs as a Markdown table, the least accurate config first."""
    rows = [
        "| config | network | test accuracy | each seed | calibration error | training |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    found = {name: list(_results(logs, name)) for name in _measured(logs)}
    for name, results in sorted(found.items(), key=lambda item: _accuracy(item[1])):
        of_seeds = ", ".join(f"{100 * test['accuracy']:.2f}" for _, test in results)
        calibration = mean(test["expected_calibration_error"] for _, test in results)
        cells = (
            f"`{name}`",
            _network(results[0][0]["config"]),
            _mean_and_deviation(results),
            of_seeds,
            percent(calibration),
            _duration(results),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def claim(config: str, logs: Path = LOGS) -> str:
    """The line with a config's accuracy and training time, from the logs."""
    results = list(_results(logs, config))
    images = f"{results[0][1]['images']:,} test images"
    count = f"{_COUNTS[len(results)]} seeds"
    return f"{_mean_and_deviation(results)} on {images} ({count}), {_duration(results)}"


def _results(logs: Path, config: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for seed in seeds(config):
        run = logs / f"{config}-{seed}"
        yield json.loads((run / "summary.json").read_text()), json.loads((run / SCORES).read_text())


def _accuracy(results: Results) -> float:
    return mean(float(test["accuracy"]) for _, test in results)


def _mean_and_deviation(results: Results) -> str:
    deviation = stdev(float(test["accuracy"]) for _, test in results)
    return f"{percent(_accuracy(results))} ± {100 * deviation:.2f}"


def _network(config: dict[str, Any]) -> str:
    layers = "-".join(map(str, [784, *config["hidden_layers"], 10]))
    features = {
        "dropout": config["dropout"],
        "batch normalisation": config["batch_norm"],
        "distortions": config["augmentation"],
        "mixtures": config.get("mixup"),  # younger than some logs
        "squared error": config["loss"] == "mse",
    }
    activation = [config["activation"]] if config["hidden_layers"] else []
    return ", ".join([layers, *activation, *(name for name, has in features.items() if has)])


def _duration(results: Results) -> str:
    # Of the fastest seed: other work on the machine only adds to the time.
    seconds = min(float(summary["seconds"]) for summary, _ in results)
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.1f} s"


if __name__ == "__main__":
    main()
