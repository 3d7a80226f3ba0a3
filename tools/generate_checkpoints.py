"""Small runs whose checkpoints every later dlcli must read, evaluate and go on with.

``python -m tools.generate_checkpoints`` writes them for the present format, once: those of a
format that was ever released are never written anew.
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlcli.cli.main import run
from dlcli.data import datasets
from dlcli.evaluation import evaluate
from dlcli.runs import checkpoint, layout, lookup, metrics_log

FOLDER = Path(__file__).parents[1] / "tests" / "checkpoints"
# .1: the optimiser's state has the names and the meaning of the papers.
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
    """Train each of the runs, and record what it is worth and how it goes on."""
    recorded = {}
    for name, settings in SETTINGS.items():
        options = [f"--set={setting}" for setting in ("dataset=sample", *settings)]
        where = [f"--runs-dir={folder}", f"--name={name}", "--threads=1"]
        train(*where, f"--set=epochs={EPOCHS}", *options)
        with TemporaryDirectory() as copy:
            shutil.copytree(folder / name, copy, dirs_exist_ok=True)
            go_on(Path(copy))
            recorded[name] = {"scores": scores(folder / name), "gone on": scores(Path(copy))}
        for needless in ("summary.json", ".lock"):
            (folder / name / needless).unlink()
    (folder / layout.LATEST).unlink()
    (folder / RECORD).write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")


def scores(folder: Path) -> dict[str, Any]:
    """How many of the sample's test images a run's model gets right, and its log."""
    model = lookup.load_named(str(folder))
    records = metrics_log.read(folder)
    return {
        "correct": evaluate.evaluate([model], datasets.load("sample").test).correct,
        "train_loss": [record.train_loss for record in records],
        "validation_loss": [record.validation_loss for record in records],
    }


def go_on(folder: Path) -> None:
    """Train a run for as many epochs again."""
    train(f"--resume={folder}", f"--set=epochs={2 * EPOCHS}")


def train(*arguments: str) -> None:
    """``dlcli train``, which must succeed."""
    if run(["train", "--quiet", *arguments]):
        raise RuntimeError(f"dlcli train {arguments} failed")


def main() -> None:
    """Write the runs of the present format."""
    folder = FOLDER / NAME
    folder.mkdir(parents=True)  # an old one stays as it is
    write(folder)


if __name__ == "__main__":
    main()
