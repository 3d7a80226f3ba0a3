"""The models of a report, with their scores and the history of their training."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcli.config.schema import Config
from dlcli.data.examples import Examples
from dlcli.evaluation import evaluate
from dlcli.evaluation.evaluate import Evaluation
from dlcli.runs import directory, film, metrics_log
from dlcli.runs import summary as summaries
from dlcli.runs.checkpoint import Model
from dlcli.runs.directory import BEST, LAST
from dlcli.runs.film import Frame
from dlcli.runs.lookup import PRETRAINED
from dlcli.runs.summary import Summary
from dlcli.training.epoch_metrics import EpochRecord, overfitting_since
from dlcli.training.kept_epoch import kept_record


@dataclass(frozen=True)
class EvaluatedModel:
    """A model, its scores on the test images, and what its run directory says about it.

    Attributes
    ----------
    name
        What the page calls it.
    run
        Its run directory; None for a checkpoint without one.
    records
        Its metrics log, oldest epoch first; empty without a run directory.
    summary
        None without a run directory, and while the run is unfinished.
    frames
        Its film, oldest epoch first; empty without one.
    has_diverged
        Whether its training ended so, after the epochs of the log.
    """

    name: str
    model: Model
    config: Config
    run: Path | None
    records: list[EpochRecord]
    summary: Summary | None
    scores: Evaluation
    frames: Sequence[Frame] = ()
    has_diverged: bool = False

    @property
    def kept(self) -> EpochRecord | None:
        """The epoch that the run keeps; None without a log."""
        return kept_record(self.config.keep, self.records)

    @property
    def is_kept(self) -> bool:
        """Whether these are the weights that the run keeps, as far as its log tells."""
        return self.kept is None or self.kept.epoch == self.model.metadata.epoch

    @property
    def is_pretrained(self) -> bool:
        """Whether it is the model that comes with dlcli; a file of this name has a longer path."""
        return str(self.model.path) == PRETRAINED

    @property
    def overfitting_since(self) -> int | None:
        """As :func:`dlcli.training.epoch_metrics.overfitting_since`."""
        return overfitting_since(self.records)

    @property
    def seconds(self) -> float | None:
        """How long the training took; None without a log."""
        return sum(record.seconds for record in self.records) if self.records else None


def evaluate_models(models: Sequence[Model], test: Examples) -> list[EvaluatedModel]:
    """Evaluate each model on the test images, and read the files of its run.

    Raises
    ------
    CheckpointError
        The outputs of a model overflow, its config is invalid, or a file of its run is damaged.
    """
    folders = [run_of(model) for model in models]
    found = []
    for model, folder, name in zip(models, folders, _names(models, folders), strict=True):
        records = [] if folder is None else metrics_log.read(folder)
        summary = None if folder is None else summaries.read(folder)
        scores = evaluate.evaluate([model], test)
        frames = [] if folder is None else film.read(folder)
        diverged = folder is not None and directory.why_diverged(folder) is not None
        found.append(
            EvaluatedModel(
                name, model, model.config, folder, records, summary, scores, frames, diverged
            )
        )
    return found


def run_of(model: Model) -> Path | None:
    """The run directory that a checkpoint is in; None if it is elsewhere."""
    folder = model.path.parent
    inside = model.path.name in {BEST, LAST} and (folder / directory.CONFIG).is_file()
    return folder if inside else None


def _names(models: Sequence[Model], folders: Sequence[Path | None]) -> list[str]:
    """Each run's own name, or its path if another one has the same name."""
    paths = [folder or model.path for model, folder in zip(models, folders, strict=True)]
    short = [Path(os.path.abspath(path)).name for path in paths]  # noqa: PTH100 - links stay
    return [
        name if short.count(name) == 1 else str(path)
        for name, path in zip(short, paths, strict=True)
    ]
