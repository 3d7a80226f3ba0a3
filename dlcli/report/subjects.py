"""What a report is about: a model, its scores, and the history of its training."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.config.schema import Config
from dlcli.data.datasets import Examples
from dlcli.evaluation import evaluate
from dlcli.evaluation.evaluate import Evaluation
from dlcli.runs import layout, metrics_log
from dlcli.runs import summary as summaries
from dlcli.runs.checkpoint import Model
from dlcli.runs.layout import BEST, LAST
from dlcli.runs.summary import Summary
from dlcli.training.epoch_metrics import EpochRecord, overfitting_since


@dataclass(frozen=True)
class Subject:
    """A model and what is known about it.

    Attributes
    ----------
    name
        What the page calls it.
    run
        Its run directory; None of a bare checkpoint.
    records
        Its metrics log, oldest epoch first; empty of a bare checkpoint.
    summary
        None of a bare checkpoint, and while the run is unfinished.
    """

    name: str
    model: Model
    config: Config
    run: Path | None
    records: list[EpochRecord]
    summary: Summary | None
    scores: Evaluation

    @property
    def kept(self) -> EpochRecord | None:
        """The epoch whose weights are judged, if the log tells of it."""
        epoch = self.model.metadata.epoch
        return next((record for record in self.records if record.epoch == epoch), None)

    @property
    def overfitting_since(self) -> int | None:
        """As :func:`dlcli.training.epoch_metrics.overfitting_since`."""
        return overfitting_since(self.records)

    @property
    def seconds(self) -> float | None:
        """How long the training took, if the log tells."""
        return sum(record.seconds for record in self.records) if self.records else None


def gather(models: Sequence[Model], test: Examples) -> list[Subject]:
    """Judge each model on the test images, and read what is beside it on the disk.

    Raises
    ------
    CheckpointError
        The outputs of a model overflow, its config is not valid, or a file of its run is damaged.
    """
    folders = [run_of(model) for model in models]
    subjects = []
    for model, folder, name in zip(models, folders, _names(models, folders), strict=True):
        records = [] if folder is None else metrics_log.read(folder)
        summary = None if folder is None else summaries.read(folder)
        scores = evaluate.evaluate([model], test)
        subjects.append(Subject(name, model, model.config, folder, records, summary, scores))
    return subjects


def run_of(model: Model) -> Path | None:
    """The run directory that a checkpoint lies in; None if it lies elsewhere."""
    folder = model.path.parent
    inside = model.path.name in {BEST, LAST} and (folder / layout.CONFIG).is_file()
    return folder if inside else None


def _names(models: Sequence[Model], folders: Sequence[Path | None]) -> list[str]:
    """Short names: a run's own, if no other one has it."""
    paths = [folder or model.path for model, folder in zip(models, folders, strict=True)]
    short = [Path(os.path.abspath(path)).name for path in paths]  # noqa: PTH100 - links stay
    return [
        name if short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    ]
