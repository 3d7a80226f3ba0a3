"""Count the wrong labels that ``dlcli data audit`` finds.

Flips 1 % of the labels of the embedded sample at random and looks for them; and looks among MNIST's
test images for ten whose labels people agree are wrong. Writes the counts to benchmarks/LABELS.md.
Takes about two minutes on two cores, and needs MNIST.

    make labels
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dlcli.config import files as config_files
from dlcli.config.schema import Config
from dlcli.data import datasets, location
from dlcli.data.examples import Dataset, Examples
from dlcli.evaluation import label_issues
from dlcli.evaluation.cross_validation import cross_validate
from dlcli.nn.types import Labels
from dlcli.runs import lookup

FOLDS = 5
FLIPPED = 0.01  # of the labels
# Test images of MNIST on whose wrong labels people agree: Northcutt, Athalye and Mueller,
# "Pervasive label errors in test sets", 2021, and lists on the web.
AGREED = (947, 1621, 1901, 2462, 2597, 3558, 5937, 6651, 6783, 9729)
AMONG = 50  # the surest
REPORT = Path(__file__).parents[1] / "benchmarks" / "LABELS.md"


@dataclass(frozen=True)
class Found:
    """How many labels were flipped, how many were listed, and how many are in both."""

    flipped: int
    listed: int
    both: int

    @property
    def recall(self) -> float:
        """The fraction of the flipped labels that are listed."""
        return self.both / self.flipped

    @property
    def precision(self) -> float:
        """The fraction of the listed labels that were flipped."""
        return self.both / max(self.listed, 1)


def flip(labels: Labels, classes: int, fraction: float, seed: int) -> tuple[Labels, set[int]]:
    """Labels of which a fraction is replaced by others, and the indices of these."""
    random = np.random.default_rng(seed)
    rows = random.choice(len(labels), round(fraction * len(labels)), replace=False)
    flipped = labels.copy()
    others = random.integers(1, classes, len(rows))
    flipped[rows] = (flipped[rows].astype(np.int64) + others) % classes
    return flipped, set(rows.tolist())


def find_flipped(config: Config, dataset: Dataset, seed: int) -> Found:
    """Flip labels of the training images and look for them, as ``dlcli data audit`` does."""
    labels, rows = flip(dataset.train.labels, len(dataset.class_names), FLIPPED, seed)
    wrong = replace(dataset, train=Examples(dataset.train.images, labels))
    issues = label_issues.in_folds(wrong, list(cross_validate(config, wrong, FOLDS)))
    listed = {issue.index for issue in issues.first(None)}
    return Found(len(rows), len(listed), len(rows & listed))


def find_agreed(dataset: Dataset) -> list[int]:
    """The agreed ones among the test images whose labels the pretrained model doubts most."""
    models = [lookup.load_named(lookup.PRETRAINED)]
    surest = label_issues.unseen(dataset.test, models).first(AMONG)
    return sorted({issue.index for issue in surest} & set(AGREED))


def main() -> None:
    """Count the wrong labels that are found, and write the report."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", type=Path, default=location.default().path)
    data_dir = parser.parse_args().data_dir
    config = config_files.load(["audit"])
    found = find_flipped(config, datasets.load("sample"), seed=0)
    print(found)
    agreed = find_agreed(datasets.load("mnist", data_dir))
    print(agreed)
    REPORT.write_text(report(found, agreed), encoding="utf-8")


def report(found: Found, agreed: list[int]) -> str:
    """The counts as Markdown."""
    return f"""\
# Wrong labels that `dlcli data audit` finds

`make labels` wrote this: the sample with {FOLDS} folds of
[configs/audit.yaml](../configs/audit.yaml), MNIST's test images with `--model pretrained`, which
has learned from the training images.

| images | wrong labels | found | |
| --- | --- | --- | --- |
| the sample's 10,000 training images | {found.flipped}, flipped at random | {found.both} among \
{found.listed} listed | recall {100 * found.recall:.0f} %, precision {100 * found.precision:.0f} % |
| MNIST's 10,000 test images | {len(AGREED)} on which people agree | \
{len(agreed)} among the {AMONG} surest | {", ".join(map(str, agreed))} |
"""


if __name__ == "__main__":
    main()
