"""Write small runs whose checkpoints every later dlcli must read, evaluate and resume.

Writes a folder in ``tests/checkpoints`` for the current format of checkpoints, from the embedded
sample, and with it the scores that later versions must reproduce. It refuses to replace a folder
that exists, because released formats stay as they are. Takes a few seconds.

    make checkpoints
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcli.cli.main import run
from dlcli.data import datasets
from dlcli.evaluation import evaluate
from dlcli.runs import checkpoint, directory, lookup, metrics_log

FOLDER = Path(__file__).parents[1] / "tests" / "checkpoints"
# Since .1 the optimiser's state has the names and the meaning of the papers.
NAME = f"version-{checkpoint.FORMAT_VERSION}.1"
RECORD = "record.json"
EPOCHS = 2
SETTINGS = {
    "momentum": ("hidden_layers=[3]", "learning_rate=0.05"),
    "adamw": (
        "hidden_layers=[3]",
        "activation=gelu",
        "optimizer=adamw",
        "learning_rate=0.005",
        "weight_decay=0.01",
        "batch_norm=true",
        "weight_averaging=0.99",
    ),
}


def write(folder: Path) -> None:
    """Train each of the runs and record its scores, and those after resuming a copy of it."""
    recorded = {}
    for name, settings in SETTINGS.items():
        options = [f"--set={setting}" for setting in ("dataset=sample", *settings)]
        where = [f"--runs-dir={folder}", f"--name={name}", "--threads=1"]
        train(*where, f"--set=epochs={EPOCHS}", *options)
        with TemporaryDirectory() as copy:
            shutil.copytree(folder / name, copy, dirs_exist_ok=True)
            resume(Path(copy))
            recorded[name] = {"scores": scores(folder / name), "resumed": scores(Path(copy))}
        for unneeded in ("summary.json", ".lock"):
            (folder / name / unneeded).unlink()
    (folder / directory.LATEST).unlink()
    (folder / RECORD).write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")


def scores(folder: Path) -> dict[str, Any]:
    """The number of the sample's test images that a run's model predicts right, and its losses."""
    model = lookup.load_named(str(folder))
    records = metrics_log.read(folder)
    return {
        "correct": evaluate.evaluate([model], datasets.load("sample").test).correct,
        "train_loss": [record.train_loss for record in records],
        "validation_loss": [record.validation_loss for record in records],
    }


def resume(folder: Path) -> None:
    """Train a run for as many epochs again as it has."""
    train(f"--resume={folder}", f"--set=epochs={2 * EPOCHS}")


def train(*arguments: str) -> None:
    """Run ``dlcli train``, which must succeed."""
    if run(["train", "--quiet", *arguments]):
        raise RuntimeError(f"dlcli train {arguments} failed")


def main() -> None:
    """Write the runs of the current format."""
    folder = FOLDER / NAME
    folder.mkdir(parents=True)
    write(folder)


if __name__ == "__main__":
    main()
